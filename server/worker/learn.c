#include "worker/learn.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/own.h"
#include "model/model.h"
#include "store/db.h"
#include "store/model_life.h"
#include "store/training.h"
#include "store/writer.h"
#include "worker/endpoint_model.h"
#include "worker/register.h"
#include "worker/triage_filter.h"

enum { LEARN_PATH_BYTES_MAX = 4096, FOLDER_BYTES_MAX = 4000, NAP_MS = 500 };
static const char LEARN_ACTOR[] = "worker";

/* Pairs of the days to learn. */
struct gathering {
    const atomic_bool *stop;
    struct triage_filter filter;
    struct train_set *set; /* owned */
    uint64_t held_back;
    bool unnamed; /* the model has "" for the spec of all pairs */
};

static void gathering_done(struct gathering *gathering)
{
    train_set_freep(&gathering->set);
    triage_filter_done(&gathering->filter);
}

static enum err_code gather(void *context, const struct training_row *row, struct err *err)
{
    struct gathering *gathering = context;
    struct train_pair pair = {.spec = row->spec,
                              .entity = row->entity,
                              .ip = row->ip,
                              .time_ms = row->first_ms,
                              .count = row->count > 0 ? row->count : 1,
                              .unanswered = row->unanswered};

    if (atomic_load(gathering->stop))
        return err_set(err, ERR_CANCELLED, "stopped while learning");
    if (triage_filter_holds(&gathering->filter, &pair)) {
        gathering->held_back++;
        return ERR_NONE;
    }
    if (gathering->unnamed)
        pair.spec = "";
    return train_set_add(gathering->set, &pair, err);
}

/* A model of one spec or of bare pairs has "" for all. */
static bool is_unnamed(const struct model_info *info)
{
    return info->spec_count == 1 && *info->specs[0] == '\0';
}

static enum err_code register_and_activate(const struct learn_options *options, const char *path,
                                           struct err *err)
{
    AUTO(model_freep) struct model *model = NULL;
    const char *names[MODEL_SPECS_MAX + 1] = {NULL};
    struct model_move_job job = {
        .actor = LEARN_ACTOR, .path = path, .state = MODEL_ACTIVE, .now_ms = clock_now_ms()};
    struct model_info info;
    size_t count = 0;

    TRY(model_load(path, &model, err)); /* as it will be read, and whole */
    model_info(model, &info);
    for (size_t i = 0; i < info.spec_count; i++)
        if (*info.specs[i] != '\0')
            names[count++] = info.specs[i];
    TRY(register_model(options->writer, model, names, err));
    job.id = info.id;
    return writer_run(options->writer, model_move_job_run, &job, err);
}

/* Under the newest day it learned and its id: what a model is retired to must not change. */
static enum err_code write_model(const struct learn_options *options, struct trained *trained,
                                 char ret_path[static LEARN_PATH_BYTES_MAX], struct err *err)
{
    char day[TIME_TEXT_BYTES], folder[LEARN_PATH_BYTES_MAX], unnamed[LEARN_PATH_BYTES_MAX];
    struct model_info info;

    if (strlen(options->folder) >= FOLDER_BYTES_MAX || realpath(options->folder, folder) == NULL ||
        strlen(folder) >= FOLDER_BYTES_MAX)
        return err_errno(err, ERR_IO, "finding the folder \"%.256s\"", options->folder);
    (void)snprintf(unnamed, sizeof unnamed, "%.*s/learning.model", FOLDER_BYTES_MAX, folder);
    TRY(trained_write(trained, unnamed, err));
    model_info(trained_model(trained), &info);
    (void)time_format(day, info.trained_until_ms);
    (void)snprintf(ret_path, LEARN_PATH_BYTES_MAX, "%.*s/%.10s-%.8s.model", FOLDER_BYTES_MAX,
                   folder, day, info.id);
    if (rename(unnamed, ret_path) != 0)
        return err_errno(err, ERR_IO, "renaming \"%s\" to \"%s\"", unnamed, ret_path);
    return ERR_NONE;
}

static enum err_code learn_from(const struct learn_options *options, const struct model *base,
                                struct gathering *gathering, struct err *err)
{
    AUTO(trained_freep) struct trained *trained = NULL;
    struct train_options train = {.hyper = HYPER_DEFAULT,
                                  .threshold = options->threshold,
                                  .half_life_days = HALF_LIFE_DAYS_DEFAULT};
    char path[LEARN_PATH_BYTES_MAX];

    TRY(train_set_update(base, gathering->set, gathering->filter.never,
                         gathering->filter.never_count, &train, &trained, err));
    TRY(write_model(options, trained, path, err));
    TRY(register_and_activate(options, path, err));
    log_info("learned on", "file=%s pairs=%" PRIu64 " unanswered=%" PRIu64 " held_back=%" PRIu64,
             log_quote(path),
             train_set_count(gathering->set) - train_set_unanswered(gathering->set),
             train_set_unanswered(gathering->set), gathering->held_back);
    return ERR_NONE;
}

enum err_code learn_days(const struct learn_options *options, int64_t now_ms, bool *ret_learned,
                         struct err *err)
{
    AUTO(gathering_done) struct gathering gathering = {.stop = options->stop};
    AUTO(arena_done) struct arena arena = {0};
    AUTO(model_freep) struct model *base = NULL;
    AUTO(db_closep) struct db *db = NULL;
    int64_t until_ms = now_ms - now_ms % DAY_MS;
    struct model_seat seat;
    struct model_info info;
    bool leads;

    *ret_learned = false;
    arena_init(&arena, 1 << 16);
    TRY(db_open(options->database_url, DB_READ, &db, err));
    TRY(db_lead(db, DB_TASK_LEARN, &leads, err));
    if (!leads)
        return ERR_NONE; /* another worker is at it */
    TRY(model_seat(db, &arena, MODEL_ACTIVE, &seat, err));
    if (endpoint_name_of(seat.path) != NULL)
        return err_set(err, ERR_INVALID,
                       "the active model is an endpoint's, which does not learn on: train another "
                       "one and activate it");
    TRY(model_load(seat.path, &base, err));
    model_info(base, &info);
    if (strcmp(info.id, seat.id) != 0)
        return err_set(err, ERR_CONFLICT, "\"%.200s\" holds the model %s now and not %.64s",
                       seat.path, info.id, seat.id);
    if (info.trained_until_ms + 1 >= until_ms)
        return ERR_NONE;
    gathering.unnamed = is_unnamed(&info);
    gathering.set = train_set_new(TRAIN_MEMORY_BYTES_DEFAULT, options->folder);
    TRY(triage_filter_read(&gathering.filter, options->database_url, err));
    TRY(training_observations(db, info.trained_until_ms + 1, until_ms, gather, &gathering, err));
    if (train_set_count(gathering.set) == 0)
        return ERR_NONE;
    TRY(learn_from(options, base, &gathering, err));
    *ret_learned = true;
    return ERR_NONE;
}

enum err_code learn_folder_make(const char *folder, struct err *err)
{
    if (mkdir(folder, 0777) != 0 && errno != EEXIST)
        return err_errno(err, ERR_IO, "making the folder of models \"%.256s\"", folder);
    if (access(folder, W_OK | X_OK) != 0)
        return err_errno(err, ERR_IO, "writing to the folder of models \"%.256s\"", folder);
    return ERR_NONE;
}

void learn_loop(const struct learn_options *options)
{
    int64_t next_mono_ms = 0;

    while (!atomic_load(options->stop)) {
        struct err err = {0};
        bool learned;

        if (clock_mono_ms() >= next_mono_ms) {
            if (learn_days(options, clock_now_ms(), &learned, &err) != ERR_NONE)
                log_warn("not learned", "reason=%s", log_quote(err.text));
            next_mono_ms = clock_mono_ms() + LEARN_CHECK_MS;
        }
        clock_sleep_ms(NAP_MS);
    }
}
