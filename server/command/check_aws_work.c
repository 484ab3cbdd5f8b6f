/* What `pairwatch work` with the same flags asks for: queue, object, endpoint. */
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "aws/s3.h"
#include "aws/sagemaker_runtime.h"
#include "aws/sqs.h"
#include "base/str.h"
#include "command/check_aws.h"
#include "lake/announce.h"
#include "lake/object.h"

enum {
    TRIED_OBJECT_BYTES_MAX = 64 << 20, /* a larger one may be read: that is enough to know */
    WAIT_S = 1,
    ANSWER_MS = 70 * 1000,
};

struct working {
    struct checking *checking;
    struct sqs_queue *queue;
    char queue_arn[CHECK_ARN_BYTES];
    struct announced object;
    bool has_object;
};

static void working_done(struct working *working)
{
    sqs_close(working->queue);
}

/* ".../ACCOUNT/NAME" of a queue's URL, when it was not named by its ARN. */
static void set_queue_arn(struct working *working, const char *queue)
{
    const char *name = strrchr(queue, '/'), *account = name;
    char region[AWS_REGION_BYTES] = "*";

    (void)snprintf(working->queue_arn, CHECK_ARN_BYTES, "%s",
                   str_starts(queue, "arn:") ? queue : "*");
    while (account != NULL && account > queue && account[-1] != '/')
        account--;
    if (str_starts(queue, "arn:") || name == NULL || account == queue)
        return;
    if (sscanf(queue, "https://sqs.%32[a-z0-9-].", region) != 1 &&
        aws_region(working->checking->aws)[0] != '\0')
        (void)snprintf(region, sizeof region, "%s", aws_region(working->checking->aws));
    (void)snprintf(working->queue_arn, CHECK_ARN_BYTES, "arn:%s:sqs:%s:%.*s:%s",
                   check_partition(region), region, (int)(name - account), account, name + 1);
}

static void note_object(struct working *working, const struct sqs_message *message)
{
    struct announcement announcement;
    struct err unused;

    if (working->has_object ||
        announce_read(message->body, strlen(message->body), &working->checking->arena,
                      &announcement, &unused) != ERR_NONE)
        return;
    for (size_t i = 0; i < announcement.count && !working->has_object; i++)
        if (announcement.objects[i].in_lake) {
            working->object = announcement.objects[i];
            working->has_object = true;
        }
}

/* What is received is given back at once: that shows the permission to hide as well. */
static void check_messages(struct working *working)
{
    static const char *const NONE[] = {"pairwatch-check"};
    struct sqs_message messages[SQS_BATCH_MAX];
    const char *receipt = NONE[0];
    bool failed;
    size_t count = 0;
    struct err err = {0};
    enum err_code code = sqs_receive(working->checking->link, working->queue, 1, WAIT_S, NULL,
                                     &working->checking->arena, messages, &count, &err);

    checking_outcome(working->checking, "sqs:ReceiveMessage", code, &err, working->queue_arn);
    if (count > 0) {
        note_object(working, &messages[0]);
        receipt = messages[0].receipt;
    }
    code = sqs_hide(working->checking->link, working->queue, &receipt, 1, 0, &failed, &err);
    checking_outcome(working->checking, "sqs:ChangeMessageVisibility", code, &err,
                     working->queue_arn);
    /* A receipt that is none: the permission is asked first, and nothing is deleted. */
    code = sqs_delete(working->checking->link, working->queue, NONE, 1, &failed, &err);
    checking_outcome(working->checking, "sqs:DeleteMessage", code, &err, working->queue_arn);
}

static void check_queue(struct working *working, const char *queue)
{
    struct sqs_attributes attributes = {0};
    struct err err = {0};
    enum err_code code = sqs_open(working->checking->link, queue, &working->queue, &err);

    if (str_starts(queue, "arn:") || code != ERR_NONE)
        checking_outcome(working->checking, "sqs:GetQueueUrl", code, &err, working->queue_arn);
    if (code != ERR_NONE)
        return;
    code = sqs_attributes(working->checking->link, working->queue, &attributes, &err);
    checking_outcome(working->checking, "sqs:GetQueueAttributes", code, &err, working->queue_arn);
    if (code == ERR_NONE && !attributes.has_dead_letters) {
        (void)err_set(
            &err, ERR_INVALID,
            "the queue has no dead-letter queue: what cannot be read comes again and again");
        checking_fault(working->checking, "dead letters", &err, NULL, NULL);
    }
    check_messages(working);
}

/* s3://BUCKET/KEY */
static enum err_code parse_object(struct working *working, struct err *err)
{
    static const char SCHEME[] = "s3://";
    const char *text = working->checking->options->object;
    const char *slash = text != NULL ? strchr(text + sizeof SCHEME - 1, '/') : NULL;

    if (text == NULL)
        return ERR_NONE;
    if (!str_starts(text, SCHEME) || slash == NULL || slash[1] == '\0')
        return err_set(err, ERR_USAGE, "--object must be s3://BUCKET/KEY, not \"%s\"", text);
    text += sizeof SCHEME - 1;
    working->object.bucket = arena_strndup(&working->checking->arena, text, (size_t)(slash - text));
    working->object.key = slash + 1;
    working->has_object = true;
    return ERR_NONE;
}

static void check_object(struct working *working)
{
    AUTO(fd_closep) int fd = memfd_create("object", MFD_CLOEXEC);
    const struct announced *object = &working->object;
    char resource[CHECK_ARN_BYTES];
    struct s3_object got;
    struct err err = {0};
    enum err_code code;

    if (!working->has_object) {
        (void)err_set(&err, ERR_NOT_FOUND,
                      "not tried: no message announces an object now; name one with --object");
        checking_fault(working->checking, "s3:GetObject", &err, NULL, NULL);
        return;
    }
    code = s3_get(working->checking->link,
                  &(struct s3_wanted){.bucket = object->bucket,
                                      .key = object->key,
                                      .region = object->region,
                                      .bytes_max = TRIED_OBJECT_BYTES_MAX,
                                      .file = fd},
                  &got, &err);
    (void)snprintf(resource, sizeof resource, "arn:%s:s3:::%s/%.*s*",
                   check_partition(aws_region(working->checking->aws)), object->bucket,
                   (int)(strcspn(object->key, "/") + (strchr(object->key, '/') != NULL)),
                   object->key);
    checking_outcome(working->checking, "s3:GetObject", code == ERR_TOO_LARGE ? ERR_NONE : code,
                     &err, resource);
}

/* A model that refuses the row was reached. */
static void check_endpoint(struct working *working, const char *endpoint)
{
    static const char ROW[] = "pairwatch-check,192.0.2.1\n";
    AUTO(aws_reply_done) struct aws_reply reply = {0};
    struct sagemaker_refusal refusal = {0};
    char resource[CHECK_ARN_BYTES];
    struct err err = {0};
    enum err_code code =
        sagemaker_invoke(working->checking->own_link,
                         &(struct sagemaker_asked){.endpoint = endpoint,
                                                   .content_type = "text/csv",
                                                   .accept = "application/jsonlines",
                                                   .body = ROW,
                                                   .length = sizeof ROW - 1,
                                                   .answer_ms = ANSWER_MS,
                                                   .deadline_ms = ANSWER_MS},
                         &reply, &refusal, &err);

    (void)snprintf(resource, sizeof resource, "arn:%s:sagemaker:%s:*:endpoint/%s",
                   check_partition(aws_region(working->checking->own_aws)),
                   aws_region(working->checking->own_aws), endpoint);
    checking_outcome(working->checking, "sagemaker:InvokeEndpoint",
                     refusal.by_model ? ERR_NONE : code, &err, resource);
}

enum err_code check_part_work(struct checking *checking, struct err *err)
{
    static const char SQS[] = "sqs:", SAGEMAKER[] = "sagemaker:";
    AUTO(working_done) struct working working = {.checking = checking};
    const char *queue = checking->options->queue, *scorer = checking->options->scorer;

    TRY(parse_object(&working, err));
    if (queue != NULL) {
        queue += str_starts(queue, SQS) ? sizeof SQS - 1 : 0;
        set_queue_arn(&working, queue);
        check_queue(&working, queue);
    }
    if (queue != NULL || working.has_object)
        check_object(&working);
    if (scorer != NULL && str_starts(scorer, SAGEMAKER))
        check_endpoint(&working, scorer + sizeof SAGEMAKER - 1);
    return ERR_NONE;
}
