/* pairwatch train: learns a model from objects of the lake or from CSV files. */
#include <inttypes.h>
#include <math.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/conf.h"
#include "base/log.h"
#include "base/str.h"
#include "command/asn_file.h"
#include "command/command.h"
#include "command/container.h"
#include "command/pairs_input.h"
#include "command/threshold.h"
#include "command/train_athena.h"
#include "command/train_report.h"
#include "command/train_sagemaker.h"
#include "command/validation.h"
#include "model/train.h"

struct command_options {
    const char *out, *spec_dir, *temp_dir;
    struct conf_list specs;
    int64_t memory;
    int64_t seed, since_ms, until_ms, object_bytes_max, threads;
    bool checkpoint;
    double alerts_per_day, threshold_percentile, threshold_score, half_life_days;
    const char *detector, *base, *database, *max_bad, *validation, *asn, *kernel;
    struct hyper hyper;
    const char *sagemaker_dir;
    bool sagemaker;
    const char *from, *on;
    struct athena_options athena;
    struct sagemaker_options job;
};

#define AT(member)    offsetof(struct command_options, member)
#define HYPER(member) AT(hyper.member)
static const struct conf_setting SETTINGS[] = {
    {"out", CONF_TEXT, AT(out), 0, 0, 0, "FILE", "where the model goes; required"},
    {"sagemaker", CONF_BOOL, AT(sagemaker), 0, 0, 0, NULL,
     "be a training container of SageMaker instead: what it says is all that counts"},
    {"sagemaker-dir", CONF_TEXT, AT(sagemaker_dir), 0, 0, 0, "DIR",
     "where SageMaker puts things and takes the model from"},
    {"spec", CONF_LIST, AT(specs), 0, 0, 0, "NAME",
     "pair specs to read from objects; all built-in ones unless given"},
    {"spec-dir", CONF_TEXT, AT(spec_dir), 0, 0, 0, "DIR", "more pair specs, *.spec files"},
    {"since", CONF_TIME, AT(since_ms), CONF_FLAG_ONLY, 0, 0, "DATE",
     "leave out what is of days before (eventDay= in the path, time in CSV)"},
    {"until", CONF_TIME, AT(until_ms), CONF_FLAG_ONLY, 0, 0, "DATE",
     "leave out what is of this day and later"},
    {"database", CONF_TEXT, AT(database), CONF_FLAG_ONLY, 0, 0, "URL",
     "leave out what triage speaks against; without a PATH learn what was observed there"},
    {"base", CONF_TEXT, AT(base), CONF_FLAG_ONLY, 0, 0, "FILE",
     "learn on from this model: its prefix tree gains the pairs, its vectors stay"},
    {"asn", CONF_TEXT, AT(asn), CONF_FLAG_ONLY, 0, 0, "FILE",
     "a table of autonomous systems, network,asn[,name]: a level of the prefix tree, kept in the "
     "model"},
    {"validation", CONF_TEXT, AT(validation), CONF_FLAG_ONLY, 0, 0, "FILE",
     "pairs that are not learned, to measure IP Insights by: SageMaker's discriminator_auc"},
    {"max-bad", CONF_TEXT, AT(max_bad), CONF_FLAG_ONLY, 0, 0, "N%",
     "pass over bad rows of CSV, up to so many of all; they are counted by reason"},
    {"seed", CONF_INT, AT(seed), 0, 0, 9007199254740991.0, "N",
     "the same pairs and seed give the same file"},
    {"detector", CONF_TEXT, AT(detector), 0, 0, 0, "NAME",
     "what decides: prefix or ip_insights; the other one's opinion is kept beside it"},
    {"alerts-per-day", CONF_REAL, AT(alerts_per_day), CONF_FLAG_ONLY, 0.01, 1e6, "N",
     "threshold of each spec: so many findings a day, by the newest fifth of the pairs; at most "
     "one "
     "pair in a hundred"},
    {"threshold-percentile", CONF_REAL, AT(threshold_percentile), CONF_FLAG_ONLY, 0, 100, "P",
     "instead: what is above this percentile of them"},
    {"threshold-score", CONF_REAL, AT(threshold_score), CONF_FLAG_ONLY, -1e6, 1e6, "X",
     "instead: what is above this score"},
    {"half-life-days", CONF_REAL, AT(half_life_days), CONF_FLAG_ONLY, 0.1, 36500, "N",
     "an address not seen for so long weighs half; after six times that it is forgotten"},
    {"epochs", CONF_INT, HYPER(epochs), CONF_FLAG_ONLY, 1, 10000, "N",
     "passes over the training pairs"},
    {"vector-dim", CONF_INT, HYPER(vector_dim), CONF_FLAG_ONLY, 4, 4096, "N",
     "numbers in a vector"},
    {"learning-rate", CONF_REAL, HYPER(learning_rate), CONF_FLAG_ONLY, 1e-6, 10, "X",
     "step of the optimiser"},
    {"mini-batch-size", CONF_INT, HYPER(mini_batch_size), CONF_FLAG_ONLY, 1, 500000, "N",
     "training pairs between two steps; a hundredth of them, 50 to 500, unless given"},
    {"num-entity-vectors", CONF_INT, HYPER(num_entity_vectors), CONF_FLAG_ONLY, 1, 250e6, "N",
     "more entities than these share vectors; twice the entities unless given"},
    {"num-ip-encoder-layers", CONF_INT, HYPER(num_ip_encoder_layers), CONF_FLAG_ONLY, 0, 100, "N",
     "dense layers behind the sum of an address's prefixes; none measured better"},
    {"random-negative-sampling-rate", CONF_INT, HYPER(random_negative_sampling_rate),
     CONF_FLAG_ONLY, 0, 500, "N", "random addresses drawn per training pair"},
    {"shuffled-negative-sampling-rate", CONF_INT, HYPER(shuffled_negative_sampling_rate),
     CONF_FLAG_ONLY, 0, 500, "N", "other entities' addresses drawn per training pair"},
    {"weight-decay", CONF_REAL, HYPER(weight_decay), CONF_FLAG_ONLY, 0, 10, "X",
     "L2 penalty; over 1e-5 does harm"},
    {"threads", CONF_INT, AT(threads), CONF_FLAG_ONLY, 1, TRAIN_THREADS_MAX, "N",
     "for the optimisation; the file is the same"},
    {"kernel", CONF_TEXT, AT(kernel), CONF_FLAG_ONLY, 0, 0, "NAME",
     "loops for base, x86-64-v2, x86-64-v3 or x86-64-v4; the best the processor runs unless given, "
     "and the file is the same"},
    {"checkpoint", CONF_BOOL, AT(checkpoint), CONF_FLAG_ONLY, 0, 0, NULL,
     "keep OUT.checkpoint after each epoch and go on from it, when killed, to the same file"},
    {"from", CONF_TEXT, AT(from), CONF_FLAG_ONLY, 0, 0, "athena",
     "learn from Security Lake's tables by queries of Athena, instead of a PATH"},
    {"athena-output", CONF_TEXT, AT(athena.output), 0, 0, 0, "s3://BUCKET/PREFIX/",
     "where queries may leave their results; they stay there"},
    {"athena-workgroup", CONF_TEXT, AT(athena.workgroup), 0, 0, 0, "NAME",
     "the workgroup that runs and pays for them; primary unless given"},
    {"athena-database", CONF_TEXT, AT(athena.database), 0, 0, 0, "NAME",
     "of the tables; Security Lake's of the region unless given"},
    {"athena-table", CONF_LIST, AT(athena.tables), CONF_FLAG_ONLY, 0, 0, "NAME",
     "tables to read; those of Security Lake's sources unless given"},
    {"athena-catalog", CONF_TEXT, AT(athena.catalog), 0, 0, 0, "NAME", "of the database"},
    {"source-version", CONF_INT, AT(athena.version), CONF_FLAG_ONLY, 0, 2, "N",
     "1 or 2: tables of this version of the sources; 0: 2 where there is one, else 1"},
    {"on", CONF_TEXT, AT(on), CONF_FLAG_ONLY, 0, 0, "sagemaker",
     "learn in a training job of SageMaker's, which costs money"},
    {"image", CONF_TEXT, AT(job.image), CONF_FLAG_ONLY, 0, 0, "URI",
     "of the job: our container in ECR (deploy/sagemaker), or SageMaker's own algorithm"},
    {"sagemaker-role", CONF_TEXT, AT(job.role), 0, 0, 0, "ARN", "role that SageMaker runs it as"},
    {"sagemaker-bucket", CONF_TEXT, AT(job.bucket), 0, 0, 0, "s3://BUCKET/PREFIX/",
     "where the pairs go and the model comes from"},
    {"instance-type", CONF_TEXT, AT(job.instance_type), CONF_FLAG_ONLY, 0, 0, "TYPE",
     "machine of the job"},
    {"volume-gb", CONF_INT, AT(job.volume_gb), CONF_FLAG_ONLY, 1, 16384, "N", "its disk"},
    {"job-time", CONF_DURATION, AT(job.job_ms_max), CONF_FLAG_ONLY, 0, 0, "TIME",
     "SageMaker ends the job after so long"},
    {"yes", CONF_BOOL, AT(job.yes), CONF_FLAG_ONLY, 0, 0, NULL, "do not ask before money is spent"},
    {"aws-role", CONF_TEXT, AT(athena.role), 0, 0, 0, "ARN", "role to assume for Athena and S3"},
    {"aws-external-id", CONF_TEXT, AT(athena.external_id), 0, 0, 0, "ID",
     "the external id that the role asks for"},
    {"object-bytes-max", CONF_BYTES, AT(object_bytes_max), 0, 1024, 64.0 * 1024 * 1024 * 1024,
     "BYTES", "larger objects are refused"},
    {"memory", CONF_BYTES, AT(memory), CONF_FLAG_ONLY, TRAIN_MEMORY_BYTES_MIN, 1e15, "BYTES",
     "for pairs and what is made of them: more of them go to --temp-dir, and the file is the same"},
    {"temp-dir", CONF_TEXT, AT(temp_dir), 0, 0, 0, "DIR", "for what does not fit in memory"},
    {NULL, 0, 0, 0, 0, 0, NULL, NULL},
};

const struct conf_command COMMAND_TRAIN = {
    .name = "train",
    .summary = "make a model from objects or a CSV file",
    .positional = "PATH…",
    .settings = SETTINGS,
    .more =
        "A PATH is a CSV file (entity,ip[,time[,label]]), lines of `pairwatch pairs`, an object "
        "(Parquet\nor OCSF JSON), a folder of objects, or - for CSV or lines from standard input. "
        "CSV rows labelled\n1 or -1 are left out, refused traffic too; calls that nobody answered "
        "are not learned, and count\nonly where thresholds are set.\n"
        "Pairs that --memory has no room for lie in --temp-dir, 40 bytes each and twice that while "
        "they\nare sorted: a folder on a disk, not in memory as /tmp is on some machines.\n"
        "With --database a finding is learned only when a person judged it, and it alone, to be "
        "fine;\na true positive never, and it is forgotten where --base has learned it.\n",
};

static enum err_code choose_detector(const char *name, enum detector *ret, struct err *err)
{
    for (int i = 0; i < DETECTOR__MAX; i++)
        if (strcmp(name, DETECTOR_WORDS[i]) == 0) {
            *ret = (enum detector)i;
            return ERR_NONE;
        }
    return err_set(err, ERR_USAGE, "--detector must be prefix or ip_insights, not \"%s\"", name);
}

static enum err_code gather(struct pairs_input *input, const struct command_options *options,
                            const struct conf_args *args, struct err *err)
{
    if (options->from != NULL &&
        (!str_equal(options->from, "athena") || args->positional_count > 0))
        return err_set(err, ERR_USAGE, "--from is athena, and then there is no PATH");
    if (args->positional_count == 0 && options->database == NULL && options->from == NULL)
        return err_set(err, ERR_USAGE,
                       "train needs CSV files, objects or folders to learn from, or --database");
    if (options->database != NULL)
        TRY(triage_filter_read(&input->triage, options->database, err));
    for (size_t i = 0; i < args->positional_count; i++)
        TRY(pairs_input_add(input, args->positional[i], err));
    TRY(pairs_tally_check(&input->tally, err));
    if (options->from != NULL)
        TRY(train_athena(&options->athena, input, err));
    else if (args->positional_count == 0)
        TRY(pairs_input_add_store(input, options->database, err));
    if (input->count == 0)
        return err_set(err, ERR_INVALID,
                       "there are no pairs to learn from: %" PRIu64 " objects were read, %" PRIu64
                       " could not be, triage held back %" PRIu64 " pairs",
                       input->objects - input->failed, input->failed, input->held_back);
    return ERR_NONE;
}

static void print_calibration(const struct model *model, const char *spec)
{
    struct model_calibration calibration;

    if (!model_calibration(model, spec, &calibration))
        return;
    (void)printf("  %-24s threshold %.4f, ", *spec != '\0' ? spec : "pairs", calibration.threshold);
    if (calibration.sample_size == 0)
        (void)printf("too few pairs to hold some out and set it by them\n");
    else
        (void)printf("above %.2f %% of %" PRIu64 " held-out pairs\n",
                     calibration.threshold_percentile, calibration.sample_size);
}

static void print_summary(const struct model *model, const struct pairs_input *input,
                          const char *path, double seconds)
{
    struct model_info info;

    model_info(model, &info);
    (void)printf("model %s in \"%s\"\n", info.id, path);
    (void)printf("objects %" PRIu64 " (%" PRIu64 " failed), pairs %zu, entities %" PRIu64
                 ", %.1f s\n",
                 input->objects, input->failed, input->count, info.entities, seconds);
    if (input->rejected + input->one_way > 0)
        (void)printf("not learned: %" PRIu64 " pairs of refused traffic, %" PRIu64
                     " that nobody answered\n",
                     input->rejected, input->one_way);
    if (input->held_back > 0)
        (void)printf("held back by triage %" PRIu64 " pairs\n", input->held_back);
    (void)printf("%s\n", info.metrics_json);
    for (size_t i = 0; i < info.spec_count; i++)
        print_calibration(model, info.specs[i]);
}

/* A file of a query has more pairs than an object: as many as its reader has memory for. */
enum { OUT_BYTES_MAX = 4096, COUNTED_PAIRS_MAX = 12 * 1000 * 1000 };

/* Where training keeps what it needs to go on after a kill. */
static enum err_code checkpoint_path(const struct command_options *options, struct str *path,
                                     struct err *err)
{
    str_init(path, OUT_BYTES_MAX);
    str_add(path, options->out);
    str_add(path, ".checkpoint");
    return str_check(path, "the path of the checkpoint", err);
}

/* Told before the training rather than after it. */
static enum err_code check_out(const char *out, struct err *err)
{
    const char *slash = strrchr(out, '/');
    AUTO(str_done) struct str folder = {0};
    struct stat found;

    str_init(&folder, OUT_BYTES_MAX);
    if (slash == NULL)
        str_add(&folder, ".");
    else
        str_add_bytes(&folder, out, (size_t)(slash - out) + 1);
    TRY(str_check(&folder, "the folder of --out", err));
    if (access(folder.text, W_OK) != 0)
        return err_errno(err, ERR_IO, "--out %s: writing to its folder", out);
    if (stat(out, &found) == 0 && S_ISDIR(found.st_mode))
        return err_set(err, ERR_INVALID, "--out %s is a folder; name a file in it", out);
    return ERR_NONE;
}

static enum err_code run_container(const struct command_options *options,
                                   const struct conf_args *args, struct err *err)
{
    if (args->positional_count > 0 || options->out != NULL)
        return err_set(err, ERR_USAGE,
                       "--sagemaker goes without PATH and --out: both are below --sagemaker-dir");
    return container_train(options->sagemaker_dir, err);
}

static enum err_code validate(const struct command_options *options, const struct model *model,
                              struct err *err)
{
    AUTO(validation_done) struct validation validation = {.model = NULL};
    AUTO(pairs_input_done)
    struct pairs_input input = {.take = validation_take, .taker = &validation};

    validation_init(&validation, model, (uint64_t)options->memory, options->temp_dir);
    pairs_input_init(&input);
    TRY(pairs_input_add(&input, options->validation, err));
    if (input.count == 0)
        return err_set(err, ERR_INVALID, "\"%s\" has no pairs to validate with",
                       options->validation);
    return validation_print(&validation, "algo-1", err);
}

/* Anew, or on from a base, which must outlive *ret. */
static enum err_code learn(const struct model *base, struct train_set *set,
                           const struct triage_filter *triage, struct train_options *train,
                           struct trained **ret, struct err *err)
{
    train->scoped = train_set_specs(set) > 1;
    if (train_set_spilled(set))
        log_info("pairs are in a file", "pairs=%" PRIu64, train_set_count(set));
    if (base == NULL)
        return train_set_run(set, train, ret, err);
    return train_set_update(base, set, triage->never, triage->never_count, train, ret, err);
}

static enum err_code run(const struct command_options *options, const struct conf_args *args,
                         struct err *err)
{
    AUTO(model_freep) struct model *base = NULL;
    AUTO(trained_freep) struct trained *trained = NULL;
    AUTO(str_done) struct str checkpoint = {0};
    AUTO(asn_file_done) struct asn_file asn = {.numbers = NULL};
    AUTO(train_set_freep)
    struct train_set *set = train_set_new((uint64_t)options->memory, options->temp_dir);
    struct train_printer printer;
    const char *names[CONF_LIST_MAX + 1] = {NULL};
    AUTO(pairs_input_done)
    struct pairs_input input = {.take = options->on == NULL ? pairs_input_take : NULL,
                                .taker = set,
                                .spec_names = options->specs.count > 0 ? names : NULL,
                                .spec_dir = options->spec_dir,
                                .temp_dir = options->temp_dir,
                                .since_ms = options->since_ms,
                                .until_ms = options->until_ms,
                                .object_bytes_max = (uint64_t)options->object_bytes_max};
    struct train_options train = {.hyper = options->hyper,
                                  .seed = (uint64_t)options->seed,
                                  .threads = (int)options->threads,
                                  .kernel = options->kernel,
                                  .watch = &printer.watch,
                                  .half_life_days = options->half_life_days};
    int64_t started_ms = clock_mono_ms();

    if (options->out == NULL)
        return err_set(err, ERR_USAGE, "train needs --out; see --help");
    if (options->on != NULL && (!str_equal(options->on, "sagemaker") || options->base != NULL))
        return err_set(err, ERR_USAGE, "--on is sagemaker, and then there is no --base");
    train_printer_init(&printer, "algo-1");
    TRY(hyper_check(&options->hyper, err));
    TRY(checkpoint_path(options, &checkpoint, err));
    if (options->checkpoint)
        train.checkpoint = checkpoint.text;
    TRY(check_out(options->out, err));
    TRY(choose_detector(options->detector, &train.detector, err));
    TRY(threshold_choose(options->alerts_per_day, options->threshold_percentile,
                         options->threshold_score, &train.threshold, err));
    if (options->base != NULL)
        TRY(model_load(options->base, &base, err));
    if (options->asn != NULL)
        TRY(asn_file_read(options->asn, &asn, err));
    train.asn = options->asn != NULL ? &asn.table : NULL;
    if (options->from != NULL)
        input.pairs_max = COUNTED_PAIRS_MAX;
    pairs_input_init(&input);
    TRY(pairs_tally_init(&input.tally, options->max_bad, err));
    for (size_t i = 0; i < options->specs.count; i++)
        names[i] = options->specs.items[i];
    TRY(gather(&input, options, args, err));
    if (options->on != NULL)
        return train_sagemaker(&options->job, &options->hyper, &input, options->out, err);
    TRY(learn(base, set, &input.triage, &train, &trained, err));
    if (options->validation != NULL)
        TRY(validate(options, trained_model(trained), err));
    TRY(trained_write(trained, options->out, err));
    train_checkpoint_remove(train.checkpoint);
    print_summary(trained_model(trained), &input, options->out,
                  (double)(clock_mono_ms() - started_ms) / 1000);
    return ERR_NONE;
}

int cmd_train(int argc, char **argv)
{
    struct command_options options = {
        .seed = 1,
        .threads = 1,
        .temp_dir = "/tmp",
        .memory = TRAIN_MEMORY_BYTES_DEFAULT,
        .object_bytes_max = INT64_C(1) << 30,
        .detector = "prefix",
        .max_bad = "0%",
        .alerts_per_day = NAN,
        .threshold_percentile = NAN,
        .threshold_score = NAN,
        .half_life_days = HALF_LIFE_DAYS_DEFAULT,
        .hyper = HYPER_DEFAULT,
        .sagemaker_dir = CONTAINER_DIR_DEFAULT,
        .athena = {.catalog = "AwsDataCatalog"},
        .job = {.instance_type = SAGEMAKER_INSTANCE_DEFAULT,
                .volume_gb = 30,
                .job_ms_max = 24 * (int64_t)HOUR_MS},
    };
    struct conf_args args = {0};
    struct err err = {0};
    enum err_code code = conf_read(&COMMAND_TRAIN, argc, argv, &options, &args, &err);

    if (code != ERR_NONE || args.help)
        return command_exit(code, &err);
    stop_catch();
    code = options.sagemaker ? run_container(&options, &args, &err) : run(&options, &args, &err);
    return command_exit(code, &err);
}
