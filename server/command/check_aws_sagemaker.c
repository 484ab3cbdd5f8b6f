/* What `pairwatch train --on sagemaker` and, with --deploy, `pairwatch model deploy --sagemaker`
 * ask for. What would make something is asked for with what there is none of, so that SageMaker,
 * which looks at permissions first, refuses it for that; what it makes nevertheless is taken back.
 */
#include <stdio.h>
#include <string.h>

#include "aws/logs.h"
#include "aws/sagemaker.h"
#include "base/crypto.h"
#include "base/str.h"
#include "command/check_aws.h"
#include "command/sagemaker_setup.h"

enum { RANDOM_BYTES = 6, JOB_SECONDS = 60, PLACE_BYTES = 1300 };

struct training {
    struct checking *checking;
    struct checking_place place;
    struct sagemaker_options job;
    char name[SAGEMAKER_NAME_BYTES]; /* of nothing that there is */
    char job_arn[CHECK_ARN_BYTES];
};

static void arn_of(const struct training *training, const char *kind, const char *name,
                   char ret[static CHECK_ARN_BYTES])
{
    const char *region = aws_region(training->checking->own_aws);

    (void)snprintf(ret, CHECK_ARN_BYTES, "arn:%s:sagemaker:%s:*:%s/%s", check_partition(region),
                   region, kind, name);
}

static void tell(struct training *training, const char *action, enum err_code code,
                 const struct err *reason, const char *resource)
{
    checking_permitted(training->checking, action, code, reason, resource);
}

/* There is nothing below the prefix that it names, so it never runs. */
static void check_create_job(struct training *training)
{
    char input[PLACE_BYTES], output[PLACE_BYTES];
    const struct sagemaker_job job = {
        .name = training->name,
        .image = training->job.image,
        .role = training->job.role,
        .input = input,
        .output = output,
        .instance_type = SAGEMAKER_INSTANCE_DEFAULT,
        .volume_gb = 1,
        .seconds_max = JOB_SECONDS,
    };
    struct err err = {0};
    enum err_code code;

    (void)snprintf(input, sizeof input, "s3://%s/%s%s/", training->place.bucket,
                   training->place.prefix, training->name);
    (void)snprintf(output, sizeof output, "s3://%s/%s", training->place.bucket,
                   training->place.prefix);
    code = sagemaker_create_job(training->checking->own_link, &job, &err);
    tell(training, "sagemaker:CreateTrainingJob", code, &err, training->job_arn);
}

static void ignore_line(UNUSED void *context, UNUSED const char *text)
{
}

static void check_logs(struct training *training)
{
    struct logs_follower follower = {.group = "/aws/sagemaker/TrainingJobs",
                                     .prefix = training->name};
    const char *region = aws_region(training->checking->own_aws);
    char resource[CHECK_ARN_BYTES];
    struct err err = {0};
    enum err_code code =
        logs_follow(training->checking->own_link, &follower, ignore_line, NULL, &err);

    (void)snprintf(resource, sizeof resource, "arn:%s:logs:%s:*:log-group:%s",
                   check_partition(region), region, follower.group);
    tell(training, "logs:DescribeLogStreams", code, &err, resource);
    (void)snprintf(follower.stream, sizeof follower.stream, "%s/none", training->name);
    code = logs_follow(training->checking->own_link, &follower, ignore_line, NULL, &err);
    (void)snprintf(resource, sizeof resource,
                   "arn:%s:logs:%s:*:log-group:%s:log-stream:pairwatch-*", check_partition(region),
                   region, follower.group);
    tell(training, "logs:GetLogEvents", code, &err, resource);
}

/* A job that was made all the same is stopped by what is tried last. */
static void check_job(struct training *training)
{
    struct sagemaker_job_state state;
    struct err err = {0};
    enum err_code code;

    check_create_job(training);
    code = sagemaker_describe_job(training->checking->own_link, training->name, &state, &err);
    tell(training, "sagemaker:DescribeTrainingJob", code, &err, training->job_arn);
    code = sagemaker_stop_job(training->checking->own_link, training->name, &err);
    tell(training, "sagemaker:StopTrainingJob", code, &err, training->job_arn);
    check_logs(training);
}

static const struct {
    const char *describe, *create, *delete, *arn;
} KINDS[SAGEMAKER_KIND__MAX] = {
    [SAGEMAKER_ENDPOINT] = {"sagemaker:DescribeEndpoint", "sagemaker:CreateEndpoint",
                            "sagemaker:DeleteEndpoint", "endpoint"},
    [SAGEMAKER_CONFIG] = {"sagemaker:DescribeEndpointConfig", "sagemaker:CreateEndpointConfig",
                          "sagemaker:DeleteEndpointConfig", "endpoint-config"},
    [SAGEMAKER_MODEL] = {"sagemaker:DescribeModel", "sagemaker:CreateModel",
                         "sagemaker:DeleteModel", "model"},
};

static enum err_code create(struct training *training, enum sagemaker_kind kind, const char *name,
                            struct err *err)
{
    struct aws_link *link = training->checking->own_link;
    char data[PLACE_BYTES];

    if (kind == SAGEMAKER_ENDPOINT)
        return sagemaker_create_endpoint(link, name, training->name, err);
    if (kind == SAGEMAKER_CONFIG)
        return sagemaker_create_config(link,
                                       &(struct sagemaker_config){
                                           .name = name,
                                           .model = training->name,
                                           .instance_type = SAGEMAKER_INSTANCE_DEFAULT,
                                           .instances = 1,
                                       },
                                       err);
    (void)snprintf(data, sizeof data, "s3://%s/%s%s/model.tar.gz", training->place.bucket,
                   training->place.prefix, training->name);
    return sagemaker_create_model(
        link,
        &(struct sagemaker_model){
            .name = name, .image = training->job.image, .role = training->job.role, .data = data},
        err);
}

/* What is there is left alone. */
static void check_kind(struct training *training, enum sagemaker_kind kind, const char *name)
{
    struct checking *checking = training->checking;
    char arn[CHECK_ARN_BYTES];
    bool exists = false;
    struct err err = {0};
    enum err_code code = sagemaker_exists(checking->own_link, kind, name, &exists, &err);

    arn_of(training, KINDS[kind].arn, name, arn);
    checking_outcome(checking, KINDS[kind].describe, code, &err, arn);
    if (code != ERR_NONE || exists) {
        if (exists)
            (void)err_set(&err, ERR_CONFLICT,
                          "not tried: there is an %s %s; --deploy takes a name that is free",
                          KINDS[kind].arn, name);
        else
            (void)err_set(&err, ERR_CONFLICT, "not tried: whether the name is free is not known");
        checking_fault(checking, KINDS[kind].create, &err, NULL, NULL);
        return;
    }
    code = create(training, kind, name, &err);
    tell(training, KINDS[kind].create, code, &err, arn);
    code = sagemaker_delete(checking->own_link, kind, name, &err);
    tell(training, KINDS[kind].delete, code, &err, arn);
}

enum err_code check_part_sagemaker(struct checking *checking, struct err *err)
{
    const struct check_options *options = checking->options;
    struct training training = {
        .checking = checking,
        .job = {.image = options->image, .role = options->sagemaker_role},
    };
    uint8_t random[RANDOM_BYTES];
    char hex[2 * RANDOM_BYTES + 1];

    TRY(sagemaker_check_role(&training.job, err));
    TRY(checking_place_read("sagemaker-bucket", options->sagemaker_bucket, &training.place, err));
    if (options->deploy != NULL && !sagemaker_name_ok(options->deploy))
        return err_set(err, ERR_USAGE, "--deploy \"%.80s\" is no name that SageMaker takes",
                       options->deploy);
    random_bytes(random, sizeof random);
    hex_encode(random, sizeof random, hex);
    (void)snprintf(training.name, sizeof training.name, "pairwatch-check-%s", hex);
    arn_of(&training, "training-job", "pairwatch-*", training.job_arn);
    checking_write_and_read(checking, &training.place);
    check_job(&training);
    for (int kind = SAGEMAKER_KIND__MAX - 1; kind >= 0 && options->deploy != NULL; kind--)
        check_kind(&training, (enum sagemaker_kind)kind, options->deploy);
    return ERR_NONE;
}
