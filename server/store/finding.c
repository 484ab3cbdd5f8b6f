/* Reading findings. */
#include "store/finding.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "base/arena.h"
#include "base/str.h"
#include "store/db.h"

#define PERCENTILE_NONE (-1.0)
#define RANK_MOST       95.0

enum {
    ALL_BITS = 0x7fffffff, /* every status, every verdict and "none" */
    VERDICT_NONE_BIT = 30, /* as in finding.sql */
    LIKE_BYTES_MAX = 4096,
};

const char *const FINDING_STATUS_WORDS[] = {"new", "in_progress", "suppressed", "resolved", NULL};
const char *const FINDING_VERDICT_SOURCE_WORDS[] = {"person", "playbook", "bulk", "rule", NULL};
const char *const FINDING_VERDICT_WORDS[] = {
    "true_positive",
    "false_positive",
    "benign",
    "suspicious",
    "duplicate",
    "test",
    "insufficient_data",
    "disregard",
    "security_risk",
    "managed_externally",
    NULL,
};

const struct field FINDING_FIELDS[] = {
    FIELD(struct finding, id, FIELD_INT, .flags = 0),
    FIELD(struct finding, uid, FIELD_TEXT, .flags = 0),
    FIELD(struct finding, spec, FIELD_TEXT, .flags = 0),
    FIELD(struct finding, entity, FIELD_TEXT, .flags = 0),
    FIELD(struct finding, ip, FIELD_IP, .flags = 0),
    FIELD(struct finding, status, FIELD_ENUM, .words = FINDING_STATUS_WORDS),
    FIELD(struct finding, verdict, FIELD_ENUM, .flags = FIELD_NULLABLE,
          .words = FINDING_VERDICT_WORDS),
    FIELD(struct finding, verdict_source, FIELD_ENUM, .flags = FIELD_NULLABLE,
          .words = FINDING_VERDICT_SOURCE_WORDS),
    FIELD(struct finding, assignee, FIELD_TEXT, .flags = FIELD_NULLABLE),
    FIELD(struct finding, tags, FIELD_JSON, .flags = 0),
    FIELD(struct finding, score, FIELD_REAL, .flags = 0),
    FIELD(struct finding, percentile, FIELD_REAL, .flags = FIELD_NULLABLE),
    FIELD(struct finding, entity_known, FIELD_BOOL, .flags = 0),
    FIELD(struct finding, first_seen, FIELD_TIME, .flags = 0),
    FIELD(struct finding, last_seen, FIELD_TIME, .flags = 0),
    FIELD(struct finding, sightings, FIELD_INT, .flags = 0),
    FIELD(struct finding, observations, FIELD_INT, .flags = 0),
    FIELD(struct finding, account, FIELD_TEXT, .flags = FIELD_NULLABLE),
    FIELD(struct finding, region, FIELD_TEXT, .flags = FIELD_NULLABLE),
    FIELD(struct finding, model, FIELD_TEXT, .flags = 0),
    FIELD(struct finding, version, FIELD_INT, .flags = 0),
    FIELD(struct finding, created, FIELD_TIME, .flags = 0),
    FIELD(struct finding, updated, FIELD_TIME, .flags = 0),
    FIELD(struct finding, seq, FIELD_INT, .flags = 0),
    FIELD_END,
};

enum err_code finding_get(struct db *db, struct arena *arena, int64_t id, struct finding *ret,
                          struct err *err)
{
    enum err_code code =
        db_row(db, SQL_FINDING_BY_ID, PARAMS(P_INT(id)), FINDING_FIELDS, arena, ret, err);

    if (code == ERR_NOT_FOUND)
        return err_set(err, code, "there is no finding %" PRId64, id);
    return code;
}

enum err_code finding_check(struct db *db, int64_t id, struct err *err)
{
    int64_t found;
    enum err_code code = db_int(db, SQL_FINDING_EXISTS, PARAMS(P_INT(id)), &found, err);

    if (code == ERR_NOT_FOUND)
        return err_set(err, code, "there is no finding %" PRId64, id);
    return code;
}

static const struct field WHY_FIELDS[] = {
    FIELD(struct finding_why, threshold, FIELD_REAL, .flags = FIELD_NULLABLE),
    FIELD(struct finding_why, detector, FIELD_TEXT, .flags = 0),
    FIELD(struct finding_why, explanation, FIELD_JSON, .flags = FIELD_NULLABLE),
    FIELD_END,
};

enum err_code finding_why(struct db *db, struct arena *arena, int64_t id, struct finding_why *ret,
                          struct err *err)
{
    enum err_code code =
        db_row(db, SQL_FINDING_WHY, PARAMS(P_INT(id)), WHY_FIELDS, arena, ret, err);

    if (code == ERR_NOT_FOUND)
        return err_set(err, code, "there is no finding %" PRId64, id);
    return code;
}

/* "%text%" with LIKE's own characters escaped; NULL for NULL. */
static const char *like_around(struct arena *arena, const char *before, const char *text,
                               const char *after)
{
    AUTO(str_done) struct str pattern = {0};

    if (text == NULL)
        return NULL;
    str_init(&pattern, LIKE_BYTES_MAX);
    str_add(&pattern, before);
    for (; *text != '\0'; text++) {
        if (strchr("%_\\", *text) != NULL)
            str_add_char(&pattern, '\\');
        str_add_char(&pattern, *text);
    }
    str_add(&pattern, after);
    ASSERT(!pattern.failed);
    return arena_strndup(arena, pattern.text, pattern.length);
}

double finding_rank(double percentile)
{
    return isnan(percentile) ? PERCENTILE_NONE : fmin(floor(percentile), RANK_MOST);
}

static int64_t verdict_bits(const struct finding_filter *f)
{
    if (f->verdicts == 0 && !f->verdict_none)
        return ALL_BITS;
    return (int64_t)f->verdicts | (f->verdict_none ? INT64_C(1) << VERDICT_NONE_BIT : 0);
}

static int64_t until_of(const struct finding_filter *f)
{
    return f->until_ms != FIELD_NULL_INT ? f->until_ms : INT64_MAX;
}

/* The parameters both sorts share, in the statements' order. */
enum { FILTER_PARAMS = 15, START_PARAMS = 3 };

static void filter_params(struct arena *arena, const struct finding_filter *f,
                          struct param ret[static FILTER_PARAMS])
{
    const char *assignee = f->assignee_none ? "" : f->assignee;
    struct param all[FILTER_PARAMS] = {
        P_INT(f->statuses != 0 ? (int64_t)f->statuses : ALL_BITS),
        P_INT(verdict_bits(f)),
        P_TEXT(f->spec),
        P_TEXT(f->entity),
        P_TEXT(f->entity_prefix),
        f->has_ip ? P_IP(&f->ip_low) : P_NULL,
        f->has_ip ? P_IP(&f->ip_high) : P_NULL,
        P_REAL_OR_NULL(f->min_score),
        P_REAL(isnan(f->min_percentile) ? PERCENTILE_NONE : f->min_percentile),
        P_INT(f->since_ms), /* FIELD_NULL_INT is the smallest there is */
        P_INT(until_of(f)),
        P_TEXT(assignee),
        P_TEXT(like_around(arena, "%\"", f->tag, "\"%")),
        P_TEXT(like_around(arena, "%", f->q, "%")),
        P_INT((int64_t)f->limit + 1), /* one more tells whether there is more */
    };

    (void)memcpy(ret, all, sizeof all);
}

/* Of one entity, of one address, or of all; all three have the same parameters after the first. */
static enum sql_id list_of(const struct finding_filter *f)
{
    bool by_time = f->sort == FINDING_BY_TIME;

    if (f->entity != NULL)
        return by_time ? SQL_FINDING_LIST_OF_ENTITY_BY_TIME : SQL_FINDING_LIST_OF_ENTITY_BY_SCORE;
    if (f->has_ip && ip_equal(&f->ip_low, &f->ip_high))
        return by_time ? SQL_FINDING_LIST_OF_IP_BY_TIME : SQL_FINDING_LIST_OF_IP_BY_SCORE;
    return by_time ? SQL_FINDING_LIST_BY_TIME : SQL_FINDING_LIST_BY_SCORE;
}

/* Where the list begins: how many of ret. */
static size_t start_params(const struct finding_filter *f, struct param ret[static START_PARAMS])
{
    int64_t id = f->after ? f->after_id : INT64_MAX;
    bool bounded = f->after && f->after_time_ms < until_of(f);

    if (f->sort == FINDING_BY_TIME) {
        ret[0] = P_INT(bounded ? f->after_time_ms : until_of(f));
        ret[1] = P_INT(bounded ? id : 0);
        return 2;
    }
    ret[0] = P_REAL(f->after ? finding_rank(f->after_percentile) : INFINITY);
    ret[1] = P_REAL(f->after ? f->after_score : INFINITY);
    ret[2] = P_INT(id);
    return 3;
}

static enum err_code start_list(struct db *db, struct arena *arena, const struct finding_filter *f,
                                struct query *ret, struct err *err)
{
    struct param params[1 + START_PARAMS + FILTER_PARAMS];
    enum sql_id sql = list_of(f);
    size_t count = 0;

    if (sql != SQL_FINDING_LIST_BY_TIME && sql != SQL_FINDING_LIST_BY_SCORE)
        params[count++] = f->entity != NULL ? P_TEXT(f->entity) : P_IP(&f->ip_low);
    count += start_params(f, params + count);
    filter_params(arena, f, params + count);
    return db_query(db, sql, params, count + FILTER_PARAMS, ret, err);
}

enum err_code finding_list(struct db *db, struct arena *arena, const struct finding_filter *filter,
                           struct finding_page *ret, struct err *err)
{
    AUTO(query_done) struct query q = {0};
    size_t room = filter->limit + 1;

    *ret = (struct finding_page){.items = ARENA_ARRAY(arena, struct finding, room)};
    TRY(start_list(db, arena, filter, &q, err));
    while (ret->count < room && query_next(&q, FINDING_FIELDS, arena, &ret->items[ret->count]))
        ret->count++;
    TRY(query_end(&q, err));
    ret->more = ret->count > filter->limit;
    ret->count -= ret->more;
    return ERR_NONE;
}

struct count_row {
    int64_t new_, in_progress, suppressed, resolved;
};
static const struct field COUNT_FIELDS[] = {
    FIELD(struct count_row, new_, FIELD_INT, .flags = 0),
    FIELD(struct count_row, in_progress, FIELD_INT, .flags = 0),
    FIELD(struct count_row, suppressed, FIELD_INT, .flags = 0),
    FIELD(struct count_row, resolved, FIELD_INT, .flags = 0),
    FIELD_END,
};

enum err_code finding_count(struct db *db, struct finding_counts *ret, struct err *err)
{
    struct count_row row;

    TRY(db_row(db, SQL_FINDING_COUNT, NO_PARAMS, COUNT_FIELDS, NULL, &row, err));
    *ret = (struct finding_counts){{row.new_, row.in_progress, row.suppressed, row.resolved}};
    return ERR_NONE;
}
