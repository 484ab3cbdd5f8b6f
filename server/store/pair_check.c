/* What each run says it holds against what its chunks do, and whether sources have their chunks. */
#include "store/pair_run.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/arena.h"
#include "store/db.h"
#include "store/observation_chunk.h"
#include "store/pair_body.h"

enum { RUN_ARENA_BYTES = 1 << 20, BODY_ARENA_BYTES = 32 << 20 };

struct run_row {
    int64_t id, by_address, pairs, sightings;
};
static const struct field RUN_FIELDS[] = {
    FIELD(struct run_row, id, FIELD_INT, .flags = 0),
    FIELD(struct run_row, by_address, FIELD_INT, .flags = 0),
    FIELD(struct run_row, pairs, FIELD_INT, .flags = 0),
    FIELD(struct run_row, sightings, FIELD_INT, .flags = 0),
    FIELD_END,
};

struct counted {
    enum pair_order order;
    struct observation last; /* its entity and address */
    int64_t pairs, sightings;
    bool in_order;
};

/* last: of the rows before, which these come after. */
static bool count_rows(struct counted *counted, struct observation last,
                       const struct observation *rows, size_t count)
{
    bool in_order = true;

    for (size_t i = 0; i < count; i++) {
        struct observation here = {.entity_id = rows[i].entity_id, .ip = rows[i].ip};

        in_order &= pair_compare(counted->order, &last, &here) <= 0;
        last = here;
        counted->sightings += rows[i].object_id;
        counted->pairs += rows[i].spec_id != PAIR_DAY;
        if (pair_compare(counted->order, &counted->last, &here) < 0)
            counted->last = here;
    }
    return in_order;
}

/* Its pairs and its days are in order, and both after its first row and the chunk before. */
static void count_body(struct counted *counted, const struct pair_body *body)
{
    struct observation low = {.entity_id = body->low.entity_id, .ip = body->low.ip};

    counted->in_order &= pair_compare(counted->order, &counted->last, &low) < 0;
    counted->in_order &= count_rows(counted, low, body->rows.pairs, body->rows.pair_count);
    counted->in_order &= count_rows(counted, low, body->rows.days, body->rows.day_count);
}

static enum err_code count_run(struct db *db, const struct run_row *run, struct counted *ret,
                               struct err *err)
{
    AUTO(arena_done) struct arena arena = {0};
    struct pair_body body = {.low = {.entity_id = -1}};

    *ret = (struct counted){
        .order = (enum pair_order)run->by_address, .last = {.entity_id = -1}, .in_order = true};
    arena_init(&arena, BODY_ARENA_BYTES);
    for (;; arena_reset(&arena)) {
        struct pair_point low = body.low;
        enum err_code code =
            pair_body_read(db, &arena, ret->order, PAIR_AFTER, run->id, &low, true, &body, err);

        if (code == ERR_NOT_FOUND)
            return ERR_NONE;
        TRY(code);
        count_body(ret, &body);
    }
}

static enum err_code check_sources(struct db *db, char ret[static 256], struct err *err)
{
    int64_t missing;

    TRY(db_int(db, SQL_CHECK_PAIR_SOURCES, NO_PARAMS, &missing, err));
    if (missing > 0 && ret[0] == '\0')
        (void)snprintf(
            ret, 256, "%" PRId64 " pair_source name an observation_chunk that is missing", missing);
    return ERR_NONE;
}

enum err_code pair_check(struct db *db, char ret[static 256], struct err *err)
{
    AUTO(query_done) struct query q = {0};
    AUTO(arena_done) struct arena arena = {0};
    struct counted counted;
    struct run_row run;

    arena_init(&arena, RUN_ARENA_BYTES);
    TRY(check_sources(db, ret, err));
    TRY(db_query(db, SQL_CHECK_PAIR_RUNS, NO_PARAMS, &q, err));
    while (query_next(&q, RUN_FIELDS, &arena, &run)) {
        TRY(count_run(db, &run, &counted, err));
        if (ret[0] != '\0' ||
            (counted.in_order && counted.pairs == run.pairs && counted.sightings == run.sightings))
            continue;
        (void)snprintf(ret, 256,
                       "the pair_run %" PRId64 " says %" PRId64 " pairs and %" PRId64
                       " sightings, its chunks have %" PRId64 " and %" PRId64 "%s",
                       run.id, run.pairs, run.sightings, counted.pairs, counted.sightings,
                       counted.in_order ? "" : ", out of order");
    }
    return query_end(&q, err);
}
