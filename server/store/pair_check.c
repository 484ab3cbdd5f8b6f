/* What each run says it holds against what its chunks do. */
#include "store/pair_run.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/arena.h"
#include "store/db.h"
#include "store/observation_chunk.h"

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
struct body_row {
    int64_t entity_low;
    struct ip ip_low;
    struct blob body;
};
static const struct field BODY_FIELDS[] = {
    FIELD(struct body_row, entity_low, FIELD_INT, .flags = 0),
    FIELD(struct body_row, ip_low, FIELD_IP, .flags = 0),
    FIELD(struct body_row, body, FIELD_BLOB, .flags = 0),
    FIELD_END,
};

struct counted {
    struct observation last; /* its entity and address */
    int64_t pairs, sightings;
    bool in_order;
};

static void count_rows(struct counted *counted, const struct body_row *row,
                       const struct observation *rows, size_t count)
{
    counted->in_order &=
        rows[0].entity_id == row->entity_low && ip_equal(&rows[0].ip, &row->ip_low);
    for (size_t i = 0; i < count; i++) {
        struct observation here = {.entity_id = rows[i].entity_id, .ip = rows[i].ip};

        counted->in_order &= observation_compare(&counted->last, &here) <= 0;
        counted->last = here;
        counted->sightings += rows[i].object_id;
    }
    counted->pairs += (int64_t)count;
}

static enum err_code count_run(struct db *db, int64_t id, struct counted *ret, struct err *err)
{
    AUTO(arena_done) struct arena arena = {0};
    struct body_row row = {.entity_low = -1};

    *ret = (struct counted){.last = {.entity_id = -1}, .in_order = true};
    arena_init(&arena, BODY_ARENA_BYTES);
    for (;; arena_reset(&arena)) {
        struct observation *rows;
        size_t count;
        enum err_code code = db_row(db, SQL_PAIR_CHUNK_AFTER,
                                    PARAMS(P_INT(id), P_INT(row.entity_low), P_IP(&row.ip_low)),
                                    BODY_FIELDS, &arena, &row, err);

        if (code == ERR_NOT_FOUND)
            return ERR_NONE;
        TRY(code);
        if (chunk_decode(row.body.bytes, row.body.length, &arena, &rows, &count, err) != ERR_NONE)
            return err_prefix(err, "pair_run %" PRId64, id);
        count_rows(ret, &row, rows, count);
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
