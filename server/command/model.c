/* pairwatch model: which models there are, which one scores, and what a shadow makes of the same.
 */
#include <inttypes.h>
#include <math.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "aws/sagemaker_runtime.h"
#include "base/arena.h"
#include "base/clock.h"
#include "base/conf.h"
#include "base/str.h"
#include "command/access.h"
#include "command/command.h"
#include "command/model_actions.h"
#include "model/model.h"
#include "store/db.h"
#include "store/migrate.h"
#include "store/model_life.h"
#include "store/writer.h"
#include "worker/endpoint_calibrate.h"
#include "worker/endpoint_model.h"
#include "worker/register.h"
#include "worker/remote.h"

enum { MODEL_ARENA_BYTES_MAX = 64 * 1024 * 1024, ID_PREFIX_MIN = 6, SAMPLE_DEFAULT = 100 * 1000 };

#define AT(member) offsetof(struct model_options, member)
static const struct conf_setting SETTINGS[] = {
    {"database", CONF_TEXT, offsetof(struct model_options, database), 0, 0, 0, "URL",
     "sqlite:FILE or postgresql://USER@HOST/NAME: the database"},
    {"limit", CONF_INT, offsetof(struct model_options, limit), CONF_FLAG_ONLY, 0,
     DIFFERENCE_LIST_MAX, "N", "differences that compare prints"},
    {"out", CONF_TEXT, AT(out), CONF_FLAG_ONLY, 0, 0, "FILE",
     "calibrate: where a calibrated model file goes, or an endpoint's calibration for workers "
     "without a database"},
    {"spec", CONF_LIST, AT(specs), 0, 0, 0, "NAME",
     "calibrate: pair specs to read from objects, or what rows without one stand for"},
    {"spec-dir", CONF_TEXT, AT(spec_dir), 0, 0, 0, "DIR", "more pair specs, *.spec files"},
    {"alerts-per-day", CONF_REAL, AT(alerts_per_day), CONF_FLAG_ONLY, 0.01, 1e6, "N",
     "calibrate: threshold of each spec, so many findings a day; at most one pair in a hundred"},
    {"threshold-percentile", CONF_REAL, AT(threshold_percentile), CONF_FLAG_ONLY, 0, 100, "P",
     "instead: what is above this percentile of the pairs"},
    {"threshold-score", CONF_REAL, AT(threshold_score), CONF_FLAG_ONLY, -1e6, 1e6, "X",
     "instead: what is above this score"},
    {"sample", CONF_INT, AT(sample), CONF_FLAG_ONLY, CALIBRATE_SAMPLE_MIN, 10e6, "N",
     "calibrate: distinct pairs of each spec that an endpoint is asked for, drawn at random"},
    {"seed", CONF_INT, AT(seed), CONF_FLAG_ONLY, 0, 9007199254740991.0, "N",
     "calibrate: of that draw"},
    {"max-bad", CONF_TEXT, AT(max_bad), CONF_FLAG_ONLY, 0, 0, "N%",
     "calibrate: pass over bad rows of CSV, up to so many of all"},
    {"since", CONF_TIME, AT(since_ms), CONF_FLAG_ONLY, 0, 0, "DATE",
     "calibrate: leave out what is of days before"},
    {"until", CONF_TIME, AT(until_ms), CONF_FLAG_ONLY, 0, 0, "DATE",
     "calibrate: leave out what is of this day and later"},
    {"object-bytes-max", CONF_BYTES, AT(object_bytes_max), 0, 1024, 64.0 * 1024 * 1024 * 1024,
     "BYTES", "larger objects are refused"},
    {"temp-dir", CONF_TEXT, AT(temp_dir), 0, 0, 0, "DIR", "for what does not fit in memory"},
    {"scorer-rows", CONF_INT, AT(scorer_rows), 0, 1, REMOTE_ROWS_MAX, "N",
     "pairs of one request to an endpoint; fewer when they are too large together"},
    {"scorer-timeout", CONF_DURATION, AT(scorer_timeout_ms), 0, 0, 0, "TIME",
     "an endpoint's answer is waited for so long"},
    {"scorer-wait", CONF_DURATION, AT(scorer_wait_ms), 0, 0, 0, "TIME",
     "an endpoint that does not answer is asked again for so long"},
    {"sagemaker", CONF_BOOL, AT(on_sagemaker), CONF_FLAG_ONLY, 0, 0, NULL,
     "deploy, undeploy: an endpoint of SageMaker"},
    {"image", CONF_TEXT, AT(sagemaker.image), CONF_FLAG_ONLY, 0, 0, "URI",
     "deploy: our container in ECR (deploy/sagemaker), or SageMaker's own algorithm"},
    {"sagemaker-role", CONF_TEXT, AT(sagemaker.role), 0, 0, 0, "ARN",
     "deploy: role that SageMaker runs it as"},
    {"sagemaker-bucket", CONF_TEXT, AT(sagemaker.bucket), 0, 0, 0, "s3://BUCKET/PREFIX/",
     "deploy: where a model file is uploaded"},
    {"instance-type", CONF_TEXT, AT(sagemaker.instance_type), CONF_FLAG_ONLY, 0, 0, "TYPE",
     "deploy: machine of the endpoint"},
    {"instances", CONF_INT, AT(sagemaker.instances), CONF_FLAG_ONLY, 1, 100, "N",
     "deploy: how many of them"},
    {"serverless-memory", CONF_INT, AT(sagemaker.memory_mb), CONF_FLAG_ONLY, 0, 6144, "MB",
     "deploy: a serverless endpoint of so much memory instead: 1024, 2048 … 6144"},
    {"serverless-concurrency", CONF_INT, AT(sagemaker.concurrency), CONF_FLAG_ONLY, 1, 200, "N",
     "deploy: its calls at the same time"},
    {"yes", CONF_BOOL, AT(sagemaker.yes), CONF_FLAG_ONLY, 0, 0, NULL,
     "deploy, undeploy: do not ask before money is spent or something is removed"},
    {NULL, 0, 0, 0, 0, 0, NULL, NULL},
};

const struct conf_command COMMAND_MODEL = {
    .name = "model",
    .summary = "list, shadow, activate and roll back models",
    .positional = "ACTION [MODEL [PATH…]]",
    .settings = SETTINGS,
    .more =
        "A MODEL is a file made by `pairwatch train`, or the id of one that is known, or the "
        "beginning of it,\nor sagemaker:ENDPOINT, whose newest calibration it is.\n\nActions:\n"
        "  list             all models, newest first\n"
        "  add MODEL        a candidate\n"
        "  shadow MODEL     scores beside the active one; nothing is flagged by it\n"
        "  activate MODEL   scores from now on, in every `work --scorer active`\n"
        "  rollback         the one that was active before\n"
        "  compare MODEL    what it and the other one flagged, as shadow or active\n"
        "  calibrate SCORER [PATH…]\n"
        "                   thresholds and percentiles by what the scorer makes of these pairs,\n"
        "                   or of those the database observed. sagemaker:ENDPOINT becomes a new\n"
        "                   candidate; a model file is written anew to --out\n"
        "  deploy --sagemaker NAME FILE|s3://BUCKET/KEY\n"
        "                   makes an endpoint of a model file, or of a model.tar.gz in S3\n"
        "  undeploy --sagemaker NAME\n"
        "                   removes the endpoint, its configuration and its model\n",
};

/* A model named on the command line. */
struct named {
    char id[64];
    char path[4096]; /* "" = as it is known */
};

static enum err_code by_id(const char *database, const char *text, struct named *ret,
                           struct err *err)
{
    AUTO(arena_done) struct arena arena = {0};
    AUTO(db_closep) struct db *db = NULL;
    struct model_seat_list seats;
    size_t found = 0;

    arena_init(&arena, MODEL_ARENA_BYTES_MAX);
    TRY(db_open(database, DB_READ, &db, err));
    TRY(model_seats(db, &arena, &seats, err));
    for (size_t i = 0; i < seats.count; i++)
        if (str_starts(seats.items[i].id, text) && found++ == 0)
            (void)snprintf(ret->id, sizeof ret->id, "%s", seats.items[i].id);
    if (found == 1 && (strlen(text) >= ID_PREFIX_MIN || str_equal(ret->id, text)))
        return ERR_NONE;
    return err_set(err, ERR_NOT_FOUND,
                   found > 0
                       ? "\"%.64s\" may be one of several models: give more of the id"
                       : "there is no model file \"%.64s\", and no known model's id begins so",
                   text);
}

static enum err_code register_file(const char *database, const char *path, struct named *ret,
                                   struct err *err)
{
    AUTO(model_freep) struct model *model = NULL;
    const char *names[MODEL_SPECS_MAX + 1] = {NULL};
    struct writer *writer = NULL;
    struct model_info info;
    enum err_code code;
    size_t count = 0;

    TRY(model_load(path, &model, err));
    model_info(model, &info);
    for (size_t i = 0; i < info.spec_count; i++)
        if (*info.specs[i] != '\0')
            names[count++] = info.specs[i];
    (void)snprintf(ret->id, sizeof ret->id, "%s", info.id);
    TRY(migrate_run(database, err));
    TRY(writer_start(database, &writer, err));
    code = register_model(writer, model, names, err);
    writer_stop(writer);
    return code;
}

/* The newest calibration of an endpoint. */
static enum err_code by_endpoint(const char *database, const char *text, struct named *ret,
                                 struct err *err)
{
    AUTO(arena_done) struct arena arena = {0};
    AUTO(db_closep) struct db *db = NULL;
    struct model_seat seat;
    enum err_code code;

    arena_init(&arena, MODEL_ARENA_BYTES_MAX);
    TRY(db_open(database, DB_READ, &db, err));
    code = model_of_path(db, &arena, text, &seat, err);
    if (code == ERR_NOT_FOUND)
        return err_set(err, code, "nothing is known of the scores of %.80s: `model calibrate`",
                       text);
    TRY(code);
    (void)snprintf(ret->id, sizeof ret->id, "%s", seat.id);
    return ERR_NONE;
}

static enum err_code find(const char *database, const char *text, struct named *ret,
                          struct err *err)
{
    struct stat status;

    *ret = (struct named){.path = ""};
    if (endpoint_name_of(text) != NULL)
        return by_endpoint(database, text, ret, err);
    if (stat(text, &status) != 0)
        return by_id(database, text, ret, err);
    if (strlen(text) >= sizeof ret->path || realpath(text, ret->path) == NULL)
        return err_errno(err, ERR_IO, "finding \"%s\"", text);
    return register_file(database, ret->path, ret, err);
}

static enum err_code move(const struct model_options *options, const char *text,
                          enum model_state state, struct err *err)
{
    struct model_move_job job = {.actor = ACCESS_ACTOR, .state = state, .now_ms = clock_now_ms()};
    struct named named;

    TRY(find(options->database, text, &named, err));
    job.id = named.id;
    job.path = named.path[0] != '\0' ? named.path : NULL;
    TRY(access_write(options->database, model_move_job_run, &job, err));
    (void)printf("%s %s\n", named.id, MODEL_STATE_WORDS[state]);
    return ERR_NONE;
}

static enum err_code add(const struct model_options *options, const char *text, struct err *err)
{
    return move(options, text, MODEL_CANDIDATE, err);
}

static enum err_code shadow(const struct model_options *options, const char *text, struct err *err)
{
    return move(options, text, MODEL_SHADOW, err);
}

static enum err_code activate(const struct model_options *options, const char *text,
                              struct err *err)
{
    return move(options, text, MODEL_ACTIVE, err);
}

static enum err_code rollback(const struct model_options *options, const char *text,
                              struct err *err)
{
    struct model_rollback_job job = {.actor = ACCESS_ACTOR, .now_ms = clock_now_ms()};

    (void)text;
    TRY(access_write(options->database, model_rollback_job_run, &job, err));
    (void)printf("%s active\n", job.id);
    return ERR_NONE;
}

static enum err_code list(const struct model_options *options, const char *text, struct err *err)
{
    AUTO(arena_done) struct arena arena = {0};
    AUTO(db_closep) struct db *db = NULL;
    struct model_seat_list seats;

    (void)text;
    arena_init(&arena, MODEL_ARENA_BYTES_MAX);
    TRY(db_open(options->database, DB_READ, &db, err));
    TRY(model_seats(db, &arena, &seats, err));
    for (size_t i = 0; i < seats.count; i++) {
        const struct model_seat *seat = &seats.items[i];

        (void)printf("%-32s %-9s %s\n", seat->id, MODEL_STATE_WORDS[seat->state],
                     seat->path != NULL ? seat->path : "-");
    }
    return ERR_NONE;
}

static void print_difference(const struct difference_row *row)
{
    char ip[IP_TEXT_BYTES], time[TIME_TEXT_BYTES];

    (void)ip_format(ip, &row->ip);
    (void)time_format(time, row->time);
    (void)printf("  %s %-22s %s %s active %.2f shadow %.2f, only the %s\n", time, row->spec,
                 row->entity, ip, row->active_score, row->shadow_score,
                 row->shadow_flagged ? "shadow flags it" : "active flags it");
}

static enum err_code compare(const struct model_options *options, const char *text, struct err *err)
{
    AUTO(arena_done) struct arena arena = {0};
    AUTO(db_closep) struct db *db = NULL;
    struct comparison_list sums;
    struct difference_list differences;
    struct named named;

    TRY(find(options->database, text, &named, err));
    arena_init(&arena, MODEL_ARENA_BYTES_MAX);
    TRY(db_open(options->database, DB_READ, &db, err));
    TRY(comparison_list(db, &arena, named.id, 0, &sums, err));
    if (sums.count == 0)
        return err_set(err, ERR_NOT_FOUND, "the model %s has not been compared yet", named.id);
    for (size_t i = 0; i < sums.count; i++) {
        const struct comparison_sum *sum = &sums.items[i];

        (void)printf("%-22s active %.8s shadow %.8s pairs %" PRId64 ", flagged by both %" PRId64
                     ", only active %" PRId64 ", only shadow %" PRId64 "\n",
                     sum->spec, sum->active, sum->shadow, sum->pairs, sum->by_both,
                     sum->only_active, sum->only_shadow);
    }
    TRY(difference_list(db, &arena, named.id, options->limit, &differences, err));
    for (size_t i = 0; i < differences.count; i++)
        print_difference(&differences.items[i]);
    return ERR_NONE;
}

/* Actions of several words, and what they take. */
static const struct long_action {
    const char *word;
    enum err_code (*run)(const struct model_options *options, const char *const *words,
                         size_t count, struct err *err);
    const char *takes;
} LONG_ACTIONS[] = {
    {"calibrate", model_calibrate, "sagemaker:ENDPOINT or a model file, and paths of pairs"},
    {"deploy", model_deploy, "the endpoint's name, and a model file or its archive in S3"},
    {"undeploy", model_undeploy, "the endpoint's name"},
};

static enum err_code run_long(const struct model_options *options, const struct conf_args *args,
                              bool *ret_found, struct err *err)
{
    *ret_found = false;
    for (size_t i = 0; i < ARRAY_LEN(LONG_ACTIONS); i++) {
        const struct long_action *action = &LONG_ACTIONS[i];

        if (args->positional_count == 0 || strcmp(args->positional[0], action->word) != 0)
            continue;
        *ret_found = true;
        if (args->positional_count < 2)
            return err_set(err, ERR_USAGE, "model %s takes %s", action->word, action->takes);
        return action->run(options, args->positional + 1, args->positional_count - 1, err);
    }
    return ERR_NONE;
}

static const struct action {
    const char *word;
    enum err_code (*run)(const struct model_options *options, const char *text, struct err *err);
    bool named;
} ACTIONS[] = {{"list", list, false},         {"add", add, true},
               {"shadow", shadow, true},      {"activate", activate, true},
               {"rollback", rollback, false}, {"compare", compare, true}};

static enum err_code run(const struct model_options *options, const struct conf_args *args,
                         struct err *err)
{
    bool found;
    enum err_code code = run_long(options, args, &found, err);

    if (found)
        return code;
    for (size_t i = 0; i < ARRAY_LEN(ACTIONS); i++) {
        if (args->positional_count == 0 || strcmp(args->positional[0], ACTIONS[i].word) != 0)
            continue;
        if (args->positional_count != (ACTIONS[i].named ? 2U : 1U))
            return err_set(err, ERR_USAGE, "model %s takes %s", ACTIONS[i].word,
                           ACTIONS[i].named ? "one model" : "no model");
        return ACTIONS[i].run(options, ACTIONS[i].named ? args->positional[1] : NULL, err);
    }
    return err_set(
        err, ERR_USAGE,
        "say what to do: model list, add, shadow, activate, rollback, compare, calibrate, "
        "deploy or undeploy");
}

int cmd_model(int argc, char **argv)
{
    struct model_options options = {
        .database = "sqlite:pairwatch.db",
        .limit = 20,
        .temp_dir = "/tmp",
        .max_bad = "0%",
        .alerts_per_day = NAN,
        .threshold_percentile = NAN,
        .threshold_score = NAN,
        .sample = SAMPLE_DEFAULT,
        .seed = 1,
        .object_bytes_max = INT64_C(1) << 30,
        .scorer_rows = REMOTE_ROWS_DEFAULT,
        .scorer_timeout_ms = SAGEMAKER_ANSWER_MS,
        .scorer_wait_ms = REMOTE_WAIT_DEFAULT_MS,
        .sagemaker = {.instance_type = SAGEMAKER_INSTANCE_DEFAULT,
                      .instances = 1,
                      .concurrency = 5},
    };
    struct conf_args args = {0};
    struct err err = {0};
    enum err_code code = conf_read(&COMMAND_MODEL, argc, argv, &options, &args, &err);

    if (code != ERR_NONE || args.help)
        return command_exit(code, &err);
    return command_exit(run(&options, &args, &err), &err);
}
