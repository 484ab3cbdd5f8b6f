/* What a step of a run of pairs writes. */
#include "base/str.h"
#include "store/db.h"
#include "store/pair_making.h"

/* Of a row in a chunk, and what a chunk may weigh for each of chunk_rows. A row by address is
 * shorter: so chunks of either order have some 2,500 bytes at 128, and three fill a page of
 * SQLite. */
enum { PAIR_WEIGHT = 16, DAY_WEIGHT = 4, ENTITY_CHUNK_WEIGHT = 16, ADDRESS_CHUNK_WEIGHT = 19 };

static enum err_code add_chunk(struct making *making, const struct observation *const *rows,
                               size_t count, struct err *err)
{
    AUTO(str_done) struct str body = {0};

    str_init(&body, CHUNK_BYTES_MAX);
    pair_encode(making->order, rows, count, &body);
    TRY(str_check(&body, "a chunk of pairs", err));
    return db_exec(making->db,
                   making->order == PAIRS_BY_ENTITY ? SQL_PAIR_CHUNK_ADD : SQL_ADDRESS_CHUNK_ADD,
                   PARAMS(P_INT(making->id), P_INT(rows[0]->entity_id), P_IP(&rows[0]->ip),
                          P_INT((int64_t)count), P_BLOB(body.text, body.length)),
                   NULL, err);
}

/* Where the chunk ends that begins at from. A pair is in one chunk. */
static size_t end_of_chunk(const struct making *making, size_t from)
{
    struct observation **rows = making->pairs.items;
    size_t most = making->order == PAIRS_BY_ENTITY ? ENTITY_CHUNK_WEIGHT : ADDRESS_CHUNK_WEIGHT;
    size_t end = from, weight = 0;

    while (end < making->pairs.count && end - from < CHUNK_ROWS_MAX &&
           (weight < most * making->sizes->chunk_rows ||
            pair_compare(making->order, rows[end - 1], rows[end]) == 0))
        weight += rows[end++]->spec_id == PAIR_DAY ? DAY_WEIGHT : PAIR_WEIGHT;
    return end;
}

static enum err_code note_growth(struct making *making, const struct pair_point *at,
                                 struct err *err)
{
    int64_t pairs = 0, sightings = 0;

    for (size_t i = 0; i < making->pairs.count; i++) {
        pairs += making->pairs.items[i]->spec_id != PAIR_DAY;
        sightings += making->pairs.items[i]->object_id;
        if (making->pairs.items[i]->last_ms > making->last_ms)
            making->last_ms = making->pairs.items[i]->last_ms;
    }
    return db_exec(making->db, SQL_PAIR_RUN_GROWN,
                   PARAMS(P_INT(at->entity_id), P_IP(&at->ip), P_INT(pairs), P_INT(sightings),
                          P_INT(making->last_ms), P_INT(making->id)),
                   NULL, err);
}

enum err_code pair_write(struct making *making, const struct pair_point *through, struct err *err)
{
    size_t end;

    for (size_t i = 0; i < making->pairs.count; i = end) {
        end = end_of_chunk(making, i);
        TRY(add_chunk(making, (const struct observation *const *)(making->pairs.items + i), end - i,
                      err));
    }
    return note_growth(making, through, err);
}

enum err_code pair_write_end(struct making *making, struct err *err)
{
    TRY(db_exec(making->db, SQL_PAIR_RUN_WHOLE, PARAMS(P_INT(making->id)), NULL, err));
    TRY(db_exec(making->db, SQL_PAIR_BESIDE, PARAMS(P_INT(PAIR_RUN_WHOLE), P_INT(making->id)), NULL,
                err));
    TRY(db_exec(making->db, SQL_PAIR_RUN_MERGED, PARAMS(P_INT(making->id)), NULL, err));
    return db_exec(making->db, SQL_PAIR_SOURCES_MERGED, PARAMS(P_INT(making->id)), NULL, err);
}

enum err_code pair_run_add(struct db *db, int64_t level, enum pair_order order, int64_t beside_id,
                           int64_t *ret, struct err *err)
{
    static const struct ip NONE = {{0}};

    return db_int(db, SQL_PAIR_RUN_ADD,
                  PARAMS(P_INT(level), P_INT(order), P_INT_OR_NULL(beside_id), P_IP(&NONE)), ret,
                  err);
}
