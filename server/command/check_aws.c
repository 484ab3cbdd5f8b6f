/* pairwatch check aws: every permission of `pairwatch work`, tried once. */
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "aws/identity.h"
#include "aws/s3.h"
#include "aws/sagemaker_runtime.h"
#include "aws/sqs.h"
#include "base/arena.h"
#include "base/str.h"
#include "command/check.h"
#include "lake/announce.h"
#include "lake/object.h"

enum {
    TRIED_OBJECT_BYTES_MAX = 64 << 20, /* a larger one may be read: that is enough to know */
    ARENA_BYTES_MAX = 64 << 20,
    LINE_BYTES_MAX = 1024,
    ARN_BYTES_MAX = 512,
    WAIT_S = 1,
    ANSWER_MS = 70 * 1000,
};

struct checking {
    const struct check_options *options;
    struct arena arena;
    struct aws *aws;
    struct aws_link *link;
    struct sqs_queue *queue;
    char queue_arn[ARN_BYTES_MAX];
    struct announced object;
    bool has_object;
    int faults;
};

static void checking_done(struct checking *checking)
{
    sqs_close(checking->queue);
    aws_link_close(checking->link);
    aws_close(checking->aws);
    arena_done(&checking->arena);
}

static void fine(const char *name, const char *text)
{
    check_print(name, true, text);
}

/* action NULL: nothing that a statement grants. */
static void fault(struct checking *checking, const char *name, const struct err *reason,
                  const char *action, const char *resource)
{
    char line[LINE_BYTES_MAX];

    checking->faults++;
    (void)snprintf(line, sizeof line, "%s", reason->text);
    check_print(name, false, line);
    if (action == NULL)
        return;
    (void)printf(
        "       grant it: {\"Effect\": \"Allow\", \"Action\": \"%s\", \"Resource\": \"%s\"}\n",
        action, resource);
}

/* The key that a refusal of KMS names, "arn:aws:kms:…", or all of them. */
static const char *kms_key_of(const struct err *reason, char ret[static ARN_BYTES_MAX])
{
    const char *at = strstr(reason->text, "arn:");

    for (; at != NULL; at = strstr(at + 1, "arn:")) {
        size_t length = strcspn(at, " \",)");

        if (length >= ARN_BYTES_MAX || memmem(at, length, ":kms:", 5) == NULL)
            continue;
        (void)snprintf(ret, ARN_BYTES_MAX, "%.*s", (int)length, at);
        return ret;
    }
    return "*";
}

static bool is_of_kms(const struct err *reason)
{
    return strstr(reason->text, "kms:Decrypt") != NULL || strstr(reason->text, "KMS") != NULL ||
           strstr(reason->text, "KmsAccessDenied") != NULL;
}

/* A refusal names what is missing; anything else is told as it is. */
static void outcome(struct checking *checking, const char *action, enum err_code code,
                    const struct err *reason, const char *resource)
{
    char key[ARN_BYTES_MAX];

    if (code == ERR_NONE)
        fine(action, resource);
    else if (code == ERR_FORBIDDEN && is_of_kms(reason))
        fault(checking, "kms:Decrypt", reason, "kms:Decrypt", kms_key_of(reason, key));
    else
        fault(checking, action, reason, code == ERR_FORBIDDEN ? action : NULL, resource);
}

static const char *partition_of(const char *region)
{
    if (str_starts(region, "cn-"))
        return "aws-cn";
    return str_starts(region, "us-gov-") ? "aws-us-gov" : "aws";
}

/* ".../ACCOUNT/NAME" of a queue's URL, when it was not named by its ARN. */
static void set_queue_arn(struct checking *checking, const char *queue)
{
    const char *name = strrchr(queue, '/'), *account = name;
    char region[AWS_REGION_BYTES] = "*";

    (void)snprintf(checking->queue_arn, ARN_BYTES_MAX, "%s",
                   str_starts(queue, "arn:") ? queue : "*");
    while (account != NULL && account > queue && account[-1] != '/')
        account--;
    if (str_starts(queue, "arn:") || name == NULL || account == queue)
        return;
    if (sscanf(queue, "https://sqs.%32[a-z0-9-].", region) != 1 &&
        aws_region(checking->aws)[0] != '\0')
        (void)snprintf(region, sizeof region, "%s", aws_region(checking->aws));
    (void)snprintf(checking->queue_arn, ARN_BYTES_MAX, "arn:%s:sqs:%s:%.*s:%s",
                   partition_of(region), region, (int)(name - account), account, name + 1);
}

static bool check_identity(struct checking *checking)
{
    char arn[AWS_ARN_BYTES];
    struct err err = {0};
    enum err_code code = aws_identity(checking->link, arn, &err);
    bool assuming = checking->options->aws_role != NULL && strstr(err.text, "AssumeRole") != NULL;

    if (code == ERR_NONE)
        fine("identity", arn);
    else
        fault(checking, "identity", &err, assuming ? "sts:AssumeRole" : NULL,
              checking->options->aws_role);
    return code == ERR_NONE;
}

static void note_object(struct checking *checking, const struct sqs_message *message)
{
    struct announcement announcement;
    struct err unused;

    if (checking->has_object || announce_read(message->body, strlen(message->body),
                                              &checking->arena, &announcement, &unused) != ERR_NONE)
        return;
    for (size_t i = 0; i < announcement.count && !checking->has_object; i++)
        if (announcement.objects[i].in_lake) {
            checking->object = announcement.objects[i];
            checking->has_object = true;
        }
}

/* What is received is given back at once: that shows the permission to hide as well. */
static void check_messages(struct checking *checking)
{
    static const char *const NONE[] = {"pairwatch-check"};
    struct sqs_message messages[SQS_BATCH_MAX];
    const char *receipt = NONE[0];
    bool failed;
    size_t count = 0;
    struct err err = {0};
    enum err_code code = sqs_receive(checking->link, checking->queue, 1, WAIT_S, NULL,
                                     &checking->arena, messages, &count, &err);

    outcome(checking, "sqs:ReceiveMessage", code, &err, checking->queue_arn);
    if (count > 0) {
        note_object(checking, &messages[0]);
        receipt = messages[0].receipt;
    }
    code = sqs_hide(checking->link, checking->queue, &receipt, 1, 0, &failed, &err);
    outcome(checking, "sqs:ChangeMessageVisibility", code, &err, checking->queue_arn);
    /* A receipt that is none: the permission is asked first, and nothing is deleted. */
    code = sqs_delete(checking->link, checking->queue, NONE, 1, &failed, &err);
    outcome(checking, "sqs:DeleteMessage", code, &err, checking->queue_arn);
}

static void check_queue(struct checking *checking, const char *queue)
{
    struct sqs_attributes attributes = {0};
    struct err err = {0};
    enum err_code code = sqs_open(checking->link, queue, &checking->queue, &err);

    if (str_starts(queue, "arn:") || code != ERR_NONE)
        outcome(checking, "sqs:GetQueueUrl", code, &err, checking->queue_arn);
    if (code != ERR_NONE)
        return;
    code = sqs_attributes(checking->link, checking->queue, &attributes, &err);
    outcome(checking, "sqs:GetQueueAttributes", code, &err, checking->queue_arn);
    if (code == ERR_NONE && !attributes.has_dead_letters) {
        (void)err_set(
            &err, ERR_INVALID,
            "the queue has no dead-letter queue: what cannot be read comes again and again");
        fault(checking, "dead letters", &err, NULL, NULL);
    }
    check_messages(checking);
}

/* s3://BUCKET/KEY */
static enum err_code parse_object(struct checking *checking, struct err *err)
{
    static const char SCHEME[] = "s3://";
    const char *text = checking->options->object;
    const char *slash = text != NULL ? strchr(text + sizeof SCHEME - 1, '/') : NULL;

    if (text == NULL)
        return ERR_NONE;
    if (!str_starts(text, SCHEME) || slash == NULL || slash[1] == '\0')
        return err_set(err, ERR_USAGE, "--object must be s3://BUCKET/KEY, not \"%s\"", text);
    text += sizeof SCHEME - 1;
    checking->object.bucket = arena_strndup(&checking->arena, text, (size_t)(slash - text));
    checking->object.key = slash + 1;
    checking->has_object = true;
    return ERR_NONE;
}

static void check_object(struct checking *checking)
{
    AUTO(fd_closep) int fd = memfd_create("object", MFD_CLOEXEC);
    const struct announced *object = &checking->object;
    char resource[ARN_BYTES_MAX];
    struct s3_object got;
    struct err err = {0};
    enum err_code code;

    if (!checking->has_object) {
        (void)err_set(&err, ERR_NOT_FOUND,
                      "not tried: no message announces an object now; name one with --object");
        fault(checking, "s3:GetObject", &err, NULL, NULL);
        return;
    }
    code = s3_get(checking->link,
                  &(struct s3_wanted){.bucket = object->bucket,
                                      .key = object->key,
                                      .region = object->region,
                                      .bytes_max = TRIED_OBJECT_BYTES_MAX,
                                      .file = fd},
                  &got, &err);
    (void)snprintf(resource, sizeof resource, "arn:%s:s3:::%s/%.*s*",
                   partition_of(aws_region(checking->aws)), object->bucket,
                   (int)(strcspn(object->key, "/") + (strchr(object->key, '/') != NULL)),
                   object->key);
    outcome(checking, "s3:GetObject", code == ERR_TOO_LARGE ? ERR_NONE : code, &err, resource);
}

/* A model that refuses the row was reached. */
static void check_endpoint(struct checking *checking, const char *endpoint)
{
    static const char ROW[] = "pairwatch-check,192.0.2.1\n";
    AUTO(aws_reply_done) struct aws_reply reply = {0};
    struct sagemaker_refusal refusal = {0};
    char resource[ARN_BYTES_MAX];
    struct err err = {0};
    enum err_code code =
        sagemaker_invoke(checking->link,
                         &(struct sagemaker_asked){.endpoint = endpoint,
                                                   .content_type = "text/csv",
                                                   .accept = "application/jsonlines",
                                                   .body = ROW,
                                                   .length = sizeof ROW - 1,
                                                   .answer_ms = ANSWER_MS,
                                                   .deadline_ms = ANSWER_MS},
                         &reply, &refusal, &err);

    (void)snprintf(resource, sizeof resource, "arn:%s:sagemaker:%s:*:endpoint/%s",
                   partition_of(aws_region(checking->aws)), aws_region(checking->aws), endpoint);
    outcome(checking, "sagemaker:InvokeEndpoint", refusal.by_model ? ERR_NONE : code, &err,
            resource);
}

enum err_code check_subject_aws(const struct check_options *options, int *ret_faults,
                                struct err *err)
{
    static const char SQS[] = "sqs:", SAGEMAKER[] = "sagemaker:";
    AUTO(checking_done) struct checking checking = {.options = options};
    const char *queue = options->queue;

    if (queue == NULL)
        return err_set(err, ERR_USAGE, "check aws needs --queue sqs:URL");
    if (str_starts(queue, SQS))
        queue += sizeof SQS - 1;
    arena_init(&checking.arena, ARENA_BYTES_MAX);
    TRY(parse_object(&checking, err));
    TRY(aws_open(
        &(struct aws_options){.role = options->aws_role, .external_id = options->aws_external_id},
        &checking.aws, err));
    aws_link_open(checking.aws, &checking.link);
    set_queue_arn(&checking, queue);
    if (check_identity(&checking)) {
        check_queue(&checking, queue);
        check_object(&checking);
        if (options->scorer != NULL && str_starts(options->scorer, SAGEMAKER))
            check_endpoint(&checking, options->scorer + sizeof SAGEMAKER - 1);
    }
    *ret_faults = checking.faults;
    return ERR_NONE;
}
