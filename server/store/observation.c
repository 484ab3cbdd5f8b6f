#include "store/observation.h"

#include "base/arena.h"
#include "store/db.h"
#include "store/finding.h"

const struct field SIGHTING_FIELDS[] = {
    FIELD(struct sighting, first, FIELD_TIME, .flags = 0),
    FIELD(struct sighting, last, FIELD_TIME, .flags = 0),
    FIELD(struct sighting, count, FIELD_INT, .flags = 0),
    FIELD(struct sighting, score, FIELD_REAL, .flags = 0),
    FIELD(struct sighting, percentile, FIELD_REAL, .flags = FIELD_NULLABLE),
    FIELD(struct sighting, bucket, FIELD_TEXT, .flags = FIELD_NULLABLE),
    FIELD(struct sighting, key, FIELD_TEXT, .flags = FIELD_NULLABLE),
    FIELD_END,
};
const struct field SIGHTING_BUCKET_FIELDS[] = {
    FIELD(struct sighting_bucket, time, FIELD_TIME, .flags = 0),
    FIELD(struct sighting_bucket, count, FIELD_INT, .flags = 0),
    FIELD_END,
};

enum err_code sighting_list(struct db *db, struct arena *arena, int64_t finding_id, int64_t limit,
                            struct sighting_list *ret, struct err *err)
{
    AUTO(query_done) struct query q = {0};
    size_t room = (size_t)limit;

    *ret = (struct sighting_list){.items = ARENA_ARRAY(arena, struct sighting, room)};
    TRY(finding_check(db, finding_id, err));
    TRY(db_query(db, SQL_SIGHTING_LIST, PARAMS(P_INT(finding_id), P_INT(limit)), &q, err));
    while (ret->count < room && query_next(&q, SIGHTING_FIELDS, arena, &ret->items[ret->count]))
        ret->count++;
    return query_end(&q, err);
}

enum err_code sighting_by_time(struct db *db, struct arena *arena, int64_t finding_id,
                               int64_t bucket_ms, struct sighting_buckets *ret, struct err *err)
{
    AUTO(query_done) struct query q = {0};

    *ret = (struct sighting_buckets){
        .items = ARENA_ARRAY(arena, struct sighting_bucket, SIGHTING_BUCKETS_MAX)};
    TRY(db_query(db, SQL_SIGHTING_BY_TIME,
                 PARAMS(P_INT(bucket_ms), P_INT(finding_id), P_INT(SIGHTING_BUCKETS_MAX)), &q,
                 err));
    while (ret->count < SIGHTING_BUCKETS_MAX &&
           query_next(&q, SIGHTING_BUCKET_FIELDS, arena, &ret->items[ret->count]))
        ret->count++;
    return query_end(&q, err);
}
