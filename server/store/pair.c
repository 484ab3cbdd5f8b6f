#include "store/pair.h"

#include <math.h>
#include <stdlib.h>

#include "base/arena.h"
#include "base/clock.h"
#include "store/db.h"
#include "store/observation_chunk.h"
#include "store/pair_run.h"

enum {
    NAMES_MS = 2000, /* for the names, when the rest took all of its time */
};
#define CHUNK_ARENA_BYTES ((size_t)32 << 20)

const struct field PAIR_SEEN_FIELDS[] = {
    FIELD(struct pair_seen, spec, FIELD_TEXT, .flags = 0),
    FIELD(struct pair_seen, sightings, FIELD_INT, .flags = 0),
    FIELD(struct pair_seen, observations, FIELD_INT, .flags = 0),
    FIELD(struct pair_seen, first, FIELD_TIME, .flags = 0),
    FIELD(struct pair_seen, last, FIELD_TIME, .flags = 0),
    FIELD(struct pair_seen, score, FIELD_REAL, .flags = 0),
    FIELD(struct pair_seen, percentile, FIELD_REAL, .flags = FIELD_NULLABLE),
    FIELD(struct pair_seen, model, FIELD_TEXT, .flags = 0),
    FIELD(struct pair_seen, threshold, FIELD_REAL, .flags = FIELD_NULLABLE),
    FIELD(struct pair_seen, finding, FIELD_INT, .flags = FIELD_NULLABLE),
    FIELD_END,
};

struct found_row {
    int64_t spec_id, finding, sightings, observations, first, last;
    double score, percentile;
    int64_t model_id;
};
static const struct field FOUND_FIELDS[] = {
    FIELD(struct found_row, spec_id, FIELD_INT, .flags = 0),
    FIELD(struct found_row, finding, FIELD_INT, .flags = 0),
    FIELD(struct found_row, sightings, FIELD_INT, .flags = 0),
    FIELD(struct found_row, observations, FIELD_INT, .flags = 0),
    FIELD(struct found_row, first, FIELD_TIME, .flags = 0),
    FIELD(struct found_row, last, FIELD_TIME, .flags = 0),
    FIELD(struct found_row, score, FIELD_REAL, .flags = 0),
    FIELD(struct found_row, percentile, FIELD_REAL, .flags = FIELD_NULLABLE),
    FIELD(struct found_row, model_id, FIELD_INT, .flags = 0),
    FIELD_END,
};

struct staged_row {
    int64_t spec_id, model_id, first, last, count;
    double score, percentile;
};
static const struct field STAGED_FIELDS[] = {
    FIELD(struct staged_row, spec_id, FIELD_INT, .flags = 0),
    FIELD(struct staged_row, model_id, FIELD_INT, .flags = 0),
    FIELD(struct staged_row, first, FIELD_TIME, .flags = 0),
    FIELD(struct staged_row, last, FIELD_TIME, .flags = 0),
    FIELD(struct staged_row, count, FIELD_INT, .flags = 0),
    FIELD(struct staged_row, score, FIELD_REAL, .flags = 0),
    FIELD(struct staged_row, percentile, FIELD_REAL, .flags = FIELD_NULLABLE),
    FIELD_END,
};

struct names {
    const char *spec, *model;
    double threshold;
};
static const struct field NAME_FIELDS[] = {
    FIELD(struct names, spec, FIELD_TEXT, .flags = 0),
    FIELD(struct names, model, FIELD_TEXT, .flags = 0),
    FIELD(struct names, threshold, FIELD_REAL, .flags = FIELD_NULLABLE),
    FIELD_END,
};

struct lookup {
    struct db *db;
    struct arena *arena;
    struct pair_lookup *result;
    int64_t until_mono_ms, entity_id;
    struct ip ip;
    int64_t spec_ids[PAIR_SPECS_MAX], model_ids[PAIR_SPECS_MAX];
};

/* The place of a spec, made when it is met first; NULL beyond PAIR_SPECS_MAX. */
static struct pair_seen *seen_of(struct lookup *look, int64_t spec_id)
{
    struct pair_lookup *result = look->result;
    size_t i = 0;

    while (i < result->count && look->spec_ids[i] != spec_id)
        i++;
    if (i == PAIR_SPECS_MAX)
        return NULL;
    if (i == result->count) {
        look->spec_ids[i] = spec_id;
        result->items[result->count++] = (struct pair_seen){.first = INT64_MAX,
                                                            .last = INT64_MIN,
                                                            .score = NAN,
                                                            .percentile = NAN,
                                                            .threshold = NAN,
                                                            .finding = FIELD_NULL_INT};
    }
    return &result->items[i];
}

struct sighting { /* or all those of a finding */
    int64_t spec_id, model_id, rows, events, first, last;
    double score, percentile;
};

static void add(struct lookup *look, const struct sighting *one)
{
    struct pair_seen *seen = seen_of(look, one->spec_id);

    if (seen == NULL)
        return;
    seen->sightings += one->rows;
    seen->observations += one->events;
    if (one->first < seen->first)
        seen->first = one->first;
    if (one->last > seen->last && seen->finding == FIELD_NULL_INT) {
        seen->score = one->score;
        seen->percentile = one->percentile;
        look->model_ids[seen - look->result->items] = one->model_id;
    }
    if (one->last > seen->last)
        seen->last = one->last;
}

static enum err_code add_findings(struct lookup *look, struct err *err)
{
    AUTO(query_done) struct query q = {0};
    struct found_row row;

    TRY(db_query(look->db, SQL_PAIR_FINDINGS, PARAMS(P_INT(look->entity_id), P_IP(&look->ip)), &q,
                 err));
    while (query_next(&q, FOUND_FIELDS, look->arena, &row)) {
        add(look, &(struct sighting){row.spec_id, row.model_id, row.sightings, row.observations,
                                     row.first, row.last, row.score, row.percentile});
        if (seen_of(look, row.spec_id) != NULL)
            seen_of(look, row.spec_id)->finding = row.finding;
    }
    return query_end(&q, err);
}

static enum err_code add_staged(struct lookup *look, struct err *err)
{
    AUTO(query_done) struct query q = {0};
    struct staged_row row;
    int64_t packed;

    TRY(db_int(look->db, SQL_COUNTER_GET, PARAMS(P_TEXT(OBSERVATIONS_PACKED)), &packed, err));
    TRY(db_query(look->db, SQL_PAIR_STAGED,
                 PARAMS(P_INT(packed), P_INT(look->entity_id), P_IP(&look->ip)), &q, err));
    while (query_next(&q, STAGED_FIELDS, look->arena, &row))
        add(look, &(struct sighting){row.spec_id, row.model_id, 1, row.count, row.first, row.last,
                                     row.score, row.percentile});
    return query_end(&q, err);
}

static enum err_code add_place(struct lookup *look, struct arena *arena,
                               const struct pair_place *place, int64_t since_ms, struct err *err)
{
    const struct observation *rows;
    size_t count;

    TRY(pair_read(look->db, arena, place, look->entity_id, &look->ip, &rows, &count, err));
    for (size_t i = 0; i < count; i++)
        if (rows[i].last_ms >= since_ms)
            add(look, &(struct sighting){rows[i].spec_id, rows[i].model_id,
                                         place->is_run ? rows[i].object_id : 1,
                                         (int64_t)rows[i].count, rows[i].first_ms, rows[i].last_ms,
                                         rows[i].score, rows[i].percentile});
    return ERR_NONE;
}

static enum err_code add_packed(struct lookup *look, struct err *err)
{
    AUTO(arena_done) struct arena places = {0};
    AUTO(arena_done) struct arena arena = {0};
    struct pair_places found;
    int64_t since_ms;

    arena_init(&places, CHUNK_ARENA_BYTES);
    arena_init(&arena, CHUNK_ARENA_BYTES);
    TRY(db_int(look->db, SQL_COUNTER_GET, PARAMS(P_TEXT(PAIRS_SINCE)), &since_ms, err));
    TRY(pair_places(look->db, &places, look->entity_id, PAIR_CHUNKS_MAX, &found, err));
    for (size_t i = 0; i < found.count; i++, arena_reset(&arena)) {
        int64_t day_ms = found.items[i].day_ms;

        look->result->partial_from = (day_ms > found.cut_ms ? day_ms : found.cut_ms) + DAY_MS;
        if (clock_mono_ms() >= look->until_mono_ms)
            return err_set(err, ERR_TIMEOUT, "the pair was not looked up to the end");
        TRY(add_place(look, &arena, &found.items[i], since_ms, err));
    }
    if (found.cut_ms != INT64_MIN)
        return err_set(err, ERR_TIMEOUT, "there are more chunks than are looked at");
    return ERR_NONE;
}

/* A deadline that passes is an answer: what was found until then. */
static enum err_code add_all(struct lookup *look, struct err *err)
{
    enum err_code code = add_findings(look, err);

    if (code == ERR_NONE)
        code = add_staged(look, err);
    if (code == ERR_NONE)
        code = add_packed(look, err);
    look->result->partial = code == ERR_TIMEOUT;
    if (code != ERR_TIMEOUT)
        look->result->partial_from = FIELD_NULL_INT;
    return code == ERR_TIMEOUT ? ERR_NONE : code;
}

static int by_last(const void *a_, const void *b_)
{
    const struct pair_seen *a = a_, *b = b_;

    return (a->last < b->last) - (a->last > b->last);
}

static enum err_code name_all(struct lookup *look, struct err *err)
{
    for (size_t i = 0; i < look->result->count; i++) {
        struct pair_seen *seen = &look->result->items[i];
        struct names names;

        TRY(db_row(look->db, SQL_PAIR_NAMES,
                   PARAMS(P_INT(look->model_ids[i]), P_INT(look->spec_ids[i])), NAME_FIELDS,
                   look->arena, &names, err));
        seen->spec = names.spec;
        seen->model = names.model;
        seen->threshold = names.threshold;
    }
    qsort(look->result->items, look->result->count, sizeof *look->result->items, by_last);
    return ERR_NONE;
}

enum err_code pair_look_up(struct db *db, struct arena *arena, const char *entity,
                           const struct ip *ip, int64_t until_mono_ms, struct pair_lookup *ret,
                           struct err *err)
{
    AUTO(tx_done) struct tx snapshot = {0};
    struct lookup *look = ARENA_NEW(arena, struct lookup);
    enum err_code code;

    *ret = (struct pair_lookup){.items = ARENA_ARRAY(arena, struct pair_seen, PAIR_SPECS_MAX),
                                .partial_from = FIELD_NULL_INT};
    *look = (struct lookup){
        .db = db, .arena = arena, .result = ret, .until_mono_ms = until_mono_ms, .ip = *ip};
    TRY(db_begin(db, &snapshot, err));
    code = db_int(db, SQL_PAIR_ENTITY, PARAMS(P_TEXT(entity)), &look->entity_id, err);
    if (code == ERR_NOT_FOUND)
        return tx_commit(&snapshot, err);
    TRY(code);
    db_deadline(db, until_mono_ms);
    TRY(add_all(look, err));
    db_deadline(db, clock_mono_ms() + NAMES_MS);
    tx_done(&snapshot); /* a query that was cut off has ended it; names stay what they are */
    return name_all(look, err);
}
