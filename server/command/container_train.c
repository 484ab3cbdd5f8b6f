/* The training half of a SageMaker container. */
#include <errno.h>
#include <fts.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "command/command.h"
#include "command/container.h"
#include "command/container_config.h"
#include "command/pairs_input.h"
#include "command/train_report.h"
#include "command/validation.h"
#include "model/train.h"

enum {
    PATH_BYTES_MAX = 4096,
    FILES_MAX = 100000, /* of a channel */
    DEPTH_MAX = 32,     /* of its folders */
    SEED = 1,
};
static const char SCRATCH_FOLDER[] = "/tmp"; /* where SageMaker has the instance's volume */

static enum err_code path_of(char ret[static PATH_BYTES_MAX], const char *dir, const char *name,
                             struct err *err)
{
    int length = snprintf(ret, PATH_BYTES_MAX, "%s/%s", dir, name);

    if (length < 0 || length >= PATH_BYTES_MAX)
        return err_set(err, ERR_USAGE, "--sagemaker-dir is too long");
    return ERR_NONE;
}

/* ---- channels ---- */

static void fts_closep(FTS **tree)
{
    if (*tree != NULL)
        (void)fts_close(*tree);
}

static int by_name(const FTSENT **a, const FTSENT **b)
{
    return strcmp((*a)->fts_name, (*b)->fts_name);
}

static enum err_code add_entry(struct pairs_input *input, const FTSENT *entry, struct err *err)
{
    if (atomic_load(&STOP_ASKED))
        return err_set(err, ERR_CANCELLED, "stopped before \"%s\"", entry->fts_path);
    switch (entry->fts_info) {
    case FTS_F:
        if (input->objects++ == FILES_MAX)
            return err_set(err, ERR_TOO_LARGE, "there are more than %d files in the channel",
                           FILES_MAX);
        return pairs_input_add_csv(input, entry->fts_path, err);
    case FTS_D:
        if (entry->fts_level > DEPTH_MAX)
            return err_set(err, ERR_INVALID, "\"%s\" is more than %d folders deep", entry->fts_path,
                           DEPTH_MAX);
        return ERR_NONE;
    case FTS_DP:
        return ERR_NONE;
    case FTS_DNR:
    case FTS_ERR:
    case FTS_NS:
        errno = entry->fts_errno;
        return err_errno(err, ERR_IO, "reading \"%s\"", entry->fts_path);
    default:
        return err_set(err, ERR_INVALID, "\"%s\" is neither a file nor a folder", entry->fts_path);
    }
}

/* Every file below the channel's folder. */
static enum err_code add_channel(struct pairs_input *input, char *path, struct err *err)
{
    char *const roots[] = {path, NULL};
    AUTO(fts_closep) FTS *tree = fts_open(roots, FTS_LOGICAL | FTS_NOCHDIR, by_name);
    FTSENT *entry;

    if (tree == NULL)
        return err_errno(err, ERR_IO, "reading \"%s\"", path);
    errno = 0;
    while ((entry = fts_read(tree)) != NULL)
        TRY(add_entry(input, entry, err));
    if (errno != 0)
        return err_errno(err, ERR_IO, "reading \"%s\"", path);
    if (input->count == 0)
        return err_set(err, ERR_INVALID,
                       "there is no pair in the channel \"%s\": %" PRIu64 " files", path,
                       input->objects);
    return ERR_NONE;
}

static enum err_code read_channel(const char *dir, const char *channel, struct pairs_input *input,
                                  struct err *err)
{
    char name[64], path[PATH_BYTES_MAX];

    pairs_input_init(input);
    (void)snprintf(name, sizeof name, "input/data/%s", channel);
    TRY(path_of(path, dir, name, err));
    return add_channel(input, path, err);
}

/* ---- validation ---- */

static enum err_code validate(const char *dir, const char *host, const struct model *model,
                              struct err *err)
{
    AUTO(validation_done) struct validation validation = {.model = NULL};
    AUTO(pairs_input_done)
    struct pairs_input input = {.take = validation_take, .taker = &validation, .bare = true};
    struct stat status;
    char path[PATH_BYTES_MAX];

    TRY(path_of(path, dir, "input/data/validation", err));
    if (stat(path, &status) != 0 && errno == ENOENT)
        return ERR_NONE;
    validation_init(&validation, model, TRAIN_MEMORY_BYTES_DEFAULT, SCRATCH_FOLDER);
    TRY(read_channel(dir, "validation", &input, err));
    return validation_print(&validation, host, err);
}

/* ---- the job ---- */

static enum err_code make_folder(const char *dir, const char *name, struct err *err)
{
    char path[PATH_BYTES_MAX];

    TRY(path_of(path, dir, name, err));
    if (mkdir(path, 0755) != 0 && errno != EEXIST)
        return err_errno(err, ERR_IO, "making \"%s\"", path);
    return ERR_NONE;
}

/* Where the job asked for checkpoints SageMaker made the folder, and keeps what is in it for the
 * next instance when this one is taken away. */
static enum err_code choose_checkpoint(const char *dir, char path[static PATH_BYTES_MAX],
                                       const char **ret, struct err *err)
{
    struct stat status;

    *ret = NULL;
    TRY(path_of(path, dir, "checkpoints", err));
    if (stat(path, &status) != 0 || !S_ISDIR(status.st_mode))
        return ERR_NONE;
    TRY(path_of(path, dir, "checkpoints/pairwatch", err));
    *ret = path;
    return ERR_NONE;
}

static enum err_code run(const char *dir, struct err *err)
{
    AUTO(train_set_freep)
    struct train_set *set = train_set_new(TRAIN_MEMORY_BYTES_DEFAULT, SCRATCH_FOLDER);
    AUTO(pairs_input_done)
    struct pairs_input input = {.take = pairs_input_take, .taker = set, .bare = true};
    AUTO(trained_freep) struct trained *trained = NULL;
    struct container_config config;
    struct train_printer printer;
    struct train_options options = {.seed = SEED,
                                    .threads = TRAIN_THREADS_MAX,
                                    .watch = &printer.watch,
                                    .threshold = {THRESHOLD_BUDGET, THRESHOLD_BUDGET_DEFAULT},
                                    .detector = DETECTOR_IP_INSIGHTS,
                                    .half_life_days = HALF_LIFE_DAYS_DEFAULT};
    struct model_info info;
    char path[PATH_BYTES_MAX], checkpoint[PATH_BYTES_MAX];
    int64_t started_ms = clock_mono_ms();

    TRY(container_config_read(dir, &config, err));
    TRY(make_folder(dir, "model", err));
    TRY(path_of(path, dir, "model/" CONTAINER_MODEL_NAME, err));
    TRY(choose_checkpoint(dir, checkpoint, &options.checkpoint, err));
    train_printer_init(&printer, config.host);
    options.hyper = config.hyper;
    TRY(read_channel(dir, "train", &input, err));
    (void)printf("%zu pairs in %" PRIu64 " files of the channel train\n", input.count,
                 input.objects);
    (void)fflush(stdout);
    TRY(train_set_run(set, &options, &trained, err));
    TRY(validate(dir, config.host, trained_model(trained), err));
    TRY(trained_write(trained, path, err));
    train_checkpoint_remove(options.checkpoint);
    model_info(trained_model(trained), &info);
    (void)printf("%s\nmodel %s in \"%s\", %.1f s\n", info.metrics_json, info.id, path,
                 (double)(clock_mono_ms() - started_ms) / 1000);
    return ERR_NONE;
}

/* SageMaker shows what is in it as the job's FailureReason. That it cannot be written is no reason
 * to say anything but the failure itself. */
static void write_failure(const char *dir, const char *reason)
{
    char path[PATH_BYTES_MAX];
    FILE *file;

    if (make_folder(dir, "output", NULL) != ERR_NONE ||
        path_of(path, dir, "output/failure", NULL) != ERR_NONE)
        return;
    file = fopen(path, "we");
    if (file == NULL)
        return;
    (void)fprintf(file, "%s\n", reason);
    (void)fclose(file);
}

enum err_code container_train(const char *dir, struct err *err)
{
    enum err_code code = run(dir, err);

    if (code != ERR_NONE)
        write_failure(dir, err->text);
    return code;
}
