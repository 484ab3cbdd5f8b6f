#include "worker/models.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/own.h"
#include "store/db.h"
#include "store/model_life.h"
#include "worker/endpoint_model.h"
#include "worker/register.h"

enum { SEAT_ARENA_BYTES = 1 << 16, PATH_BYTES_MAX = 4096 };

struct counted_set {
    struct model_set set;
    size_t takers; /* and one more while it is the set of now */
};

struct models {
    struct models_options options;
    pthread_mutex_t lock; /* guards what follows and every takers */
    struct counted_set *now;
    uint64_t generation;
    int64_t checked_mono_ms;
    bool checking;             /* one thread looks, the others go on */
    char told[ERR_TEXT_BYTES]; /* by the thread that looks: what it said last, said once */
};

/* What sits where, as the database says. */
struct seats {
    char active_path[PATH_BYTES_MAX], active_id[MODEL_ID_BYTES];
    char shadow_path[PATH_BYTES_MAX], shadow_id[MODEL_ID_BYTES];
};

static void set_free(struct counted_set *set)
{
    if (set == NULL)
        return;
    model_free(set->set.model);
    model_free(set->set.shadow);
    endpoint_model_free(set->set.endpoint);
    endpoint_model_free(set->set.shadow_endpoint);
    own_freep(&set);
}

static void set_freep(struct counted_set **set)
{
    set_free(*set);
}

/* Those the model says it knows; returns how many. */
static size_t known_specs(struct model_set *set)
{
    struct model_info info;
    size_t count = 0;

    if (set->endpoint != NULL) {
        const struct model_row *row = &set->endpoint->row;

        for (size_t i = 0; i < row->spec_count && count < MODEL_SPECS_MAX; i++)
            set->spec_names[count++] = row->specs[i].spec;
        return count;
    }
    model_info(set->model, &info);
    for (size_t i = 0; i < info.spec_count; i++)
        if (info.specs[i][0] != '\0')
            set->spec_names[count++] = info.specs[i];
    return count;
}

static enum err_code choose_specs(const struct models_options *options, struct model_set *set,
                                  struct err *err)
{
    const char *const *asked = options->spec_names;
    size_t count = 0;

    for (; asked != NULL && asked[count] != NULL; count++) {
        if (count == MODEL_SPECS_MAX)
            return err_set(err, ERR_USAGE, "--spec is given more than %d times", MODEL_SPECS_MAX);
        set->spec_names[count] = asked[count];
    }
    if (count == 0 && known_specs(set) == 0)
        return err_set(err, ERR_USAGE,
                       "the model was trained on bare pairs: say with --spec which pairs to score");
    return ERR_NONE;
}

/* wanted_id: which model the file has to hold; "": any. A file that was written anew holds another
 * one, which nobody made active. */
static enum err_code load(const char *path, const char *wanted_id, struct model **ret,
                          char ret_id[static MODEL_ID_BYTES], struct err *err)
{
    struct model_info info;

    TRY(model_load(path, ret, err));
    model_info(*ret, &info);
    if (*wanted_id != '\0' && strcmp(info.id, wanted_id) != 0)
        return err_set(err, ERR_CONFLICT,
                       "\"%.200s\" holds the model %s now and not %s: activate it, or put the file "
                       "back",
                       path, info.id, wanted_id);
    (void)memcpy(ret_id, info.id, MODEL_ID_BYTES);
    return ERR_NONE;
}

/* A shadow that cannot be loaded keeps no active model from its work: the log tells, once for each
 * set, and it counts as the shadow of the set. */
static enum err_code load_shadow(const struct models_options *options, struct db *db,
                                 const struct seats *seats, struct model_set *set, struct err *err)
{
    struct err reason = {0};
    enum err_code code;

    if (seats->shadow_path[0] == '\0')
        return ERR_NONE;
    (void)memcpy(set->shadow_id, seats->shadow_id, MODEL_ID_BYTES);
    if (endpoint_name_of(seats->shadow_path) != NULL) {
        code = endpoint_model_load(db, seats->shadow_id, seats->shadow_path, &set->shadow_endpoint,
                                   &reason);
        if (code == ERR_NONE)
            return ERR_NONE;
    } else {
        code = load(seats->shadow_path, seats->shadow_id, &set->shadow, set->shadow_id, &reason);
        if (code == ERR_NONE)
            return register_model(options->writer, set->shadow, set->spec_names, err);
    }
    log_warn("no shadow is scored", "reason=%s", log_quote(reason.text));
    model_free(TAKE(set->shadow));
    return ERR_NONE;
}

/* An endpoint's model is known to the store before it scores. */
static enum err_code load_active(const struct models_options *options, struct db *db,
                                 const struct seats *seats, struct model_set *set, struct err *err)
{
    if (options->calibration != NULL) {
        TRY(endpoint_model_read(options->calibration, options->endpoint, &set->endpoint, err));
        (void)snprintf(set->model_id, sizeof set->model_id, "%s", set->endpoint->row.id);
        return choose_specs(options, set, err);
    }
    if (endpoint_name_of(seats->active_path) != NULL) {
        (void)memcpy(set->model_id, seats->active_id, MODEL_ID_BYTES);
        TRY(endpoint_model_load(db, seats->active_id, seats->active_path, &set->endpoint, err));
        return choose_specs(options, set, err);
    }
    TRY(load(seats->active_path, seats->active_id, &set->model, set->model_id, err));
    TRY(choose_specs(options, set, err));
    return options->writer != NULL
               ? register_model(options->writer, set->model, set->spec_names, err)
               : ERR_NONE;
}

static enum err_code set_load(const struct models_options *options, struct db *db,
                              const struct seats *seats, struct counted_set **ret, struct err *err)
{
    AUTO(set_freep) struct counted_set *set = own_alloc(sizeof *set);

    TRY(load_active(options, db, seats, &set->set, err));
    TRY(load_shadow(options, db, seats, &set->set, err));
    set->takers = 1;
    *ret = TAKE(set);
    return ERR_NONE;
}

static void copy_seat(const struct model_seat *seat, char path[static PATH_BYTES_MAX],
                      char id[static MODEL_ID_BYTES])
{
    (void)snprintf(path, PATH_BYTES_MAX, "%s", seat->path != NULL ? seat->path : "");
    (void)snprintf(id, MODEL_ID_BYTES, "%s", seat->id);
}

static enum err_code read_seats(struct db *db, struct seats *ret, struct err *err)
{
    AUTO(arena_done) struct arena arena = {0};
    struct model_seat seat;
    enum err_code code;

    *ret = (struct seats){.active_path = ""};
    arena_init(&arena, SEAT_ARENA_BYTES);
    code = model_seat(db, &arena, MODEL_ACTIVE, &seat, err);
    if (code == ERR_NOT_FOUND)
        return err_set(err, code,
                       "no model is active: `pairwatch model activate FILE` makes one so");
    TRY(code);
    copy_seat(&seat, ret->active_path, ret->active_id);
    code = model_seat(db, &arena, MODEL_SHADOW, &seat, err);
    if (code == ERR_NONE)
        copy_seat(&seat, ret->shadow_path, ret->shadow_id);
    return code == ERR_NOT_FOUND ? ERR_NONE : code;
}

static enum err_code seat_of_endpoint(struct db *db, const char *name, struct seats *ret,
                                      struct err *err)
{
    AUTO(arena_done) struct arena arena = {0};
    char path[ENDPOINT_PATH_BYTES];
    struct model_seat seat;
    enum err_code code;

    arena_init(&arena, SEAT_ARENA_BYTES);
    (void)snprintf(path, sizeof path, "%s%s", ENDPOINT_SCHEME, name);
    code = model_of_path(db, &arena, path, &seat, err);
    if (code == ERR_NOT_FOUND)
        return err_set(err, code,
                       "nothing is known of the scores of the endpoint %s, so there is no "
                       "threshold: `pairwatch model calibrate %s PATH…` measures them",
                       name, path);
    TRY(code);
    copy_seat(&seat, ret->active_path, ret->active_id);
    return ERR_NONE;
}

static enum err_code first_seats(const struct models_options *options, struct db *db,
                                 struct seats *ret, struct err *err)
{
    *ret = (struct seats){.active_path = ""};
    if (options->calibration != NULL)
        return ERR_NONE;
    if (options->endpoint != NULL)
        return seat_of_endpoint(db, options->endpoint, ret, err);
    if (options->model_path == NULL)
        return read_seats(db, ret, err);
    (void)snprintf(ret->active_path, sizeof ret->active_path, "%s", options->model_path);
    return ERR_NONE;
}

enum err_code models_open(const struct models_options *options, struct models **ret,
                          struct err *err)
{
    AUTO(db_closep) struct db *db = NULL;
    struct counted_set *set;
    struct models *models;
    struct seats seats;

    if (options->model_path == NULL && options->calibration == NULL)
        TRY(db_open(options->database_url, DB_READ, &db, err));
    TRY(first_seats(options, db, &seats, err));
    TRY(set_load(options, db, &seats, &set, err));
    models = own_alloc(sizeof *models);
    *models = (struct models){.options = *options,
                              .lock = PTHREAD_MUTEX_INITIALIZER,
                              .now = set,
                              .checked_mono_ms = clock_mono_ms()};
    *ret = models;
    return ERR_NONE;
}

void models_close(struct models *models)
{
    if (models == NULL)
        return;
    ASSERT(models->now->takers == 1);
    set_free(models->now);
    (void)pthread_mutex_destroy(&models->lock);
    own_freep(&models);
}

/* Under the lock. Returns the set to free, or NULL. */
static struct counted_set *leave(struct counted_set *set)
{
    return --set->takers == 0 ? set : NULL;
}

static bool is_set_of(const struct model_set *set, const struct seats *seats)
{
    return strcmp(set->model_id, seats->active_id) == 0 &&
           strcmp(set->shadow_id, seats->shadow_id) == 0;
}

static bool has_shadow(const struct model_set *set)
{
    return set->shadow != NULL || set->shadow_endpoint != NULL;
}

/* One thread at a time; the set of now stays while a new one is loaded. */
static void look(struct models *models, struct db *db)
{
    struct counted_set *fresh = NULL, *old = NULL;
    struct seats seats;
    struct err err = {0};
    enum err_code code = read_seats(db, &seats, &err);

    if (code == ERR_NONE && !is_set_of(&models->now->set, &seats))
        code = set_load(&models->options, db, &seats, &fresh, &err);
    if (code != ERR_NONE && strcmp(err.text, models->told) != 0)
        log_warn("the model stays as it is", "model=%s reason=%s", models->now->set.model_id,
                 log_quote(err.text));
    (void)memcpy(models->told, err.text, sizeof models->told);
    (void)pthread_mutex_lock(&models->lock);
    if (fresh != NULL) {
        log_info("another model scores", "model=%s before=%s shadow=%s", fresh->set.model_id,
                 models->now->set.model_id, has_shadow(&fresh->set) ? fresh->set.shadow_id : "-");
        old = leave(models->now);
        models->now = fresh;
        fresh->set.generation = ++models->generation;
    }
    models->checking = false;
    models->checked_mono_ms = clock_mono_ms();
    (void)pthread_mutex_unlock(&models->lock);
    set_free(old);
}

/* Whether this thread is the one to look. */
static bool is_due(struct models *models)
{
    bool due;

    (void)pthread_mutex_lock(&models->lock);
    due = models->options.model_path == NULL && models->options.endpoint == NULL &&
          !models->checking && clock_mono_ms() - models->checked_mono_ms >= MODELS_CHECK_MS;
    models->checking = models->checking || due;
    (void)pthread_mutex_unlock(&models->lock);
    return due;
}

const struct model_set *models_take(struct models *models, struct db *db)
{
    struct counted_set *set;

    if (is_due(models))
        look(models, db);
    (void)pthread_mutex_lock(&models->lock);
    set = models->now;
    set->takers++;
    (void)pthread_mutex_unlock(&models->lock);
    return &set->set;
}

void models_give(struct models *models, const struct model_set *set)
{
    struct counted_set *counted = (struct counted_set *)(uintptr_t)set, *old;

    (void)pthread_mutex_lock(&models->lock);
    old = leave(counted);
    (void)pthread_mutex_unlock(&models->lock);
    set_free(old);
}
