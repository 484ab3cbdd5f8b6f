/* What retention would let go of, counted. */
#include "base/clock.h"
#include "store/db.h"
#include "store/retention.h"

struct pair { /* of sums */
    int64_t rows, bytes, findings, sightings, observations, flagged, first;
};
static const struct field CHUNK_FIELDS[] = {
    FIELD(struct pair, rows, FIELD_INT, .flags = 0),
    FIELD(struct pair, bytes, FIELD_INT, .flags = 0),
    FIELD_END,
};
static const struct field FINDING_FIELDS_SUM[] = {
    FIELD(struct pair, findings, FIELD_INT, .flags = 0),
    FIELD(struct pair, sightings, FIELD_INT, .flags = 0),
    FIELD_END,
};
static const struct field ROLLUP_FIELDS[] = {
    FIELD(struct pair, rows, FIELD_INT, .flags = 0),
    FIELD(struct pair, observations, FIELD_INT, .flags = 0),
    FIELD(struct pair, flagged, FIELD_INT, .flags = 0),
    FIELD(struct pair, first, FIELD_INT, .flags = 0),
    FIELD_END,
};

static enum err_code sum_observations(struct db *db, int64_t before_ms, struct retention_sums *ret,
                                      struct err *err)
{
    struct pair sum;
    int64_t staged;

    if (before_ms == 0)
        return ERR_NONE;
    TRY(db_row(db, SQL_RETAIN_CHUNK_SUM, PARAMS(P_INT(before_ms)), CHUNK_FIELDS, NULL, &sum, err));
    TRY(db_int(db, SQL_RETAIN_STAGED_COUNT, PARAMS(P_TEXT("observations_packed"), P_INT(before_ms)),
               &staged, err));
    ret->observations = sum.rows + staged;
    ret->observation_bytes = sum.bytes;
    return ERR_NONE;
}

static enum err_code count(struct db *db, enum sql_id sql, int64_t before_ms, int64_t *ret,
                           struct err *err)
{
    return before_ms == 0 ? ERR_NONE : db_int(db, sql, PARAMS(P_INT(before_ms)), ret, err);
}

enum err_code retention_sum(struct db *db, const struct retention_cutoffs *cutoffs,
                            struct retention_sums *ret, struct err *err)
{
    struct pair sum = {0};
    struct db_space space;

    *ret = (struct retention_sums){0};
    TRY(sum_observations(db, cutoffs->observations_ms, ret, err));
    TRY(db_row(db, SQL_RETAIN_FINDING_SUM, PARAMS(P_INT(cutoffs->findings_ms)), FINDING_FIELDS_SUM,
               NULL, &sum, err));
    ret->findings = sum.findings;
    ret->sightings = sum.sightings;
    TRY(count(db, SQL_RETAIN_CHANGE_COUNT, cutoffs->changes_ms, &ret->changes, err));
    TRY(count(db, SQL_RETAIN_OBJECT_COUNT, cutoffs->objects_ms, &ret->objects, err));
    TRY(count(db, SQL_RETAIN_HOUR_COUNT, cutoffs->hours_ms, &ret->hours, err));
    TRY(db_row(db, SQL_RETAIN_ROLLUP_SUM, PARAMS(P_INT(cutoffs->rollups_ms)), ROLLUP_FIELDS, NULL,
               &sum, err));
    ret->rollups = sum.rows;
    TRY(db_space(db, &space, err));
    ret->used_bytes = space.used_bytes;
    ret->file_bytes = space.file_bytes;
    return ERR_NONE;
}
