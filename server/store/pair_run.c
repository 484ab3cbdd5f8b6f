#include "store/pair_run.h"

#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/clock.h"
#include "store/db.h"
#include "store/observation_chunk.h"
#include "store/pair_body.h"

#define FILTER_ARENA_BYTES ((size_t)CHUNK_FILTER_BYTES_MAX + 4096)

enum err_code pair_source_add(struct db *db, const struct observation *const *rows, size_t count,
                              int64_t day_ms, struct err *err)
{
    AUTO(arena_done) struct arena arena = {0};
    size_t length;
    uint8_t *filter;

    arena_init(&arena, FILTER_ARENA_BYTES);
    filter = chunk_filter(&arena, rows, count, &length);
    return db_exec(db, SQL_PAIR_SOURCE_ADD,
                   PARAMS(P_INT(day_ms), P_INT((int64_t)count), P_INT(rows[0]->entity_id),
                          P_INT(rows[count - 1]->entity_id), P_BLOB(filter, length)),
                   NULL, err);
}

enum err_code pair_source_delete(struct db *db, int64_t chunk_id, struct err *err)
{
    return db_exec(db, SQL_PAIR_SOURCE_DELETE, PARAMS(P_INT(chunk_id)), NULL, err);
}

enum err_code pair_drop(struct db *db, int64_t before_ms, struct err *err)
{
    TRY(db_exec(db, SQL_PAIR_SINCE, PARAMS(P_INT(before_ms)), NULL, err));
    TRY(db_exec(db, SQL_PAIR_SOURCES_DROP, PARAMS(P_INT(before_ms)), NULL, err));
    return db_exec(db, SQL_PAIR_RUNS_DROP, PARAMS(P_INT(before_ms)), NULL, err);
}

enum err_code pair_set_apart(struct db *db, const struct pair_damage *damage, struct err *err)
{
    enum sql_id apart = damage->is_run ? SQL_PAIR_RUN_APART : SQL_PAIR_SOURCE_APART;

    TRY(db_exec(db, apart, PARAMS(P_INT(damage->part_id)), NULL, err));
    TRY(db_exec(db, SQL_PAIR_SOURCES_RELEASE, PARAMS(P_INT(damage->run_id)), NULL, err));
    TRY(db_exec(db, SQL_PAIR_RUNS_RELEASE, PARAMS(P_INT(damage->run_id)), NULL, err));
    TRY(db_exec(db, SQL_PAIR_RUN_ABANDON, PARAMS(P_INT(damage->run_id)), NULL, err));
    return db_exec(db, SQL_PAIR_BESIDE, PARAMS(P_INT(PAIR_RUN_GONE), P_INT(damage->run_id)), NULL,
                   err);
}

/* ---- reading ---- */

struct place_row {
    int64_t id, day_ms;
};
static const struct field SOURCE_FIELDS[] = {
    FIELD(struct place_row, id, FIELD_INT, .flags = 0),
    FIELD(struct place_row, day_ms, FIELD_INT, .flags = 0),
    FIELD_END,
};
static const struct field RUN_FIELDS[] = {
    {.name = "id", .type = FIELD_INT, .offset = offsetof(struct place_row, id)},
    {.name = "last_ms", .type = FIELD_INT, .offset = offsetof(struct place_row, day_ms)},
    FIELD_END,
};

struct places {
    struct arena *arena;
    struct pair_place *items;
    size_t count, room;
};

static void add_place(struct places *places, const struct place_row *row, bool is_run)
{
    if (places->count == places->room) {
        size_t room = 2 * places->room + 64;
        struct pair_place *items = ARENA_ARRAY(places->arena, struct pair_place, room);

        if (places->count > 0)
            (void)memcpy(items, places->items, places->count * sizeof *items);
        places->items = items;
        places->room = room;
    }
    places->items[places->count++] =
        (struct pair_place){row->id, row->day_ms - row->day_ms % DAY_MS, is_run};
}

static enum err_code read_places(struct query *q, const struct field *fields, bool is_run,
                                 struct places *places, struct err *err)
{
    struct place_row row;

    while (query_next(q, fields, places->arena, &row))
        add_place(places, &row, is_run);
    return query_end(q, err);
}

static int by_day(const void *a_, const void *b_)
{
    const struct pair_place *a = a_, *b = b_;

    return (a->day_ms < b->day_ms) - (a->day_ms > b->day_ms);
}

/* sources: a query of theirs. */
static enum err_code list_places(struct db *db, struct arena *arena, enum pair_order order,
                                 struct query *sources, size_t limit, struct pair_places *ret,
                                 struct err *err)
{
    AUTO(query_done) struct query runs = {0};
    struct places places = {.arena = arena};

    TRY(read_places(sources, SOURCE_FIELDS, false, &places, err));
    ret->cut_ms = INT64_MIN;
    if (places.count > 0 && places.count >= limit)
        ret->cut_ms = places.items[places.count - 1].day_ms;
    TRY(db_query(db, SQL_PAIR_RUNS, PARAMS(P_INT(order)), &runs, err));
    TRY(read_places(&runs, RUN_FIELDS, true, &places, err));
    if (places.count > 0)
        qsort(places.items, places.count, sizeof *places.items, by_day);
    ret->items = places.items;
    ret->count = places.count;
    return ERR_NONE;
}

enum err_code pair_places(struct db *db, struct arena *arena, int64_t entity_id, size_t limit,
                          struct pair_places *ret, struct err *err)
{
    AUTO(query_done) struct query sources = {0};

    TRY(db_query(db, SQL_PAIR_SOURCES, PARAMS(P_INT(entity_id), P_INT((int64_t)limit)), &sources,
                 err));
    return list_places(db, arena, PAIRS_BY_ENTITY, &sources, limit, ret, err);
}

enum err_code pair_places_of_address(struct db *db, struct arena *arena, size_t limit,
                                     struct pair_places *ret, struct err *err)
{
    AUTO(query_done) struct query sources = {0};

    TRY(db_query(db, SQL_PAIR_SOURCES_ALL, PARAMS(P_INT((int64_t)limit)), &sources, err));
    return list_places(db, arena, PAIRS_BY_ADDRESS, &sources, limit, ret, err);
}

/* A source is listed as long as its chunk is there. */
static enum err_code read_chunk(struct db *db, struct arena *arena, const struct pair_place *place,
                                struct chunk *ret, struct err *err)
{
    struct chunk_place chunk = {place->id, place->day_ms};
    enum err_code code = chunk_read(db, arena, &chunk, ret, err);

    if (code == ERR_NOT_FOUND)
        return err_set(err, ERR_CORRUPT, "observation_chunk %lld is missing", (long long)place->id);
    return code;
}

struct filter_row {
    struct blob filter;
};
static const struct field FILTER_FIELDS[] = {
    FIELD(struct filter_row, filter, FIELD_BLOB, .flags = 0),
    FIELD_END,
};

static enum err_code read_source(struct db *db, struct arena *arena, const struct pair_place *place,
                                 int64_t entity_id, const struct ip *ip, struct chunk *ret,
                                 struct err *err)
{
    struct filter_row row;

    *ret = (struct chunk){.id = place->id};
    TRY(db_row(db, SQL_PAIR_FILTER, PARAMS(P_INT(place->id)), FILTER_FIELDS, arena, &row, err));
    if (!chunk_may_hold(row.filter.bytes, row.filter.length, entity_id, ip))
        return ERR_NONE;
    return read_chunk(db, arena, place, ret, err);
}

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

/* Each order has its table, and statements of the same parameters in its own order. */
static enum err_code read_body_row(struct db *db, struct arena *arena, enum pair_order order,
                                   enum pair_seek seek, int64_t run_id,
                                   const struct pair_point *point, struct body_row *ret,
                                   struct err *err)
{
    struct param run = P_INT(run_id), entity = P_INT(point->entity_id), ip = P_IP(&point->ip);

    if (order == PAIRS_BY_ENTITY)
        return db_row(db, seek == PAIR_AT ? SQL_PAIR_CHUNK_AT : SQL_PAIR_CHUNK_AFTER,
                      PARAMS(run, entity, ip), BODY_FIELDS, arena, ret, err);
    return db_row(db, seek == PAIR_AT ? SQL_ADDRESS_CHUNK_AT : SQL_ADDRESS_CHUNK_AFTER,
                  PARAMS(run, ip, entity), BODY_FIELDS, arena, ret, err);
}

enum err_code pair_body_read(struct db *db, struct arena *arena, enum pair_order order,
                             enum pair_seek seek, int64_t run_id, const struct pair_point *point,
                             bool days, struct pair_body *ret, struct err *err)
{
    struct body_row row;

    TRY(read_body_row(db, arena, order, seek, run_id, point, &row, err));
    *ret = (struct pair_body){.low = {row.entity_low, row.ip_low}};
    if (pair_decode(order, row.body.bytes, row.body.length, days, arena, &ret->rows, err) !=
        ERR_NONE)
        return err_prefix(err, "pair_run %lld", (long long)run_id);
    return ERR_NONE;
}

static enum err_code read_run(struct db *db, struct arena *arena, const struct pair_place *place,
                              int64_t entity_id, const struct ip *ip, struct chunk *ret,
                              struct err *err)
{
    struct pair_point point = {entity_id, *ip};
    struct pair_body body;
    enum err_code code =
        pair_body_read(db, arena, PAIRS_BY_ENTITY, PAIR_AT, place->id, &point, false, &body, err);

    *ret = (struct chunk){.id = place->id};
    if (code == ERR_NOT_FOUND)
        return ERR_NONE;
    TRY(code);
    ret->rows = body.rows.pairs;
    ret->count = body.rows.pair_count;
    return ERR_NONE;
}

/* Rows are in order: the pair's are together. */
static void find(const struct chunk *chunk, int64_t entity_id, const struct ip *ip,
                 const struct observation **ret, size_t *ret_count)
{
    struct observation key = {.entity_id = entity_id, .ip = *ip, .first_ms = INT64_MIN};
    size_t low = 0, high = chunk->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (observation_compare(&chunk->rows[middle], &key) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    *ret = chunk->rows + low;
    while (high < chunk->count && chunk->rows[high].entity_id == entity_id &&
           ip_equal(&chunk->rows[high].ip, ip))
        high++;
    *ret_count = high - low;
}

enum err_code pair_read(struct db *db, struct arena *arena, const struct pair_place *place,
                        int64_t entity_id, const struct ip *ip, const struct observation **ret,
                        size_t *ret_count, struct err *err)
{
    struct chunk chunk;

    *ret = NULL;
    *ret_count = 0;
    TRY((place->is_run ? read_run : read_source)(db, arena, place, entity_id, ip, &chunk, err));
    if (chunk.count > 0)
        find(&chunk, entity_id, ip, ret, ret_count);
    return ERR_NONE;
}

/* ---- all of an entity, or of an address ---- */

#define EACH_ARENA_BYTES ((size_t)32 << 20)

/* Where a row stands to the key, by the order's own half. */
static int compare_key(const struct pair_key *key, int64_t entity_id, const struct ip *ip)
{
    if (key->order == PAIRS_BY_ADDRESS)
        return ip_compare(ip, &key->ip);
    return (entity_id > key->entity_id) - (entity_id < key->entity_id);
}

static void visit_rows(const struct pair_key *key, const struct observation *rows, size_t count,
                       bool of_run, pair_visit *visit, void *context)
{
    for (size_t i = 0; i < count; i++)
        if (compare_key(key, rows[i].entity_id, &rows[i].ip) == 0)
            visit(context, &rows[i], of_run);
}

static bool ends_behind(const struct pair_key *key, const struct observation *rows, size_t count)
{
    return count > 0 && compare_key(key, rows[count - 1].entity_id, &rows[count - 1].ip) > 0;
}

static enum err_code each_of_source(struct db *db, const struct pair_place *place,
                                    const struct pair_key *key, pair_visit *visit, void *context,
                                    struct err *err)
{
    AUTO(arena_done) struct arena arena = {0};
    struct chunk chunk;

    arena_init(&arena, EACH_ARENA_BYTES);
    TRY(read_chunk(db, &arena, place, &chunk, err));
    visit_rows(key, chunk.rows, chunk.count, false, visit, context);
    return ERR_NONE;
}

/* Chunk after chunk, up to the one that ends behind the key. */
static enum err_code each_of_run(struct db *db, const struct pair_place *place,
                                 const struct pair_key *key, int64_t until_mono_ms,
                                 pair_visit *visit, void *context, struct err *err)
{
    AUTO(arena_done) struct arena arena = {0};
    struct pair_point point = {.entity_id = INT64_MIN};
    enum pair_seek seek = PAIR_AT;
    struct pair_body body;

    arena_init(&arena, EACH_ARENA_BYTES);
    if (key->order == PAIRS_BY_ENTITY)
        point.entity_id = key->entity_id;
    else
        point.ip = key->ip;
    for (;; arena_reset(&arena)) {
        enum err_code code =
            pair_body_read(db, &arena, key->order, seek, place->id, &point, true, &body, err);

        if (code == ERR_NONE) {
            const struct pair_rows *rows = &body.rows;

            visit_rows(key, rows->pairs, rows->pair_count, true, visit, context);
            visit_rows(key, rows->days, rows->day_count, true, visit, context);
            if (ends_behind(key, rows->pairs, rows->pair_count) ||
                ends_behind(key, rows->days, rows->day_count))
                return ERR_NONE;
            point = body.low;
        } else if (code != ERR_NOT_FOUND || seek == PAIR_AFTER) {
            return code == ERR_NOT_FOUND ? ERR_NONE : code;
        }
        if (clock_mono_ms() >= until_mono_ms)
            return err_set(err, ERR_TIMEOUT, "pair_run %lld was not read to the end",
                           (long long)place->id);
        seek = PAIR_AFTER;
    }
}

enum err_code pair_each(struct db *db, const struct pair_place *place, const struct pair_key *key,
                        int64_t until_mono_ms, pair_visit *visit, void *context, struct err *err)
{
    if (!place->is_run)
        return each_of_source(db, place, key, visit, context, err);
    return each_of_run(db, place, key, until_mono_ms, visit, context, err);
}
