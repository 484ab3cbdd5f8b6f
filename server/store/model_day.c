#include "store/model_day.h"

#include "base/arena.h"
#include "base/clock.h"
#include "store/db.h"
#include "store/rollup.h"

struct count_row {
    int64_t day, findings;
};
static const struct field COUNT_FIELDS[] = {
    FIELD(struct count_row, day, FIELD_INT, .flags = 0),
    FIELD(struct count_row, findings, FIELD_INT, .flags = 0),
    FIELD_END,
};

static enum err_code count_findings(struct db *db, struct arena *arena,
                                    const struct rollup_filter *filter, struct model_day *days,
                                    size_t count, struct err *err)
{
    AUTO(query_done) struct query q = {0};
    struct count_row row;

    TRY(db_query(db, SQL_MODEL_DAY_FINDINGS,
                 PARAMS(P_INT(filter->since_ms), P_INT(filter->until_ms), P_TEXT(filter->model),
                        P_TEXT(filter->spec)),
                 &q, err));
    while (query_next(&q, COUNT_FIELDS, arena, &row))
        for (size_t i = 0; i < count; i++)
            if (days[i].day_ms == row.day * DAY_MS)
                days[i].findings = row.findings;
    return query_end(&q, err);
}

static enum err_code list_spec(struct db *db, struct arena *arena,
                               const struct rollup_filter *filter,
                               const struct model_spec_row *spec, struct model_day_list *to,
                               struct err *err)
{
    struct model_day *days = to->items + to->count;
    struct rollup_list rollups;
    size_t count = 0;

    TRY(rollup_series(db, arena, filter, DAY_MS, &rollups, err));
    for (; count < rollups.count && count < MODEL_DAYS_MAX; count++) {
        const struct rollup *rollup = &rollups.items[count];

        days[count] = (struct model_day){.spec = spec,
                                         .day_ms = rollup->time_ms,
                                         .observations = (int64_t)rollup->observations,
                                         .flagged = (int64_t)rollup->flagged,
                                         .drift = drift_of(spec, rollup)};
    }
    to->count += count;
    return count_findings(db, arena, filter, days, count, err);
}

enum err_code model_day_list(struct db *db, struct arena *arena, const struct model_row *model,
                             int64_t since_ms, int64_t until_ms, struct model_day_list *ret,
                             struct err *err)
{
    *ret = (struct model_day_list){
        .items = ARENA_ARRAY(arena, struct model_day, model->spec_count * MODEL_DAYS_MAX + 1)};
    for (size_t i = 0; i < model->spec_count; i++) {
        struct rollup_filter filter = {.since_ms = since_ms,
                                       .until_ms = until_ms,
                                       .spec = model->specs[i].spec,
                                       .model = model->id};

        TRY(list_spec(db, arena, &filter, &model->specs[i], ret, err));
    }
    return ERR_NONE;
}
