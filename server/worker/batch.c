/* One object: inspect, read, score, store. See worker.h for what fails an object and what stops
 * the worker. */
#include "worker/batch.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"
#include "base/str.h"
#include "lake/notice.h"
#include "lake/object.h"
#include "lake/pairs.h"
#include "model/model.h"
#include "store/ingest.h"
#include "store/object_row.h"
#include "store/writer.h"
#include "worker/endpoint_model.h"
#include "worker/endpoints.h"
#include "worker/explain.h"
#include "worker/models.h"
#include "worker/post.h"
#include "worker/scorer.h"
#include "worker/shadow.h"
#include "worker/turns.h"
#include "worker/windows.h"

enum { UNSCORED_JSON_BYTES_MAX = 1024 };
/* A busy writer or database is waited for this long before the worker gives up. */
enum { STORE_WAIT_MS = 120 * 1000, STORE_RETRY_FIRST_MS = 50, STORE_RETRY_LAST_MS = 2000 };

/* What was scored of one object, and why the rest was not. */
struct batch {
    struct scored_pair *scored;
    size_t count;
    uint64_t unscored[UNSCORED__MAX];
    const struct comparison *comparison; /* with the shadow, or NULL */
    uint64_t no_model, no_spec; /* rows the model knows no spec of; rows no spec asks for */
    uint64_t refused, ipv6;     /* rows whose pair the endpoint's model does not score */
};

const char *batch_model_spec(const struct model *model, const char *spec)
{
    struct model_calibration unused;

    if (model_calibration(model, spec, &unused))
        return spec;
    return model_calibration(model, "", &unused) ? "" : NULL;
}

static bool is_the_objects_fault(enum err_code code)
{
    return code == ERR_CORRUPT || code == ERR_INVALID || code == ERR_TOO_LARGE ||
           code == ERR_NOT_FOUND || code == ERR_IO || code == ERR_FORBIDDEN ||
           code == ERR_MEDIA_TYPE || code == ERR_TIMEOUT;
}

static const char *unscored_json(const struct batch *batch, struct arena *arena)
{
    AUTO(str_done) struct str text = {0};
    struct json_writer json;

    str_init(&text, UNSCORED_JSON_BYTES_MAX);
    json_writer_init(&json, &text);
    json_object(&json, NULL);
    for (int i = 0; i < UNSCORED__MAX; i++)
        if (batch->unscored[i] > 0)
            json_int(&json, UNSCORED_WORDS[i], (int64_t)batch->unscored[i]);
    if (batch->no_model > 0)
        json_int(&json, "no_model", (int64_t)batch->no_model);
    if (batch->no_spec > 0)
        json_int(&json, "no_spec", (int64_t)batch->no_spec);
    if (batch->refused > 0)
        json_int(&json, "refused", (int64_t)batch->refused);
    if (batch->ipv6 > 0)
        json_int(&json, "ipv6", (int64_t)batch->ipv6);
    json_end(&json);
    return arena_strndup(arena, text.text, text.length);
}

/* The pairs that the model can judge, in the order they came; ret_from[i] is the pair behind it. */
static size_t select_pairs(const struct scorer *scorer, const struct lake_result *lake,
                           struct model_pair *ret, size_t *ret_from, struct batch *batch)
{
    const char *spec = NULL, *model_spec = NULL;
    size_t count = 0;

    for (size_t i = 0; i < lake->pair_count; i++) {
        const struct lake_pair *pair = &lake->pairs[i];

        if (pair->spec != spec) { /* pairs come ordered by spec */
            spec = pair->spec;
            model_spec = scorer_spec(scorer, spec);
        }
        if (model_spec == NULL) {
            batch->no_model += pair->count;
            continue;
        }
        ret[count] = (struct model_pair){model_spec, pair->entity, pair->ip};
        ret_from[count++] = i;
    }
    return count;
}

static struct scored_pair scored_of(const struct lake_pair *pair, const struct model_score *score)
{
    return (struct scored_pair){
        .spec = pair->spec,
        .entity = pair->entity,
        .ip = pair->ip,
        .first_ms = pair->first_ms,
        .last_ms = pair->last_ms,
        .count = pair->count,
        .score = score->score,
        .percentile = score->percentile,
        .threshold = score->threshold,
        .flagged = score->flagged,
        .unanswered = pair->rejected || pair->one_way,
        .entity_known = score->entity_known,
        .known_bits = score->known_bits,
        .account = pair->account,
        .region = pair->region,
    };
}

/* By the window of the pair's spec, where it tells something. Returns it when it gave the
 * threshold.
 */
static const struct window *judge(const struct windows *windows, struct scored_pair *pair)
{
    struct windows_verdict verdict = {pair->percentile, pair->threshold, pair->flagged};
    const struct window *window;

    if (!pair->entity_known)
        return NULL;
    window = windows_judge(windows, pair->spec, pair->score, &verdict);
    pair->percentile = verdict.percentile;
    pair->threshold = verdict.threshold;
    pair->flagged = verdict.flagged;
    return window;
}

static const char *explain(const struct batch_context *context, const struct model_pair *pair,
                           struct scored_pair *scored, struct arena *arena)
{
    const struct window *window = judge(context->windows, scored);

    return explain_pair(context->set->model, pair,
                        &(struct explain_judged){scored->threshold, window}, arena);
}

/* Of a model that flags everything the explanations would be ten times the pairs. */
static void explain_pairs(const struct batch_context *context, const struct model_pair *pairs,
                          struct arena *arena, struct batch *batch)
{
    size_t before = arena->used_bytes;

    for (size_t i = 0; i < batch->count; i++)
        if (batch->scored[i].flagged && arena->used_bytes - before < context->explanation_bytes_max)
            batch->scored[i].explanation_json =
                explain(context, &pairs[i], &batch->scored[i], arena);
}

/* The pairs that got a score; pairs[] is left to those. */
static void keep_scored(const struct windows *windows, const struct lake_result *lake,
                        const size_t *from, const struct model_score *scores, const uint8_t *why,
                        size_t count, struct model_pair *pairs, struct batch *batch)
{
    for (size_t i = 0; i < count; i++) {
        const struct lake_pair *pair = &lake->pairs[from[i]];

        batch->refused += why[i] == REMOTE_REFUSED ? pair->count : 0;
        batch->ipv6 += why[i] == REMOTE_IPV6 ? pair->count : 0;
        if (why[i] != REMOTE_SCORED)
            continue;
        pairs[batch->count] = pairs[i];
        batch->scored[batch->count] = scored_of(pair, &scores[i]);
        (void)judge(windows, &batch->scored[batch->count++]);
    }
}

static enum err_code score_pairs(const struct batch_context *context,
                                 const struct lake_result *lake, struct arena *arena,
                                 struct batch *batch, struct err *err)
{
    const struct scorer scorer = {context->set, context->endpoints->scorer};
    size_t room = lake->pair_count > 0 ? lake->pair_count : 1;
    struct model_pair *pairs = ARENA_ARRAY(arena, struct model_pair, room);
    struct model_score *scores = ARENA_ARRAY(arena, struct model_score, room);
    uint8_t *why = ARENA_ARRAY(arena, uint8_t, room);
    size_t *from = ARENA_ARRAY(arena, size_t, room);
    size_t count = select_pairs(&scorer, lake, pairs, from, batch);

    batch->scored = ARENA_ARRAY(arena, struct scored_pair, room);
    TRY(scorer_run(&scorer, pairs, count, arena, scores, why, err));
    keep_scored(context->windows, lake, from, scores, why, count, pairs, batch);
    if (context->set->model != NULL)
        explain_pairs(context, pairs, arena, batch);
    if ((context->set->shadow != NULL || context->set->shadow_endpoint != NULL) && batch->count > 0)
        batch->comparison = shadow_compare(context->set, &context->endpoints->shadow, batch->scored,
                                           batch->count, arena);
    return ERR_NONE;
}

static const char *post_specs(const struct model_set *set, struct post_spec *ret, size_t *ret_count)
{
    struct model_info info;

    for (const char *const *name = set->spec_names; *name != NULL; name++) {
        struct model_calibration calibration;
        const char *model_spec;

        if (set->endpoint != NULL) {
            const struct model_spec_row *row = model_row_spec(&set->endpoint->row, *name);

            if (row != NULL)
                ret[(*ret_count)++] = (struct post_spec){*name, row->threshold};
            continue;
        }
        model_spec = batch_model_spec(set->model, *name);
        if (model_spec != NULL && model_calibration(set->model, model_spec, &calibration))
            ret[(*ret_count)++] = (struct post_spec){*name, calibration.threshold};
    }
    if (set->endpoint != NULL)
        return ENDPOINT_DETECTOR;
    model_info(set->model, &info);
    return DETECTOR_WORDS[info.detector];
}

static enum err_code post_results(const struct batch_context *context,
                                  const struct ingest_batch *batch, struct ingest_result *ret,
                                  struct err *err)
{
    struct post_spec specs[MODEL_SPECS_MAX];
    struct post_model model = {.specs = specs};

    model.detector = post_specs(context->set, specs, &model.spec_count);
    return post_batch(context->post, batch, &model, ret, err);
}

/* Waits for a busy store with a growing pause: a full queue is back-pressure, not a failure. */
static enum err_code store_part(const struct batch_context *context,
                                const struct ingest_batch *batch, struct ingest_result *ret,
                                struct err *err)
{
    struct ingest_job job = {.batch = batch};
    int64_t give_up_ms = clock_mono_ms() + STORE_WAIT_MS;
    int64_t pause_ms = STORE_RETRY_FIRST_MS;

    for (;;) {
        enum err_code code = writer_run_bulk(context->writer, ingest_job, &job, batch->count, err);

        if (code == ERR_NONE)
            *ret = job.result;
        if (code != ERR_BUSY || clock_mono_ms() >= give_up_ms)
            return code;
        if (atomic_load(context->stop))
            return err_set(err, ERR_CANCELLED, "stopped while the database was busy");
        clock_sleep_ms(pause_ms);
        pause_ms = pause_ms * 2 < STORE_RETRY_LAST_MS ? pause_ms * 2 : STORE_RETRY_LAST_MS;
    }
}

static void add_result(const struct ingest_result *part, struct ingest_result *to)
{
    to->repeated = part->repeated; /* the last part's: earlier ones may be of a try before */
    to->observations += part->observations;
    to->flagged += part->flagged;
    to->findings_new += part->findings_new;
    to->findings_updated += part->findings_updated;
}

/* A large object in parts, between which others may write. */
static enum err_code store_batch(const struct batch_context *context,
                                 const struct ingest_batch *batch, struct ingest_result *ret,
                                 struct err *err)
{
    size_t at = 0;

    if (context->post != NULL)
        return post_results(context, batch, ret, err);
    *ret = (struct ingest_result){0};
    do {
        struct ingest_object object = *batch->object;
        struct ingest_batch part = *batch;
        struct ingest_result stored = {0};

        object.offset = at;
        object.more = batch->count - at > WRITER_BULK_ROWS;
        part.object = &object;
        part.pairs = batch->pairs + at;
        part.count = object.more ? WRITER_BULK_ROWS : batch->count - at;
        part.comparison = object.more ? NULL : batch->comparison;
        TRY(store_part(context, &part, &stored, err));
        add_result(&stored, ret);
        at += part.count;
    } while (at < batch->count);
    return ERR_NONE;
}

static void add_totals(const struct lake_result *lake, const struct batch *batch,
                       const struct ingest_result *stored, int64_t made_ms,
                       struct worker_totals *totals)
{
    totals_stored(totals, made_ms, clock_now_ms());
    totals->objects++;
    totals->rows += lake->rows;
    totals->pairs += lake->pair_count;
    totals->scored += batch->count;
    for (int i = 0; i < UNSCORED__MAX; i++)
        totals->unscored[i] += batch->unscored[i];
    totals->unscored_no_model += batch->no_model;
    totals->unscored_no_spec += batch->no_spec;
    totals->unscored_refused += batch->refused;
    totals->unscored_ipv6 += batch->ipv6;
    totals->flagged += stored->flagged;
    totals->findings_new += stored->findings_new;
    totals->findings_updated += stored->findings_updated;
}

static enum err_code record_failure(const struct batch_context *context,
                                    const struct notice *notice, const struct object_info *info,
                                    const struct err *reason, struct worker_totals *totals,
                                    struct err *err)
{
    struct ingest_object object = {
        .bucket = notice->bucket,
        .key = notice->key,
        .etag = info->etag,
        .size_bytes = info->size_bytes,
        .made_ms = notice->time_ms,
        .folder = notice->path != NULL,
        .unscored_json = "{}",
        .error_code = err_word(reason->code),
        .error = reason->text,
    };
    struct ingest_batch batch = {
        .object = &object, .model_id = context->set->model_id, .origin = "worker"};
    struct ingest_result stored = {0};

    log_warn("object failed", "key=%s reason=%s", log_quote(notice->key), log_quote(reason->text));
    totals->objects++;
    totals->failed++;
    return store_batch(context, &batch, &stored, err);
}

/* What an endpoint makes of these pairs is recorded; that it is not there at all stops the worker.
 */
static bool is_recorded_of_scorer(enum err_code code)
{
    return code == ERR_INVALID || code == ERR_CORRUPT || code == ERR_UNAVAILABLE ||
           code == ERR_TOO_LARGE;
}

static enum err_code store_object(const struct batch_context *context, const struct notice *notice,
                                  const struct object_info *info, const struct lake_result *lake,
                                  struct arena *arena, struct turn *turn,
                                  struct worker_totals *totals, struct err *err)
{
    struct batch batch = {.no_spec = lake->rows_unclaimed};
    struct ingest_result stored = {0};
    struct err reason = {0};
    enum err_code code;
    struct ingest_object object = {
        .bucket = notice->bucket,
        .key = notice->key,
        .etag = info->etag,
        .size_bytes = info->size_bytes,
        .made_ms = notice->time_ms,
        .folder = notice->path != NULL,
        .rows = lake->rows,
        .pairs = lake->pair_count,
    };
    struct ingest_batch ingest = {
        .object = &object, .model_id = context->set->model_id, .origin = "worker"};

    for (size_t s = 0; s < lake->spec_count; s++)
        for (int i = 0; i < UNSCORED__MAX; i++)
            batch.unscored[i] += lake->specs[s].unscored[i];
    if (context->set->endpoint != NULL)
        turn_give(turn);
    code = score_pairs(context, lake, arena, &batch, &reason);
    turn_give(turn);
    if (is_recorded_of_scorer(code))
        return record_failure(context, notice, info, &reason, totals, err);
    if (code != ERR_NONE) {
        *err = reason;
        return err_prefix(err, "scoring %s", notice->key);
    }
    object.scored = batch.count;
    object.unscored_json = unscored_json(&batch, arena);
    ingest.pairs = batch.scored;
    ingest.count = batch.count;
    ingest.comparison = batch.comparison;

    code = store_batch(context, &ingest, &stored, err);
    if (code == ERR_INVALID && context->post != NULL) { /* the server will not have it */
        reason = *err;
        return record_failure(context, notice, info, &reason, totals, err);
    }
    TRY(code);
    if (stored.repeated) {
        totals->repeated++;
        return ERR_NONE;
    }
    add_totals(lake, &batch, &stored, notice->time_ms, totals);
    return ERR_NONE;
}

/* A server is not asked: it says so when it is given the object. */
static enum err_code was_stored(const struct batch_context *context, const struct notice *notice,
                                const char *etag, bool *ret, struct err *err)
{
    *ret = false;
    if (context->db == NULL || etag == NULL)
        return ERR_NONE;
    return ingest_object_done(context->db, notice->bucket, notice->key, etag, ret, err);
}

/* What an object that was never read goes by in the ledger. */
static const char *etag_of(const struct notice *notice)
{
    return notice->etag != NULL ? notice->etag : OBJECT_ETAG_UNKNOWN;
}

/* A path to read the object at: its own, or that of the open file it was fetched into. */
static enum err_code bring(const struct batch_context *context, const struct notice *notice,
                           struct arena *arena, int *ret_fd, struct object_info *ret,
                           const char **ret_path, struct err *err)
{
    *ret_path = notice->path;
    if (notice->path != NULL)
        return object_inspect(notice->path, context->object_bytes_max, ret, err);
    TRY(queue_fetch(context->queue, notice, context->object_bytes_max, ret_fd, ret, err));
    *ret_path = arena_printf(arena, "/proc/self/fd/%d", *ret_fd);
    return ERR_NONE;
}

/* Trouble on the way from S3 is recorded like a fault: the object comes again. */
static bool is_recorded(enum err_code code, bool fetched)
{
    return is_the_objects_fault(code) ||
           (!fetched && (code == ERR_UNAVAILABLE || code == ERR_RATE || code == ERR_UNAUTHORIZED ||
                         code == ERR_PRECONDITION));
}

enum err_code batch_run(const struct batch_context *context, const struct notice *notice,
                        struct arena *arena, struct worker_totals *totals, struct err *err)
{
    struct object_info info = {.size_bytes = notice->size_bytes};
    AUTO(fd_closep) int fd = -1;
    AUTO(turn_give) struct turn turn = {.turns = context->turns};
    struct lake_result lake = {0};
    struct err reason = {0};
    const char *path = NULL;
    bool done = false, fetched = notice->path != NULL;
    enum err_code code;

    TRY(was_stored(context, notice, notice->etag, &done, err));
    code = done ? ERR_NONE : bring(context, notice, arena, &fd, &info, &path, &reason);
    if (!done && code == ERR_NONE) {
        fetched = true;
        TRY(was_stored(context, notice, info.etag, &done, err));
    }
    if (done) {
        totals->repeated++;
        return ERR_NONE;
    }
    if (code == ERR_NONE) {
        turn_take(&turn);
        code = lake_read(context->lake, path, arena, &lake, &reason);
    }
    if (code == ERR_NONE)
        return store_object(context, notice, &info, &lake, arena, &turn, totals, err);
    turn_give(&turn);
    if (!is_recorded(code, fetched)) {
        *err = reason;
        return err_prefix(err, "reading %s", notice->key);
    }
    if (!fetched)
        (void)snprintf(info.etag, sizeof info.etag, "%s", etag_of(notice));
    return record_failure(context, notice, &info, &reason, totals, err);
}
