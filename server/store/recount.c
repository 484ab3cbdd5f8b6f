/* One pass over the observations fills a table in memory; one pass over each of the others compares
 * it with what is stored. */
#include "store/recount.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/hash.h"
#include "store/db.h"
#include "store/observation_chunk.h"
#include "store/pair_run.h"
#include "store/rollup.h"

enum {
    PAGE_ROWS = 5000,
    PAGE_ARENA_BYTES = 64 << 20,
    CELLS_MIN = 1024,       /* a power of two */
    CELLS_MAX = 1 << 22,    /* 4 GiB: centuries of hours */
    IDS_BITS_SHIFT_MAX = 34 /* ids up to 17 thousand million: 2 GiB */
};

struct cell { /* of one hour, spec and model */
    int64_t hour_ms, spec_id, model_id;
    int64_t observations, events, flagged;
    bool met; /* by a rollup */
    uint32_t bins[ROLLUP_BINS];
};

struct ids { /* which ids there are */
    uint8_t *bits;
    uint64_t capacity;
};

struct tally { /* observations by object */
    uint32_t *counts;
    uint64_t capacity;
};

struct recount_run {
    struct db *db;
    struct recount *result;
    struct cell **cells; /* open addressing */
    size_t cell_count, capacity;
    struct ids entities, specs, models, objects;
    struct tally by_object;
    struct arena cell_arena;
    int64_t flagged;
    int64_t objects_gone; /* how many of the ledger were let go of: these may be missed */
};

struct seen_row {
    int64_t id, entity, spec, model, object, finding, last, count;
    double score;
};
static const struct field SEEN_FIELDS[] = {
    FIELD(struct seen_row, id, FIELD_INT, .flags = 0),
    FIELD(struct seen_row, entity, FIELD_INT, .flags = 0),
    FIELD(struct seen_row, spec, FIELD_INT, .flags = 0),
    FIELD(struct seen_row, model, FIELD_INT, .flags = 0),
    FIELD(struct seen_row, object, FIELD_INT, .flags = FIELD_NULLABLE),
    FIELD(struct seen_row, finding, FIELD_INT, .flags = FIELD_NULLABLE),
    FIELD(struct seen_row, last, FIELD_INT, .flags = 0),
    FIELD(struct seen_row, count, FIELD_INT, .flags = 0),
    FIELD(struct seen_row, score, FIELD_REAL, .flags = 0),
    FIELD_END,
};

struct hour_row {
    int64_t hour, spec, model, observations, events, flagged;
    struct blob histogram;
};
static const struct field HOUR_FIELDS[] = {
    FIELD(struct hour_row, hour, FIELD_INT, .flags = 0),
    FIELD(struct hour_row, spec, FIELD_INT, .flags = 0),
    FIELD(struct hour_row, model, FIELD_INT, .flags = 0),
    FIELD(struct hour_row, observations, FIELD_INT, .flags = 0),
    FIELD(struct hour_row, events, FIELD_INT, .flags = 0),
    FIELD(struct hour_row, flagged, FIELD_INT, .flags = 0),
    FIELD(struct hour_row, histogram, FIELD_BLOB, .flags = 0),
    FIELD_END,
};

struct object_row {
    int64_t id, scored;
    const char *error;
};
static const struct field OBJECT_ROW_FIELDS[] = {
    FIELD(struct object_row, id, FIELD_INT, .flags = 0),
    FIELD(struct object_row, scored, FIELD_INT, .flags = 0),
    FIELD(struct object_row, error, FIELD_TEXT, .flags = FIELD_NULLABLE),
    FIELD_END,
};

struct id_row {
    int64_t id;
};
static const struct field ID_FIELDS[] = {
    FIELD(struct id_row, id, FIELD_INT, .flags = 0),
    FIELD_END,
};

/* The first fault of a kind is told. */
PRINTF(2, 3) static void fault(char to[static 256], const char *format, ...)
{
    va_list args;

    if (to[0] != '\0')
        return;
    va_start(args, format);
    (void)vsnprintf(to, 256, format, args);
    va_end(args);
}

/* ---- sets of ids ---- */

static enum err_code check_id(int64_t id, struct err *err)
{
    if (id >= 0 && id >> IDS_BITS_SHIFT_MAX == 0)
        return ERR_NONE;
    return err_set(err, ERR_CORRUPT, "the id %" PRId64 " is out of any range", id);
}

static enum err_code ids_add(struct ids *ids, int64_t id, struct err *err)
{
    uint64_t capacity = ids->capacity > 0 ? ids->capacity : 1024;

    TRY(check_id(id, err));
    while ((uint64_t)id >= capacity * 8)
        capacity *= 2;
    if (capacity > ids->capacity) {
        ids->bits = own_resize(ids->bits, capacity, 1);
        (void)memset(ids->bits + ids->capacity, 0, capacity - ids->capacity);
        ids->capacity = capacity;
    }
    ids->bits[id / 8] |= (uint8_t)(1U << (id % 8));
    return ERR_NONE;
}

static bool ids_has(const struct ids *ids, int64_t id)
{
    return id >= 0 && (uint64_t)id < ids->capacity * 8 && (ids->bits[id / 8] >> (id % 8) & 1) != 0;
}

static enum err_code ids_read(struct db *db, enum sql_id sql, struct ids *ret, struct err *err)
{
    int64_t after = INT64_MIN, rows;

    do {
        AUTO(query_done) struct query q = {0};
        struct id_row row;

        TRY(db_query(db, sql, PARAMS(P_INT(after), P_INT(PAGE_ROWS)), &q, err));
        for (rows = 0; query_next(&q, ID_FIELDS, NULL, &row); rows++) {
            TRY(ids_add(ret, row.id, err));
            after = row.id;
        }
        TRY(query_end(&q, err));
    } while (rows == PAGE_ROWS);
    return ERR_NONE;
}

static enum err_code tally_add(struct tally *tally, int64_t id, struct err *err)
{
    uint64_t capacity = tally->capacity > 0 ? tally->capacity : 1024;

    TRY(check_id(id, err));
    while ((uint64_t)id >= capacity)
        capacity *= 2;
    if (capacity > tally->capacity) {
        tally->counts = own_resize(tally->counts, capacity, sizeof *tally->counts);
        (void)memset(tally->counts + tally->capacity, 0,
                     (capacity - tally->capacity) * sizeof *tally->counts);
        tally->capacity = capacity;
    }
    tally->counts[id]++;
    return ERR_NONE;
}

static uint32_t tally_of(const struct tally *tally, int64_t id)
{
    return id >= 0 && (uint64_t)id < tally->capacity ? tally->counts[id] : 0;
}

/* ---- counts by hour, spec and model ---- */

static struct cell **cell_at(const struct recount_run *run, int64_t hour_ms, int64_t spec_id,
                             int64_t model_id)
{
    uint64_t hash =
        hash_mix((uint64_t)hour_ms ^ hash_mix((uint64_t)spec_id << 32 ^ (uint64_t)model_id));

    for (size_t i = hash & (run->capacity - 1);; i = (i + 1) & (run->capacity - 1)) {
        struct cell *cell = run->cells[i];

        if (cell == NULL ||
            (cell->hour_ms == hour_ms && cell->spec_id == spec_id && cell->model_id == model_id))
            return &run->cells[i];
    }
}

static enum err_code cells_grow(struct recount_run *run, struct err *err)
{
    struct cell **old = run->cells;
    size_t old_capacity = run->capacity;

    if (run->capacity == CELLS_MAX)
        return err_set(err, ERR_TOO_LARGE, "observations of more than %d hours, specs and models",
                       CELLS_MAX / 2);
    run->capacity = run->capacity > 0 ? 2 * run->capacity : CELLS_MIN;
    run->cells = own_array(run->capacity, sizeof(struct cell *));
    for (size_t i = 0; i < old_capacity; i++)
        if (old[i] != NULL)
            *cell_at(run, old[i]->hour_ms, old[i]->spec_id, old[i]->model_id) = old[i];
    free(old);
    return ERR_NONE;
}

static enum err_code count_cell(struct recount_run *run, const struct seen_row *row,
                                struct err *err)
{
    int64_t hour_ms = row->last - row->last % HOUR_MS;
    struct cell **at;

    if (2 * (run->cell_count + 1) > run->capacity)
        TRY(cells_grow(run, err));
    at = cell_at(run, hour_ms, row->spec, row->model);
    if (*at == NULL) {
        *at = ARENA_NEW(&run->cell_arena, struct cell);
        **at = (struct cell){.hour_ms = hour_ms, .spec_id = row->spec, .model_id = row->model};
        run->cell_count++;
    }
    (*at)->observations++;
    (*at)->events += row->count;
    (*at)->flagged += row->finding != FIELD_NULL_INT;
    (*at)->bins[rollup_bin(row->score)]++;
    return ERR_NONE;
}

static void check_references(struct recount_run *run, const struct seen_row *row)
{
    char *to = run->result->references;

    if (!ids_has(&run->entities, row->entity))
        fault(to, "an observation is of the entity %" PRId64 ", which is not there", row->entity);
    if (!ids_has(&run->specs, row->spec))
        fault(to, "an observation is of the spec %" PRId64 ", which is not there", row->spec);
    if (!ids_has(&run->models, row->model))
        fault(to, "an observation is of the model %" PRId64 ", which is not there", row->model);
    if (row->object != FIELD_NULL_INT && !run->objects_gone && !ids_has(&run->objects, row->object))
        fault(to, "an observation is of the object %" PRId64 ", which is not there", row->object);
}

static enum err_code count_row(struct recount_run *run, const struct seen_row *row, struct err *err)
{
    run->result->observations++;
    run->flagged += row->finding != FIELD_NULL_INT;
    check_references(run, row);
    if (row->object != FIELD_NULL_INT)
        TRY(tally_add(&run->by_object, row->object, err));
    return count_cell(run, row, err);
}

static enum err_code count_rows(struct recount_run *run, struct err *err)
{
    int64_t after = INT64_MIN, rows;

    do {
        AUTO(query_done) struct query q = {0};
        struct seen_row row;

        TRY(db_query(run->db, SQL_CHECK_OBSERVATIONS, PARAMS(P_INT(after), P_INT(PAGE_ROWS)), &q,
                     err));
        for (rows = 0; query_next(&q, SEEN_FIELDS, NULL, &row); rows++) {
            TRY(count_row(run, &row, err));
            after = row.id;
        }
        TRY(query_end(&q, err));
    } while (rows == PAGE_ROWS);
    return ERR_NONE;
}

static enum err_code count_packed(struct recount_run *run, struct err *err)
{
    AUTO(arena_done) struct arena arena = {0};
    struct chunk chunk = {.id = 0};

    arena_init(&arena, PAGE_ARENA_BYTES);
    for (;; arena_reset(&arena)) {
        TRY(chunk_next(run->db, &arena, chunk.id, TIME_MS_MIN, INT64_MAX, &chunk, err));
        if (chunk.id == 0)
            return ERR_NONE;
        for (size_t i = 0; i < chunk.count; i++) {
            const struct observation *from = &chunk.rows[i];
            struct seen_row row = {
                .entity = from->entity_id,
                .spec = from->spec_id,
                .model = from->model_id,
                .object = from->object_id,
                .finding = FIELD_NULL_INT,
                .last = from->last_ms,
                .count = (int64_t)from->count,
                .score = from->score,
            };

            TRY(count_row(run, &row, err));
        }
    }
}

/* ---- held against what is stored ---- */

static bool bins_equal(const struct cell *cell, const struct blob *histogram, bool at_most)
{
    const uint8_t *bytes = histogram->bytes;

    if (histogram->length != sizeof cell->bins)
        return false;
    for (size_t i = 0; i < ROLLUP_BINS; i++, bytes += 4) {
        uint32_t stored = bytes[0] | (uint32_t)bytes[1] << 8 | (uint32_t)bytes[2] << 16 |
                          (uint32_t)bytes[3] << 24;

        if (at_most ? cell->bins[i] > stored : cell->bins[i] != stored)
            return false;
    }
    return true;
}

/* A rollup of an hour that is whole counts what is there; before, at least that. */
static void check_rollup(struct recount_run *run, const struct hour_row *row)
{
    static const struct cell NOTHING;
    struct cell *cell = run->capacity > 0 ? *cell_at(run, row->hour, row->spec, row->model) : NULL;
    const struct cell *counted = cell != NULL ? cell : &NOTHING;
    bool at_most = row->hour < run->result->whole_since_ms;
    char time[TIME_TEXT_BYTES];

    if (cell != NULL)
        cell->met = true;
    if ((at_most ? counted->observations <= row->observations && counted->events <= row->events &&
                       counted->flagged <= row->flagged
                 : counted->observations == row->observations && counted->events == row->events &&
                       counted->flagged == row->flagged) &&
        bins_equal(counted, &row->histogram, at_most))
        return;
    (void)time_format(time, row->hour);
    fault(run->result->rollups,
          "%s, spec %" PRId64 ", model %" PRId64 ": the rollup counts %" PRId64
          " observations, %" PRId64 " flagged; there are %" PRId64 ", %" PRId64,
          time, row->spec, row->model, row->observations, row->flagged, counted->observations,
          counted->flagged);
}

static enum err_code check_rollups(struct recount_run *run, int64_t ret_sums[static 2],
                                   struct err *err)
{
    AUTO(arena_done) struct arena arena = {0};
    struct hour_row row = {.hour = INT64_MIN};
    int64_t rows;

    arena_init(&arena, PAGE_ARENA_BYTES);
    do {
        AUTO(query_done) struct query q = {0};

        arena_reset(&arena);
        TRY(db_query(run->db, SQL_CHECK_ROLLUPS,
                     PARAMS(P_INT(row.hour), P_INT(row.spec), P_INT(row.model), P_INT(PAGE_ROWS)),
                     &q, err));
        for (rows = 0; query_next(&q, HOUR_FIELDS, &arena, &row); rows++) {
            check_rollup(run, &row);
            ret_sums[0] += row.observations;
            ret_sums[1] += row.flagged;
        }
        TRY(query_end(&q, err));
        run->result->hours += rows;
    } while (rows == PAGE_ROWS);
    for (size_t i = 0; i < run->capacity; i++)
        if (run->cells[i] != NULL && !run->cells[i]->met &&
            run->cells[i]->hour_ms >= run->result->whole_since_ms)
            fault(run->result->rollups, "%" PRId64 " observations are in no rollup",
                  run->cells[i]->observations);
    return ERR_NONE;
}

static enum err_code counter(struct db *db, const char *name, int64_t *ret, struct err *err)
{
    enum err_code code = db_int(db, SQL_COUNTER_GET, PARAMS(P_TEXT(name)), ret, err);

    if (code == ERR_NOT_FOUND)
        *ret = 0;
    return code == ERR_NOT_FOUND ? ERR_NONE : code;
}

static enum err_code check_counter(struct recount_run *run, const char *name, const char *gone,
                                   int64_t sum, struct err *err)
{
    int64_t total, left;

    TRY(counter(run->db, name, &total, err));
    TRY(counter(run->db, gone, &left, err));
    if (total != sum + left)
        fault(run->result->counters,
              "%s is %" PRId64 "; the rollups hold %" PRId64 ", and %" PRId64 " were let go of",
              name, total, sum, left);
    return ERR_NONE;
}

static void check_object(struct recount_run *run, const struct object_row *row)
{
    uint32_t counted = tally_of(&run->by_object, row->id);
    bool whole = run->result->whole_since_ms == 0;
    /* An object that failed on its way keeps what was stored before. */
    int64_t wanted = row->error == NULL || strcmp(row->error, "incomplete") == 0 ? row->scored : 0;

    run->result->objects++;
    if (whole && row->error == NULL ? counted != wanted : counted > row->scored && counted > wanted)
        fault(run->result->ledger,
              "the object %" PRId64 " has %" PRIu32 " observations, the ledger says %" PRId64,
              row->id, counted, wanted);
}

static enum err_code check_objects(struct recount_run *run, struct err *err)
{
    AUTO(arena_done) struct arena arena = {0};
    struct object_row row = {.id = INT64_MIN};
    int64_t rows;

    arena_init(&arena, PAGE_ARENA_BYTES);
    do {
        AUTO(query_done) struct query q = {0};

        arena_reset(&arena);
        TRY(db_query(run->db, SQL_CHECK_OBJECTS, PARAMS(P_INT(row.id), P_INT(PAGE_ROWS)), &q, err));
        for (rows = 0; query_next(&q, OBJECT_ROW_FIELDS, &arena, &row); rows++)
            check_object(run, &row);
        TRY(query_end(&q, err));
    } while (rows == PAGE_ROWS);
    return ERR_NONE;
}

static void run_done(struct recount_run *run)
{
    free(run->cells);
    free(run->entities.bits);
    free(run->specs.bits);
    free(run->models.bits);
    free(run->objects.bits);
    free(run->by_object.counts);
    arena_done(&run->cell_arena);
}

enum err_code recount_run(struct db *db, struct recount *ret, struct err *err)
{
    AUTO(run_done) struct recount_run run = {.db = db, .result = ret};
    int64_t sums[2] = {0};

    *ret = (struct recount){0};
    arena_init(&run.cell_arena, (size_t)CELLS_MAX * sizeof(struct cell));
    TRY(counter(db, "whole_since_ms", &ret->whole_since_ms, err));
    TRY(counter(db, "objects_gone", &run.objects_gone, err));
    TRY(ids_read(db, SQL_CHECK_ENTITIES, &run.entities, err));
    TRY(ids_read(db, SQL_CHECK_SPECS, &run.specs, err));
    TRY(ids_read(db, SQL_CHECK_MODELS, &run.models, err));
    TRY(ids_read(db, SQL_CHECK_OBJECT_IDS, &run.objects, err));
    TRY(count_rows(&run, err));
    TRY(count_packed(&run, err));
    TRY(check_rollups(&run, sums, err));
    TRY(check_counter(&run, "observations", "observations_gone", sums[0], err));
    TRY(check_counter(&run, "flagged", "flagged_gone", sums[1], err));
    TRY(pair_check(db, ret->counters, err));
    return check_objects(&run, err);
}
