#include "store/profile.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/hash.h"
#include "base/own.h"
#include "store/db.h"
#include "store/observation_chunk.h"
#include "store/profile_gathering.h"
#include "store/rollup.h"

enum {
    SLOTS = 1 << 16,           /* of the table of partners: more than twice as many as there are */
    CHUNKS_MAX = 100000,       /* looked at for one answer */
    FLAGGED_ROWS_MAX = 100000, /* findings, and sightings of theirs */
    NAMES_MS = 2000,           /* for the names, when the rest took all of its time */
};
_Static_assert((int)PROFILE_DAYS == (int)PAIR_DAYS, "runs of pairs keep as many days as are told");
#define CHUNK_ARENA_BYTES ((size_t)32 << 20)

#define PARTNER_FIELDS                                                                             \
    FIELD(struct profile_partner, sightings, FIELD_INT, .flags = 0),                               \
        FIELD(struct profile_partner, observations, FIELD_INT, .flags = 0),                        \
        FIELD(struct profile_partner, first, FIELD_TIME, .flags = 0),                              \
        FIELD(struct profile_partner, last, FIELD_TIME, .flags = 0),                               \
        FIELD(struct profile_partner, percentile, FIELD_REAL, .flags = FIELD_NULLABLE),            \
        FIELD(struct profile_partner, finding, FIELD_INT, .flags = FIELD_NULLABLE), FIELD_END
const struct field PROFILE_ADDRESS_FIELDS[] = {
    FIELD(struct profile_partner, ip, FIELD_IP, .flags = 0),
    PARTNER_FIELDS,
};
const struct field PROFILE_ENTITY_FIELDS[] = {
    FIELD(struct profile_partner, entity, FIELD_TEXT, .flags = 0),
    PARTNER_FIELDS,
};
const struct field PROFILE_NETWORK_FIELDS[] = {
    FIELD(struct profile_network, network, FIELD_TEXT, .flags = 0),
    FIELD(struct profile_network, addresses, FIELD_INT, .flags = 0),
    FIELD(struct profile_network, observations, FIELD_INT, .flags = 0),
    FIELD(struct profile_network, last, FIELD_TIME, .flags = 0),
    FIELD_END,
};
const struct field PROFILE_SPEC_FIELDS[] = {
    FIELD(struct profile_spec, spec, FIELD_TEXT, .flags = 0),
    FIELD(struct profile_spec, sightings, FIELD_INT, .flags = 0),
    FIELD(struct profile_spec, observations, FIELD_INT, .flags = 0),
    FIELD(struct profile_spec, last, FIELD_TIME, .flags = 0),
    FIELD_END,
};

struct seen_row { /* a pair under a spec: a finding, what a run holds, or a single sighting */
    int64_t entity_id;
    struct ip ip;
    int64_t finding, spec_id, sightings, count, first, last;
    double percentile;
};
static const struct field SEEN_FIELDS[] = {
    FIELD(struct seen_row, entity_id, FIELD_INT, .flags = 0),
    FIELD(struct seen_row, ip, FIELD_IP, .flags = 0),
    FIELD(struct seen_row, finding, FIELD_INT, .flags = FIELD_NULLABLE),
    FIELD(struct seen_row, spec_id, FIELD_INT, .flags = 0),
    FIELD(struct seen_row, sightings, FIELD_INT, .flags = 0),
    FIELD(struct seen_row, count, FIELD_INT, .flags = 0),
    FIELD(struct seen_row, first, FIELD_INT, .flags = 0),
    FIELD(struct seen_row, last, FIELD_INT, .flags = 0),
    FIELD(struct seen_row, percentile, FIELD_REAL, .flags = FIELD_NULLABLE),
    FIELD_END,
};
struct event_row {
    int64_t last, count;
};
static const struct field EVENT_FIELDS[] = {
    FIELD(struct event_row, last, FIELD_INT, .flags = 0),
    FIELD(struct event_row, count, FIELD_INT, .flags = 0),
    FIELD_END,
};
static uint64_t key_hash(const struct gathering *all, const struct seen_row *row)
{
    return is_of_entity(all)
               ? hash_mix(hash_bytes(row->ip.bytes, sizeof row->ip.bytes, hash_seed()))
               : hash_mix((uint64_t)row->entity_id);
}

static bool same_key(const struct gathering *all, const struct partner *partner,
                     const struct seen_row *row)
{
    return is_of_entity(all) ? ip_equal(&partner->seen.ip, &row->ip)
                             : partner->entity_id == row->entity_id;
}

/* NULL beyond PROFILE_PARTNERS_MAX. */
static struct partner *partner_of(struct gathering *all, const struct seen_row *row)
{
    size_t at = key_hash(all, row) % SLOTS;
    size_t count = (size_t)all->result->partner_count;

    while (all->slots[at] != 0 && !same_key(all, &all->partners[all->slots[at] - 1], row))
        at = (at + 1) % SLOTS;
    if (all->slots[at] != 0)
        return &all->partners[all->slots[at] - 1];
    if (count == PROFILE_PARTNERS_MAX)
        return NULL;
    all->partners[count] = (struct partner){.entity_id = row->entity_id,
                                            .seen = {.ip = row->ip,
                                                     .first = row->first,
                                                     .last = row->last,
                                                     .percentile = NAN,
                                                     .finding = FIELD_NULL_INT},
                                            .told_ms = INT64_MIN};
    all->slots[at] = (uint32_t)++all->result->partner_count;
    return &all->partners[count];
}

/* Of a finding the highest, otherwise that of the last sighting. */
static void add_percentile(struct partner *partner, const struct seen_row *row)
{
    struct profile_partner *seen = &partner->seen;

    if (row->finding != FIELD_NULL_INT) {
        seen->percentile = seen->finding == FIELD_NULL_INT
                               ? row->percentile
                               : fmax(seen->percentile, row->percentile);
        seen->finding = row->finding;
    } else if (seen->finding == FIELD_NULL_INT && row->last > partner->told_ms) {
        seen->percentile = row->percentile;
        partner->told_ms = row->last;
    }
}

static void add_partner(struct gathering *all, const struct seen_row *row)
{
    struct partner *partner = partner_of(all, row);
    struct profile_partner *seen;

    if (partner == NULL)
        return;
    seen = &partner->seen;
    seen->sightings += row->sightings;
    seen->observations += row->count;
    seen->first = row->first < seen->first ? row->first : seen->first;
    seen->last = row->last > seen->last ? row->last : seen->last;
    add_percentile(partner, row);
}

static void add_spec(struct gathering *all, const struct seen_row *row)
{
    struct profile *result = all->result;
    size_t i = 0;

    while (i < result->spec_count && all->specs[i].id != row->spec_id)
        i++;
    if (i == PROFILE_SPECS)
        return;
    if (i == result->spec_count)
        all->specs[result->spec_count++] = (struct spec_sum){.id = row->spec_id};
    all->specs[i].seen.sightings += row->sightings;
    all->specs[i].seen.observations += row->count;
    if (row->last > all->specs[i].seen.last)
        all->specs[i].seen.last = row->last;
}

static void add_seen(struct gathering *all, const struct seen_row *row)
{
    struct profile *result = all->result;

    result->sightings += row->sightings;
    result->observations += row->count;
    if (result->first == FIELD_NULL_INT || row->first < result->first)
        result->first = row->first;
    if (result->last == FIELD_NULL_INT || row->last > result->last)
        result->last = row->last;
    add_partner(all, row);
    add_spec(all, row);
}

static void add_events(struct gathering *all, int64_t last_ms, int64_t count, int64_t flagged)
{
    struct profile *result = all->result;
    int64_t day = (last_ms - result->since) / DAY_MS;

    if (last_ms < result->since || day >= PROFILE_DAYS)
        return;
    result->events[day] += count;
    result->flagged[day] += flagged;
}

/* Findings, or single sightings; ERR_TIMEOUT: there may be more than rows_max. */
static enum err_code add_query(struct gathering *all, enum sql_id sql, const struct param *params,
                               size_t count, size_t rows_max, struct err *err)
{
    AUTO(query_done) struct query q = {0};
    AUTO(arena_done) struct arena row_arena = {0};
    struct seen_row row;
    size_t rows = 0;

    arena_init(&row_arena, CHUNK_ARENA_BYTES);
    TRY(db_query(all->db, sql, params, count, &q, err));
    for (; query_next(&q, SEEN_FIELDS, &row_arena, &row); rows++) {
        add_seen(all, &row);
        if (row.finding == FIELD_NULL_INT)
            add_events(all, row.last, row.count, 0);
        arena_reset(&row_arena);
    }
    TRY(query_end(&q, err));
    return rows < rows_max ? ERR_NONE
                           : err_set(err, ERR_TIMEOUT, "more than %zu findings", rows_max);
}

static enum err_code add_flagged_events(struct gathering *all, struct param key, struct err *err)
{
    AUTO(query_done) struct query q = {0};
    struct event_row row;
    size_t rows = 0;

    TRY(db_query(all->db,
                 is_of_entity(all) ? SQL_PROFILE_FLAGGED_OF_ENTITY : SQL_PROFILE_FLAGGED_OF_IP,
                 PARAMS(key, P_INT(all->result->since), P_INT(FLAGGED_ROWS_MAX)), &q, err));
    for (; query_next(&q, EVENT_FIELDS, NULL, &row); rows++)
        add_events(all, row.last, row.count, row.count);
    TRY(query_end(&q, err));
    return rows < FLAGGED_ROWS_MAX
               ? ERR_NONE
               : err_set(err, ERR_TIMEOUT, "more than %d flagged rows", FLAGGED_ROWS_MAX);
}

static enum err_code add_table(struct gathering *all, struct err *err)
{
    bool of_entity = is_of_entity(all);
    struct param key = of_entity ? P_INT(all->key.entity_id) : P_IP(&all->key.ip);
    int64_t packed;

    TRY(db_int(all->db, SQL_COUNTER_GET, PARAMS(P_TEXT(OBSERVATIONS_PACKED)), &packed, err));
    TRY(add_query(all, of_entity ? SQL_PROFILE_FINDINGS_OF_ENTITY : SQL_PROFILE_FINDINGS_OF_IP,
                  PARAMS(key, P_INT(FLAGGED_ROWS_MAX)), FLAGGED_ROWS_MAX, err));
    TRY(add_flagged_events(all, key, err));
    return add_query(all, of_entity ? SQL_PROFILE_STAGED_OF_ENTITY : SQL_PROFILE_STAGED_OF_IP,
                     PARAMS(P_INT(packed), key), SIZE_MAX, err);
}

static void add_packed_row(void *context, const struct observation *row, bool of_run)
{
    struct gathering *all = context;

    if (row->last_ms < all->since_ms)
        return;
    if (!of_run || row->spec_id == PAIR_DAY || pair_is_of_day(row))
        add_events(all, row->last_ms, (int64_t)row->count, 0);
    if (!of_run || row->spec_id != PAIR_DAY)
        add_seen(all, &(struct seen_row){row->entity_id, row->ip, FIELD_NULL_INT, row->spec_id,
                                         of_run ? row->object_id : 1, (int64_t)row->count,
                                         row->first_ms, row->last_ms, row->percentile});
}

static enum err_code list_places(struct gathering *all, struct arena *arena,
                                 struct pair_places *ret, struct err *err)
{
    if (is_of_entity(all))
        return pair_places(all->db, arena, all->key.entity_id, CHUNKS_MAX, ret, err);
    return pair_places_of_address(all->db, arena, CHUNKS_MAX, ret, err);
}

static enum err_code add_packed(struct gathering *all, struct err *err)
{
    AUTO(arena_done) struct arena arena = {0};
    struct pair_places places;

    arena_init(&arena, CHUNK_ARENA_BYTES);
    TRY(db_int(all->db, SQL_COUNTER_GET, PARAMS(P_TEXT(PAIRS_SINCE)), &all->since_ms, err));
    TRY(list_places(all, &arena, &places, err));
    for (size_t i = 0; i < places.count; i++) {
        int64_t day_ms = places.items[i].day_ms;

        all->result->complete_since = (day_ms > places.cut_ms ? day_ms : places.cut_ms) + DAY_MS;
        if (clock_mono_ms() >= all->until_mono_ms)
            return err_set(err, ERR_TIMEOUT, "the pairs were not read to the end");
        TRY(pair_each(all->db, &places.items[i], &all->key, all->until_mono_ms, add_packed_row, all,
                      err));
    }
    if (places.cut_ms != INT64_MIN)
        return err_set(err, ERR_TIMEOUT, "there are more chunks than are looked at");
    return ERR_NONE;
}

/* A deadline that passes is an answer: what was found until then. */
static enum err_code add_all(struct gathering *all, struct err *err)
{
    enum err_code code;

    all->result->complete_since = all->result->until;
    code = add_table(all, err);
    if (code == ERR_NONE)
        code = add_packed(all, err);
    all->result->partial = code == ERR_TIMEOUT;
    if (!all->result->partial)
        all->result->complete_since = all->result->since;
    return code == ERR_TIMEOUT ? ERR_NONE : code;
}

/* The newest days of data, not of the clock. */
static enum err_code choose_days(struct db *db, struct profile *ret, struct err *err)
{
    int64_t first_ms, last_ms;

    TRY(rollup_range(db, &first_ms, &last_ms, err));
    if (last_ms == FIELD_NULL_INT)
        last_ms = clock_now_ms();
    ret->until = last_ms / DAY_MS * DAY_MS + DAY_MS;
    ret->since = ret->until > INT64_C(1) * PROFILE_DAYS * DAY_MS
                     ? ret->until - INT64_C(1) * PROFILE_DAYS * DAY_MS
                     : 0;
    ret->complete_since = ret->since;
    ret->first = ret->last = FIELD_NULL_INT;
    return ERR_NONE;
}

static enum err_code gather(struct gathering *all, struct tx *snapshot, struct err *err)
{
    AUTO(own_freep) uint32_t *slots = own_array(SLOTS, sizeof *slots);
    AUTO(own_freep) struct partner *partners = own_array(PROFILE_PARTNERS_MAX, sizeof *partners);

    all->slots = slots;
    all->partners = partners;
    db_deadline(all->db, all->until_mono_ms);
    TRY(add_all(all, err));
    db_deadline(all->db, clock_mono_ms() + NAMES_MS);
    tx_done(snapshot); /* a query that was cut off has ended it; names stay what they are */
    return profile_give(all, err);
}

enum err_code profile_of_entity(struct db *db, struct arena *arena, const char *entity,
                                int64_t until_mono_ms, struct profile *ret, struct err *err)
{
    AUTO(tx_done) struct tx snapshot = {0};
    struct gathering *all = ARENA_NEW(arena, struct gathering);
    enum err_code code;

    *ret = (struct profile){.since = 0};
    *all = (struct gathering){.db = db,
                              .arena = arena,
                              .result = ret,
                              .until_mono_ms = until_mono_ms,
                              .key = {.order = PAIRS_BY_ENTITY}};
    TRY(db_begin(db, &snapshot, err));
    TRY(choose_days(db, ret, err));
    code = db_int(db, SQL_PAIR_ENTITY, PARAMS(P_TEXT(entity)), &all->key.entity_id, err);
    if (code == ERR_NOT_FOUND)
        return tx_commit(&snapshot, err);
    TRY(code);
    return gather(all, &snapshot, err);
}

enum err_code profile_of_ip(struct db *db, struct arena *arena, const struct ip *ip,
                            int64_t until_mono_ms, struct profile *ret, struct err *err)
{
    AUTO(tx_done) struct tx snapshot = {0};
    struct gathering *all = ARENA_NEW(arena, struct gathering);

    *ret = (struct profile){.since = 0};
    *all = (struct gathering){.db = db,
                              .arena = arena,
                              .result = ret,
                              .until_mono_ms = until_mono_ms,
                              .key = {.order = PAIRS_BY_ADDRESS, .ip = *ip}};
    TRY(db_begin(db, &snapshot, err));
    TRY(choose_days(db, ret, err));
    return gather(all, &snapshot, err);
}
