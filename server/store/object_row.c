#include "store/object_row.h"

#include "base/arena.h"
#include "store/db.h"

const struct field OBJECT_FIELDS[] = {
    FIELD(struct object_row, id, FIELD_INT, .flags = 0),
    FIELD(struct object_row, bucket, FIELD_TEXT, .flags = 0),
    FIELD(struct object_row, key, FIELD_TEXT, .flags = 0),
    FIELD(struct object_row, etag, FIELD_TEXT, .flags = 0),
    FIELD(struct object_row, size_bytes, FIELD_INT, .flags = 0),
    FIELD(struct object_row, rows, FIELD_INT, .flags = 0),
    FIELD(struct object_row, pairs, FIELD_INT, .flags = 0),
    FIELD(struct object_row, scored, FIELD_INT, .flags = 0),
    FIELD(struct object_row, unscored, FIELD_JSON, .flags = 0),
    FIELD(struct object_row, error_code, FIELD_TEXT, .flags = FIELD_NULLABLE),
    FIELD(struct object_row, error, FIELD_TEXT, .flags = FIELD_NULLABLE),
    FIELD(struct object_row, attempts, FIELD_INT, .flags = 0),
    FIELD(struct object_row, finished, FIELD_TIME, .flags = 0),
    FIELD_END,
};

enum err_code object_list(struct db *db, struct arena *arena, enum object_state state,
                          int64_t before_id, size_t limit, struct object_page *ret, struct err *err)
{
    AUTO(query_done) struct query q = {0};
    size_t room = limit + 1;

    *ret = (struct object_page){.items = ARENA_ARRAY(arena, struct object_row, room)};
    TRY(db_query(db, SQL_OBJECT_LIST,
                 PARAMS(P_INT(before_id), P_INT((int64_t)state), P_INT((int64_t)room)), &q, err));
    while (ret->count < room && query_next(&q, OBJECT_FIELDS, arena, &ret->items[ret->count]))
        ret->count++;
    TRY(query_end(&q, err));
    ret->more = ret->count > limit;
    ret->count -= ret->more;
    return ERR_NONE;
}

static const struct field COUNT_FIELDS[] = {
    FIELD(struct object_counts, stored, FIELD_INT, .flags = 0),
    FIELD(struct object_counts, failed, FIELD_INT, .flags = 0),
    FIELD_END,
};

enum err_code object_count(struct db *db, struct object_counts *ret, struct err *err)
{
    return db_row(db, SQL_OBJECT_COUNT, NO_PARAMS, COUNT_FIELDS, NULL, ret, err);
}
