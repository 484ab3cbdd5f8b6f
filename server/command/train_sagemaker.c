#include "command/train_sagemaker.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "aws/logs.h"
#include "aws/sagemaker.h"
#include "base/clock.h"
#include "base/gzip.h"
#include "base/log.h"
#include "base/own.h"
#include "base/str.h"
#include "base/tar.h"
#include "command/command.h"
#include "command/container.h"
#include "lake/object.h"
#include "model/model.h"

enum { JOB_GRACE_MS = 60 * 60 * 1000, VALUE_BYTES = 32, PATH_BYTES = 4096 };
#define CSV_BYTES_MAX ((size_t)S3_PUT_BYTES_MAX)
static const char LOG_GROUP[] = "/aws/sagemaker/TrainingJobs";

struct run {
    const struct sagemaker_options *options;
    struct aws *aws;
    struct aws_link *link;
    struct sagemaker_place place;
    char name[SAGEMAKER_NAME_BYTES];
    struct logs_follower log;
    char log_prefix[SAGEMAKER_NAME_BYTES + 1];
    bool log_refused;
};

static void run_done(struct run *run)
{
    aws_link_closep(&run->link);
    aws_closep(&run->aws);
}

static void write_csv(const struct pairs_input *input, struct str *ret)
{
    for (size_t i = 0; i < input->count && !ret->failed; i++) {
        const struct train_pair *pair = &input->pairs[i];
        bool quoted = strpbrk(pair->entity, ",\"") != NULL || pair->entity[0] == ' ' ||
                      str_ends(pair->entity, " ");
        char ip[IP_TEXT_BYTES];

        (void)ip_format(ip, &pair->ip);
        if (quoted)
            str_add_char(ret, '"');
        for (const char *at = pair->entity; *at != '\0'; at++) {
            if (*at == '"')
                str_add_char(ret, '"');
            str_add_char(ret, *at);
        }
        str_addf(ret, quoted ? "\",%s\n" : ",%s\n", ip);
    }
}

static enum err_code one_spec(const struct pairs_input *input, struct err *err)
{
    for (size_t i = 1; i < input->count; i++)
        if (strcmp(input->pairs[i].spec, input->pairs[0].spec) != 0)
            return err_set(err, ERR_INVALID,
                           "a training job learns pairs of one spec, and there are %s and %s: "
                           "choose with --spec",
                           input->pairs[0].spec, input->pairs[i].spec);
    return ERR_NONE;
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static size_t count_entities(const struct pairs_input *input)
{
    AUTO(own_freep) const char **entities = own_array(input->count + 1, sizeof *entities);
    size_t count = 0;

    for (size_t i = 0; i < input->count; i++)
        entities[i] = input->pairs[i].entity;
    qsort(entities, input->count, sizeof *entities, by_text);
    for (size_t i = 0; i < input->count; i++)
        count += i == 0 || strcmp(entities[i - 1], entities[i]) != 0;
    return count;
}

static void set_hyper(const struct hyper *hyper,
                      char values[static SAGEMAKER_HYPER_MAX][VALUE_BYTES],
                      struct sagemaker_job *job)
{
    for (const struct hyper_rule *rule = HYPER_RULES; rule->name != NULL; rule++) {
        const char *member = (const char *)hyper + rule->offset;
        char *value = values[job->hyper_count];

        ASSERT(job->hyper_count < SAGEMAKER_HYPER_MAX);
        if (rule->real)
            (void)str_from_double(value, *(const double *)(const void *)member);
        else
            (void)snprintf(value, VALUE_BYTES, "%" PRId64, *(const int64_t *)(const void *)member);
        job->hyper[job->hyper_count][0] = rule->name;
        job->hyper[job->hyper_count++][1] = value;
    }
}

static void print_line(void *context, const char *text)
{
    (void)context;
    (void)fprintf(stderr, "job: %s%s", text, str_ends(text, "\n") ? "" : "\n");
}

/* A log that may not be read is told once: the job does without. */
static void follow_log(struct run *run)
{
    struct err reason = {0};

    if (run->log_refused ||
        logs_follow(run->link, &run->log, print_line, NULL, &reason) == ERR_NONE)
        return;
    run->log_refused = reason.code == ERR_FORBIDDEN || reason.code == ERR_INVALID;
    log_warn("the job's log is not to be had", "reason=%s", log_quote(reason.text));
}

static enum err_code wait_for(struct run *run, struct sagemaker_job_state *ret, struct err *err)
{
    int64_t end_ms = clock_mono_ms() + run->options->job_ms_max + JOB_GRACE_MS;
    int64_t pause_ms = SAGEMAKER_POLL_FIRST_MS;
    char told[SAGEMAKER_STATUS_BYTES] = "";

    for (;;) {
        TRY(sagemaker_describe_job(run->link, run->name, ret, err));
        follow_log(run);
        if (strcmp(ret->stage, told) != 0)
            log_info("job", "name=%s status=%s stage=%s", run->name, log_quote(ret->status),
                     log_quote(ret->stage));
        (void)memcpy(told, ret->stage, sizeof told);
        if (strcmp(ret->status, "InProgress") != 0 && strcmp(ret->status, "Stopping") != 0)
            return ERR_NONE;
        if (clock_mono_ms() >= end_ms)
            return err_set(err, ERR_TIMEOUT, "the job takes longer than it may");
        TRY(sagemaker_pause(&pause_ms, err));
    }
}

/* An interrupt stops the job; another failure leaves it and says so. */
static enum err_code watch_job(struct run *run, struct sagemaker_job_state *ret, struct err *err)
{
    enum err_code code = wait_for(run, ret, err);
    struct err reason = {0};

    if (code == ERR_CANCELLED) {
        if (sagemaker_stop_job(run->link, run->name, &reason) != ERR_NONE)
            return err_set(err, ERR_CANCELLED, "the job %s goes on, it could not be stopped: %s",
                           run->name, reason.text);
        return err_set(err, ERR_CANCELLED, "the job %s was told to stop", run->name);
    }
    if (code != ERR_NONE)
        return err_prefix(err, "the job %s goes on in SageMaker", run->name);
    if (strcmp(ret->status, "Completed") == 0)
        return ERR_NONE;
    return err_set(err, strcmp(ret->status, "Stopped") == 0 ? ERR_CANCELLED : ERR_INVALID,
                   "the job %s is %s: %s", run->name, ret->status,
                   ret->reason[0] != '\0' ? ret->reason : "no reason is given");
}

static enum err_code write_model(const char *out, const char *bytes, size_t length, struct err *err)
{
    AUTO(model_freep) struct model *model = NULL;
    char unnamed[PATH_BYTES];
    struct model_info info;
    FILE *file;
    bool written;

    if (snprintf(unnamed, sizeof unnamed, "%s.part", out) >= (int)sizeof unnamed)
        return err_set(err, ERR_INVALID, "--out is too long");
    file = fopen(unnamed, "we");
    if (file == NULL)
        return err_errno(err, ERR_IO, "writing \"%s\"", unnamed);
    written = fwrite(bytes, 1, length, file) == length;
    if ((fclose(file) != 0) | !written)
        return err_errno(err, ERR_IO, "writing \"%s\"", unnamed);
    if (model_load(unnamed, &model, err) != ERR_NONE) {
        (void)unlink(unnamed);
        return err_prefix(err, "what the job made");
    }
    if (rename(unnamed, out) != 0)
        return err_errno(err, ERR_IO, "renaming \"%s\" to \"%s\"", unnamed, out);
    model_info(model, &info);
    (void)printf("model %s in \"%s\"\n", info.id, out);
    return ERR_NONE;
}

struct unpacking {
    const char *artefact, *out;
};

static enum err_code unpack(void *context, const char *bytes, size_t length, struct err *err)
{
    const struct unpacking *unpacking = context;
    AUTO(str_done) struct str archive = {0};
    const char *model;
    size_t model_length;
    enum err_code code;

    str_init(&archive, SAGEMAKER_MODEL_BYTES_MAX);
    if (gzip_inflate(bytes, length, &archive, err) != ERR_NONE)
        return err_prefix(err, "%s", unpacking->artefact);
    code = tar_find(archive.text, archive.length, CONTAINER_MODEL_NAME, &model, &model_length, err);
    if (code == ERR_NOT_FOUND) {
        (void)printf("%s was not made by our container. Its format is SageMaker's own and is not "
                     "published: it cannot be a model file, only stand behind an endpoint:\n"
                     "  pairwatch model deploy --sagemaker --image IMAGE --sagemaker-role ARN NAME "
                     "%s\n",
                     unpacking->artefact, unpacking->artefact);
        return ERR_NONE;
    }
    TRY(code);
    return write_model(unpacking->out, model, model_length, err);
}

static enum err_code fetch_model(struct run *run, const char *artefact, const char *out,
                                 struct err *err)
{
    char bucket[S3_BUCKET_BYTES_MAX + 1], key[S3_KEY_BYTES_MAX + 1], path[64];
    AUTO(fd_closep) int fd = -1;
    struct unpacking unpacking = {artefact, out};
    struct s3_object object;
    struct s3_wanted wanted = {
        .bucket = bucket, .key = key, .bytes_max = SAGEMAKER_MODEL_BYTES_MAX, .stop = &STOP_ASKED};

    TRY(file_nameless("/tmp", &fd, err));
    wanted.file = fd;
    if (!s3_uri_read(artefact, bucket, key))
        return err_set(err, ERR_CORRUPT, "\"%.200s\" is no place in S3", artefact);
    if (s3_get(run->link, &wanted, &object, err) != ERR_NONE)
        return err_prefix(err, "%s", artefact);
    (void)snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    return sagemaker_with_file(path, unpack, &unpacking, err);
}

static enum err_code start_job(struct run *run, const struct hyper *hyper,
                               const struct pairs_input *input, struct err *err)
{
    AUTO(str_done) struct str csv = {0};
    char values[SAGEMAKER_HYPER_MAX][VALUE_BYTES];
    char key[S3_KEY_BYTES_MAX + 1], in[S3_URI_BYTES + 128], out[S3_URI_BYTES + 128];
    struct hyper chosen = hyper_chosen(hyper, input->count, count_entities(input));
    struct sagemaker_job job = {
        .name = run->name,
        .image = run->options->image,
        .role = run->options->role,
        .input = in,
        .output = out,
        .instance_type = run->options->instance_type,
        .volume_gb = run->options->volume_gb,
        .seconds_max = run->options->job_ms_max / 1000,
    };
    const char *prefix = run->place.prefix, *bucket = run->place.bucket;

    set_hyper(&chosen, values, &job);
    str_init(&csv, CSV_BYTES_MAX);
    write_csv(input, &csv);
    TRY(str_check(&csv, "the training pairs", err));
    (void)snprintf(key, sizeof key, "%.*s%s/train/pairs.csv", S3_KEY_BYTES_MAX / 2, prefix,
                   run->name);
    (void)snprintf(in, sizeof in, "s3://%s/%s%s/train/", bucket, prefix, run->name);
    (void)snprintf(out, sizeof out, "s3://%s/%s%s/output/", bucket, prefix, run->name);
    TRY(s3_put(run->link,
               &(struct s3_given){.bucket = bucket,
                                  .key = key,
                                  .content_type = "text/csv",
                                  .bytes = csv.text,
                                  .length = csv.length,
                                  .stop = &STOP_ASKED},
               err));
    TRY(sagemaker_create_job(run->link, &job, err));
    (void)printf("job %s of %zu pairs\n", run->name, input->count);
    (void)fflush(stdout);
    return ERR_NONE;
}

static void name_job(struct run *run)
{
    time_t now = (time_t)(clock_now_ms() / 1000);
    struct tm parts;
    char stamp[32] = "";

    if (gmtime_r(&now, &parts) != NULL)
        (void)strftime(stamp, sizeof stamp, "%Y%m%d-%H%M%S", &parts);
    (void)snprintf(run->name, sizeof run->name, "pairwatch-%s-%04x", stamp,
                   (unsigned)(clock_mono_ms() & 0xffff));
    (void)snprintf(run->log_prefix, sizeof run->log_prefix, "%s/", run->name);
    run->log = (struct logs_follower){.group = LOG_GROUP, .prefix = run->log_prefix};
}

enum err_code train_sagemaker(const struct sagemaker_options *options, const struct hyper *hyper,
                              const struct pairs_input *input, const char *out, struct err *err)
{
    AUTO(run_done) struct run run = {.options = options};
    struct sagemaker_job_state state;

    TRY(one_spec(input, err));
    name_job(&run);
    TRY(sagemaker_check_role(options, err));
    TRY(sagemaker_place_read(options, &run.place, err));
    (void)printf(
        "Trains on one %s for at most %" PRId64 " minutes, with %" PRId64 " GB of disk: AWS "
        "charges for every second of it\n  prices: %s\n",
        options->instance_type, options->job_ms_max / 60000, options->volume_gb, SAGEMAKER_PRICES);
    (void)fflush(stdout);
    TRY(sagemaker_confirm(options, err));
    TRY(aws_open(&(struct aws_options){.region = NULL}, &run.aws, err));
    aws_link_open(run.aws, &run.link);
    TRY(start_job(&run, hyper, input, err));
    TRY(watch_job(&run, &state, err));
    (void)printf("job %s took %" PRId64 " s that AWS charges for; artefact %s\n", run.name,
                 state.billable_s, state.artefact);
    if (state.artefact[0] == '\0')
        return err_set(err, ERR_CORRUPT, "the job %s left no artefact", run.name);
    return fetch_model(&run, state.artefact, out, err);
}
