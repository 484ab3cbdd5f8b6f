/* pairwatch model deploy and undeploy: an endpoint of SageMaker, from its model on and back. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "aws/sagemaker.h"
#include "base/clock.h"
#include "base/gzip.h"
#include "base/log.h"
#include "base/own.h"
#include "base/str.h"
#include "base/tar.h"
#include "command/command.h"
#include "command/container.h"
#include "command/model_actions.h"
#include "model/model.h"

enum { DEPLOY_MS_MAX = 60 * 60 * 1000, GZIP_LEVEL = 6 };

struct deploying {
    const struct sagemaker_options *options;
    const char *name, *data; /* a file, or in S3 */
    struct aws *aws;
    struct aws_link *link;
    struct sagemaker_place place;
    char uri[S3_URI_BYTES + 64];    /* of the model's archive */
    bool made[SAGEMAKER_KIND__MAX]; /* by this run */
};

static void deploying_done(struct deploying *d)
{
    aws_link_closep(&d->link);
    aws_closep(&d->aws);
}

static enum err_code open_aws(struct deploying *d, struct err *err)
{
    TRY(aws_open(&(struct aws_options){.region = NULL}, &d->aws, err));
    aws_link_open(d->aws, &d->link);
    return ERR_NONE;
}

/* The archive of a model file, under the model's id. */
static enum err_code pack(void *context, const char *bytes, size_t length, struct err *err)
{
    struct deploying *d = context;
    AUTO(str_done) struct str archive = {0};
    AUTO(str_done) struct str packed = {0};
    char key[S3_KEY_BYTES_MAX + 1];

    if (length > SAGEMAKER_MODEL_BYTES_MAX / 2)
        return err_set(err, ERR_TOO_LARGE, "\"%s\" is too large to be packed", d->data);
    str_init(&archive, SAGEMAKER_MODEL_BYTES_MAX);
    str_init(&packed, SAGEMAKER_MODEL_BYTES_MAX);
    tar_write(CONTAINER_MODEL_NAME, bytes, length, &archive);
    TRY(str_check(&archive, "the model's archive", err));
    TRY(gzip_deflate(archive.text, archive.length, GZIP_LEVEL, &packed, err));
    (void)snprintf(key, sizeof key, "%.*s%s/model.tar.gz", S3_KEY_BYTES_MAX / 2, d->place.prefix,
                   d->name);
    TRY(s3_put(d->link,
               &(struct s3_given){.bucket = d->place.bucket,
                                  .key = key,
                                  .content_type = "application/gzip",
                                  .bytes = packed.text,
                                  .length = packed.length,
                                  .stop = &STOP_ASKED},
               err));
    (void)snprintf(d->uri, sizeof d->uri, "s3://%s/%s", d->place.bucket, key);
    (void)printf("uploaded %s\n", d->uri);
    return ERR_NONE;
}

static enum err_code upload(struct deploying *d, struct err *err)
{
    if (!str_starts(d->data, "s3://"))
        return sagemaker_with_file(d->data, pack, d, err);
    (void)snprintf(d->uri, sizeof d->uri, "%s", d->data);
    return ERR_NONE;
}

static enum err_code make(struct deploying *d, enum sagemaker_kind kind, struct err *err)
{
    const struct sagemaker_options *options = d->options;
    bool serverless = options->memory_mb > 0;
    enum err_code code = ERR_NONE;

    if (kind == SAGEMAKER_MODEL)
        code = sagemaker_create_model(
            d->link, &(struct sagemaker_model){d->name, options->image, options->role, d->uri},
            err);
    if (kind == SAGEMAKER_CONFIG)
        code = sagemaker_create_config(
            d->link,
            &(struct sagemaker_config){d->name, d->name, serverless ? NULL : options->instance_type,
                                       options->instances, options->memory_mb,
                                       options->concurrency},
            err);
    if (kind == SAGEMAKER_ENDPOINT)
        code = sagemaker_create_endpoint(d->link, d->name, d->name, err);
    if (code == ERR_NONE)
        (void)printf("%s %s\n", SAGEMAKER_KIND_WORDS[kind], d->name);
    d->made[kind] = code == ERR_NONE;
    return code;
}

static enum err_code wait_in_service(struct deploying *d, struct err *err)
{
    int64_t end_ms = clock_mono_ms() + DEPLOY_MS_MAX, pause_ms = SAGEMAKER_POLL_FIRST_MS;
    char told[SAGEMAKER_STATUS_BYTES] = "";

    for (;;) {
        struct sagemaker_endpoint endpoint;

        TRY(sagemaker_describe_endpoint(d->link, d->name, &endpoint, err));
        if (strcmp(endpoint.status, told) != 0)
            log_info("endpoint", "name=%s status=%s", d->name, log_quote(endpoint.status));
        (void)memcpy(told, endpoint.status, sizeof told);
        if (strcmp(endpoint.status, "InService") == 0)
            return ERR_NONE;
        if (strcmp(endpoint.status, "Failed") == 0)
            return err_set(err, ERR_UNAVAILABLE, "the endpoint %s failed: %s", d->name,
                           endpoint.reason);
        if (clock_mono_ms() >= end_ms)
            return err_set(err, ERR_TIMEOUT, "the endpoint %s is not in service after an hour",
                           d->name);
        TRY(sagemaker_pause(&pause_ms, err));
    }
}

/* What this run made costs, and is of no use. */
static void take_back(struct deploying *d)
{
    for (int kind = 0; kind < SAGEMAKER_KIND__MAX; kind++) {
        struct err unused = {0};

        if (!d->made[kind])
            continue;
        if (sagemaker_delete(d->link, (enum sagemaker_kind)kind, d->name, &unused) == ERR_NONE)
            (void)printf("removed the %s %s\n", SAGEMAKER_KIND_WORDS[kind], d->name);
        else
            log_error("left behind", "%s=%s reason=%s", kind == SAGEMAKER_MODEL ? "model" : "name",
                      d->name, log_quote(unused.text));
    }
}

static enum err_code make_all(struct deploying *d, struct err *err)
{
    static const enum sagemaker_kind ORDER[] = {SAGEMAKER_MODEL, SAGEMAKER_CONFIG,
                                                SAGEMAKER_ENDPOINT};

    for (size_t i = 0; i < ARRAY_LEN(ORDER); i++)
        TRY(make(d, ORDER[i], err));
    return wait_in_service(d, err);
}

static void say_cost(const struct deploying *d)
{
    const struct sagemaker_options *options = d->options;

    (void)printf("Makes the model, the endpoint configuration and the endpoint %s\n"
                 "  of the image %s with %s\n",
                 d->name, options->image, d->data);
    if (options->memory_mb > 0)
        (void)printf("  serverless, %" PRId64 " MB, at most %" PRId64
                     " calls at the same time: AWS "
                     "charges for the time in which it scores\n",
                     options->memory_mb, options->concurrency);
    else
        (void)printf("  on %" PRId64 " %s: AWS charges for every second of each, whether it scores "
                     "or not,\n  until `pairwatch model undeploy --sagemaker %s`\n",
                     options->instances, options->instance_type, d->name);
    (void)printf("  prices: %s\n", SAGEMAKER_PRICES);
    (void)fflush(stdout);
}

/* Another's endpoint is not taken over, nor its model. */
static enum err_code check_free(struct deploying *d, struct err *err)
{
    for (int kind = 0; kind < SAGEMAKER_KIND__MAX; kind++) {
        bool exists;

        TRY(sagemaker_exists(d->link, (enum sagemaker_kind)kind, d->name, &exists, err));
        if (exists)
            return err_set(err, ERR_CONFLICT,
                           "there is already the %s %s: take another name, or `pairwatch model "
                           "undeploy --sagemaker %s` first",
                           SAGEMAKER_KIND_WORDS[kind], d->name, d->name);
    }
    return ERR_NONE;
}

static enum err_code check_data(struct deploying *d, struct err *err)
{
    AUTO(model_freep) struct model *model = NULL;

    if (str_starts(d->data, "s3://"))
        return ERR_NONE;
    TRY(sagemaker_place_read(d->options, &d->place, err));
    return model_load(d->data, &model, err);
}

static enum err_code check_name(const struct model_options *options, const char *name,
                                struct err *err)
{
    if (!options->on_sagemaker)
        return err_set(err, ERR_USAGE, "say with --sagemaker that it is an endpoint of SageMaker");
    if (!sagemaker_name_ok(name))
        return err_set(err, ERR_USAGE,
                       "an endpoint's name has up to 63 letters, digits and hyphens, not \"%.80s\"",
                       name);
    return ERR_NONE;
}

enum err_code model_deploy(const struct model_options *options, const char *const *words,
                           size_t count, struct err *err)
{
    AUTO(deploying_done)
    struct deploying d = {.options = &options->sagemaker, .name = words[0]};
    enum err_code code;

    if (count != 2)
        return err_set(err, ERR_USAGE,
                       "model deploy takes the endpoint's name, and a model file or "
                       "s3://BUCKET/KEY of a model.tar.gz");
    d.data = words[1];
    TRY(check_name(options, words[0], err));
    TRY(sagemaker_check_role(d.options, err));
    TRY(check_data(&d, err));
    say_cost(&d);
    TRY(sagemaker_confirm(d.options, err));
    stop_catch();
    TRY(open_aws(&d, err));
    TRY(check_free(&d, err));
    TRY(upload(&d, err));
    code = make_all(&d, err);
    if (code == ERR_NONE)
        (void)printf("in service: `pairwatch model calibrate sagemaker:%s …`, then `pairwatch work "
                     "--scorer sagemaker:%s`\n",
                     d.name, d.name);
    else
        take_back(&d);
    return code;
}

/* Until SageMaker knows it no more: its configuration is in use as long. */
static enum err_code wait_gone(struct deploying *d, struct err *err)
{
    int64_t end_ms = clock_mono_ms() + DEPLOY_MS_MAX, pause_ms = SAGEMAKER_POLL_FIRST_MS;

    for (;;) {
        struct sagemaker_endpoint endpoint;
        enum err_code code = sagemaker_describe_endpoint(d->link, d->name, &endpoint, err);

        if (code == ERR_NOT_FOUND)
            return ERR_NONE;
        TRY(code);
        if (strcmp(endpoint.status, "Failed") == 0)
            return err_set(err, ERR_UNAVAILABLE, "the endpoint %s could not be removed: %s",
                           d->name, endpoint.reason);
        if (clock_mono_ms() >= end_ms)
            return err_set(err, ERR_TIMEOUT, "the endpoint %s is there after an hour", d->name);
        TRY(sagemaker_pause(&pause_ms, err));
    }
}

/* What is gone already is no failure. */
static enum err_code remove_one(struct deploying *d, enum sagemaker_kind kind, const char *name,
                                size_t *removed, struct err *err)
{
    enum err_code code = sagemaker_delete(d->link, kind, name, err);

    if (code == ERR_NOT_FOUND)
        return ERR_NONE;
    TRY(code);
    if (kind == SAGEMAKER_ENDPOINT)
        TRY(wait_gone(d, err));
    ++*removed;
    (void)printf("removed the %s %s\n", SAGEMAKER_KIND_WORDS[kind], name);
    return ERR_NONE;
}

/* An endpoint that is gone leaves the names that deploy gives. */
static enum err_code find_parts(struct deploying *d, struct sagemaker_endpoint *ret,
                                char models[static SAGEMAKER_MODELS_MAX][SAGEMAKER_NAME_BYTES],
                                size_t *ret_count, struct err *err)
{
    enum err_code code = sagemaker_describe_endpoint(d->link, d->name, ret, err);

    if (code != ERR_NOT_FOUND)
        TRY(code);
    if (code == ERR_NOT_FOUND || ret->config[0] == '\0')
        (void)snprintf(ret->config, sizeof ret->config, "%s", d->name);
    code = sagemaker_describe_config(d->link, ret->config, models, ret_count, err);
    if (code != ERR_NOT_FOUND)
        return code;
    (void)snprintf(models[0], SAGEMAKER_NAME_BYTES, "%s", d->name);
    *ret_count = 1;
    return ERR_NONE;
}

enum err_code model_undeploy(const struct model_options *options, const char *const *words,
                             size_t count, struct err *err)
{
    AUTO(deploying_done)
    struct deploying d = {.options = &options->sagemaker, .name = words[0]};
    char models[SAGEMAKER_MODELS_MAX][SAGEMAKER_NAME_BYTES];
    struct sagemaker_endpoint endpoint = {.status = ""};
    size_t model_count, removed = 0;

    if (count != 1)
        return err_set(err, ERR_USAGE, "model undeploy takes the endpoint's name");
    TRY(check_name(options, words[0], err));
    TRY(open_aws(&d, err));
    TRY(find_parts(&d, &endpoint, models, &model_count, err));
    (void)printf("Removes the endpoint %s, its configuration %s and the model %s%s; what it scored "
                 "stays.\n",
                 d.name, endpoint.config, models[0], model_count > 1 ? " and others" : "");
    (void)fflush(stdout);
    TRY(sagemaker_confirm(d.options, err));
    stop_catch();
    TRY(remove_one(&d, SAGEMAKER_ENDPOINT, d.name, &removed, err));
    TRY(remove_one(&d, SAGEMAKER_CONFIG, endpoint.config, &removed, err));
    for (size_t i = 0; i < model_count; i++)
        TRY(remove_one(&d, SAGEMAKER_MODEL, models[i], &removed, err));
    if (removed == 0)
        return err_set(err, ERR_NOT_FOUND, "there is no endpoint %s, and nothing left of one",
                       d.name);
    return ERR_NONE;
}
