/* The JSON and SageMaker shapes of POST /api/v1/scores, and what every row must satisfy. */
#include "api/score_body.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "api/names.h"
#include "api/rules.h"
#include "api/score_object.h"
#include "base/arena.h"
#include "base/clock.h"
#include "base/field.h"
#include "base/json.h"
#include "base/str.h"
#include "http/request.h"

enum {
    POINTER_BYTES = 64,
    /* A row has at most 13 members, and explanations are for NDJSON when there are many. The tree
     * of a body is built only when it stays below this: about 64 bytes a node, so 100 MB. */
    BODY_NODES_MAX = SCORES_ROWS_MAX * 14 + 100,
};

#define ROW(member, name, type, ...) RULE(struct score_row, member, name, type, __VA_ARGS__)
static const struct json_rule ROW_RULES[] = {
    ROW(entity, "entity", FIELD_TEXT, .flags = JSON_REQUIRED,
        .length_max = SCORES_ENTITY_BYTES_MAX),
    ROW(ip, "ip", FIELD_IP, .flags = JSON_REQUIRED),
    ROW(time_ms, "time", FIELD_TIME, .flags = JSON_REQUIRED),
    ROW(last_ms, "last_time", FIELD_TIME, .flags = 0),
    ROW(score, "score", FIELD_REAL, .flags = 0),
    ROW(dot_product, "dot_product", FIELD_REAL, .flags = 0),
    ROW(percentile, "percentile", FIELD_REAL, .min = 0, .max = 100),
    ROW(count, "count", FIELD_INT, .min = 1, .max = SCORES_COUNT_MAX),
    ROW(spec, "spec", FIELD_TEXT, .length_max = SPEC_NAME_LENGTH_MAX),
    ROW(account, "account", FIELD_TEXT, .length_max = SCORES_ACCOUNT_BYTES_MAX),
    ROW(region, "region", FIELD_TEXT, .length_max = SCORES_ACCOUNT_BYTES_MAX),
    ROW(unanswered, "unanswered", FIELD_BOOL, .flags = 0),
    ROW(entity_known, "entity_known", FIELD_BOOL, .flags = 0),
    ROW(known_bits, "known_bits", FIELD_INT, .min = -1, .max = SCORES_KNOWN_BITS_MAX),
    ROW(explanation_node, "explanation", FIELD_JSON, .flags = 0),
    RULE_END,
};

struct batch_members {
    struct score_body body;
    const struct json *scores, *rows, *predictions;
};

#define BATCH(member, name, type, ...) RULE(struct batch_members, member, name, type, __VA_ARGS__)
#define BATCH_MODEL                                                                                \
    BATCH(body.model, "model", FIELD_TEXT, .flags = JSON_REQUIRED,                                 \
          .length_max = MODEL_ID_LENGTH_MAX)
#define BATCH_DETECTOR                                                                             \
    BATCH(body.detector, "detector", FIELD_TEXT, .length_max = SCORES_DETECTOR_BYTES_MAX)
#define BATCH_THRESHOLD BATCH(body.threshold, "threshold", FIELD_REAL, .flags = 0)

static const struct json_rule SCORE_BATCH_RULES[] = {
    BATCH_MODEL,
    BATCH_DETECTOR,
    BATCH_THRESHOLD,
    BATCH(body.spec, "spec", FIELD_TEXT, .length_max = SPEC_NAME_LENGTH_MAX),
    BATCH(scores, "scores", FIELD_JSON, .flags = JSON_REQUIRED),
    RULE_END,
};

static const struct json_rule SAGEMAKER_BATCH_RULES[] = {
    BATCH_MODEL,
    BATCH_DETECTOR,
    BATCH_THRESHOLD,
    BATCH(body.spec, "spec", FIELD_TEXT, .flags = JSON_REQUIRED,
          .length_max = SPEC_NAME_LENGTH_MAX),
    BATCH(body.time_ms, "time", FIELD_TIME, .flags = 0),
    BATCH(rows, "rows", FIELD_JSON, .flags = JSON_REQUIRED),
    BATCH(predictions, "predictions", FIELD_JSON, .flags = JSON_REQUIRED),
    RULE_END,
};

static void fault_at(struct json_faults *faults, const char *pointer, const char *member,
                     const char *detail)
{
    char at[POINTER_BYTES + 32];

    (void)snprintf(at, sizeof at, "%s/%s", pointer, member);
    json_fault(faults, at, "%s", detail);
}

/* What can be said also of a row with other faults. */
static void check_members(const struct json *node, const struct score_body *body,
                          const char *pointer, struct json_faults *faults)
{
    if ((json_member(node, "score") != NULL) == (json_member(node, "dot_product") != NULL))
        json_fault(faults, pointer, "needs exactly one of score and dot_product");
    if (json_member(node, "spec") == NULL && body->spec == NULL)
        fault_at(faults, pointer, "spec", "is missing, and the batch names none");
}

const struct score_row SCORE_ROW_EMPTY = {
    .last_ms = FIELD_NULL_INT,
    .count = 1,
    .score = NAN,
    .dot_product = NAN,
    .percentile = NAN,
    .account = "",
    .region = "",
    .entity_known = true,
    .known_bits = -1,
};

void score_row_complete(struct score_row *row, const struct score_body *body)
{
    if (isnan(row->score))
        row->score = 0.0 - row->dot_product; /* not -0.0 for 0 */
    row->spec = row->spec != NULL ? row->spec : body->spec;
    if (row->last_ms == FIELD_NULL_INT)
        row->last_ms = row->time_ms;
}

static void check_row(struct score_row *row, const struct score_body *body, const char *pointer,
                      struct json_faults *faults)
{
    if (row->spec != NULL && !spec_name_is_valid(row->spec))
        fault_at(faults, pointer, "spec", "is not a spec's name");
    if (row->last_ms != FIELD_NULL_INT && row->last_ms < row->time_ms)
        fault_at(faults, pointer, "last_time", "is before time");
    score_row_complete(row, body);
}

static void read_explanation(struct score_row *row, struct score_body *body, struct arena *arena,
                             const char *pointer, struct json_faults *faults)
{
    if (row->explanation_node == NULL)
        return;
    if (body->explanation_bytes > SCORES_EXPLANATIONS_BYTES_MAX) {
        fault_at(faults, pointer, "explanation", "is one too many: together they are too long");
        return;
    }
    row->explanation = score_explanation_read(row->explanation_node, arena, pointer, faults);
    body->explanation_bytes += row->explanation != NULL ? strlen(row->explanation) : 0;
    row->explanation_node = NULL;
}

void score_row_read(const struct json *node, struct score_body *body, struct arena *arena,
                    const char *pointer, struct json_faults *faults, struct score_row *ret)
{
    size_t before = faults->total;

    *ret = SCORE_ROW_EMPTY;
    json_read_object(node, ROW_RULES, ret, arena, pointer, faults);
    if (json_type(node) == JSON_OBJECT)
        check_members(node, body, pointer, faults);
    if (faults->total == before) /* what was not read cannot be judged */
        check_row(ret, body, pointer, faults);
    read_explanation(ret, body, arena, pointer, faults);
}

void score_body_check(const struct score_body *body, const char *prefix, struct json_faults *faults)
{
    char at[POINTER_BYTES];

    if (body->model != NULL && !model_id_is_valid(body->model)) {
        (void)snprintf(at, sizeof at, "%smodel", prefix);
        json_fault(faults, at, "is not a model's id");
    }
    if (body->spec != NULL && !spec_name_is_valid(body->spec)) {
        (void)snprintf(at, sizeof at, "%sspec", prefix);
        json_fault(faults, at, "is not a spec's name");
    }
}

/* The items of an array of 1 to SCORES_ROWS_MAX; 0 and a fault otherwise. */
static size_t array_count(const struct json *node, const char *pointer, struct json_faults *faults)
{
    if (node == NULL)
        return 0; /* its absence is a fault already */
    if (json_type(node) != JSON_ARRAY) {
        json_fault(faults, pointer, "is not an array");
        return 0;
    }
    if (json_count(node) == 0 || json_count(node) > SCORES_ROWS_MAX) {
        json_fault(faults, pointer, "must have 1 to %d items", SCORES_ROWS_MAX);
        return 0;
    }
    return json_count(node);
}

static void read_scores(const struct json *scores, struct arena *arena, struct json_faults *faults,
                        struct score_body *body)
{
    char pointer[POINTER_BYTES];
    size_t i = 0;

    body->count = array_count(scores, "/scores", faults);
    body->rows = ARENA_ARRAY(arena, struct score_row, body->count + 1);
    for (const struct json *node = json_first(scores); node != NULL && i < body->count;
         node = json_next(node), i++) {
        (void)snprintf(pointer, sizeof pointer, "/scores/%zu", i);
        score_row_read(node, body, arena, pointer, faults, &body->rows[i]);
    }
}

/* One text of a SageMaker row: [entity, ip, time]; NULL and a fault unless it can be used. */
static const char *cell(const struct json *node, const char *pointer, int column, size_t bytes_max,
                        struct json_faults *faults)
{
    const char *text = json_text_of(node);
    char at[POINTER_BYTES + 16];

    if (text != NULL && *text != '\0' && strlen(text) <= bytes_max &&
        str_is_clean_utf8(text, strlen(text)))
        return text;
    (void)snprintf(at, sizeof at, "%s/%d", pointer, column);
    json_fault(faults, at, "is not text of 1 to %zu bytes without control characters", bytes_max);
    return NULL;
}

static void read_time_cell(const struct json *node, const struct score_body *body,
                           const char *pointer, struct json_faults *faults, int64_t *ret_ms)
{
    const char *text;

    *ret_ms = body->time_ms;
    if (node == NULL && body->time_ms == FIELD_NULL_INT)
        json_fault(faults, pointer, "has no time, and the batch has none");
    if (node == NULL)
        return;
    text = cell(node, pointer, 2, TIME_TEXT_BYTES + 16, faults);
    if (text != NULL && !time_parse(text, ret_ms))
        fault_at(faults, pointer, "2", "is not an RFC 3339 time between 1970 and 2099");
}

static void read_cells(const struct json *node, const struct score_body *body, size_t index,
                       struct arena *arena, struct json_faults *faults, struct score_row *row)
{
    const struct json *first = json_first(node), *second;
    char pointer[POINTER_BYTES];
    const char *entity, *ip;

    (void)snprintf(pointer, sizeof pointer, "/rows/%zu", index);
    if (json_type(node) != JSON_ARRAY || json_count(node) < 2 || json_count(node) > 3) {
        json_fault(faults, pointer, "is not [entity, ip] or [entity, ip, time]");
        return;
    }
    second = json_next(first);
    entity = cell(first, pointer, 0, SCORES_ENTITY_BYTES_MAX, faults);
    ip = cell(second, pointer, 1, IP_TEXT_BYTES, faults);
    if (ip != NULL && !ip_parse(ip, &row->ip))
        fault_at(faults, pointer, "1", "is not an IP address");
    row->entity = arena_strdup(arena, entity);
    read_time_cell(json_next(second), body, pointer, faults, &row->time_ms);
}

static void read_prediction(const struct json *node, size_t index, struct json_faults *faults,
                            struct score_row *row)
{
    char pointer[POINTER_BYTES];

    if (json_number_of(json_member(node, "dot_product"), &row->dot_product)) {
        row->score = 0.0 - row->dot_product;
        return;
    }
    (void)snprintf(pointer, sizeof pointer, "/predictions/%zu/dot_product", index);
    json_fault(faults, pointer, "is not a finite number");
}

static void read_sagemaker(const struct batch_members *batch, struct arena *arena,
                           struct json_faults *faults, struct score_body *body)
{
    size_t rows = array_count(batch->rows, "/rows", faults);
    size_t predictions = array_count(batch->predictions, "/predictions", faults);
    const struct json *row = json_first(batch->rows);
    const struct json *prediction = json_first(batch->predictions);

    if (rows != predictions && rows > 0 && predictions > 0)
        json_fault(faults, "/predictions", "has %zu items for %zu rows", predictions, rows);
    if (rows != predictions || rows == 0)
        return;
    body->count = rows;
    body->rows = ARENA_ARRAY(arena, struct score_row, rows);
    for (size_t i = 0; i < rows; i++, row = json_next(row), prediction = json_next(prediction)) {
        struct score_row *to = &body->rows[i];

        *to = (struct score_row){.spec = body->spec,
                                 .count = 1,
                                 .percentile = NAN,
                                 .account = "",
                                 .region = "",
                                 .entity_known = true,
                                 .known_bits = -1};
        read_cells(row, body, i, arena, faults, to);
        read_prediction(prediction, i, faults, to);
        to->last_ms = to->time_ms;
    }
}

/* At least as many as the tree would have: every element but the root follows a [ { or comma. */
static size_t nodes_at_most(const char *text, size_t length)
{
    size_t nodes = 1;
    bool inside = false;

    for (size_t i = 0; i < length; i++) {
        if (text[i] == '"')
            inside = !inside;
        else if (text[i] == '\\' && inside)
            i++;
        else if (!inside && (text[i] == ',' || text[i] == '[' || text[i] == '{'))
            nodes++;
    }
    return nodes;
}

static enum err_code read_json_body(struct request *req, struct arena *arena,
                                    struct score_body *ret, struct err *err)
{
    static const char *const TYPES[] = {"application/json", "application/x-ndjson", NULL};
    struct batch_members batch = {.body = *ret};
    const struct json *root;
    bool sagemaker;

    if (nodes_at_most(req->body, req->body_length) > BODY_NODES_MAX)
        return err_set(err, ERR_TOO_LARGE, "the body holds more than %d rows", SCORES_ROWS_MAX);
    TRY(body_json(req, TYPES, &root, err));
    sagemaker = json_member(root, "rows") != NULL || json_member(root, "predictions") != NULL;
    json_read_object(root, sagemaker ? SAGEMAKER_BATCH_RULES : SCORE_BATCH_RULES, &batch, arena, "",
                     &req->faults);
    score_body_check(&batch.body, "/", &req->faults);
    if (sagemaker)
        read_sagemaker(&batch, arena, &req->faults, &batch.body);
    else
        read_scores(batch.scores, arena, &req->faults, &batch.body);
    *ret = batch.body;
    return ERR_NONE;
}

enum err_code score_body_read(struct request *req, struct arena *arena, struct score_body *ret,
                              struct err *err)
{
    *ret = (struct score_body){.threshold = NAN, .time_ms = FIELD_NULL_INT};
    if (str_equal(req->content_type, "application/x-ndjson"))
        TRY(score_lines_read(req, arena, ret, err));
    else
        TRY(read_json_body(req, arena, ret, err));
    return query_check(req, err);
}
