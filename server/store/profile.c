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
#include "store/rollup.h"

enum {
    SLOTS = 1 << 16,     /* of the table of partners: more than twice as many as there are */
    CHUNKS_MAX = 100000, /* looked at for one answer */
    FLAGGED_ROWS_MAX = 100000,
    NAMES_MS = 2000, /* for the names, when the rest took all of its time */
    NETWORK_BITS_V4 = 24,
    NETWORK_BITS_V6 = 48,
};
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

struct seen_row {
    int64_t entity_id;
    struct ip ip;
    int64_t finding, spec_id, first, last, count;
    double percentile;
};
static const struct field SEEN_FIELDS[] = {
    FIELD(struct seen_row, entity_id, FIELD_INT, .flags = 0),
    FIELD(struct seen_row, ip, FIELD_IP, .flags = 0),
    FIELD(struct seen_row, finding, FIELD_INT, .flags = FIELD_NULLABLE),
    FIELD(struct seen_row, spec_id, FIELD_INT, .flags = 0),
    FIELD(struct seen_row, first, FIELD_INT, .flags = 0),
    FIELD(struct seen_row, last, FIELD_INT, .flags = 0),
    FIELD(struct seen_row, count, FIELD_INT, .flags = 0),
    FIELD(struct seen_row, percentile, FIELD_REAL, .flags = FIELD_NULLABLE),
    FIELD_END,
};
struct name_row {
    const char *name;
};
static const struct field NAME_FIELDS[] = {
    FIELD(struct name_row, name, FIELD_TEXT, .flags = 0),
    FIELD_END,
};

static const struct field PLACE_FIELDS[] = {
    FIELD(struct chunk_place, id, FIELD_INT, .flags = 0),
    FIELD(struct chunk_place, day_ms, FIELD_INT, .flags = 0),
    FIELD_END,
};

struct partner {
    int64_t entity_id;
    struct profile_partner seen;
};
struct spec_sum {
    int64_t id;
    struct profile_spec seen;
};
struct gathering {
    struct db *db;
    struct arena *arena;
    struct profile *result;
    int64_t until_mono_ms;
    bool of_entity; /* partners are addresses; or entities */
    int64_t entity_id;
    struct ip ip;
    uint32_t *slots; /* index into partners + 1; 0 = free */
    struct partner *partners;
    struct spec_sum specs[PROFILE_SPECS];
};

static uint64_t key_hash(const struct gathering *all, const struct seen_row *row)
{
    return all->of_entity ? hash_mix(hash_bytes(row->ip.bytes, sizeof row->ip.bytes, hash_seed()))
                          : hash_mix((uint64_t)row->entity_id);
}

static bool same_key(const struct gathering *all, const struct partner *partner,
                     const struct seen_row *row)
{
    return all->of_entity ? ip_equal(&partner->seen.ip, &row->ip)
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
                                                     .finding = FIELD_NULL_INT}};
    all->slots[at] = (uint32_t)++all->result->partner_count;
    return &all->partners[count];
}

static void add_partner(struct gathering *all, const struct seen_row *row)
{
    struct partner *partner = partner_of(all, row);
    struct profile_partner *seen;

    if (partner == NULL)
        return;
    seen = &partner->seen;
    seen->sightings++;
    seen->observations += row->count;
    seen->first = row->first < seen->first ? row->first : seen->first;
    seen->last = row->last > seen->last ? row->last : seen->last;
    seen->percentile = fmax(seen->percentile, row->percentile);
    if (row->finding != FIELD_NULL_INT)
        seen->finding = row->finding;
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
    all->specs[i].seen.sightings++;
    all->specs[i].seen.observations += row->count;
    if (row->last > all->specs[i].seen.last)
        all->specs[i].seen.last = row->last;
}

static void add_row(struct gathering *all, const struct seen_row *row)
{
    struct profile *result = all->result;
    int64_t day = (row->last - result->since) / DAY_MS;

    if (row->last < result->since || day >= PROFILE_DAYS)
        return;
    result->sightings++;
    result->observations += row->count;
    result->events[day] += row->count;
    if (row->finding != FIELD_NULL_INT)
        result->flagged[day] += row->count;
    if (result->first == FIELD_NULL_INT || row->first < result->first)
        result->first = row->first;
    if (result->last == FIELD_NULL_INT || row->last > result->last)
        result->last = row->last;
    add_partner(all, row);
    add_spec(all, row);
}

/* ERR_TIMEOUT: there may be more than rows_max. */
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
        add_row(all, &row);
        arena_reset(&row_arena);
    }
    TRY(query_end(&q, err));
    return rows < rows_max ? ERR_NONE
                           : err_set(err, ERR_TIMEOUT, "more than %zu flagged rows", rows_max);
}

static enum err_code add_table(struct gathering *all, struct err *err)
{
    struct param key = all->of_entity ? P_INT(all->entity_id) : P_IP(&all->ip);
    int64_t packed;

    TRY(db_int(all->db, SQL_COUNTER_GET, PARAMS(P_TEXT(OBSERVATIONS_PACKED)), &packed, err));
    TRY(add_query(all, all->of_entity ? SQL_PROFILE_FLAGGED_ENTITY : SQL_PROFILE_FLAGGED_IP,
                  PARAMS(key, P_INT(all->result->since), P_INT(FLAGGED_ROWS_MAX)), FLAGGED_ROWS_MAX,
                  err));
    return add_query(all, all->of_entity ? SQL_PROFILE_STAGED_ENTITY : SQL_PROFILE_STAGED_IP,
                     PARAMS(P_INT(packed), key, P_INT(all->result->since)), SIZE_MAX, err);
}

static void add_chunk(struct gathering *all, const struct chunk *chunk)
{
    for (size_t i = 0; i < chunk->count; i++) {
        const struct observation *row = &chunk->rows[i];

        if (all->of_entity ? row->entity_id == all->entity_id : ip_equal(&row->ip, &all->ip))
            add_row(all, &(struct seen_row){row->entity_id, row->ip, FIELD_NULL_INT, row->spec_id,
                                            row->first_ms, row->last_ms, (int64_t)row->count,
                                            row->percentile});
    }
}

/* Newest day first; room for CHUNKS_MAX in *ret. */
static enum err_code list_chunks(struct gathering *all, struct arena *arena,
                                 struct chunk_place **ret, size_t *ret_count, struct err *err)
{
    AUTO(query_done) struct query q = {0};
    struct chunk_place *places = ARENA_ARRAY(arena, struct chunk_place, CHUNKS_MAX);
    struct param since = P_INT(all->result->since), limit = P_INT(CHUNKS_MAX);

    TRY(all->of_entity ? db_query(all->db, SQL_PROFILE_CHUNKS_OF_ENTITY,
                                  PARAMS(since, P_INT(all->entity_id), limit), &q, err)
                       : db_query(all->db, SQL_PROFILE_CHUNKS, PARAMS(since, limit), &q, err));
    while (*ret_count < CHUNKS_MAX && query_next(&q, PLACE_FIELDS, arena, &places[*ret_count]))
        (*ret_count)++;
    *ret = places;
    return query_end(&q, err);
}

static enum err_code add_packed(struct gathering *all, struct err *err)
{
    AUTO(arena_done) struct arena places = {0};
    AUTO(arena_done) struct arena arena = {0};
    struct chunk_place *items = NULL;
    size_t count = 0;

    arena_init(&places, CHUNK_ARENA_BYTES);
    arena_init(&arena, CHUNK_ARENA_BYTES);
    TRY(list_chunks(all, &places, &items, &count, err));
    for (size_t i = 0; i < count; i++) {
        struct chunk chunk;

        all->result->complete_since = items[i].day_ms + DAY_MS;
        if (clock_mono_ms() >= all->until_mono_ms || i == CHUNKS_MAX - 1)
            return err_set(err, ERR_TIMEOUT, "the days were not read to the end");
        TRY(chunk_read(all->db, &arena, &items[i], &chunk, err));
        add_chunk(all, &chunk);
        arena_reset(&arena);
    }
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

static int by_last(const void *a_, const void *b_)
{
    const struct partner *a = a_, *b = b_;

    return (a->seen.last < b->seen.last) - (a->seen.last > b->seen.last);
}

static int by_address(const void *a_, const void *b_)
{
    const struct partner *a = a_, *b = b_;

    return ip_compare(&a->seen.ip, &b->seen.ip);
}

static int by_network_events(const void *a_, const void *b_)
{
    const struct profile_network *a = a_, *b = b_;

    return (a->observations < b->observations) - (a->observations > b->observations);
}

static int by_spec_events(const void *a_, const void *b_)
{
    const struct spec_sum *a = a_, *b = b_;

    return (a->seen.observations < b->seen.observations) -
           (a->seen.observations > b->seen.observations);
}

/* Addresses in order are next to those of their network. Leaves the partners in that order. */
static void sum_networks(struct gathering *all)
{
    struct profile *result = all->result;
    size_t count = (size_t)result->partner_count, used = 0;
    struct profile_network *networks = ARENA_ARRAY(all->arena, struct profile_network, count + 1);
    struct cidr around = {.prefix_length = -1};

    qsort(all->partners, count, sizeof *all->partners, by_address);
    for (size_t i = 0; i < count; i++) {
        const struct profile_partner *seen = &all->partners[i].seen;
        char text[CIDR_TEXT_BYTES];

        if (used == 0 || !cidr_contains(&around, &seen->ip)) {
            around =
                cidr_around(&seen->ip, ip_is_v4(&seen->ip) ? NETWORK_BITS_V4 : NETWORK_BITS_V6);
            (void)cidr_format(text, &around);
            networks[used++] = (struct profile_network){.network = arena_strdup(all->arena, text)};
        }
        networks[used - 1].addresses++;
        networks[used - 1].observations += seen->observations;
        if (seen->last > networks[used - 1].last)
            networks[used - 1].last = seen->last;
    }
    qsort(networks, used, sizeof *networks, by_network_events);
    result->networks = networks;
    result->network_count = used < PROFILE_NETWORKS ? used : PROFILE_NETWORKS;
}

static enum err_code name_of(struct gathering *all, enum sql_id sql, int64_t id, const char **ret,
                             struct err *err)
{
    struct name_row row;

    TRY(db_row(all->db, sql, PARAMS(P_INT(id)), NAME_FIELDS, all->arena, &row, err));
    *ret = row.name;
    return ERR_NONE;
}

static enum err_code give_partners(struct gathering *all, struct err *err)
{
    struct profile *result = all->result;
    size_t count = (size_t)result->partner_count;
    size_t given = count < PROFILE_PARTNERS ? count : PROFILE_PARTNERS;
    struct profile_partner *partners = ARENA_ARRAY(all->arena, struct profile_partner, given + 1);

    qsort(all->partners, count, sizeof *all->partners, by_last);
    for (size_t i = 0; i < given; i++) {
        partners[i] = all->partners[i].seen;
        if (!all->of_entity)
            TRY(name_of(all, SQL_PROFILE_ENTITY_NAME, all->partners[i].entity_id,
                        &partners[i].entity, err));
    }
    result->partners = partners;
    result->partners_given = given;
    return ERR_NONE;
}

static enum err_code give_specs(struct gathering *all, struct err *err)
{
    struct profile *result = all->result;
    struct profile_spec *specs =
        ARENA_ARRAY(all->arena, struct profile_spec, result->spec_count + 1);

    qsort(all->specs, result->spec_count, sizeof *all->specs, by_spec_events);
    for (size_t i = 0; i < result->spec_count; i++) {
        specs[i] = all->specs[i].seen;
        TRY(name_of(all, SQL_PROFILE_SPEC_NAME, all->specs[i].id, &specs[i].spec, err));
    }
    result->specs = specs;
    return ERR_NONE;
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
    if (all->of_entity)
        sum_networks(all);
    TRY(give_partners(all, err));
    return give_specs(all, err);
}

enum err_code profile_of_entity(struct db *db, struct arena *arena, const char *entity,
                                int64_t until_mono_ms, struct profile *ret, struct err *err)
{
    AUTO(tx_done) struct tx snapshot = {0};
    struct gathering *all = ARENA_NEW(arena, struct gathering);
    enum err_code code;

    *ret = (struct profile){.since = 0};
    *all = (struct gathering){
        .db = db, .arena = arena, .result = ret, .until_mono_ms = until_mono_ms, .of_entity = true};
    TRY(db_begin(db, &snapshot, err));
    TRY(choose_days(db, ret, err));
    code = db_int(db, SQL_PAIR_ENTITY, PARAMS(P_TEXT(entity)), &all->entity_id, err);
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
    *all = (struct gathering){
        .db = db, .arena = arena, .result = ret, .until_mono_ms = until_mono_ms, .ip = *ip};
    TRY(db_begin(db, &snapshot, err));
    TRY(choose_days(db, ret, err));
    return gather(all, &snapshot, err);
}
