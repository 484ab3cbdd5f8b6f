/* pairwatch check aws: every permission of the commands that ask AWS, tried once. */
#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/mman.h>

#include "aws/identity.h"
#include "aws/s3.h"
#include "base/str.h"
#include "command/check_aws.h"
#include "lake/object.h"

enum { ARENA_BYTES_MAX = 64 << 20, LINE_BYTES_MAX = 1024, ACTION_BYTES_MAX = 96 };

static void checking_done(struct checking *checking)
{
    if (checking->own_link != checking->link)
        aws_link_close(checking->own_link);
    if (checking->own_aws != checking->aws)
        aws_close(checking->own_aws);
    aws_link_close(checking->link);
    aws_close(checking->aws);
    arena_done(&checking->arena);
}

void checking_fine(const char *name, const char *text)
{
    check_print(name, true, text);
}

void checking_fault(struct checking *checking, const char *name, const struct err *reason,
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
static const char *kms_key_of(const struct err *reason, char ret[static CHECK_ARN_BYTES])
{
    const char *at = strstr(reason->text, "arn:");

    for (; at != NULL; at = strstr(at + 1, "arn:")) {
        size_t length = strcspn(at, " \",)");

        if (length >= CHECK_ARN_BYTES || memmem(at, length, ":kms:", 5) == NULL)
            continue;
        (void)snprintf(ret, CHECK_ARN_BYTES, "%.*s", (int)length, at);
        return ret;
    }
    return "*";
}

static bool is_of_kms(const struct err *reason)
{
    return strstr(reason->text, "kms:Decrypt") != NULL || strstr(reason->text, "KMS") != NULL ||
           strstr(reason->text, "KmsAccessDenied") != NULL;
}

/* "… not authorized to perform: ACTION on resource: ARN because …", as every service says it that
 * asks another one on the caller's behalf. The resource is "*" when the sentence ends within it. */
static bool read_denial(const char *text, char ret_action[static ACTION_BYTES_MAX],
                        char ret_resource[static CHECK_ARN_BYTES])
{
    static const char DENIED[] = "not authorized to perform: ", ON[] = " on resource: ";
    const char *at = strstr(text, DENIED), *resource;
    size_t length;

    if (at == NULL)
        return false;
    at += sizeof DENIED - 1;
    length = strcspn(at, " .,");
    if (length == 0 || length >= ACTION_BYTES_MAX || memchr(at, ':', length) == NULL)
        return false;
    (void)snprintf(ret_action, ACTION_BYTES_MAX, "%.*s", (int)length, at);
    (void)snprintf(ret_resource, CHECK_ARN_BYTES, "*");
    if (!str_starts(at + length, ON))
        return true;
    resource = at + length + sizeof ON - 1;
    length = strcspn(resource, " ");
    if (str_starts(resource, "arn:") && resource[length] == ' ' && length < CHECK_ARN_BYTES)
        (void)snprintf(ret_resource, CHECK_ARN_BYTES, "%.*s", (int)length, resource);
    return true;
}

void checking_outcome(struct checking *checking, const char *action, enum err_code code,
                      const struct err *reason, const char *resource)
{
    char other[ACTION_BYTES_MAX], place[CHECK_ARN_BYTES];
    bool named = code != ERR_NONE && read_denial(reason->text, other, place);

    if (code == ERR_NONE)
        checking_fine(action, resource);
    else if ((code == ERR_FORBIDDEN || named) && is_of_kms(reason))
        checking_fault(checking, "kms:Decrypt", reason, "kms:Decrypt", kms_key_of(reason, place));
    else if (named && strcasecmp(other, action) != 0)
        checking_fault(checking, other, reason, other, place);
    else
        checking_fault(checking, action, reason, code == ERR_FORBIDDEN || named ? action : NULL,
                       resource);
}

void checking_permitted(struct checking *checking, const char *action, enum err_code code,
                        const struct err *reason, const char *resource)
{
    char other[ACTION_BYTES_MAX], place[CHECK_ARN_BYTES];
    bool answered = code == ERR_NONE || code == ERR_NOT_FOUND || code == ERR_INVALID;

    if (answered && (code == ERR_NONE || !read_denial(reason->text, other, place)))
        code = ERR_NONE;
    checking_outcome(checking, action, code, reason, resource);
}

const char *check_partition(const char *region)
{
    if (str_starts(region, "cn-"))
        return "aws-cn";
    return str_starts(region, "us-gov-") ? "aws-us-gov" : "aws";
}

enum err_code checking_place_read(const char *flag, const char *uri, struct checking_place *ret,
                                  struct err *err)
{
    size_t length;

    if (!s3_uri_read(uri, ret->bucket, ret->prefix))
        return err_set(err, ERR_USAGE, "--%s must be s3://BUCKET/PREFIX/, not \"%.200s\"", flag,
                       uri);
    length = strlen(ret->prefix);
    if (length > S3_KEY_BYTES_MAX / 2)
        return err_set(err, ERR_USAGE, "the prefix in --%s is too long", flag);
    if (length > 0 && ret->prefix[length - 1] != '/')
        (void)memcpy(ret->prefix + length, "/", 2);
    return ERR_NONE;
}

void checking_write_and_read(struct checking *checking, const struct checking_place *place)
{
    static const char TEXT[] = "Left by `pairwatch check aws`, and written over by the next one.\n";
    AUTO(fd_closep) int fd = memfd_create("object", MFD_CLOEXEC);
    char key[S3_KEY_BYTES_MAX + sizeof "pairwatch-check"], resource[CHECK_ARN_BYTES];
    struct s3_object object;
    struct err err = {0};
    enum err_code code;

    (void)snprintf(key, sizeof key, "%spairwatch-check", place->prefix);
    (void)snprintf(resource, sizeof resource, "arn:%s:s3:::%s/%s*",
                   check_partition(aws_region(checking->own_aws)), place->bucket, place->prefix);
    code = s3_put(checking->own_link,
                  &(struct s3_given){.bucket = place->bucket,
                                     .key = key,
                                     .content_type = "text/plain",
                                     .bytes = TEXT,
                                     .length = sizeof TEXT - 1},
                  &err);
    checking_outcome(checking, "s3:PutObject", code, &err, resource);
    if (code != ERR_NONE)
        return;
    code = s3_get(checking->own_link,
                  &(struct s3_wanted){
                      .bucket = place->bucket, .key = key, .bytes_max = sizeof TEXT, .file = fd},
                  &object, &err);
    checking_outcome(checking, "s3:GetObject", code, &err, resource);
}

static bool check_identity(struct checking *checking)
{
    struct err err = {0};
    enum err_code code = aws_identity(checking->link, checking->identity, &err);
    bool assuming = checking->options->aws_role != NULL && strstr(err.text, "AssumeRole") != NULL;

    if (code == ERR_NONE)
        checking_fine("identity", checking->identity);
    else
        checking_fault(checking, "identity", &err, assuming ? "sts:AssumeRole" : NULL,
                       checking->options->aws_role);
    return code == ERR_NONE;
}

/* The place of archived observations: written by retention, listed and read by import. */
static enum err_code list_none(UNUSED void *context, UNUSED const struct s3_listed *listed,
                               UNUSED struct err *err)
{
    return ERR_NONE;
}

enum err_code check_part_archive(struct checking *checking, struct err *err)
{
    struct checking_place place;
    char key[S3_KEY_BYTES_MAX + sizeof "pairwatch-check"], resource[CHECK_ARN_BYTES];
    struct err reason = {0};
    enum err_code code;

    TRY(checking_place_read("archive", checking->options->archive, &place, err));
    checking_write_and_read(checking, &place);
    (void)snprintf(key, sizeof key, "%spairwatch-check", place.prefix);
    (void)snprintf(resource, sizeof resource, "arn:%s:s3:::%s",
                   check_partition(aws_region(checking->own_aws)), place.bucket);
    code = s3_list(checking->own_link,
                   &(struct s3_listing){.bucket = place.bucket, .prefix = key, .visit = list_none},
                   &reason);
    checking_outcome(checking, "s3:ListBucket", code, &reason, resource);
    return ERR_NONE;
}

static enum err_code open_keys(struct checking *checking, struct err *err)
{
    const struct check_options *options = checking->options;

    TRY(aws_open(
        &(struct aws_options){.role = options->aws_role, .external_id = options->aws_external_id},
        &checking->aws, err));
    aws_link_open(checking->aws, &checking->link);
    checking->own_aws = checking->aws;
    checking->own_link = checking->link;
    if (options->aws_role == NULL)
        return ERR_NONE;
    checking->own_aws = NULL;
    checking->own_link = NULL;
    TRY(aws_open(&(struct aws_options){.region = NULL}, &checking->own_aws, err));
    aws_link_open(checking->own_aws, &checking->own_link);
    return ERR_NONE;
}

enum err_code check_subject_aws(const struct check_options *options, int *ret_faults,
                                struct err *err)
{
    const struct {
        const char *flag;
        enum err_code (*run)(struct checking *checking, struct err *err);
    } PARTS[] = {
        {options->queue != NULL || options->object != NULL ? "" : options->scorer, check_part_work},
        {options->athena_output, check_part_athena},
        {options->sagemaker_bucket, check_part_sagemaker},
        {options->archive, check_part_archive},
    };
    AUTO(checking_done) struct checking checking = {.options = options};
    size_t asked = 0;

    for (size_t i = 0; i < ARRAY_LEN(PARTS); i++)
        asked += PARTS[i].flag != NULL;
    if (asked == 0)
        return err_set(err, ERR_USAGE,
                       "say what is to be permitted: --queue sqs:URL, --scorer sagemaker:NAME, "
                       "--athena-output, --sagemaker-bucket or --archive s3://BUCKET/PREFIX/");
    arena_init(&checking.arena, ARENA_BYTES_MAX);
    TRY(open_keys(&checking, err));
    if (check_identity(&checking))
        for (size_t i = 0; i < ARRAY_LEN(PARTS); i++)
            if (PARTS[i].flag != NULL)
                TRY(PARTS[i].run(&checking, err));
    *ret_faults = checking.faults;
    return ERR_NONE;
}
