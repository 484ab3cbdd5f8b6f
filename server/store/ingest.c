/* A batch is sorted in memory: by finding, so that each gets one change, by hour, so that each
 * rollup is written once, and by day, entity and address, as observations are kept. */
#include "store/ingest.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/radix.h"
#include "base/str.h"
#include "store/arrival.h"
#include "store/db.h"
#include "store/dictionary.h"
#include "store/ingest_request.h"
#include "store/model_life.h"
#include "store/observation_chunk.h"
#include "store/rollup.h"
#include "store/sighting_group.h"
#include "store/window.h"

/* For each pair two index entries of 40 bytes; for each finding some kilobytes at a time. */
#define INGEST_ARENA_BYTES_MAX ((size_t)1 << 30)
enum { GROUP_ARENA_BYTES_MAX = 1 << 20, PROGRESS_BYTES = 80 };
/* Of the entity's nearest address: a shorter prefix in common is a network it has not used. */
enum { NETWORK_BITS_V4 = 16, NETWORK_BITS_V6 = 32 };

struct entry { /* one pair with the ids of its names */
    const struct scored_pair *pair;
    int64_t spec_id, entity_id, finding_id;
};

struct ingest {
    struct db *db;
    const struct ingest_batch *batch;
    struct ingest_result *result;
    struct entry *entries;
    int64_t model_id, now_ms;
    int64_t object_id; /* FIELD_NULL_INT without an object */
    uint64_t end;      /* how many of the object's pairs are stored with this batch */
};

enum err_code ingest_object_done(struct db *db, const char *bucket, const char *key,
                                 const char *etag, bool *ret, struct err *err)
{
    int64_t id;
    enum err_code code =
        db_int(db, SQL_OBJECT_DONE, PARAMS(P_TEXT(bucket), P_TEXT(key), P_TEXT(etag)), &id, err);

    *ret = code == ERR_NONE;
    return code == ERR_NOT_FOUND ? ERR_NONE : code;
}

/* Pairs come in runs of the same spec and entity, so the last ids are usually right. */
static enum err_code resolve_names(struct ingest *in, struct arena *arena, struct err *err)
{
    struct dictionary_name *names = ARENA_ARRAY(arena, struct dictionary_name, in->batch->count);
    const struct scored_pair *last = NULL;
    int64_t spec_id = 0;
    size_t count = 0;

    for (size_t i = 0; i < in->batch->count; i++) {
        const struct scored_pair *pair = &in->batch->pairs[i];

        if (last == NULL || strcmp(last->spec, pair->spec) != 0)
            TRY(dictionary_spec(in->db, pair->spec, &spec_id, err));
        if (last == NULL || strcmp(last->entity, pair->entity) != 0)
            names[count++] = (struct dictionary_name){.uid = pair->entity};
        in->entries[i] = (struct entry){pair, spec_id, (int64_t)count - 1, FIELD_NULL_INT};
        last = pair;
    }
    TRY(dictionary_entities(in->db, names, count, err));
    for (size_t i = 0; i < in->batch->count; i++)
        in->entries[i].entity_id = names[in->entries[i].entity_id].id;
    return ERR_NONE;
}

static int compare_numbers(int64_t a, int64_t b)
{
    return (a > b) - (a < b);
}

static int by_finding(const void *a_, const void *b_)
{
    const struct entry *a = *(const struct entry *const *)a_;
    const struct entry *b = *(const struct entry *const *)b_;
    int order = compare_numbers(a->spec_id, b->spec_id);

    if (order == 0)
        order = compare_numbers(a->entity_id, b->entity_id);
    return order != 0 ? order : ip_compare(&a->pair->ip, &b->pair->ip);
}

static int64_t hour_of(const struct entry *entry)
{
    return entry->pair->last_ms - entry->pair->last_ms % HOUR_MS;
}

static bool same_hour(const struct entry *a, const struct entry *b)
{
    return a->spec_id == b->spec_id && hour_of(a) == hour_of(b);
}

/* By spec, then hour, as they came within each. */
static void sort_by_hour(struct entry *entries, size_t count, struct entry **ret)
{
    AUTO(own_freep) struct radix_item *items = own_array(2 * count + 1, sizeof *items);

    for (size_t i = 0; i < count; i++)
        items[i] = (struct radix_item){(uint64_t)(hour_of(&entries[i]) / HOUR_MS), (uint32_t)i};
    radix_sort(items, items + count, count);
    for (size_t i = 0; i < count; i++)
        items[i].key = (uint64_t)entries[items[i].index].spec_id;
    radix_sort(items, items + count, count);
    for (size_t i = 0; i < count; i++)
        ret[i] = &entries[items[i].index];
}

static struct sighting_group group_of(const struct ingest *in, struct entry **entries, size_t count)
{
    struct sighting_group group = {
        .spec_id = entries[0]->spec_id,
        .entity_id = entries[0]->entity_id,
        .model_id = in->model_id,
        .highest = entries[0]->pair,
        .first_ms = entries[0]->pair->first_ms,
        .last_ms = entries[0]->pair->last_ms,
        .actor = in->batch->origin,
        .now_ms = in->now_ms,
    };

    for (size_t i = 0; i < count; i++) {
        const struct scored_pair *pair = entries[i]->pair;

        if (pair->score > group.highest->score)
            group.highest = pair;
        if (pair->first_ms < group.first_ms)
            group.first_ms = pair->first_ms;
        if (pair->last_ms > group.last_ms)
            group.last_ms = pair->last_ms;
        group.sightings++;
        group.events += (int64_t)pair->count;
    }
    return group;
}

static void note_group(struct ingest *in, const struct sighting_group *group,
                       struct entry **entries)
{
    for (int64_t i = 0; i < group->sightings; i++)
        entries[i]->finding_id = group->finding_id;
    in->result->flagged += (uint64_t)group->sightings;
    if (group->is_new)
        in->result->findings_new++;
    else
        in->result->findings_updated++;
}

static enum err_code store_findings(struct ingest *in, struct arena *arena, struct entry **sorted,
                                    struct err *err)
{
    struct sighting_group *groups;
    size_t count = 0, group_count = 0, end;

    for (size_t i = 0; i < in->batch->count; i++)
        if (in->entries[i].pair->flagged)
            sorted[count++] = &in->entries[i];
    qsort(sorted, count, sizeof *sorted, by_finding);
    groups = ARENA_ARRAY(arena, struct sighting_group, count);
    for (size_t i = 0; i < count; i = end) {
        for (end = i + 1; end < count && by_finding(&sorted[i], &sorted[end]) == 0;)
            end++;
        groups[group_count++] = group_of(in, sorted + i, end - i);
    }
    TRY(sighting_groups_store(in->db, arena, groups, group_count, err));
    for (size_t i = 0, at = 0; i < group_count; at += (size_t)groups[i++].sightings)
        note_group(in, &groups[i], sorted + at);
    return ERR_NONE;
}

static struct observation observation_of(const struct ingest *in, const struct entry *entry)
{
    const struct scored_pair *pair = entry->pair;

    return (struct observation){
        .entity_id = entry->entity_id,
        .ip = pair->ip,
        .spec_id = entry->spec_id,
        .model_id = in->model_id,
        .object_id = in->object_id,
        .first_ms = pair->first_ms,
        .last_ms = pair->last_ms,
        .count = pair->count,
        .score = pair->score,
        .percentile = pair->percentile,
        .unanswered = pair->unanswered,
    };
}

static enum err_code insert_row(struct db *db, const struct observation *row, int64_t finding_id,
                                struct err *err)
{
    return db_exec(db, SQL_OBSERVATION_INSERT,
                   PARAMS(P_INT(row->entity_id), P_IP(&row->ip), P_INT(row->spec_id),
                          P_INT(row->model_id), P_INT_OR_NULL(row->object_id), P_INT(row->first_ms),
                          P_INT(row->last_ms), P_INT((int64_t)row->count), P_REAL(row->score),
                          P_REAL_OR_NULL(row->percentile), P_INT(row->unanswered),
                          P_INT_OR_NULL(finding_id)),
                   NULL, err);
}

/* Flagged ones become rows; of the others those of which a day has many are packed. */
static enum err_code store_observations(struct ingest *in, struct arena *arena, struct err *err)
{
    struct observation *rows = ARENA_ARRAY(arena, struct observation, in->batch->count);
    struct observation **unflagged = ARENA_ARRAY(arena, struct observation *, in->batch->count);
    size_t count = 0, left;

    TRY(chunk_before_rows(in->db, err));
    for (size_t i = 0; i < in->batch->count; i++) {
        rows[i] = observation_of(in, &in->entries[i]);
        if (in->entries[i].finding_id == FIELD_NULL_INT)
            unflagged[count++] = &rows[i];
        else
            TRY(insert_row(in->db, &rows[i], in->entries[i].finding_id, err));
    }
    in->result->observations = in->batch->count;
    TRY(chunk_store(in->db, unflagged, count, CHUNK_BATCH_ROWS_MIN, &left, err));
    for (size_t i = 0; i < left; i++)
        TRY(insert_row(in->db, unflagged[i], FIELD_NULL_INT, err));
    /* Also when all are packed: look-ups read the rows behind the mark, flagged ones as well. */
    return chunk_pack(in->db, err);
}

static bool is_unseen(const struct scored_pair *pair)
{
    return pair->entity_known && pair->known_bits >= 0 &&
           pair->known_bits < (ip_is_v4(&pair->ip) ? NETWORK_BITS_V4 : NETWORK_BITS_V6);
}

static void count_entry(struct rollup_row *row, const struct entry *entry)
{
    row->observations++;
    row->events += (int64_t)entry->pair->count;
    row->flagged += entry->pair->flagged;
    row->unknown_entities += !entry->pair->entity_known;
    row->unseen_networks += is_unseen(entry->pair);
    row->bins[rollup_bin(entry->pair->score)]++;
}

static enum err_code store_rollups(struct ingest *in, struct entry **sorted, struct err *err)
{
    struct rollup_totals totals = {.observations = (int64_t)in->batch->count};
    size_t end;

    sort_by_hour(in->entries, in->batch->count, sorted);
    for (size_t i = 0; i < in->batch->count; i = end) {
        struct rollup_row row = {.key = {hour_of(sorted[i]), sorted[i]->spec_id, in->model_id}};

        for (end = i; end < in->batch->count && same_hour(sorted[i], sorted[end]); end++)
            count_entry(&row, sorted[end]);
        totals.flagged += row.flagged;
        TRY(rollup_add(in->db, &row, err));
    }
    return rollup_totals_add(in->db, &totals, err);
}

static bool is_telling(const struct scored_pair *pair)
{
    return pair->entity_known && isfinite((float)pair->score);
}

/* sorted: by hour, which is by spec first. */
static enum err_code store_windows(struct ingest *in, struct arena *arena, struct entry **sorted,
                                   struct err *err)
{
    struct window_entry *entries = ARENA_ARRAY(arena, struct window_entry, in->batch->count);
    size_t end;

    for (size_t i = 0; i < in->batch->count; i = end) {
        size_t count = 0;

        for (end = i; end < in->batch->count && sorted[i]->spec_id == sorted[end]->spec_id; end++)
            if (is_telling(sorted[end]->pair))
                entries[count++] = (struct window_entry){
                    window_hash(sorted[end]->entity_id, &sorted[end]->pair->ip),
                    (float)sorted[end]->pair->score};
        TRY(window_add(in->db, in->model_id, sorted[i]->spec_id, in->now_ms / DAY_MS * DAY_MS,
                       entries, count, err));
    }
    return ERR_NONE;
}

static const char *text_or_null(const char *text)
{
    return text[0] != '\0' ? text : NULL;
}

static enum err_code put_object(struct ingest *in, const struct arrival *arrival, struct err *err)
{
    const struct ingest_object *o = in->batch->object;
    const struct arrival_place *place = arrival->place;
    char progress[PROGRESS_BYTES];

    (void)snprintf(progress, sizeof progress, "%" PRIu64 " of %" PRIu64 " scored pairs are stored",
                   arrival->scored, o->scored);
    return db_int(in->db, SQL_OBJECT_PUT,
                  PARAMS(P_TEXT(o->bucket), P_TEXT(o->key), P_TEXT(o->etag),
                         P_INT((int64_t)o->size_bytes), P_INT((int64_t)o->rows),
                         P_INT((int64_t)o->pairs), P_INT((int64_t)arrival->scored),
                         P_TEXT(o->unscored_json), P_TEXT(o->more ? "incomplete" : o->error_code),
                         P_TEXT(o->more ? progress : o->error), P_INT(in->now_ms),
                         P_TEXT(text_or_null(place->source)), P_TEXT(text_or_null(place->region)),
                         P_TEXT(text_or_null(place->account)), P_INT(o->folder),
                         P_INT_OR_NULL(o->made_ms > 0 ? o->made_ms : FIELD_NULL_INT),
                         P_INT_OR_NULL(arrival->span.first_ms),
                         P_INT_OR_NULL(arrival->span.last_ms), P_INT(o->offset == 0)),
                  &in->object_id, err);
}

static enum err_code store_object(struct ingest *in, struct err *err)
{
    const struct ingest_object *o = in->batch->object;
    struct arrival_place place;
    struct arrival arrival = {
        .place = &place,
        .span = arrival_span_of(in->batch->pairs, in->batch->count),
        .made_ms = o->made_ms,
        .now_ms = in->now_ms,
        .rows = o->rows,
        .pairs = o->pairs,
        .scored = o->error != NULL ? 0
                  : o->more        ? in->end
                                   : o->scored,
        .unscored_json = o->unscored_json,
        .error_code = o->error_code,
        .error = o->error,
    };

    arrival_place_of(o->key, &place);
    TRY(put_object(in, &arrival, err));
    arrival.object_id = in->object_id;
    return o->more ? ERR_NONE : arrival_add(in->db, &arrival, err);
}

static enum err_code store_all(struct ingest *in, struct err *err)
{
    AUTO(arena_done) struct arena arena = {0};
    size_t room = in->batch->count > 0 ? in->batch->count : 1;
    struct entry **sorted;

    arena_init(&arena, INGEST_ARENA_BYTES_MAX);
    in->entries = ARENA_ARRAY(&arena, struct entry, room);
    sorted = ARENA_ARRAY(&arena, struct entry *, room);
    if (in->batch->object != NULL)
        TRY(store_object(in, err));
    if (in->batch->count == 0)
        return ERR_NONE;
    TRY(dictionary_model(in->db, in->batch->model_id, &in->model_id, err));
    TRY(db_exec(in->db, SQL_MODEL_USED, PARAMS(P_INT(in->now_ms), P_INT(in->model_id)), NULL, err));
    TRY(resolve_names(in, &arena, err));
    TRY(store_findings(in, &arena, sorted, err));
    TRY(store_observations(in, &arena, err));
    if (in->batch->comparison != NULL)
        TRY(comparison_add(in->db, in->batch->model_id, in->batch->comparison,
                           in->batch->pairs[0].first_ms, err));
    TRY(store_rollups(in, sorted, err));
    return store_windows(in, &arena, sorted, err);
}

/* Leaves out the pairs that an earlier delivery of the object brought before it broke off. *ret:
 * nothing is left of the batch. */
static enum err_code skip_stored(struct db *db, struct ingest_batch *batch, bool *ret,
                                 struct err *err)
{
    const struct ingest_object *o = batch->object;
    int64_t stored = 0;
    uint64_t skip;
    enum err_code code =
        db_int(db, SQL_OBJECT_PAIRS_STORED,
               PARAMS(P_TEXT(o->bucket), P_TEXT(o->key), P_TEXT(o->etag)), &stored, err);

    if (code != ERR_NONE && code != ERR_NOT_FOUND)
        return code;
    if ((uint64_t)stored < o->offset)
        return err_set(err, ERR_CONFLICT,
                       "the object goes on at pair %" PRIu64 ", and only %" PRId64 " are stored",
                       o->offset, stored);
    skip = (uint64_t)stored - o->offset;
    skip = skip < batch->count ? skip : batch->count;
    batch->pairs += skip;
    batch->count -= skip;
    *ret = o->more && batch->count == 0;
    return ERR_NONE;
}

/* The same of a POST in parts that broke off. *ret: nothing is left of this part. What is forgotten
 * was stored to its end when its key is gone. Less is stored than this request saw when the same
 * body was begun anew by another one, for which it waits. */
static enum err_code skip_kept(const struct ingest_kept *kept, struct ingest_batch *batch,
                               bool *ret, struct err *err)
{
    uint64_t skip;

    *ret = batch->forget && batch->offset > 0 && !kept->found;
    if (*ret)
        return ERR_NONE;
    if (kept->stored < batch->offset && batch->forget)
        return err_set(err, ERR_BUSY, "the same body is stored by another request: try again");
    if (kept->stored < batch->offset)
        return err_set(err, ERR_CONFLICT,
                       "the body goes on at pair %" PRIu64 ", and only %" PRIu64 " are stored",
                       batch->offset, kept->stored);
    skip = kept->stored - batch->offset;
    skip = skip < batch->count ? skip : batch->count;
    batch->pairs += skip;
    batch->count -= skip;
    *ret = batch->more && batch->count == 0;
    return ERR_NONE;
}

static void add_counts(struct ingest_result *to, const struct ingest_result *more)
{
    to->observations += more->observations;
    to->flagged += more->flagged;
    to->findings_new += more->findings_new;
    to->findings_updated += more->findings_updated;
}

/* *ret: it was stored before, as a whole or this part of it. */
static enum err_code find_stored(struct ingest *in, struct ingest_batch *batch,
                                 struct ingest_kept *kept, bool *ret, struct err *err)
{
    const struct ingest_object *object = batch->object;

    *ret = false;
    if (object != NULL)
        TRY(ingest_object_done(in->db, object->bucket, object->key, object->etag,
                               &in->result->repeated, err));
    if (batch->idempotency_key != NULL)
        TRY(ingest_recall(in->db, batch, kept, err));
    if (kept->whole && batch->forget && batch->offset == 0)
        *kept = (struct ingest_kept){0};
    if (kept->whole)
        *in->result = kept->counts;
    in->result->repeated |= kept->whole;
    *ret = in->result->repeated;
    if (*ret)
        return ERR_NONE;
    if (object == NULL && batch->idempotency_key != NULL)
        return skip_kept(kept, batch, ret, err);
    if (object == NULL || object->error != NULL)
        return ERR_NONE;
    TRY(skip_stored(in->db, batch, ret, err));
    in->result->repeated = *ret;
    return ERR_NONE;
}

enum err_code ingest_job(struct db *db, void *job_, struct err *err)
{
    struct ingest_job *job = job_;
    struct ingest_batch rest = *job->batch, *batch = &rest;
    struct ingest_kept kept = {0};
    struct ingest in = {
        .db = db,
        .batch = batch,
        .end = batch->object != NULL ? batch->object->offset + batch->count : 0,
        .result = &job->result,
        .now_ms = clock_now_ms(),
        .object_id = FIELD_NULL_INT,
    };
    bool stored;

    job->result = (struct ingest_result){0};
    TRY(find_stored(&in, batch, &kept, &stored, err));
    if (!stored)
        TRY(store_all(&in, err));
    if (!kept.whole)
        add_counts(&job->result, &kept.counts);
    if (stored || batch->idempotency_key == NULL)
        return ERR_NONE;
    return ingest_remember(db, batch, job->batch->offset + job->batch->count, &job->result,
                           in.now_ms, err);
}
