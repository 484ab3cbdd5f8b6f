/* Lists of findings. */
#include <math.h>
#include <string.h>

#include "api/app.h"
#include "api/cursor.h"
#include "api/names.h"
#include "base/arena.h"
#include "base/field.h"
#include "base/ip.h"
#include "gen/routes.h"
#include "store/change.h"
#include "store/finding.h"

enum { PAGE_DEFAULT = 50, PAGE_MAX = 500, ENTITY_BYTES_MAX = 2048, Q_BYTES_MAX = 200 };
#define SCORE_MAX 1.7976931348623157e308

static const char *const SORT_WORDS[] = {"time", "score", NULL};
/* FINDING_VERDICT_WORDS in their order, and "none" behind them. */
static const char *const VERDICT_OR_NONE[] = {
    "true_positive",      "false_positive", "benign",
    "suspicious",         "duplicate",      "test",
    "insufficient_data",  "disregard",      "security_risk",
    "managed_externally", "none",           NULL};

/* Text that must match a name's pattern. */
static void query_name(struct request *req, const char *name, bool (*is_valid)(const char *),
                       size_t length_max, const char **ret)
{
    const char *text = NULL;

    query_text(req, name, length_max, &text);
    if (text == NULL)
        return;
    if (is_valid(text))
        *ret = text;
    else
        json_fault(&req->faults, arena_printf(req->arena, "?%s", name), "is not such a name");
}

/* The whole entity, or its beginning and "*". */
static void query_entity(struct request *req, struct finding_filter *filter)
{
    const char *text = NULL;
    size_t length;

    query_text(req, "entity", ENTITY_BYTES_MAX, &text);
    if (text == NULL)
        return;
    length = strlen(text);
    if (text[length - 1] == '*')
        filter->entity_prefix = arena_strndup(req->arena, text, length - 1);
    else
        filter->entity = text;
}

static void query_verdicts(struct request *req, struct finding_filter *filter)
{
    uint64_t none = UINT64_C(1) << (ARRAY_LEN(VERDICT_OR_NONE) - 2);
    uint64_t set = 0;

    query_enum_set(req, "verdict", VERDICT_OR_NONE, &set);
    filter->verdict_none = (set & none) != 0;
    filter->verdicts = set & ~none;
}

static void query_assignee(struct request *req, struct finding_filter *filter)
{
    query_text(req, "assignee", NAME_LENGTH_MAX, &filter->assignee);
    if (filter->assignee != NULL && strcmp(filter->assignee, "none") == 0) {
        filter->assignee = NULL;
        filter->assignee_none = true;
    }
}

static void query_ip(struct request *req, struct finding_filter *filter)
{
    struct cidr cidr;

    query_cidr(req, "ip", &cidr, &filter->has_ip);
    if (filter->has_ip) {
        filter->ip_low = cidr.low;
        filter->ip_high = cidr.high;
    }
}

static void query_cursor(struct request *req, struct finding_filter *filter)
{
    struct cursor cursor;

    cursor_read(req, &cursor, &filter->after);
    if (!filter->after)
        return;
    filter->after_id = cursor.id;
    filter->after_time_ms = cursor.time_ms;
    filter->after_percentile = cursor.values[0];
    filter->after_score = cursor.values[1];
}

static enum err_code read_filter(struct request *req, struct finding_filter *ret, struct err *err)
{
    int64_t sort = FINDING_BY_TIME, limit = PAGE_DEFAULT;

    *ret = (struct finding_filter){
        .min_score = NAN,
        .min_percentile = NAN,
        .since_ms = FIELD_NULL_INT,
        .until_ms = FIELD_NULL_INT,
    };
    query_enum_set(req, "status", FINDING_STATUS_WORDS, &ret->statuses);
    query_verdicts(req, ret);
    query_name(req, "spec", spec_name_is_valid, SPEC_NAME_LENGTH_MAX, &ret->spec);
    query_entity(req, ret);
    query_ip(req, ret);
    query_real(req, "min_score", -SCORE_MAX, SCORE_MAX, &ret->min_score);
    query_real(req, "min_percentile", 0, 100, &ret->min_percentile);
    query_time(req, "since", &ret->since_ms);
    query_time(req, "until", &ret->until_ms);
    query_assignee(req, ret);
    query_name(req, "tag", tag_is_valid, TAG_LENGTH_MAX, &ret->tag);
    query_text(req, "q", Q_BYTES_MAX, &ret->q);
    query_enum(req, "sort", SORT_WORDS, &sort);
    query_int(req, "limit", 1, PAGE_MAX, &limit);
    query_cursor(req, ret);
    ret->sort = (enum finding_sort)sort;
    ret->limit = (size_t)limit;
    return query_check(req, err);
}

static const char *next_of(struct request *req, const struct finding_page *page)
{
    const struct finding *last;

    if (!page->more)
        return NULL;
    last = &page->items[page->count - 1];
    return cursor_next(req, &(struct cursor){
                                .values = {last->percentile, last->score},
                                .time_ms = last->last_seen,
                                .id = last->id,
                            });
}

enum err_code list_findings(struct request *req, struct reply *reply, struct err *err)
{
    struct finding_filter filter;
    struct finding_page page;
    struct db *db;
    int64_t last_seq;

    TRY(read_filter(req, &filter, err));
    TRY(app_db(req, &db, err));
    TRY(change_last_seq(db, &last_seq, err)); /* before the page: nothing between is missed */
    TRY(finding_list(db, req->arena, &filter, &page, err));
    json_object(&reply->json, NULL);
    json_array(&reply->json, "findings");
    for (size_t i = 0; i < page.count; i++)
        json_row(&reply->json, NULL, FINDING_FIELDS, &page.items[i]);
    json_end(&reply->json);
    cursor_write(reply, next_of(req, &page));
    json_int(&reply->json, "last_seq", last_seq);
    json_end(&reply->json);
    return ERR_NONE;
}
