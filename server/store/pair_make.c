/* Runs of pairs are made here, a step at a time. Of what a run is made of, a step reads so much
 * that every pair up to some point is known, sorts it, puts the sightings of a pair together, and
 * appends; the run remembers the point. Nothing else is kept between steps. */
#include "store/pair_run.h"

#include <math.h>
#include <string.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/str.h"
#include "store/db.h"
#include "store/observation_chunk.h"
#include "store/pair_body.h"

enum {
    SWEEP_CHUNKS = 64,
    INPUTS_MAX = 64, /* runs that are merged at once */
    CROWD_FANS = 2,  /* times the fan */
};
#define STEP_ARENA_BYTES ((size_t)1 << 30) /* one entity may be in all of a run's sources */

const struct pair_sizes PAIR_SIZES = {
    .run_rows = PAIR_RUN_ROWS,
    .fan = PAIR_RUN_FAN,
    .step_rows = PAIR_STEP_ROWS,
    .chunk_rows = PAIR_CHUNK_ROWS,
};

struct point { /* a pair, in the order of a run */
    int64_t entity_id;
    struct ip ip;
};

struct making { /* a run, and this step's rows */
    struct db *db;
    struct arena *arena;
    const struct pair_sizes *sizes;
    int64_t id, level, last_ms, since_ms;
    struct point at;
    struct observation **rows;
    size_t count, room;
    bool whole; /* with these rows */
    struct pair_damage *damage;
};

struct run_row {
    int64_t id, level, entity_at;
    struct ip ip_at;
    int64_t last_ms;
};
static const struct field RUN_FIELDS[] = {
    FIELD(struct run_row, id, FIELD_INT, .flags = 0),
    FIELD(struct run_row, level, FIELD_INT, .flags = 0),
    FIELD(struct run_row, entity_at, FIELD_INT, .flags = 0),
    FIELD(struct run_row, ip_at, FIELD_IP, .flags = 0),
    FIELD(struct run_row, last_ms, FIELD_INT, .flags = 0),
    FIELD_END,
};

static int compare(const struct observation *row, const struct point *point)
{
    if (row->entity_id != point->entity_id)
        return row->entity_id < point->entity_id ? -1 : 1;
    return ip_compare(&row->ip, &point->ip);
}

static void add_row(struct making *making, struct observation *row)
{
    if (making->count == making->room) {
        size_t room = making->room > 0 ? 2 * making->room : 2 * making->sizes->step_rows;
        struct observation **rows = ARENA_ARRAY(making->arena, struct observation *, room);

        if (making->count > 0)
            (void)memcpy(rows, making->rows, making->count * sizeof *rows);
        making->rows = rows;
        making->room = room;
    }
    making->rows[making->count++] = row;
}

/* Of what part an error tells, if it tells of damage. */
static enum err_code note_damage(struct making *making, enum err_code code, int64_t part_id,
                                 bool is_run)
{
    if (code == ERR_CORRUPT)
        *making->damage = (struct pair_damage){making->id, part_id, is_run};
    return code;
}

/* ---- sources ---- */

struct source_row {
    int64_t id, entity_low, day_ms;
};
static const struct field SOURCE_FIELDS[] = {
    FIELD(struct source_row, id, FIELD_INT, .flags = 0),
    FIELD(struct source_row, entity_low, FIELD_INT, .flags = 0),
    FIELD(struct source_row, day_ms, FIELD_INT, .flags = 0),
    FIELD_END,
};

static enum err_code list_sources(struct making *making, struct source_row *ret, size_t *ret_count,
                                  struct err *err)
{
    AUTO(query_done) struct query q = {0};

    *ret_count = 0;
    TRY(db_query(making->db, SQL_PAIR_SOURCES_OF_RUN,
                 PARAMS(P_INT(making->id), P_INT(making->at.entity_id)), &q, err));
    while (*ret_count < PAIR_SOURCES_MAX &&
           query_next(&q, SOURCE_FIELDS, making->arena, &ret[*ret_count]))
        ++*ret_count;
    return query_end(&q, err);
}

static enum err_code read_source(struct making *making, const struct source_row *source,
                                 struct err *err)
{
    struct chunk_place place = {source->id, source->day_ms};
    struct chunk chunk;

    TRY(note_damage(making, chunk_read(making->db, making->arena, &place, &chunk, err), source->id,
                    false));
    for (size_t i = 0; i < chunk.count; i++) {
        chunk.rows[i].object_id = 1; /* seen once */
        if (chunk.rows[i].entity_id > making->at.entity_id)
            add_row(making, &chunk.rows[i]);
    }
    return ERR_NONE;
}

/* *ret: every pair up to here is known. Sources come by their first entity, so entities before that
 * of the next one are complete. */
static enum err_code read_sources(struct making *making, struct point *ret, struct err *err)
{
    struct source_row *sources = ARENA_ARRAY(making->arena, struct source_row, PAIR_SOURCES_MAX);
    size_t count, i;

    (void)memset(ret->ip.bytes, 0xff, sizeof ret->ip.bytes);
    TRY(list_sources(making, sources, &count, err));
    for (i = 0; i < count; i++) {
        if (making->count >= making->sizes->step_rows &&
            sources[i].entity_low > making->at.entity_id + 1)
            break;
        TRY(read_source(making, &sources[i], err));
    }
    making->whole = i == count;
    ret->entity_id = i < count ? sources[i].entity_low - 1 : INT64_MAX;
    return ERR_NONE;
}

/* ---- runs ---- */

struct input { /* a run, read so far */
    int64_t id;
    struct point low, end; /* of the last chunk that was read */
    bool is_read;
};
struct input_row {
    int64_t id, last_ms;
};
static const struct field INPUT_FIELDS[] = {
    FIELD(struct input_row, id, FIELD_INT, .flags = 0),
    FIELD(struct input_row, last_ms, FIELD_INT, .flags = 0),
    FIELD_END,
};

static enum err_code list_inputs(struct making *making, struct input ret[static INPUTS_MAX],
                                 size_t *ret_count, struct err *err)
{
    AUTO(query_done) struct query q = {0};
    struct input_row row;

    *ret_count = 0;
    TRY(db_query(making->db, SQL_PAIR_RUNS_OF_RUN, PARAMS(P_INT(making->id)), &q, err));
    while (query_next(&q, INPUT_FIELDS, making->arena, &row)) {
        if (*ret_count == INPUTS_MAX) /* of a query that is to be ended */
            return note_damage(making,
                               err_set(err, ERR_CORRUPT, "pair_run %lld is made of more than %d",
                                       (long long)making->id, INPUTS_MAX),
                               0, true);
        ret[(*ret_count)++] = (struct input){.id = row.id};
    }
    return query_end(&q, err);
}

/* The chunk with the point the run has come to, or the one after the last that was read. */
static enum err_code read_input(struct making *making, struct input *input, bool is_first,
                                struct err *err)
{
    const struct point *at = is_first ? &making->at : &input->low;
    struct pair_body body;
    enum err_code code = ERR_NOT_FOUND;

    if (is_first)
        code = pair_body_read(making->db, making->arena, SQL_PAIR_CHUNK_AT, input->id,
                              at->entity_id, &at->ip, &body, err);
    if (code == ERR_NOT_FOUND)
        code = pair_body_read(making->db, making->arena, SQL_PAIR_CHUNK_AFTER, input->id,
                              at->entity_id, &at->ip, &body, err);
    input->is_read = code == ERR_NOT_FOUND;
    if (code != ERR_NONE)
        return code == ERR_NOT_FOUND ? ERR_NONE : code;
    input->low = (struct point){body.entity_low, body.ip_low};
    input->end = (struct point){body.rows[body.count - 1].entity_id, body.rows[body.count - 1].ip};
    for (size_t i = 0; i < body.count; i++)
        if (compare(&body.rows[i], &making->at) > 0)
            add_row(making, &body.rows[i]);
    return ERR_NONE;
}

/* The one that ends first: nothing after its end is complete. NULL: all are read. */
static struct input *shortest(struct input *inputs, size_t count)
{
    struct input *first = NULL;

    for (size_t i = 0; i < count; i++) {
        struct observation end = {.entity_id = inputs[i].end.entity_id, .ip = inputs[i].end.ip};

        if (!inputs[i].is_read && (first == NULL || compare(&end, &first->end) < 0))
            first = &inputs[i];
    }
    return first;
}

static bool is_after(const struct point *a, const struct point *b)
{
    struct observation row = {.entity_id = a->entity_id, .ip = a->ip};

    return compare(&row, b) > 0;
}

static enum err_code read_inputs(struct making *making, struct point *ret, struct err *err)
{
    struct input inputs[INPUTS_MAX], *first;
    size_t count;

    (void)memset(ret->ip.bytes, 0xff, sizeof ret->ip.bytes);
    TRY(list_inputs(making, inputs, &count, err));
    for (size_t i = 0; i < count; i++)
        TRY(note_damage(making, read_input(making, &inputs[i], true, err), inputs[i].id, true));
    while ((first = shortest(inputs, count)) != NULL &&
           (making->count < making->sizes->step_rows || !is_after(&first->end, &making->at)))
        TRY(note_damage(making, read_input(making, first, false, err), first->id, true));
    making->whole = first == NULL;
    ret->entity_id = INT64_MAX;
    if (first != NULL)
        *ret = first->end;
    return ERR_NONE;
}

/* ---- putting together ---- */

static void join(struct observation *to, const struct observation *row)
{
    if (row->last_ms >= to->last_ms) {
        to->score = row->score;
        to->percentile = row->percentile;
        to->model_id = row->model_id;
        to->last_ms = row->last_ms;
    }
    if (row->first_ms < to->first_ms)
        to->first_ms = row->first_ms;
    to->object_id += row->object_id;
    to->count += row->count;
}

/* Sorted rows up to a point, a pair and spec each once; in place. */
static void join_rows(struct making *making, const struct point *through)
{
    struct observation **rows = making->rows;
    size_t used = 0, pair = 0;

    for (size_t i = 0; i < making->count && compare(rows[i], through) <= 0; i++) {
        size_t at;

        if (rows[i]->last_ms < making->since_ms)
            continue;
        if (used == 0 || rows[pair]->entity_id != rows[i]->entity_id ||
            !ip_equal(&rows[pair]->ip, &rows[i]->ip))
            pair = used;
        for (at = pair; at < used && rows[at]->spec_id != rows[i]->spec_id;)
            at++;
        if (at == used)
            rows[used++] = rows[i];
        else
            join(rows[at], rows[i]);
    }
    making->count = used;
}

static enum err_code add_chunk(struct making *making, const struct observation *const *rows,
                               size_t count, struct err *err)
{
    AUTO(str_done) struct str body = {0};

    str_init(&body, CHUNK_BYTES_MAX);
    chunk_encode(rows, count, &body);
    TRY(str_check(&body, "a chunk of pairs", err));
    return db_exec(making->db, SQL_PAIR_CHUNK_ADD,
                   PARAMS(P_INT(making->id), P_INT(rows[0]->entity_id), P_IP(&rows[0]->ip),
                          P_INT((int64_t)count), P_BLOB(body.text, body.length)),
                   NULL, err);
}

static bool same_pair(const struct observation *a, const struct observation *b)
{
    return a->entity_id == b->entity_id && ip_equal(&a->ip, &b->ip);
}

/* A pair is in one chunk. */
static enum err_code add_chunks(struct making *making, struct err *err)
{
    struct observation **rows = making->rows;
    size_t end;

    for (size_t i = 0; i < making->count; i = end) {
        end = i + making->sizes->chunk_rows;
        end = end < making->count ? end : making->count;
        while (end < making->count && end - i < CHUNK_ROWS_MAX &&
               same_pair(rows[end - 1], rows[end]))
            end++;
        TRY(add_chunk(making, (const struct observation *const *)(rows + i), end - i, err));
    }
    return ERR_NONE;
}

static enum err_code note_growth(struct making *making, const struct point *at, struct err *err)
{
    int64_t sightings = 0;

    for (size_t i = 0; i < making->count; i++) {
        sightings += making->rows[i]->object_id;
        if (making->rows[i]->last_ms > making->last_ms)
            making->last_ms = making->rows[i]->last_ms;
    }
    return db_exec(making->db, SQL_PAIR_RUN_GROWN,
                   PARAMS(P_INT(at->entity_id), P_IP(&at->ip), P_INT((int64_t)making->count),
                          P_INT(sightings), P_INT(making->last_ms), P_INT(making->id)),
                   NULL, err);
}

/* What it was made of is not read any more. */
static enum err_code end_making(struct making *making, struct err *err)
{
    TRY(db_exec(making->db, SQL_PAIR_RUN_WHOLE, PARAMS(P_INT(making->id)), NULL, err));
    TRY(db_exec(making->db, SQL_PAIR_RUN_MERGED, PARAMS(P_INT(making->id)), NULL, err));
    return db_exec(making->db, SQL_PAIR_SOURCES_MERGED, PARAMS(P_INT(making->id)), NULL, err);
}

static enum err_code make_further(struct making *making, struct err *err)
{
    struct point through;

    TRY(db_int(making->db, SQL_COUNTER_GET, PARAMS(P_TEXT(PAIRS_SINCE)), &making->since_ms, err));
    TRY((making->level == 1 ? read_sources : read_inputs)(making, &through, err));
    observation_sort_pairs(making->rows, making->count);
    join_rows(making, &through);
    TRY(add_chunks(making, err));
    TRY(note_growth(making, &through, err));
    return making->whole ? end_making(making, err) : ERR_NONE;
}

/* ---- what is due ---- */

struct free_row {
    int64_t id, rows;
};
static const struct field FREE_FIELDS[] = {
    FIELD(struct free_row, id, FIELD_INT, .flags = 0),
    FIELD(struct free_row, rows, FIELD_INT, .flags = 0),
    FIELD_END,
};

/* *ret: the last of the sources that make a run; 0 while there are too few. */
static enum err_code find_sources(struct db *db, size_t wanted, int64_t *ret, struct err *err)
{
    AUTO(query_done) struct query q = {0};
    struct free_row row;
    size_t rows = 0, count = 0;

    *ret = 0;
    TRY(db_query(db, SQL_PAIR_SOURCES_FREE, PARAMS(P_INT(PAIR_SOURCES_MAX)), &q, err));
    while (rows < wanted && query_next(&q, FREE_FIELDS, NULL, &row)) {
        rows += (size_t)row.rows;
        count++;
        if (rows >= wanted || count == PAIR_SOURCES_MAX)
            *ret = row.id;
    }
    return query_end(&q, err);
}

static enum err_code add_run(struct db *db, int64_t level, int64_t *ret, struct err *err)
{
    static const struct ip NONE = {{0}};

    return db_int(db, SQL_PAIR_RUN_ADD, PARAMS(P_INT(level), P_IP(&NONE)), ret, err);
}

/* Too many runs are waiting for look-ups: they are merged before new ones are made. */
static enum err_code is_crowded(struct db *db, const struct pair_sizes *sizes, bool *ret,
                                struct err *err)
{
    int64_t level;
    enum err_code code = db_int(db, SQL_PAIR_RUNS_CROWDED,
                                PARAMS(P_INT(CROWD_FANS * (int64_t)sizes->fan)), &level, err);

    *ret = code == ERR_NONE;
    return code == ERR_NOT_FOUND ? ERR_NONE : code;
}

/* Levels below that of the run that is being made, INT64_MAX: none is. */
static enum err_code begin_next(struct db *db, const struct pair_sizes *sizes, int64_t making_level,
                                struct err *err)
{
    int64_t last_source = 0, level, id;
    enum err_code code;
    bool crowded;

    if (making_level == 1)
        return ERR_NONE;
    TRY(is_crowded(db, sizes, &crowded, err));
    if (!crowded)
        TRY(find_sources(db, sizes->run_rows, &last_source, err));
    if (last_source != 0) {
        TRY(add_run(db, 1, &id, err));
        return db_exec(db, SQL_PAIR_SOURCES_CLAIM, PARAMS(P_INT(id), P_INT(last_source)), NULL,
                       err);
    }
    code = db_int(db, SQL_PAIR_RUNS_READY, PARAMS(P_INT((int64_t)sizes->fan)), &level, err);
    if (code == ERR_NOT_FOUND || (code == ERR_NONE && level + 1 >= making_level))
        return ERR_NONE;
    TRY(code);
    TRY(add_run(db, level + 1, &id, err));
    return db_exec(db, SQL_PAIR_RUNS_CLAIM,
                   PARAMS(P_INT(id), P_INT(level), P_INT((int64_t)sizes->fan)), NULL, err);
}

static enum err_code find_making(struct db *db, struct run_row *ret, struct err *err)
{
    enum err_code code = db_row(db, SQL_PAIR_RUN_MAKING, NO_PARAMS, RUN_FIELDS, NULL, ret, err);

    if (code != ERR_NOT_FOUND)
        return code;
    *ret = (struct run_row){.level = INT64_MAX};
    return ERR_NONE;
}

static enum err_code sweep(struct db *db, bool *ret_more, struct err *err)
{
    int64_t gone;

    TRY(db_exec(db, SQL_PAIR_CHUNKS_SWEEP, PARAMS(P_INT(SWEEP_CHUNKS)), &gone, err));
    *ret_more = gone > 0;
    return gone > 0 ? ERR_NONE : db_exec(db, SQL_PAIR_RUNS_SWEEP, NO_PARAMS, NULL, err);
}

enum err_code pair_step(struct db *db, const struct pair_sizes *sizes, struct pair_progress *ret,
                        struct err *err)
{
    AUTO(arena_done) struct arena arena = {0};
    struct run_row run;

    *ret = (struct pair_progress){0};
    TRY(sweep(db, &ret->more, err));
    TRY(find_making(db, &run, err));
    TRY(begin_next(db, sizes, run.level, err));
    TRY(find_making(db, &run, err));
    if (run.level == INT64_MAX)
        return ERR_NONE;
    ret->more = true;
    arena_init(&arena, STEP_ARENA_BYTES);
    return make_further(&(struct making){.db = db,
                                         .arena = &arena,
                                         .sizes = sizes,
                                         .id = run.id,
                                         .level = run.level,
                                         .last_ms = run.last_ms,
                                         .at = {run.entity_at, run.ip_at},
                                         .damage = &ret->damage},
                        err);
}
