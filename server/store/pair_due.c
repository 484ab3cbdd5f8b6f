/* Which run of pairs is due, and the step that makes it. */
#include "base/arena.h"
#include "store/db.h"
#include "store/pair_making.h"

enum {
    SWEEP_CHUNKS = 256,
    CROWD_FANS = 2, /* times the fan */
};
#define STEP_ARENA_BYTES ((size_t)1 << 30) /* one entity may be in all of a run's sources */

const struct pair_sizes PAIR_SIZES = {
    .run_rows = PAIR_RUN_ROWS,
    .rest_rows = PAIR_REST_ROWS,
    .fan = PAIR_RUN_FAN,
    .step_rows = PAIR_STEP_ROWS,
    .chunk_rows = PAIR_CHUNK_ROWS,
};

struct run_row {
    int64_t id, level, by_address, entity_at;
    struct ip ip_at;
    int64_t last_ms;
};
static const struct field RUN_FIELDS[] = {
    FIELD(struct run_row, id, FIELD_INT, .flags = 0),
    FIELD(struct run_row, level, FIELD_INT, .flags = 0),
    FIELD(struct run_row, by_address, FIELD_INT, .flags = 0),
    FIELD(struct run_row, entity_at, FIELD_INT, .flags = 0),
    FIELD(struct run_row, ip_at, FIELD_IP, .flags = 0),
    FIELD(struct run_row, last_ms, FIELD_INT, .flags = 0),
    FIELD_END,
};

struct free_row {
    int64_t id, rows;
};
static const struct field FREE_FIELDS[] = {
    FIELD(struct free_row, id, FIELD_INT, .flags = 0),
    FIELD(struct free_row, rows, FIELD_INT, .flags = 0),
    FIELD_END,
};

/* *ret: the last of the sources that make a run; 0 while there are too few. rest: of fewer, too. */
static enum err_code find_sources(struct db *db, const struct pair_sizes *sizes, bool rest,
                                  int64_t *ret, struct err *err)
{
    AUTO(query_done) struct query q = {0};
    struct free_row row = {.id = 0};
    size_t rows = 0, count = 0;

    *ret = 0;
    TRY(db_query(db, SQL_PAIR_SOURCES_FREE, PARAMS(P_INT(PAIR_SOURCES_MAX)), &q, err));
    while (rows < sizes->run_rows && query_next(&q, FREE_FIELDS, NULL, &row)) {
        rows += (size_t)row.rows;
        count++;
        if (rows >= sizes->run_rows || count == PAIR_SOURCES_MAX ||
            (rest && rows >= sizes->rest_rows))
            *ret = row.id;
    }
    return query_end(&q, err);
}

struct ready_row {
    int64_t level, by_address;
};
static const struct field READY_FIELDS[] = {
    FIELD(struct ready_row, level, FIELD_INT, .flags = 0),
    FIELD(struct ready_row, by_address, FIELD_INT, .flags = 0),
    FIELD_END,
};

/* How many runs of a level are merged. Beside a run of sources, each step writes one by address. */
static int64_t fan_of(const struct pair_sizes *sizes, int64_t level, enum pair_order order)
{
    size_t steps = (sizes->run_rows + sizes->step_rows - 1) / sizes->step_rows;
    size_t fan = level == 1 && order == PAIRS_BY_ADDRESS ? sizes->fan * steps : sizes->fan;

    return (int64_t)(fan < PAIR_INPUTS_MAX ? fan : PAIR_INPUTS_MAX);
}

/* Too many runs are waiting for look-ups: they are merged before new ones are made. */
static enum err_code is_crowded(struct db *db, const struct pair_sizes *sizes, bool *ret,
                                struct err *err)
{
    int64_t level;
    enum err_code code = db_int(db, SQL_PAIR_RUNS_CROWDED,
                                PARAMS(P_INT(CROWD_FANS * fan_of(sizes, 1, PAIRS_BY_ADDRESS)),
                                       P_INT(CROWD_FANS * fan_of(sizes, 1, PAIRS_BY_ENTITY))),
                                &level, err);

    *ret = code == ERR_NONE;
    return code == ERR_NOT_FOUND ? ERR_NONE : code;
}

/* Levels below that of the run that is being made, INT64_MAX: none is. */
static enum err_code begin_next(struct db *db, const struct pair_sizes *sizes, bool rest,
                                int64_t making_level, struct err *err)
{
    int64_t last_source = 0, id;
    struct ready_row ready;
    enum err_code code;
    bool crowded;

    if (making_level == 1)
        return ERR_NONE;
    TRY(is_crowded(db, sizes, &crowded, err));
    if (!crowded)
        TRY(find_sources(db, sizes, rest, &last_source, err));
    if (last_source != 0) {
        TRY(pair_run_add(db, 1, PAIRS_BY_ENTITY, FIELD_NULL_INT, &id, err));
        return db_exec(db, SQL_PAIR_SOURCES_CLAIM, PARAMS(P_INT(id), P_INT(last_source)), NULL,
                       err);
    }
    code = db_row(
        db, SQL_PAIR_RUNS_READY,
        PARAMS(P_INT(fan_of(sizes, 1, PAIRS_BY_ADDRESS)), P_INT(fan_of(sizes, 1, PAIRS_BY_ENTITY))),
        READY_FIELDS, NULL, &ready, err);
    if (code == ERR_NOT_FOUND || (code == ERR_NONE && ready.level + 1 >= making_level))
        return ERR_NONE;
    TRY(code);
    TRY(pair_run_add(db, ready.level + 1, (enum pair_order)ready.by_address, FIELD_NULL_INT, &id,
                     err));
    return db_exec(db, SQL_PAIR_RUNS_CLAIM,
                   PARAMS(P_INT(id), P_INT(ready.level), P_INT(ready.by_address),
                          P_INT(fan_of(sizes, ready.level, (enum pair_order)ready.by_address))),
                   NULL, err);
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
    if (gone == 0)
        TRY(db_exec(db, SQL_ADDRESS_CHUNKS_SWEEP, PARAMS(P_INT(SWEEP_CHUNKS)), &gone, err));
    *ret_more = gone > 0;
    return gone > 0 ? ERR_NONE : db_exec(db, SQL_PAIR_RUNS_SWEEP, NO_PARAMS, NULL, err);
}

enum err_code pair_step(struct db *db, const struct pair_sizes *sizes, bool rest,
                        struct pair_progress *ret, struct err *err)
{
    AUTO(arena_done) struct arena arena = {0};
    struct run_row run;

    *ret = (struct pair_progress){0};
    TRY(sweep(db, &ret->more, err));
    TRY(find_making(db, &run, err));
    TRY(begin_next(db, sizes, rest, run.level, err));
    TRY(find_making(db, &run, err));
    if (run.level == INT64_MAX)
        return ERR_NONE;
    ret->more = true;
    arena_init(&arena, STEP_ARENA_BYTES);
    return pair_make_further(&(struct making){.db = db,
                                              .arena = &arena,
                                              .sizes = sizes,
                                              .order = (enum pair_order)run.by_address,
                                              .id = run.id,
                                              .level = run.level,
                                              .last_ms = run.last_ms,
                                              .at = {run.entity_at, run.ip_at},
                                              .damage = &ret->damage},
                             err);
}
