/* What each run says it holds against what its chunks do. */
#include "store/pair_run.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/arena.h"
#include "store/observation_chunk.h"
#include "store/pair_body.h"

enum { RUN_ARENA_BYTES = 1 << 20, BODY_ARENA_BYTES = 32 << 20 };

struct run_row {
    int64_t id, pairs, sightings;
};
static const struct field RUN_FIELDS[] = {
    FIELD(struct run_row, id, FIELD_INT, .flags = 0),
    FIELD(struct run_row, pairs, FIELD_INT, .flags = 0),
    FIELD(struct run_row, sightings, FIELD_INT, .flags = 0),
    FIELD_END,
};

struct counted {
    struct observation last; /* its entity and address */
    int64_t pairs, sightings;
    bool in_order;
};

static void count_rows(struct counted *counted, const struct pair_body *body)
{
    counted->in_order &=
        body->rows[0].entity_id == body->entity_low && ip_equal(&body->rows[0].ip, &body->ip_low);
    for (size_t i = 0; i < body->count; i++) {
        const struct observation *row = &body->rows[i];
        struct observation here = {.entity_id = row->entity_id, .ip = row->ip};

        counted->in_order &= observation_compare(&counted->last, &here) <= 0;
        counted->last = here;
        counted->sightings += row->object_id;
    }
    counted->pairs += (int64_t)body->count;
}

static enum err_code count_run(struct db *db, int64_t id, struct counted *ret, struct err *err)
{
    AUTO(arena_done) struct arena arena = {0};
    struct pair_body body = {.entity_low = -1};

    *ret = (struct counted){.last = {.entity_id = -1}, .in_order = true};
    arena_init(&arena, BODY_ARENA_BYTES);
    for (;; arena_reset(&arena)) {
        struct ip low = body.ip_low;
        enum err_code code =
            pair_body_read(db, &arena, SQL_PAIR_CHUNK_AFTER, id, body.entity_low, &low, &body, err);

        if (code == ERR_NOT_FOUND)
            return ERR_NONE;
        TRY(code);
        count_rows(ret, &body);
    }
}

enum err_code pair_check(struct db *db, char ret[static 256], struct err *err)
{
    AUTO(query_done) struct query q = {0};
    AUTO(arena_done) struct arena arena = {0};
    struct counted counted;
    struct run_row run;

    arena_init(&arena, RUN_ARENA_BYTES);
    TRY(db_query(db, SQL_CHECK_PAIR_RUNS, NO_PARAMS, &q, err));
    while (query_next(&q, RUN_FIELDS, &arena, &run)) {
        TRY(count_run(db, run.id, &counted, err));
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
