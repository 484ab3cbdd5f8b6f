/* pairwatch work: reads objects from a queue, scores their pairs, stores the results. */
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "aws/sagemaker_runtime.h"
#include "base/clock.h"
#include "base/conf.h"
#include "base/str.h"
#include "command/command.h"
#include "command/work.h"
#include "command/work_metrics.h"
#include "worker/endpoint_model.h"
#include "worker/post.h"
#include "worker/remote.h"
#include "worker/worker.h"

struct work_options {
    const char *queue, *scorer, *database, *spec_dir, *temp_dir;
    const char *aws_role, *aws_external_id;
    struct conf_list specs;
    bool once;
    int64_t threads, object_bytes_max, since_ms, until_ms, stall_s;
    const char *calibration, *metrics;
    int64_t scorer_rows, scorer_timeout_ms, scorer_wait_ms;
    const char *learn;
    double alerts_per_day;
    struct post_options post;
    int64_t post_rows_max;
};

const struct conf_setting WORK_SETTINGS[] = {
    {"queue", CONF_TEXT, offsetof(struct work_options, queue), CONF_REQUIRED, 0, 0,
     "dir:PATH|sqs:URL|store",
     "where notices come from: a folder laid out as Security Lake's bucket, a subscriber's SQS "
     "queue by URL or ARN, or those that came to `pairwatch serve` over HTTP"},
    {"once", CONF_BOOL, offsetof(struct work_options, once), CONF_FLAG_ONLY, 0, 0, NULL,
     "end when nothing is left instead of waiting for more"},
    {"since", CONF_TIME, offsetof(struct work_options, since_ms), CONF_FLAG_ONLY, 0, 0, "DATE",
     "leave out objects of days before (eventDay= in the key)"},
    {"until", CONF_TIME, offsetof(struct work_options, until_ms), CONF_FLAG_ONLY, 0, 0, "DATE",
     "leave out objects of this day and later"},
    {"learn-daily", CONF_TEXT, offsetof(struct work_options, learn), 0, 0, 0, "DIR",
     "each day the active model learns the days before into a new one in this folder, which is "
     "made"},
    {"alerts-per-day", CONF_REAL, offsetof(struct work_options, alerts_per_day), 0, 0.01, 1e6, "N",
     "of each spec, for the thresholds of those"},
    /* WORK_ALONE: what follows is of lambda as well. */
    {"scorer", CONF_TEXT, offsetof(struct work_options, scorer), 0, 0, 0,
     "model:FILE|sagemaker:NAME",
     "what scores the pairs: a file made by `pairwatch train`, an endpoint of SageMaker that "
     "`pairwatch model calibrate` measured, or \"active\": the model that `pairwatch model "
     "activate` names, followed when it changes"},
    {"calibration", CONF_TEXT, offsetof(struct work_options, calibration), 0, 0, 0, "FILE",
     "of the endpoint, by `pairwatch model calibrate --out`; without a database it is needed"},
    {"scorer-rows", CONF_INT, offsetof(struct work_options, scorer_rows), 0, 1, REMOTE_ROWS_MAX,
     "N", "pairs of one request to an endpoint; fewer when they are too large together"},
    {"scorer-timeout", CONF_DURATION, offsetof(struct work_options, scorer_timeout_ms), 0, 0, 0,
     "TIME", "an endpoint's answer is waited for so long"},
    {"scorer-wait", CONF_DURATION, offsetof(struct work_options, scorer_wait_ms), 0, 0, 0, "TIME",
     "an endpoint that does not answer is asked again for so long before an object fails"},
    {"database", CONF_TEXT, offsetof(struct work_options, database), 0, 0, 0, "URL",
     "sqlite:FILE or postgresql://USER@HOST/NAME: where results are kept; sqlite:pairwatch.db "
     "unless they are posted"},
    {"post", CONF_TEXT, offsetof(struct work_options, post.url), 0, 0, 0, "URL",
     "https://HOST of a pairwatch server that is given the results, instead of a database"},
    {"token-file", CONF_TEXT, offsetof(struct work_options, post.token_file), 0, 0, 0, "FILE",
     "its token, of the role ingest; read again when the server refuses it"},
    {"token", CONF_TEXT, offsetof(struct work_options, post.token), CONF_SECRET, 0, 0, NULL,
     "instead of a file"},
    {"ca-bundle", CONF_TEXT, offsetof(struct work_options, post.ca_bundle), 0, 0, 0, "FILE",
     "certificates to trust that server by; the system's unless given"},
    {"post-rows-max", CONF_INT, offsetof(struct work_options, post_rows_max), 0, 1, POST_ROWS_MAX,
     "N", "scores in one request"},
    {"spec", CONF_LIST, offsetof(struct work_options, specs), 0, 0, 0, "NAME",
     "pair specs to read; every one the model was trained on unless given"},
    {"spec-dir", CONF_TEXT, offsetof(struct work_options, spec_dir), 0, 0, 0, "DIR",
     "more pair specs, *.spec files"},
    {"threads", CONF_INT, offsetof(struct work_options, threads), 0, 1, WORKER_THREADS_MAX, "N",
     "objects read at the same time; the number of processors unless given"},
    {"object-bytes-max", CONF_BYTES, offsetof(struct work_options, object_bytes_max), 0, 1024,
     64.0 * 1024 * 1024 * 1024, "BYTES", "larger objects are marked failed"},
    {"temp-dir", CONF_TEXT, offsetof(struct work_options, temp_dir), 0, 0, 0, "DIR",
     "for what does not fit in memory"},
    {"aws-role", CONF_TEXT, offsetof(struct work_options, aws_role), 0, 0, 0, "ARN",
     "role to assume for SQS and S3: the subscriber's, when the lake is of another account"},
    {"aws-external-id", CONF_TEXT, offsetof(struct work_options, aws_external_id), 0, 0, 0, "ID",
     "the external id given when the subscriber was made"},
    {"metrics", CONF_TEXT, offsetof(struct work_options, metrics), 0, 0, 0, "HOST:PORT|emf",
     "where GET /metrics tells what this worker counts, to whoever reaches it; or emf: a line of "
     "CloudWatch's embedded metric format for each batch on standard output"},
    {"s3-stall-seconds", CONF_INT, offsetof(struct work_options, stall_s), 0, 1, 3600, "N",
     "an object that S3 sends nothing of for so long is asked for again"},
    {NULL, 0, 0, 0, 0, 0, NULL, NULL},
};

const struct conf_command COMMAND_WORK = {
    .name = "work",
    .summary = "read objects, score their pairs, store the results",
    .settings = WORK_SETTINGS,
    .more = "Delivery is at least once and the store is idempotent on the object, so running it "
            "again, also after a crash, changes nothing that was stored. With --once it fails when "
            "an object failed.\n",
};

static void print_unscored(const struct worker_totals *totals)
{
    const struct {
        const char *word;
        uint64_t rows;
    } others[] = {{"no_model", totals->unscored_no_model},
                  {"no_spec", totals->unscored_no_spec},
                  {"refused", totals->unscored_refused},
                  {"ipv6", totals->unscored_ipv6}};

    for (int i = 0; i < UNSCORED__MAX; i++)
        if (totals->unscored[i] > 0)
            (void)printf("  unscored, %-12s %12" PRIu64 " rows\n", UNSCORED_WORDS[i],
                         totals->unscored[i]);
    for (size_t i = 0; i < ARRAY_LEN(others); i++)
        if (others[i].rows > 0)
            (void)printf("  unscored, %-12s %12" PRIu64 " rows\n", others[i].word, others[i].rows);
}

static void print_totals(const struct worker_totals *totals)
{
    (void)printf("objects %" PRIu64 " (%" PRIu64 " failed), %" PRIu64 " stored before\n",
                 totals->objects, totals->failed, totals->repeated);
    (void)printf(
        "rows %" PRIu64 ", pairs %" PRIu64 ", scored %" PRIu64 ", flagged %" PRIu64 " (%.3f %%)\n",
        totals->rows, totals->pairs, totals->scored, totals->flagged,
        totals->scored > 0 ? 100.0 * (double)totals->flagged / (double)totals->scored : 0.0);
    print_unscored(totals);
    (void)printf("findings %" PRIu64 " new, %" PRIu64 " seen again\n", totals->findings_new,
                 totals->findings_updated);
}

static enum err_code choose_scorer(const char *scorer, struct worker_options *ret, struct err *err)
{
    static const char PREFIX[] = "model:";

    if (str_equal(scorer, "active"))
        return ERR_NONE;
    ret->endpoint = endpoint_name_of(scorer);
    if (ret->endpoint != NULL && sagemaker_name_ok(ret->endpoint))
        return ERR_NONE;
    if (!str_starts(scorer, PREFIX) || scorer[sizeof PREFIX - 1] == '\0')
        return err_set(err, ERR_USAGE,
                       "--scorer must be active, model:FILE or sagemaker:NAME, not \"%s\"", scorer);
    ret->model_path = scorer + sizeof PREFIX - 1;
    return ERR_NONE;
}

static enum err_code check_post(const struct work_options *options,
                                const struct worker_options *worker, struct err *err)
{
    if (options->post.url == NULL)
        return ERR_NONE;
    if (options->database != NULL)
        return err_set(err, ERR_USAGE, "results go to --post or into --database, not to both");
    if (worker->model_path == NULL && worker->calibration == NULL)
        return err_set(err, ERR_USAGE,
                       "--post needs --scorer model:FILE, or sagemaker:NAME with --calibration: "
                       "which model is active, and what an endpoint's scores are worth, only a "
                       "database knows else");
    return ERR_NONE;
}

static const char *emf_name(void)
{
    const char *name = getenv("AWS_LAMBDA_FUNCTION_NAME");

    return name != NULL ? name : "work";
}

/* With its counters told to whoever asks, if that is wanted. */
static enum err_code run_watched(const struct work_options *options,
                                 const struct worker_options *plain, struct worker_totals *ret,
                                 struct err *err)
{
    struct worker_options worker = *plain;
    AUTO(watch_done) struct worker_watch watch;
    AUTO(work_metrics_stopp) struct work_metrics *metrics = NULL; /* ends before the watch */

    watch_init(&watch);
    worker.watch = &watch;
    if (str_equal(options->metrics, "emf"))
        worker.emf = emf_name();
    else if (options->metrics != NULL && str_starts(options->queue, "lambda:"))
        return err_set(err, ERR_USAGE, "a function's metrics are emf: nobody can ask it");
    else if (options->metrics != NULL)
        TRY(work_metrics_start(options->metrics, &watch, &metrics, err));
    return worker_run(&worker, ret, err);
}

static enum err_code run(const struct work_options *options, struct worker_totals *ret,
                         struct err *err)
{
    struct post_options post = options->post;
    const char *names[CONF_LIST_MAX + 1] = {NULL};
    struct worker_options worker = {
        .database_url = options->database != NULL ? options->database : "sqlite:pairwatch.db",
        .post = options->post.url != NULL ? &post : NULL,
        .queue_url = options->queue,
        .aws_role = options->aws_role,
        .aws_external_id = options->aws_external_id,
        .spec_dir = options->spec_dir,
        .temp_dir = options->temp_dir,
        .stall_s = (int)options->stall_s,
        .threads = (int)options->threads,
        .once = options->once,
        .since_ms = options->since_ms,
        .until_ms = options->until_ms,
        .object_bytes_max = (uint64_t)options->object_bytes_max,
        .learn_folder = options->learn,
        .learn_threshold = {THRESHOLD_BUDGET, options->alerts_per_day},
        .calibration = options->calibration,
        .scorer_rows = (size_t)options->scorer_rows,
        .scorer_answer_ms = options->scorer_timeout_ms,
        .scorer_wait_ms = options->scorer_wait_ms,
        .stop = &STOP_ASKED,
    };

    TRY(choose_scorer(options->scorer, &worker, err));
    TRY(check_post(options, &worker, err));
    if (options->calibration != NULL && (worker.endpoint == NULL || options->post.url == NULL))
        return err_set(err, ERR_USAGE,
                       "--calibration goes with --scorer sagemaker:NAME and --post: a database has "
                       "its own");
    if (str_starts(options->queue, "lambda:") && options->post.url == NULL &&
        (options->database == NULL || str_starts(options->database, "sqlite:")))
        return err_set(err, ERR_USAGE,
                       "a function keeps no files: it needs --post URL or --database "
                       "postgresql://…");
    post.rows_max = (size_t)options->post_rows_max;
    post.stop = &STOP_ASKED;
    if (options->learn != NULL && (worker.model_path != NULL || worker.endpoint != NULL))
        return err_set(err, ERR_USAGE, "--learn-daily needs --scorer active");
    for (size_t i = 0; i < options->specs.count; i++)
        names[i] = options->specs.items[i];
    worker.spec_names = options->specs.count > 0 ? names : NULL;

    TRY(run_watched(options, &worker, ret, err));
    if (options->once && ret->failed > 0)
        return err_set(err, ERR_INVALID,
                       "%" PRIu64 " of %" PRIu64
                       " objects failed: GET /api/v1/objects?state=failed "
                       "says why",
                       ret->failed, ret->objects);
    return ERR_NONE;
}

static int64_t default_threads(void)
{
    long processors = sysconf(_SC_NPROCESSORS_ONLN);

    if (processors < 1)
        return 1;
    return processors < WORKER_THREADS_MAX ? processors : WORKER_THREADS_MAX;
}

enum err_code work_with(const struct conf_command *command, int argc, char **argv,
                        const char *queue, struct worker_totals *ret, bool *ret_help,
                        struct err *err)
{
    struct work_options options = {
        .queue = queue,
        .scorer = "active",
        .alerts_per_day = THRESHOLD_BUDGET_DEFAULT,
        .threads = default_threads(),
        .object_bytes_max = INT64_C(1) << 30,
        .temp_dir = "/tmp",
        .stall_s = 30,
        .post_rows_max = POST_ROWS_DEFAULT,
        .scorer_rows = REMOTE_ROWS_DEFAULT,
        .scorer_timeout_ms = SAGEMAKER_ANSWER_MS,
        .scorer_wait_ms = REMOTE_WAIT_DEFAULT_MS,
    };
    struct conf_args args = {0};

    TRY(conf_read(command, argc, argv, &options, &args, err));
    *ret_help = args.help;
    if (args.help)
        return ERR_NONE;
    stop_catch();
    return run(&options, ret, err);
}

int cmd_work(int argc, char **argv)
{
    struct worker_totals totals = {0};
    struct err err = {0};
    bool help = false;
    enum err_code code = work_with(&COMMAND_WORK, argc, argv, NULL, &totals, &help, &err);

    if (totals.began && (code == ERR_NONE || totals.objects > 0))
        print_totals(&totals);
    return command_exit(code, &err);
}
