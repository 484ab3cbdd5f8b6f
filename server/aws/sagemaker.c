#include "aws/sagemaker.h"

#include <stdio.h>
#include <string.h>

#include "aws/json_call.h"
#include "base/json.h"
#include "base/own.h"
#include "base/str.h"

static const char VARIANT[] = "AllTraffic";

static void begin(struct str *body, struct json_writer *json)
{
    str_init(body, JSON_CALL_BYTES_MAX);
    json_writer_init(json, body);
    json_object(json, NULL);
}

/* SageMaker tells by its sentence alone what is wrong. */
static enum err_code ask(struct aws_link *link, const char *target, const struct str *body,
                         struct json_doc **ret, struct err *err)
{
    const struct json_call call = {.service = AWS_SAGEMAKER, .target = target, .body = body};
    struct json_call_fault fault;
    enum err_code code = json_call(link, &call, ret, &fault, err);

    if (code == ERR_INVALID && strstr(fault.message, "Could not find") != NULL)
        err->code = ERR_NOT_FOUND;
    if (code == ERR_INVALID && strstr(fault.message, "already exist") != NULL)
        return json_parse("{}", 2, ret, err);
    return code == ERR_NONE ? code : err->code;
}

static enum err_code tell(struct aws_link *link, const char *target, const struct str *body,
                          struct err *err)
{
    AUTO(json_doc_freep) struct json_doc *doc = NULL;

    return ask(link, target, body, &doc, err);
}

enum err_code sagemaker_create_model(struct aws_link *link, const struct sagemaker_model *model,
                                     struct err *err)
{
    AUTO(str_done) struct str body = {0};
    struct json_writer json;

    begin(&body, &json);
    json_text(&json, "ModelName", model->name);
    json_text(&json, "ExecutionRoleArn", model->role);
    json_object(&json, "PrimaryContainer");
    json_text(&json, "Image", model->image);
    json_text(&json, "ModelDataUrl", model->data);
    json_end(&json);
    json_end(&json);
    return tell(link, "SageMaker.CreateModel", &body, err);
}

enum err_code sagemaker_create_config(struct aws_link *link, const struct sagemaker_config *config,
                                      struct err *err)
{
    AUTO(str_done) struct str body = {0};
    struct json_writer json;

    begin(&body, &json);
    json_text(&json, "EndpointConfigName", config->name);
    json_array(&json, "ProductionVariants");
    json_object(&json, NULL);
    json_text(&json, "VariantName", VARIANT);
    json_text(&json, "ModelName", config->model);
    if (config->instance_type != NULL) {
        json_text(&json, "InstanceType", config->instance_type);
        json_int(&json, "InitialInstanceCount", config->instances);
        json_real(&json, "InitialVariantWeight", 1);
    } else {
        json_object(&json, "ServerlessConfig");
        json_int(&json, "MemorySizeInMB", config->memory_mb);
        json_int(&json, "MaxConcurrency", config->concurrency);
        json_end(&json);
    }
    json_end(&json);
    json_end(&json);
    json_end(&json);
    return tell(link, "SageMaker.CreateEndpointConfig", &body, err);
}

enum err_code sagemaker_create_endpoint(struct aws_link *link, const char *name, const char *config,
                                        struct err *err)
{
    AUTO(str_done) struct str body = {0};
    struct json_writer json;

    begin(&body, &json);
    json_text(&json, "EndpointName", name);
    json_text(&json, "EndpointConfigName", config);
    json_end(&json);
    return tell(link, "SageMaker.CreateEndpoint", &body, err);
}

static void one_name(const char *key, const char *name, struct str *body)
{
    struct json_writer json;

    begin(body, &json);
    json_text(&json, key, name);
    json_end(&json);
}

static void copy(const struct json *node, char *ret, size_t size)
{
    const char *text = json_text_of(node);

    (void)snprintf(ret, size, "%s", text != NULL ? text : "");
    for (char *at = ret; *at != '\0'; at++)
        if ((unsigned char)*at < ' ')
            *at = ' ';
}

enum err_code sagemaker_describe_endpoint(struct aws_link *link, const char *name,
                                          struct sagemaker_endpoint *ret, struct err *err)
{
    AUTO(str_done) struct str body = {0};
    AUTO(json_doc_freep) struct json_doc *doc = NULL;
    const struct json *root;

    one_name("EndpointName", name, &body);
    TRY(ask(link, "SageMaker.DescribeEndpoint", &body, &doc, err));
    root = json_root(doc);
    copy(json_member(root, "EndpointStatus"), ret->status, sizeof ret->status);
    copy(json_member(root, "FailureReason"), ret->reason, sizeof ret->reason);
    copy(json_member(root, "EndpointConfigName"), ret->config, sizeof ret->config);
    if (ret->status[0] == '\0')
        return err_set(err, ERR_CORRUPT, "SageMaker does not say how the endpoint %s is", name);
    return ERR_NONE;
}

enum err_code sagemaker_describe_config(struct aws_link *link, const char *name,
                                        char ret[static SAGEMAKER_MODELS_MAX][SAGEMAKER_NAME_BYTES],
                                        size_t *ret_count, struct err *err)
{
    AUTO(str_done) struct str body = {0};
    AUTO(json_doc_freep) struct json_doc *doc = NULL;
    const struct json *variants;

    *ret_count = 0;
    one_name("EndpointConfigName", name, &body);
    TRY(ask(link, "SageMaker.DescribeEndpointConfig", &body, &doc, err));
    variants = json_member(json_root(doc), "ProductionVariants");
    for (const struct json *node = json_first(variants);
         node != NULL && *ret_count < SAGEMAKER_MODELS_MAX; node = json_next(node)) {
        copy(json_member(node, "ModelName"), ret[*ret_count], SAGEMAKER_NAME_BYTES);
        *ret_count += ret[*ret_count][0] != '\0';
    }
    return ERR_NONE;
}

const char *const SAGEMAKER_KIND_WORDS[SAGEMAKER_KIND__MAX] = {"endpoint", "endpoint configuration",
                                                               "model"};

static const struct {
    const char *describe, *delete, *key;
} KINDS[SAGEMAKER_KIND__MAX] = {
    [SAGEMAKER_ENDPOINT] = {"SageMaker.DescribeEndpoint", "SageMaker.DeleteEndpoint",
                            "EndpointName"},
    [SAGEMAKER_CONFIG] = {"SageMaker.DescribeEndpointConfig", "SageMaker.DeleteEndpointConfig",
                          "EndpointConfigName"},
    [SAGEMAKER_MODEL] = {"SageMaker.DescribeModel", "SageMaker.DeleteModel", "ModelName"},
};

enum err_code sagemaker_exists(struct aws_link *link, enum sagemaker_kind kind, const char *name,
                               bool *ret, struct err *err)
{
    AUTO(str_done) struct str body = {0};
    enum err_code code;

    one_name(KINDS[kind].key, name, &body);
    code = tell(link, KINDS[kind].describe, &body, err);
    *ret = code == ERR_NONE;
    return code == ERR_NOT_FOUND ? ERR_NONE : code;
}

enum err_code sagemaker_delete(struct aws_link *link, enum sagemaker_kind kind, const char *name,
                               struct err *err)
{
    AUTO(str_done) struct str body = {0};

    one_name(KINDS[kind].key, name, &body);
    return tell(link, KINDS[kind].delete, &body, err);
}

static void write_channel(struct json_writer *json, const char *input)
{
    json_array(json, "InputDataConfig");
    json_object(json, NULL);
    json_text(json, "ChannelName", "train");
    json_text(json, "ContentType", "text/csv");
    json_text(json, "InputMode", "File");
    json_object(json, "DataSource");
    json_object(json, "S3DataSource");
    json_text(json, "S3DataType", "S3Prefix");
    json_text(json, "S3Uri", input);
    json_text(json, "S3DataDistributionType", "FullyReplicated");
    json_end(json);
    json_end(json);
    json_end(json);
    json_end(json);
}

enum err_code sagemaker_create_job(struct aws_link *link, const struct sagemaker_job *job,
                                   struct err *err)
{
    AUTO(str_done) struct str body = {0};
    struct json_writer json;

    begin(&body, &json);
    json_text(&json, "TrainingJobName", job->name);
    json_text(&json, "RoleArn", job->role);
    json_object(&json, "AlgorithmSpecification");
    json_text(&json, "TrainingImage", job->image);
    json_text(&json, "TrainingInputMode", "File");
    json_end(&json);
    json_object(&json, "HyperParameters");
    for (size_t i = 0; i < job->hyper_count; i++)
        json_text(&json, job->hyper[i][0], job->hyper[i][1]);
    json_end(&json);
    write_channel(&json, job->input);
    json_object(&json, "OutputDataConfig");
    json_text(&json, "S3OutputPath", job->output);
    json_end(&json);
    json_object(&json, "ResourceConfig");
    json_text(&json, "InstanceType", job->instance_type);
    json_int(&json, "InstanceCount", 1);
    json_int(&json, "VolumeSizeInGB", job->volume_gb);
    json_end(&json);
    json_object(&json, "StoppingCondition");
    json_int(&json, "MaxRuntimeInSeconds", job->seconds_max);
    json_end(&json);
    json_end(&json);
    return tell(link, "SageMaker.CreateTrainingJob", &body, err);
}

enum err_code sagemaker_describe_job(struct aws_link *link, const char *name,
                                     struct sagemaker_job_state *ret, struct err *err)
{
    AUTO(str_done) struct str body = {0};
    AUTO(json_doc_freep) struct json_doc *doc = NULL;
    const struct json *root;

    *ret = (struct sagemaker_job_state){.billable_s = 0};
    one_name("TrainingJobName", name, &body);
    TRY(ask(link, "SageMaker.DescribeTrainingJob", &body, &doc, err));
    root = json_root(doc);
    copy(json_member(root, "TrainingJobStatus"), ret->status, sizeof ret->status);
    copy(json_member(root, "SecondaryStatus"), ret->stage, sizeof ret->stage);
    copy(json_member(root, "FailureReason"), ret->reason, sizeof ret->reason);
    copy(json_path(root, "ModelArtifacts.S3ModelArtifacts"), ret->artefact, sizeof ret->artefact);
    (void)json_int_of(json_member(root, "BillableTimeInSeconds"), &ret->billable_s);
    if (ret->status[0] == '\0')
        return err_set(err, ERR_CORRUPT, "SageMaker does not say how the job %s is", name);
    return ERR_NONE;
}

enum err_code sagemaker_stop_job(struct aws_link *link, const char *name, struct err *err)
{
    AUTO(str_done) struct str body = {0};

    one_name("TrainingJobName", name, &body);
    return tell(link, "SageMaker.StopTrainingJob", &body, err);
}
