/* pairwatch model calibrate: thresholds and percentiles by what a model makes of pairs. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "aws/client.h"
#include "aws/sagemaker_runtime.h"
#include "base/own.h"
#include "base/str.h"
#include "command/access.h"
#include "command/command.h"
#include "command/model_actions.h"
#include "command/pairs_input.h"
#include "command/threshold.h"
#include "store/migrate.h"
#include "store/writer.h"
#include "worker/endpoint_calibrate.h"
#include "worker/endpoint_model.h"

static bool is_asked_for(const struct model_options *options, const char *spec)
{
    for (size_t i = 0; i < options->specs.count; i++)
        if (str_equal(options->specs.items[i], spec))
            return true;
    return options->specs.count == 0;
}

/* The database gives those of every spec. */
static void keep_asked_for(const struct model_options *options, struct pairs_input *input)
{
    size_t used = 0;

    for (size_t i = 0; i < input->count; i++)
        if (is_asked_for(options, input->pairs[i].spec))
            input->pairs[used++] = input->pairs[i];
    input->count = used;
}

static enum err_code gather(const struct model_options *options, const char *const *paths,
                            size_t count, struct pairs_input *input, struct err *err)
{
    TRY(pairs_tally_init(&input->tally, options->max_bad, err));
    for (size_t i = 0; i < count; i++)
        TRY(pairs_input_add(input, paths[i], err));
    TRY(pairs_tally_check(&input->tally, err));
    if (count == 0) {
        TRY(pairs_input_add_store(input, options->database, err));
        keep_asked_for(options, input);
    }
    if (input->count == 0)
        return err_set(err, ERR_INVALID,
                       "there are no pairs to calibrate by: %" PRIu64 " objects were read, %" PRIu64
                       " could not be",
                       input->objects - input->failed, input->failed);
    return ERR_NONE;
}

static void print_endpoint(const struct calibrated *calibrated, const char *endpoint)
{
    (void)printf("model %s of the endpoint %s, %s\n", calibrated->id, endpoint,
                 calibrated->ipv6 ? "IPv4 and IPv6" : "IPv4 only");
    for (size_t i = 0; i < calibrated->spec_count; i++) {
        const struct calibrated_spec *spec = &calibrated->specs[i];

        (void)printf("  %-24s threshold %.4f, above %.2f %% of %" PRIu64
                     " scored pairs (of %zu; refused %zu, IPv6 left out %zu)\n",
                     spec->name, spec->sample.threshold, spec->sample.threshold_percentile,
                     spec->sample.size, spec->distinct, spec->refused, spec->ipv6);
    }
}

static enum err_code by_endpoint(const struct model_options *options, const char *endpoint,
                                 struct calibrate_options *calibrate, struct err *err)
{
    AUTO(aws_closep) struct aws *aws = NULL;
    AUTO(own_freep) struct calibrated *calibrated = own_alloc(sizeof *calibrated);
    struct writer *writer = NULL;
    enum err_code code;

    if (!sagemaker_name_ok(endpoint))
        return err_set(err, ERR_USAGE, "\"%s\" is no name of an endpoint", endpoint);
    TRY(aws_open(&(struct aws_options){.region = NULL}, &aws, err));
    if (options->out == NULL) {
        TRY(migrate_run(options->database, err));
        TRY(writer_start(options->database, &writer, err));
    }
    calibrate->aws = aws;
    calibrate->endpoint = endpoint;
    calibrate->writer = writer;
    calibrate->out = options->out;
    code = endpoint_calibrate(calibrate, calibrated, err);
    if (writer != NULL)
        writer_stop(writer);
    if (code == ERR_NONE)
        print_endpoint(calibrated, endpoint);
    return code;
}

static void print_file(const struct model *model, const char *path)
{
    struct model_calibration calibration;
    struct model_info info;

    model_info(model, &info);
    (void)printf("model %s in \"%s\"\n", info.id, path);
    for (size_t i = 0; i < info.spec_count; i++)
        if (model_calibration(model, info.specs[i], &calibration))
            (void)printf("  %-24s threshold %.4f, above %.2f %% of %" PRIu64 " pairs\n",
                         *info.specs[i] != '\0' ? info.specs[i] : "pairs", calibration.threshold,
                         calibration.threshold_percentile, calibration.sample_size);
}

/* The file stays: a model that scored keeps its thresholds. */
static enum err_code by_file(const struct model_options *options, const char *path,
                             const struct calibrate_options *calibrate, struct err *err)
{
    AUTO(model_freep) struct model *base = NULL;
    AUTO(trained_freep) struct trained *trained = NULL;
    struct train_options train = {.hyper = HYPER_DEFAULT,
                                  .threshold = calibrate->rule,
                                  .half_life_days = HALF_LIFE_DAYS_DEFAULT};
    struct model_info info;

    if (options->out == NULL)
        return err_set(err, ERR_USAGE, "say with --out where the calibrated model goes");
    TRY(model_load(path, &base, err));
    model_info(base, &info);
    if (info.spec_count == 1 && *info.specs[0] == '\0')
        for (size_t i = 0; i < calibrate->count; i++)
            calibrate->pairs[i].spec = "";
    TRY(train_recalibrate(base, calibrate->pairs, calibrate->count, &train, &trained, err));
    TRY(trained_write(trained, options->out, err));
    print_file(trained_model(trained), options->out);
    return ERR_NONE;
}

enum err_code model_calibrate(const struct model_options *options, const char *const *words,
                              size_t count, struct err *err)
{
    const char *names[CONF_LIST_MAX + 1] = {NULL};
    AUTO(pairs_input_done)
    struct pairs_input input = {.spec_names = options->specs.count > 0 ? names : NULL,
                                .spec_dir = options->spec_dir,
                                .temp_dir = options->temp_dir,
                                .since_ms = options->since_ms,
                                .until_ms = options->until_ms,
                                .object_bytes_max = (uint64_t)options->object_bytes_max};
    struct calibrate_options calibrate = {
        .spec_names = input.spec_names,
        .sample_max = (size_t)options->sample,
        .seed = (uint64_t)options->seed,
        .rows_max = (size_t)options->scorer_rows,
        .answer_ms = options->scorer_timeout_ms,
        .wait_ms = options->scorer_wait_ms,
        .actor = ACCESS_ACTOR,
        .stop = &STOP_ASKED,
    };
    const char *endpoint = endpoint_name_of(words[0]);

    TRY(threshold_choose(options->alerts_per_day, options->threshold_percentile,
                         options->threshold_score, &calibrate.rule, err));
    pairs_input_init(&input);
    for (size_t i = 0; i < options->specs.count; i++)
        names[i] = options->specs.items[i];
    TRY(gather(options, words + 1, count - 1, &input, err));
    calibrate.pairs = input.pairs;
    calibrate.count = input.count;
    stop_catch();
    if (endpoint != NULL)
        return by_endpoint(options, endpoint, &calibrate, err);
    return by_file(options, str_starts(words[0], "model:") ? words[0] + strlen("model:") : words[0],
                   &calibrate, err);
}
