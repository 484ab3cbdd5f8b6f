#include "store/model_row.h"

#include <math.h>
#include <string.h>

#include "base/arena.h"
#include "base/json.h"
#include "base/str.h"
#include "store/change.h"
#include "store/db.h"
#include "store/dictionary.h"
#include "store/model_life.h"

enum { MODEL_QUANTILE_BYTES = MODEL_ROW_QUANTILES * 4 };
enum { MODEL_BODY_BYTES_MAX = 1024 };

struct head {
    const char *id, *detector, *info, *path;
    int64_t registered, last_used, state, activated;
};
static const struct field HEAD_FIELDS[] = {
    FIELD(struct head, id, FIELD_TEXT, .flags = 0),
    FIELD(struct head, detector, FIELD_TEXT, .flags = 0),
    FIELD(struct head, info, FIELD_JSON, .flags = 0),
    FIELD(struct head, path, FIELD_TEXT, .flags = FIELD_NULLABLE),
    FIELD(struct head, registered, FIELD_TIME, .flags = 0),
    FIELD(struct head, last_used, FIELD_TIME, .flags = FIELD_NULLABLE),
    FIELD(struct head, state, FIELD_ENUM, .flags = 0, .words = MODEL_STATE_WORDS),
    FIELD(struct head, activated, FIELD_TIME, .flags = FIELD_NULLABLE),
    FIELD_END,
};
struct spec_row {
    const char *spec;
    double threshold;
    int64_t sample_size;
    struct blob quantiles, usual_quantiles;
    double unknown_share, unseen_share;
    int64_t rule;
    double rule_value, rule_least;
};
static const struct field SPEC_FIELDS[] = {
    FIELD(struct spec_row, spec, FIELD_TEXT, .flags = 0),
    FIELD(struct spec_row, threshold, FIELD_REAL, .flags = 0),
    FIELD(struct spec_row, sample_size, FIELD_INT, .flags = 0),
    FIELD(struct spec_row, quantiles, FIELD_BLOB, .flags = FIELD_NULLABLE),
    FIELD(struct spec_row, usual_quantiles, FIELD_BLOB, .flags = FIELD_NULLABLE),
    FIELD(struct spec_row, unknown_share, FIELD_REAL, .flags = FIELD_NULLABLE),
    FIELD(struct spec_row, unseen_share, FIELD_REAL, .flags = FIELD_NULLABLE),
    FIELD(struct spec_row, rule, FIELD_INT, .flags = 0),
    FIELD(struct spec_row, rule_value, FIELD_REAL, .flags = FIELD_NULLABLE),
    FIELD(struct spec_row, rule_least, FIELD_REAL, .flags = FIELD_NULLABLE),
    FIELD_END,
};

/* Little-endian floats, whatever the machine. */
static void encode_quantiles(const float *quantiles, uint8_t ret[static MODEL_QUANTILE_BYTES])
{
    for (int i = 0; i < MODEL_ROW_QUANTILES; i++) {
        uint32_t bits;

        (void)memcpy(&bits, &quantiles[i], sizeof bits);
        for (int b = 0; b < 4; b++)
            ret[4 * i + b] = (uint8_t)(bits >> (8 * b));
    }
}

static const float *decode_quantiles(struct arena *arena, struct blob blob)
{
    const uint8_t *at = blob.bytes;
    float *quantiles;

    if (blob.length != MODEL_QUANTILE_BYTES)
        return NULL;
    quantiles = ARENA_ARRAY(arena, float, MODEL_ROW_QUANTILES);
    for (int i = 0; i < MODEL_ROW_QUANTILES; i++, at += 4) {
        uint32_t bits =
            at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;

        (void)memcpy(&quantiles[i], &bits, sizeof bits);
    }
    return quantiles;
}

static struct window_rule rule_of(const struct spec_row *row)
{
    bool known = row->rule > WINDOW_RULE_NONE && row->rule < WINDOW_RULE__MAX;

    return (struct window_rule){
        .kind = known && !isnan(row->rule_value) ? row->rule : WINDOW_RULE_NONE,
        .value = row->rule_value,
        .least = row->rule_least,
    };
}

static enum err_code read_specs(struct db *db, struct arena *arena, struct model_row *model,
                                struct err *err)
{
    AUTO(query_done) struct query q = {0};
    struct model_spec_row *specs = ARENA_ARRAY(arena, struct model_spec_row, MODEL_SPEC_ROWS_MAX);
    struct spec_row row;

    TRY(db_query(db, SQL_MODEL_SPECS, PARAMS(P_TEXT(model->id)), &q, err));
    while (model->spec_count < MODEL_SPEC_ROWS_MAX && query_next(&q, SPEC_FIELDS, arena, &row))
        specs[model->spec_count++] =
            (struct model_spec_row){.spec = row.spec,
                                    .threshold = row.threshold,
                                    .sample_size = row.sample_size,
                                    .quantiles = decode_quantiles(arena, row.quantiles),
                                    .usual_quantiles = decode_quantiles(arena, row.usual_quantiles),
                                    .unknown_share = row.unknown_share,
                                    .unseen_share = row.unseen_share,
                                    .rule = rule_of(&row)};
    model->specs = specs;
    return query_end(&q, err);
}

static struct model_row of_head(const struct head *head)
{
    return (struct model_row){
        .id = head->id,
        .detector = head->detector,
        .info = head->info,
        .path = head->path,
        .registered = head->registered,
        .last_used = head->last_used,
        .state = head->state,
        .activated = head->activated,
    };
}

enum err_code model_row_get(struct db *db, struct arena *arena, const char *id,
                            struct model_row *ret, struct err *err)
{
    struct head head;
    enum err_code code =
        db_row(db, SQL_MODEL_GET, PARAMS(P_TEXT(id)), HEAD_FIELDS, arena, &head, err);

    if (code == ERR_NOT_FOUND)
        return err_set(err, code, "the model %.128s is not registered", id);
    TRY(code);
    *ret = of_head(&head);
    return read_specs(db, arena, ret, err);
}

enum err_code model_row_list(struct db *db, struct arena *arena, struct model_row_list *ret,
                             struct err *err)
{
    AUTO(query_done) struct query q = {0};
    struct head head;

    *ret = (struct model_row_list){.items = ARENA_ARRAY(arena, struct model_row, MODEL_ROWS_MAX)};
    TRY(db_query(db, SQL_MODEL_LIST, PARAMS(P_INT(MODEL_ROWS_MAX)), &q, err));
    while (ret->count < MODEL_ROWS_MAX && query_next(&q, HEAD_FIELDS, arena, &head))
        ret->items[ret->count++] = of_head(&head);
    TRY(query_end(&q, err));
    for (size_t i = 0; i < ret->count; i++)
        TRY(read_specs(db, arena, &ret->items[i], err));
    return ERR_NONE;
}

/* Between two quantiles the percentile is interpolated. */
double model_row_percentile(const struct model_spec_row *spec, double score)
{
    const float *q = spec->quantiles;
    int low = 0, high = MODEL_ROW_QUANTILES - 1;

    if (q == NULL)
        return NAN;
    if (score <= (double)q[low])
        return 0;
    if (score >= (double)q[high])
        return 100;
    while (high - low > 1) {
        int middle = (low + high) / 2;

        if ((double)q[middle] <= score)
            low = middle;
        else
            high = middle;
    }
    return (low + (score - (double)q[low]) / ((double)q[high] - (double)q[low])) * 100.0 /
           (MODEL_ROW_QUANTILES - 1);
}

const struct model_spec_row *model_row_spec(const struct model_row *model, const char *spec)
{
    for (size_t i = 0; i < model->spec_count; i++)
        if (strcmp(model->specs[i].spec, spec) == 0)
            return &model->specs[i];
    return NULL;
}

enum err_code model_row_threshold(struct db *db, struct arena *arena, const struct model_row *model,
                                  const struct model_spec_row *spec, int64_t day_ms,
                                  struct window *ret_window, double *ret, bool *ret_by_window,
                                  struct err *err)
{
    double threshold;

    TRY(window_read(db, arena, model->id, spec->spec, day_ms, ret_window, err));
    threshold = window_rule_threshold(ret_window, &spec->rule);
    *ret_by_window = !isnan(threshold);
    *ret = *ret_by_window ? threshold : spec->threshold;
    return ERR_NONE;
}

static enum err_code insert_model(struct db *db, const struct model_register_job *job, int64_t *ret,
                                  struct err *err)
{
    AUTO(str_done) struct str body = {0};
    struct json_writer json;

    TRY(db_int(db, SQL_MODEL_INSERT,
               PARAMS(P_TEXT(job->model.id), P_TEXT(job->model.detector), P_TEXT(job->model.info),
                      P_INT(job->now_ms)),
               ret, err));
    str_init(&body, MODEL_BODY_BYTES_MAX);
    json_writer_init(&json, &body);
    json_object(&json, NULL);
    json_text(&json, "model", job->model.id);
    json_text(&json, "detector", job->model.detector);
    json_end(&json);
    TRY(str_check(&body, "a model's name", err));
    return change_add(db, CHANGE_MODEL_REGISTERED, job->actor, FIELD_NULL_INT, body.text, NULL,
                      err);
}

static enum err_code insert_spec(struct db *db, int64_t model_id, const struct model_spec_row *row,
                                 struct err *err)
{
    uint8_t quantiles[MODEL_QUANTILE_BYTES], usual[MODEL_QUANTILE_BYTES];
    bool known = row->usual_quantiles != NULL, ruled = row->rule.kind != WINDOW_RULE_NONE;
    double least = ruled && isfinite(row->rule.least) ? row->rule.least : NAN;
    int64_t spec_id;

    if (row->quantiles != NULL)
        encode_quantiles(row->quantiles, quantiles);
    if (known)
        encode_quantiles(row->usual_quantiles, usual);
    TRY(dictionary_spec(db, row->spec, &spec_id, err));
    return db_exec(db, SQL_MODEL_SPEC_INSERT,
                   PARAMS(P_INT(model_id), P_INT(spec_id), P_REAL(row->threshold),
                          P_INT(row->sample_size),
                          row->quantiles != NULL ? P_BLOB(quantiles, sizeof quantiles) : P_NULL,
                          known ? P_BLOB(usual, sizeof usual) : P_NULL,
                          known ? P_REAL_OR_NULL(row->unknown_share) : P_NULL,
                          known ? P_REAL_OR_NULL(row->unseen_share) : P_NULL,
                          ruled ? P_INT(row->rule.kind) : P_NULL,
                          ruled ? P_REAL(row->rule.value) : P_NULL, P_REAL_OR_NULL(least)),
                   NULL, err);
}

enum err_code model_register_job_run(struct db *db, void *job_, struct err *err)
{
    const struct model_register_job *job = job_;
    int64_t id;
    enum err_code code = db_int(db, SQL_MODEL_ID, PARAMS(P_TEXT(job->model.id)), &id, err);

    if (code == ERR_NOT_FOUND)
        code = insert_model(db, job, &id, err);
    TRY(code);
    for (size_t i = 0; i < job->model.spec_count; i++)
        TRY(insert_spec(db, id, &job->model.specs[i], err));
    return ERR_NONE;
}
