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
    FIELD(struct object_row, source, FIELD_TEXT, .flags = FIELD_NULLABLE),
    FIELD(struct object_row, region, FIELD_TEXT, .flags = FIELD_NULLABLE),
    FIELD(struct object_row, account, FIELD_TEXT, .flags = FIELD_NULLABLE),
    FIELD(struct object_row, folder, FIELD_BOOL, .flags = FIELD_HIDDEN),
    FIELD(struct object_row, made, FIELD_TIME, .flags = FIELD_NULLABLE),
    FIELD(struct object_row, first_event, FIELD_TIME, .flags = FIELD_NULLABLE),
    FIELD(struct object_row, last_event, FIELD_TIME, .flags = FIELD_NULLABLE),
    FIELD_END,
};

/* Failed ones are few and have an index of their own. */
static enum err_code ask(struct db *db, const struct object_filter *filter, int64_t before_id,
                         int64_t room, struct query *q, struct err *err)
{
    int64_t until_ms = filter->until_ms > 0 ? filter->until_ms : INT64_MAX;

    if (filter->state == OBJECT_FAILED)
        return db_query(db, SQL_OBJECT_LIST_FAILED,
                        PARAMS(P_INT(before_id), P_TEXT(filter->source), P_INT(filter->since_ms),
                               P_INT(until_ms), P_INT(room)),
                        q, err);
    return db_query(db, SQL_OBJECT_LIST,
                    PARAMS(P_INT(before_id), P_INT((int64_t)filter->state), P_TEXT(filter->source),
                           P_INT(filter->since_ms), P_INT(until_ms), P_INT(room)),
                    q, err);
}

enum err_code object_list(struct db *db, struct arena *arena, const struct object_filter *filter,
                          int64_t before_id, size_t limit, struct object_page *ret, struct err *err)
{
    AUTO(query_done) struct query q = {0};
    size_t room = limit + 1;

    *ret = (struct object_page){.items = ARENA_ARRAY(arena, struct object_row, room)};
    TRY(ask(db, filter, before_id, (int64_t)room, &q, err));
    while (ret->count < room && query_next(&q, OBJECT_FIELDS, arena, &ret->items[ret->count]))
        ret->count++;
    TRY(query_end(&q, err));
    ret->more = ret->count > limit;
    ret->count -= ret->more;
    return ERR_NONE;
}

enum err_code object_get(struct db *db, struct arena *arena, int64_t id, struct object_row *ret,
                         struct err *err)
{
    enum err_code code =
        db_row(db, SQL_OBJECT_GET, PARAMS(P_INT(id)), OBJECT_FIELDS, arena, ret, err);

    if (code == ERR_NOT_FOUND)
        return err_set(err, code, "there is no such object");
    return code;
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
