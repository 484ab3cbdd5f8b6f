/* POST /api/v1/scores: what an outside worker scored. All of it is checked before any is stored. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "api/app.h"
#include "api/score_body.h"
#include "base/arena.h"
#include "base/clock.h"
#include "base/crypto.h"
#include "base/str.h"
#include "gen/routes.h"
#include "http/server.h"
#include "store/ingest.h"
#include "store/model_row.h"
#include "store/writer.h"

enum { KEY_LENGTH_MAX = 255 };

/* Thresholds of the batch's specs: the registered ones, then those this batch brings. */
struct specs {
    struct model_spec_row items[MODEL_SPEC_ROWS_MAX];
    size_t count, registered;
};

static const struct model_spec_row *spec_find(const struct specs *specs, const char *name)
{
    for (size_t i = 0; i < specs->count; i++)
        if (strcmp(specs->items[i].spec, name) == 0)
            return &specs->items[i];
    return NULL;
}

static enum err_code spec_add(struct specs *specs, const struct model_spec_row *row,
                              struct err *err)
{
    if (specs->count == MODEL_SPEC_ROWS_MAX)
        return err_set(err, ERR_TOO_LARGE, "a model has at most %d specs", MODEL_SPEC_ROWS_MAX);
    specs->items[specs->count++] = *row;
    return ERR_NONE;
}

/* A model that is registered keeps its detector and its thresholds. */
static enum err_code load_specs(struct request *req, const struct score_body *body,
                                const char *threshold_pointer, struct specs *ret, struct err *err)
{
    struct model_row model;
    struct db *db;
    enum err_code code;

    ret->count = ret->registered = 0;
    TRY(app_db(req, &db, err));
    code = model_row_get(db, req->arena, body->model, &model, err);
    if (code == ERR_NOT_FOUND)
        return ERR_NONE;
    TRY(code);
    for (size_t i = 0; i < model.spec_count; i++) {
        const struct model_spec_row *row = &model.specs[i];

        TRY(spec_add(ret, row, err));
        ret->registered++;
        if (!isnan(body->threshold) && body->threshold != row->threshold &&
            str_equal(body->spec, row->spec))
            json_fault(&req->faults, threshold_pointer,
                       "is not the registered %.17g: another threshold needs another model id",
                       row->threshold);
    }
    return ERR_NONE;
}

/* Every spec of the rows has a threshold afterwards, or there is a fault. */
static enum err_code complete_specs(struct request *req, const struct score_body *body,
                                    const char *threshold_pointer, struct specs *specs,
                                    struct err *err)
{
    const char *last = NULL; /* rows come in runs of one spec */

    for (size_t i = 0; i < body->count; i++) {
        const char *name = body->rows[i].spec;

        if ((last != NULL && strcmp(last, name) == 0) || spec_find(specs, name) != NULL) {
            last = name;
            continue;
        }
        if (isnan(body->threshold)) {
            json_fault(&req->faults, threshold_pointer,
                       "is missing: the model is not registered for %.64s", name);
            return ERR_NONE;
        }
        TRY(spec_add(specs, &(struct model_spec_row){.spec = name, .threshold = body->threshold},
                     err));
    }
    return ERR_NONE;
}

/* One transaction: a model is registered only together with its first scores. */
struct scores_job {
    struct model_register_job model;
    struct ingest_job ingest;
};

static enum err_code scores_job_run(struct db *db, void *argument, struct err *err)
{
    struct scores_job *job = argument;

    if (job->model.model.spec_count > 0)
        TRY(model_register_job_run(db, &job->model, err));
    return ingest_job(db, &job->ingest, err);
}

static struct model_register_job new_specs(const struct request *req, const struct score_body *body,
                                           const struct specs *specs)
{
    return (struct model_register_job){
        .actor = req->actor,
        .now_ms = clock_now_ms(),
        .model =
            {
                .id = body->model,
                .detector = body->detector != NULL ? body->detector : "outside",
                .info = "{}",
                .specs = specs->items + specs->registered,
                .spec_count = specs->count - specs->registered,
            },
    };
}

static struct scored_pair pair_of(const struct score_row *row, const struct model_spec_row *spec)
{
    bool given = !isnan(row->percentile);

    return (struct scored_pair){
        .spec = row->spec,
        .entity = row->entity,
        .ip = row->ip,
        .first_ms = row->time_ms,
        .last_ms = row->last_ms,
        .count = (uint64_t)row->count,
        .score = row->score,
        .percentile = given ? row->percentile : model_row_percentile(spec, row->score),
        .flagged = row->score > spec->threshold,
        .unanswered = row->unanswered != 0,
        .entity_known = row->entity_known != 0,
        .known_bits = (int)row->known_bits,
        .account = row->account,
        .region = row->region,
        .explanation_json = row->explanation,
    };
}

static bool key_is_valid(const char *key, size_t length)
{
    for (size_t i = 0; i < length; i++)
        if (key[i] <= ' ' || key[i] > '~' || key[i] == '"')
            return false;
    return length > 0 && length <= KEY_LENGTH_MAX;
}

/* The caller's key without quotes; NULL when there is none. */
static enum err_code read_key(struct request *req, const char **ret, struct err *err)
{
    const char *header = request_header(req, "Idempotency-Key");
    size_t length = header != NULL ? strlen(header) : 0;

    *ret = NULL;
    if (header == NULL)
        return ERR_NONE;
    if (length >= 2 && header[0] == '"' && header[length - 1] == '"') {
        header++;
        length -= 2;
    }
    if (!key_is_valid(header, length))
        return err_set(err, ERR_INVALID, "Idempotency-Key must be 1 to %d visible ASCII characters",
                       KEY_LENGTH_MAX);
    *ret = arena_strndup(req->arena, header, length);
    return ERR_NONE;
}

/* Over all that decides what is stored: media type, parameters, body. */
static const char *digest_of(struct request *req)
{
    struct sha256 *sha = sha256_new();
    uint8_t digest[SHA256_BYTES];
    char *hex = arena_alloc(req->arena, SHA256_HEX_BYTES);

    sha256_add(sha, req->content_type, strlen(req->content_type) + 1);
    for (const struct name_value *at = req->query; at->name != NULL; at++) {
        sha256_add(sha, at->name, strlen(at->name) + 1);
        sha256_add(sha, at->value, strlen(at->value) + 1);
    }
    sha256_add(sha, req->body, req->body_length);
    sha256_end(sha, digest);
    hex_encode(digest, sizeof digest, hex);
    return hex;
}

static void write_receipt(struct json_writer *w, const struct ingest_result *result)
{
    json_object(w, NULL);
    json_int(w, "observations", (int64_t)result->observations);
    json_int(w, "flagged", (int64_t)result->flagged);
    json_int(w, "findings_new", (int64_t)result->findings_new);
    json_int(w, "findings_updated", (int64_t)result->findings_updated);
    json_bool(w, "repeated", result->repeated);
    json_end(w);
}

/* What storing a score costs: a flagged one is several statements. So much at a time, that nobody
 * waits long for the writer; a body of more is stored in parts, each a transaction. */
enum { PART_COST_MAX = WRITER_BULK_ROWS, PAIR_COST = 1, FLAGGED_COST = 80 };
enum { PART_WAIT_MS = 50, PART_WAIT_MS_MAX = 30000 }; /* for a writer that has much to do */
#define PART_ARENA_BYTES_MAX ((size_t)PART_COST_MAX * sizeof(struct scored_pair) + 4096)

/* How many of the rows are a part; their pairs go to ret unless it is NULL. */
static size_t part_of(const struct score_row *rows, size_t count, const struct specs *specs,
                      struct scored_pair *ret, size_t *ret_cost)
{
    const struct model_spec_row *spec = NULL;
    size_t n = 0, cost = 0;

    for (; n < count; n++) {
        size_t more;

        if (spec == NULL || strcmp(spec->spec, rows[n].spec) != 0)
            spec = spec_find(specs, rows[n].spec);
        more = rows[n].score > spec->threshold ? FLAGGED_COST : PAIR_COST;
        if (n > 0 && cost + more > PART_COST_MAX)
            break;
        cost += more;
        if (ret != NULL)
            ret[n] = pair_of(&rows[n], spec);
    }
    *ret_cost = cost;
    return n;
}

/* After the first part the caller is asked to come again only by a server that stops or whose
 * writer has no time at all. */
static enum err_code run_part(struct app *app, struct scores_job *job, size_t cost, bool is_first,
                              struct err *err)
{
    int64_t until_ms = clock_mono_ms() + PART_WAIT_MS_MAX;

    for (;;) {
        enum err_code code = writer_run_bulk(app->writer, scores_job_run, job, cost, err);

        if (code != ERR_BUSY || is_first || clock_mono_ms() >= until_ms ||
            http_server_stops(atomic_load(&app->server)))
            return code;
        clock_sleep_ms(PART_WAIT_MS);
    }
}

static void add_part(struct ingest_result *sum, const struct ingest_result *part, bool has_key)
{
    bool repeated = sum->repeated && part->repeated;
    struct ingest_result before = *sum;

    *sum = *part;
    if (has_key) { /* counts of all parts so far; none when another request stored the rest */
        if (part->observations < before.observations)
            *sum = before;
        sum->repeated = repeated;
        return;
    }
    sum->repeated = repeated;
    sum->observations += before.observations;
    sum->flagged += before.flagged;
    sum->findings_new += before.findings_new;
    sum->findings_updated += before.findings_updated;
}

/* batch: the whole but for its pairs, which are made of the rows a part at a time. */
static enum err_code store_parts(struct request *req, struct scores_job *job,
                                 const struct score_body *body, const struct specs *specs,
                                 const struct ingest_batch *whole, struct ingest_result *ret,
                                 struct err *err)
{
    AUTO(arena_done) struct arena arena = {.blocks = NULL};
    struct ingest_batch batch = *whole;
    struct ingest_object object = {0};
    struct app *app = app_of(req);
    struct scored_pair *pairs;
    size_t at = 0, cost;

    *ret = (struct ingest_result){.repeated = true};
    arena_init(&arena, PART_ARENA_BYTES_MAX);
    pairs = ARENA_ARRAY(&arena, struct scored_pair,
                        whole->count < PART_COST_MAX ? whole->count + 1 : PART_COST_MAX);
    job->ingest.batch = &batch;
    batch.pairs = pairs;
    do {
        if (at > 0 && http_server_stops(atomic_load(&app->server)))
            return err_set(err, ERR_BUSY, "the server stops; the same body again goes on");
        batch.count = part_of(body->rows + at, whole->count - at, specs, pairs, &cost);
        batch.offset = at;
        batch.more = at + batch.count < whole->count;
        if (whole->object != NULL) {
            object = *whole->object;
            object.offset += at;
            object.more |= batch.more;
            batch.object = &object;
        }
        TRY(run_part(app, job, cost, at == 0, err));
        job->model.model.spec_count = 0; /* it is registered now */
        add_part(ret, &job->ingest.result, batch.idempotency_key != NULL);
        at += batch.count;
    } while (at < whole->count && !(ret->repeated && whole->object == NULL));
    return ERR_NONE;
}

/* The key of a body in parts that has none, in which there is no blank: by it the same body is gone
 * on with after it broke off. digest: NULL unless it is known. */
static void key_of_parts(struct request *req, const struct score_body *body,
                         const struct specs *specs, const char *digest, struct ingest_batch *batch)
{
    size_t cost;

    if (batch->object != NULL || batch->idempotency_key != NULL ||
        part_of(body->rows, body->count, specs, NULL, &cost) == body->count)
        return;
    batch->request_digest = digest != NULL ? digest : digest_of(req);
    batch->idempotency_key = arena_printf(req->arena, "body %s", batch->request_digest);
    batch->forget = true;
}

static enum err_code store_scores(struct request *req, struct arena *arena,
                                  const struct score_body *body, const char *key,
                                  const char *digest, struct ingest_result *ret, struct err *err)
{
    const char *pointer =
        str_equal(req->content_type, "application/x-ndjson") ? "?threshold" : "/threshold";
    struct specs *specs = ARENA_NEW(arena, struct specs);
    struct ingest_batch batch = {
        .object = body->object,
        .model_id = body->model,
        .origin = req->actor,
        .idempotency_key = key,
        .request_digest = key != NULL ? digest : NULL,
        .count = body->count,
    };
    struct scores_job job = {.ingest = {.batch = &batch}};

    TRY(load_specs(req, body, pointer, specs, err));
    TRY(complete_specs(req, body, pointer, specs, err));
    TRY(json_faults_check(&req->faults, err));
    job.model = new_specs(req, body, specs);
    key_of_parts(req, body, specs, digest, &batch);
    request_body_done(req); /* it may be long until all is stored */
    return store_parts(req, &job, body, specs, &batch, ret, err);
}

enum err_code create_scores(struct request *req, struct reply *reply, struct err *err)
{
    AUTO(arena_done) struct arena arena = {.blocks = NULL};
    struct ingest_result result;
    const char *key, *digest = NULL;
    struct score_body body;

    arena_init(&arena, SCORES_ARENA_BYTES_MAX);
    TRY(read_key(req, &key, err));
    if (key != NULL || req->body_length >= SCORES_BODY_LARGE_BYTES)
        digest = digest_of(req);
    TRY(score_body_read(req, &arena, &body, err));
    TRY(store_scores(req, &arena, &body, key, digest, &result, err));
    write_receipt(&reply->json, &result);
    return ERR_NONE;
}
