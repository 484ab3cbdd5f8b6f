#include "store/window.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/field.h"
#include "base/hash.h"
#include "base/ip.h"
#include "base/own.h"
#include "store/db.h"

enum { ENTRY_BYTES = 12, BODY_BYTES_MAX = WINDOW_DAY_PAIRS * ENTRY_BYTES };
enum { TELLING_MIN = 10 }; /* pairs above a threshold that rests on them */
#define WINDOW_ARENA_BYTES_MAX ((size_t)1 << 20)
#define HASHES                 18446744073709551616.0 /* 2^64 */
/* As in calibration: an alert budget buys no more than one pair in a hundred. */
#define BUDGET_SHARE_MAX 0.01

const char *const WINDOW_RULE_WORDS[WINDOW_RULE__MAX] = {NULL, "budget", "percentile", "score"};

struct day_row {
    int64_t day;
    struct blob body;
};
static const struct field BODY_FIELDS[] = {
    FIELD(struct day_row, body, FIELD_BLOB, .flags = 0),
    FIELD_END,
};
static const struct field DAY_FIELDS[] = {
    FIELD(struct day_row, day, FIELD_INT, .flags = 0),
    FIELD(struct day_row, body, FIELD_BLOB, .flags = 0),
    FIELD_END,
};

uint64_t window_hash(int64_t entity_id, const struct ip *ip)
{
    return hash_mix(hash_bytes(ip->bytes, sizeof ip->bytes, (uint64_t)entity_id));
}

static struct window_entry load(const uint8_t *bytes)
{
    struct window_entry entry = {0};
    uint32_t bits = 0;

    for (int i = 7; i >= 0; i--)
        entry.hash = entry.hash << 8 | bytes[i];
    for (int i = 11; i >= 8; i--)
        bits = bits << 8 | bytes[i];
    memcpy(&entry.score, &bits, sizeof bits);
    return entry;
}

static void save(const struct window_entry *entry, uint8_t *bytes)
{
    uint32_t bits;

    memcpy(&bits, &entry->score, sizeof bits);
    for (int i = 0; i < 8; i++)
        bytes[i] = (uint8_t)(entry->hash >> (8 * i));
    for (int i = 0; i < 4; i++)
        bytes[8 + i] = (uint8_t)(bits >> (8 * i));
}

/* Appends the entries of a body to ret, which has room for WINDOW_DAY_PAIRS more. */
static enum err_code load_body(const struct blob *body, struct window_entry *ret, size_t *count,
                               struct err *err)
{
    size_t entries = body->length / ENTRY_BYTES;

    if (body->length % ENTRY_BYTES != 0 || entries > WINDOW_DAY_PAIRS)
        return err_set(err, ERR_CORRUPT, "a window in the database has %zu bytes", body->length);
    for (size_t i = 0; i < entries; i++) {
        struct window_entry entry = load((const uint8_t *)body->bytes + i * ENTRY_BYTES);

        if (!isfinite(entry.score))
            return err_set(err, ERR_CORRUPT, "a window in the database has a score that is none");
        ret[(*count)++] = entry;
    }
    return ERR_NONE;
}

/* Of equal hashes the highest score comes first: that is the one that stays. */
static int by_hash(const void *a, const void *b)
{
    const struct window_entry *x = a, *y = b;

    if (x->hash != y->hash)
        return x->hash < y->hash ? -1 : 1;
    return (x->score < y->score) - (x->score > y->score);
}

/* One of each pair, in order. Returns how many are left. */
static size_t distinct(struct window_entry *entries, size_t count)
{
    size_t used = 0;

    qsort(entries, count, sizeof *entries, by_hash);
    for (size_t i = 0; i < count; i++)
        if (used == 0 || entries[used - 1].hash != entries[i].hash)
            entries[used++] = entries[i];
    return used;
}

/* A day that is new moves the window on. */
static enum err_code begin_day(struct db *db, int64_t model_id, int64_t spec_id, int64_t day_ms,
                               bool *ret_wanted, struct err *err)
{
    int64_t newest_ms;
    enum err_code code =
        db_int(db, SQL_WINDOW_NEWEST, PARAMS(P_INT(model_id), P_INT(spec_id)), &newest_ms, err);

    *ret_wanted = true;
    if (code == ERR_NOT_FOUND)
        return ERR_NONE;
    TRY(code);
    *ret_wanted = day_ms > newest_ms - WINDOW_DAYS * DAY_MS;
    if (day_ms <= newest_ms)
        return ERR_NONE;
    return db_exec(
        db, SQL_WINDOW_FORGET,
        PARAMS(P_INT(model_id), P_INT(spec_id), P_INT(day_ms - 2 * WINDOW_DAYS * DAY_MS)), NULL,
        err);
}

static enum err_code put(struct db *db, int64_t model_id, int64_t spec_id, int64_t day_ms,
                         const struct window_entry *entries, size_t count, struct err *err)
{
    AUTO(own_freep) uint8_t *body = own_array(count + 1, ENTRY_BYTES);

    for (size_t i = 0; i < count; i++)
        save(&entries[i], body + i * ENTRY_BYTES);
    return db_exec(
        db, SQL_WINDOW_PUT,
        PARAMS(P_INT(model_id), P_INT(spec_id), P_INT(day_ms), P_BLOB(body, count * ENTRY_BYTES)),
        NULL, err);
}

/* Moves those up to the limit to the front: the sample of a full day has no use for others. */
static size_t select_below(struct window_entry *entries, size_t count, uint64_t limit)
{
    size_t used = 0;

    for (size_t i = 0; i < count; i++)
        if (entries[i].hash <= limit)
            entries[used++] = entries[i];
    return used;
}

/* A day that is full seldom changes. */
static bool is_stored(const struct blob *body, const struct window_entry *entries, size_t count)
{
    if (body->length != count * ENTRY_BYTES)
        return false;
    for (size_t i = 0; i < count; i++) {
        struct window_entry stored = load((const uint8_t *)body->bytes + i * ENTRY_BYTES);

        if (stored.hash != entries[i].hash || stored.score != entries[i].score)
            return false;
    }
    return true;
}

enum err_code window_add(struct db *db, int64_t model_id, int64_t spec_id, int64_t day_ms,
                         struct window_entry *entries, size_t count, struct err *err)
{
    AUTO(arena_done) struct arena arena = {0};
    AUTO(own_freep) struct window_entry *all = NULL;
    struct day_row stored = {.day = day_ms};
    size_t used = 0;
    bool wanted = true;
    enum err_code code;

    arena_init(&arena, WINDOW_ARENA_BYTES_MAX);
    code = db_row(db, SQL_WINDOW_DAY, PARAMS(P_INT(model_id), P_INT(spec_id), P_INT(day_ms)),
                  BODY_FIELDS, &arena, &stored, err);
    if (code == ERR_NOT_FOUND)
        code = begin_day(db, model_id, spec_id, day_ms, &wanted, err);
    TRY(code);
    if (!wanted || count == 0)
        return ERR_NONE;
    all = own_array(2 * WINDOW_DAY_PAIRS, sizeof *all);
    TRY(load_body(&stored.body, all, &used, err));
    if (used == WINDOW_DAY_PAIRS)
        count = select_below(entries, count, all[used - 1].hash);
    count = distinct(entries, count);
    count = count < WINDOW_DAY_PAIRS ? count : WINDOW_DAY_PAIRS;
    memcpy(all + used, entries, count * sizeof *all);
    used = distinct(all, used + count);
    used = used < WINDOW_DAY_PAIRS ? used : WINDOW_DAY_PAIRS;
    return is_stored(&stored.body, all, used) ? ERR_NONE
                                              : put(db, model_id, spec_id, day_ms, all, used, err);
}

static int by_score(const void *a, const void *b)
{
    float x = *(const float *)a, y = *(const float *)b;

    return (x > y) - (x < y);
}

/* Pairs whose hashes are up to the limit, below which every day has all of its own. */
static void join(struct window_entry *entries, size_t count, uint64_t limit, struct arena *arena,
                 struct window *ret)
{
    count = distinct(entries, count);
    while (count > 0 && entries[count - 1].hash > limit)
        count--;
    ret->sample_size = count;
    ret->pairs = (double)count * HASHES / ((double)limit + 1);
    ret->scores = ARENA_ARRAY(arena, float, count + 1);
    for (size_t i = 0; i < count; i++)
        ret->scores[i] = entries[i].score;
    qsort(ret->scores, count, sizeof *ret->scores, by_score);
}

enum err_code window_read(struct db *db, struct arena *arena, const char *model_id,
                          const char *spec, int64_t before_ms, struct window *ret, struct err *err)
{
    AUTO(query_done) struct query q = {0};
    AUTO(arena_done) struct arena bodies = {0};
    AUTO(own_freep)
    struct window_entry *entries = own_array(WINDOW_DAYS * WINDOW_DAY_PAIRS, sizeof *entries);
    uint64_t limit = UINT64_MAX;
    struct day_row day;
    size_t count = 0;

    *ret = (struct window){0};
    arena_init(&bodies, WINDOW_DAYS * WINDOW_ARENA_BYTES_MAX);
    TRY(db_query(db, SQL_WINDOW_READ,
                 PARAMS(P_TEXT(model_id), P_TEXT(spec), P_INT(before_ms), P_INT(WINDOW_DAYS)), &q,
                 err));
    while (query_next(&q, DAY_FIELDS, &bodies, &day)) {
        size_t before = count;

        if (ret->days > 0 && day.day <= ret->last_day_ms - WINDOW_DAYS * DAY_MS)
            continue;
        TRY(load_body(&day.body, entries, &count, err));
        if (count - before == WINDOW_DAY_PAIRS && entries[count - 1].hash < limit)
            limit = entries[count - 1].hash;
        ret->last_day_ms = ret->days == 0 ? day.day : ret->last_day_ms;
        ret->first_day_ms = day.day;
        ret->days++;
    }
    TRY(query_end(&q, err));
    join(entries, count, limit, arena, ret);
    return ERR_NONE;
}

double window_percentile(const struct window *window, double score)
{
    size_t low = 0, high = window->sample_size;
    double most = 100 - 1000 / (double)window->sample_size;

    if (window->sample_size == 0 || most <= 0)
        return NAN;
    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if ((double)window->scores[middle] < score)
            low = middle + 1;
        else
            high = middle;
    }
    return fmin(most, 100 * (double)low / (double)window->sample_size);
}

double window_threshold(const struct window *window, double wanted)
{
    double rate = window->pairs > 0 ? (double)window->sample_size / window->pairs : 0;
    double above = wanted * rate;

    if (!(above >= TELLING_MIN) || above >= (double)window->sample_size)
        return NAN;
    return (double)window->scores[window->sample_size - 1 - (size_t)above];
}

/* How many of the window's pairs the rule lets pass. */
static double wanted_of(const struct window_rule *rule, const struct window *window)
{
    if (rule->kind == WINDOW_RULE_BUDGET)
        return fmin(rule->value * (double)window->days, window->pairs * BUDGET_SHARE_MAX);
    return rule->kind == WINDOW_RULE_PERCENTILE ? window->pairs * (1 - rule->value / 100) : 0;
}

double window_rule_threshold(const struct window *window, const struct window_rule *rule)
{
    double threshold;

    if (window->sample_size < WINDOW_SAMPLE_MIN || rule->kind == WINDOW_RULE_SCORE ||
        rule->kind == WINDOW_RULE_NONE)
        return NAN;
    threshold = window_threshold(window, wanted_of(rule, window));
    return isnan(threshold) ? NAN : fmax(threshold, rule->least);
}
