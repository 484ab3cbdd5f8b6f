/* One row against every spec: class, filters, entity, address, time. */
#include "lake/extract.h"

#include <string.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/str.h"

const char *const UNSCORED_WORDS[UNSCORED__MAX + 1] = {
    "no_entity", "no_ip", "bad_ip", "bad_entity", "no_time", "filtered", "rejected", NULL,
};

/* Milliseconds of any year from 1973 on have twelve digits or more: a smaller number is seconds, as
 * some writers of OCSF JSON have them. */
#define SECONDS_BELOW INT64_C(100000000000)
enum { NUMBER_TEXT_BYTES = 24, CONDITION_TEXT_MAX = 1024 };

void extract_init(struct extract *extract, const struct spec_set *set,
                  const struct extract_options *options, struct arena *arena)
{
    *extract = (struct extract){.set = set, .keep_rejected = options->keep_rejected, .weight = 1};
    dedupe_init(&extract->dedupe, arena, options->bucket_ms, options->pairs_max);
    for (size_t i = 0; i < set->count; i++)
        extract->counts[i].spec = set->specs[i]->name;
}

void extract_done(struct extract *extract)
{
    dedupe_done(&extract->dedupe);
}

static const struct cell *first_of(const struct spec_paths *paths, const struct cell *cells)
{
    static const struct cell NOTHING = {.kind = CELL_NULL};

    for (size_t i = 0; i < paths->count; i++)
        if (cells[paths->paths[i]].kind != CELL_NULL)
            return &cells[paths->paths[i]];
    return &NOTHING;
}

/* As "%lld", many times for each row of an object: printf would take an eighth of all the time. */
static size_t number_text(int64_t number, char ret[static NUMBER_TEXT_BYTES])
{
    uint64_t rest = number < 0 ? 0 - (uint64_t)number : (uint64_t)number;
    char digits[NUMBER_TEXT_BYTES];
    size_t count = 0, length = 0;

    do {
        digits[count++] = (char)('0' + rest % 10);
        rest /= 10;
    } while (rest > 0);
    if (number < 0)
        ret[length++] = '-';
    while (count > 0)
        ret[length++] = digits[--count];
    ret[length] = '\0';
    return length;
}

/* A number becomes text in buffer; a list has none. */
static bool text_of(const struct cell *cell, char buffer[static NUMBER_TEXT_BYTES],
                    const char **ret, size_t *ret_length)
{
    if (cell->kind == CELL_INT) {
        *ret_length = number_text(cell->number, buffer);
        *ret = buffer;
        return true;
    }
    *ret = cell->text;
    *ret_length = cell->length;
    return cell->kind == CELL_TEXT;
}

static bool is_listed(const struct spec_condition *condition, const char *text, size_t length)
{
    for (size_t i = 0; i < condition->value_count; i++)
        if (strlen(condition->values[i]) == length &&
            memcmp(condition->values[i], text, length) == 0)
            return true;
    return false;
}

/* Only the first CONDITION_TEXT_MAX bytes of a long text are held against the patterns. */
static bool is_like(const struct spec_condition *condition, const char *text, size_t length)
{
    char copy[CONDITION_TEXT_MAX + 1];

    if (length > CONDITION_TEXT_MAX)
        length = CONDITION_TEXT_MAX;
    (void)memcpy(copy, text, length);
    copy[length] = '\0';
    for (size_t i = 0; i < condition->value_count; i++)
        if (str_glob(condition->values[i], copy))
            return true;
    return false;
}

/* null_holds: what a null gives, whatever the operator. */
static bool holds(const struct spec_condition *condition, const struct cell *cell, bool null_holds)
{
    char buffer[NUMBER_TEXT_BYTES];
    const char *text;
    size_t length;

    if (!text_of(cell, buffer, &text, &length))
        return null_holds;
    switch (condition->op) {
    case OP_IN:
        return is_listed(condition, text, length);
    case OP_NOT_IN:
        return !is_listed(condition, text, length);
    case OP_LIKE:
        return is_like(condition, text, length);
    case OP_NOT_LIKE:
        return !is_like(condition, text, length);
    }
    return false;
}

static bool is_negative(enum spec_op op)
{
    return op == OP_NOT_IN || op == OP_NOT_LIKE;
}

static bool all_hold(const struct spec_conditions *conditions, const struct cell *cells,
                     bool null_passes)
{
    for (size_t i = 0; i < conditions->count; i++) {
        const struct spec_condition *condition = &conditions->items[i];

        if (!holds(condition, &cells[condition->path], null_passes || is_negative(condition->op)))
            return false;
    }
    return true;
}

static bool any_holds(const struct spec_conditions *conditions, const struct cell *cells)
{
    for (size_t i = 0; i < conditions->count; i++)
        if (holds(&conditions->items[i], &cells[conditions->items[i].path], false))
            return true;
    return false;
}

bool extract_time(const struct cell *cell, int64_t *ret)
{
    char copy[TIME_TEXT_BYTES * 2];
    int64_t ms = cell->number;

    if (cell->kind == CELL_TEXT) {
        if (cell->length >= sizeof copy)
            return false;
        (void)memcpy(copy, cell->text, cell->length);
        copy[cell->length] = '\0';
        if (time_parse(copy, ret))
            return true;
        if (!str_to_i64(copy, &ms))
            return false;
    } else if (cell->kind != CELL_INT) {
        return false;
    }
    if (ms >= 0 && ms < SECONDS_BELOW)
        ms *= 1000;
    *ret = ms;
    return ms >= TIME_MS_MIN && ms <= TIME_MS_MAX;
}

/* The first candidate that is a time: an unreadable one does not hide a good one. */
static bool first_time(const struct lake_spec *spec, const struct cell *cells, int64_t *ret)
{
    const struct spec_paths *paths = &spec->roles[ROLE_TIME];

    for (size_t i = 0; i < paths->count; i++)
        if (extract_time(&cells[paths->paths[i]], ret))
            return true;
    return false;
}

static size_t strip_session(const char *text, size_t length)
{
    static const char ROLE[] = ":assumed-role/";
    const char *at;

    if (length < 4 || memcmp(text, "arn:", 4) != 0) {
        at = memchr(text, ':', length);
        return at != NULL && at > text ? (size_t)(at - text) : length;
    }
    at = memmem(text, length, ROLE, sizeof ROLE - 1);
    if (at == NULL)
        return length;
    at += sizeof ROLE - 1;
    at = memchr(at, '/', length - (size_t)(at - text));
    return at != NULL ? (size_t)(at - text) : length;
}

/* Into buffer, NUL-terminated. False: too long or not clean. */
static bool normalise(const struct lake_spec *spec, const char *text, size_t length,
                      char buffer[static ENTITY_BYTES_MAX + 1], size_t *ret_length)
{
    if (spec->normaliser == NORMALISE_STRIP_SESSION) {
        size_t kept = strip_session(text, length);

        ASSERT(kept <= length);
        length = kept;
    }
    if (length > ENTITY_BYTES_MAX || !str_is_clean_utf8(text, length))
        return false;
    for (size_t i = 0; i < length; i++) {
        char c = text[i];

        buffer[i] =
            spec->normaliser == NORMALISE_LOWER && c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
    }
    buffer[length] = '\0';
    *ret_length = length;
    return true;
}

static bool ip_of(const struct cell *cell, struct ip *ret)
{
    char copy[IP_TEXT_BYTES];

    if (cell->kind != CELL_TEXT || cell->length >= sizeof copy)
        return false;
    (void)memcpy(copy, cell->text, cell->length);
    copy[cell->length] = '\0';
    return ip_parse(copy, ret);
}

static bool item_passes(const struct lake_spec *spec, const struct cell *cells, size_t index)
{
    for (size_t i = 0; i < spec->each.count; i++) {
        const struct cell *list = &cells[spec->each.items[i].path];

        if (list->kind != CELL_LIST || index >= list->length ||
            !holds(&spec->each.items[i], &list->items[index], false))
            return false;
    }
    return true;
}

struct extraction { /* of one row by one spec */
    struct extract *extract;
    const struct lake_spec *spec;
    struct lake_spec_count *count;
    struct sighting sighting;
    const struct cell *cells;
};

static void add_outcome(struct extraction *x, enum unscored_reason reason, uint32_t entry)
{
    struct row_outcome *outcome = &x->extract->outcome;

    outcome->unrepeatable |= outcome->count == OUTCOME_SPECS_MAX;
    if (outcome->unrepeatable)
        return;
    outcome->specs[outcome->count].spec = (uint8_t)x->sighting.spec;
    outcome->specs[outcome->count].reason = (uint8_t)reason;
    outcome->specs[outcome->count].entry = entry;
    outcome->count++;
}

static void leave_out(struct extraction *x, enum unscored_reason reason)
{
    x->count->unscored[reason] += x->extract->weight;
    add_outcome(x, reason, 0);
}

static enum err_code add_ip(struct extraction *x, const struct cell *cell, struct err *err)
{
    uint32_t entry;

    if (!ip_of(cell, &x->sighting.ip)) {
        leave_out(x, UNSCORED_BAD_IP);
        return ERR_NONE;
    }
    TRY(dedupe_add(&x->extract->dedupe, x->spec->name, &x->sighting, &entry, err));
    add_outcome(x, UNSCORED__MAX, entry);
    return ERR_NONE;
}

/* Every address of the list that its conditions let through. */
static enum err_code add_list(struct extraction *x, const struct cell *list, struct err *err)
{
    bool any = false;

    x->extract->outcome.unrepeatable = true;
    for (size_t i = 0; i < list->length; i++) {
        if (list->items[i].kind == CELL_NULL || !item_passes(x->spec, x->cells, i))
            continue;
        any = true;
        TRY(add_ip(x, &list->items[i], err));
    }
    if (!any)
        leave_out(x, UNSCORED_NO_IP);
    return ERR_NONE;
}

static enum err_code add_addresses(struct extraction *x, struct err *err)
{
    const struct cell *ip = first_of(&x->spec->roles[ROLE_IP], x->cells);

    if (ip->kind == CELL_LIST)
        return add_list(x, ip, err);
    if (ip->kind == CELL_NULL) {
        leave_out(x, UNSCORED_NO_IP);
        return ERR_NONE;
    }
    return add_ip(x, ip, err);
}

/* UNSCORED__MAX: the row goes on. The order is the one in which a reader would ask. */
static enum unscored_reason read_row(struct extraction *x, char entity[static ENTITY_BYTES_MAX + 1])
{
    const struct lake_spec *spec = x->spec;
    const struct cell *cell = first_of(&spec->roles[ROLE_ENTITY], x->cells);
    struct sighting *sighting = &x->sighting;
    char buffer[NUMBER_TEXT_BYTES];
    const char *text;
    size_t length;

    if (!all_hold(&spec->require, x->cells, true))
        return UNSCORED_FILTERED;
    if (!text_of(cell, buffer, &text, &length))
        return UNSCORED_NO_ENTITY;
    if (!normalise(spec, text, length, entity, &sighting->entity_length))
        return UNSCORED_BAD_ENTITY;
    sighting->entity = entity;
    if (!first_time(spec, x->cells, &sighting->time_ms))
        return UNSCORED_NO_TIME;
    sighting->rejected = any_holds(&spec->rejected, x->cells);
    sighting->one_way = any_holds(&spec->one_way, x->cells);
    sighting->answers = !sighting->rejected && !any_holds(&spec->no_answer, x->cells);
    if (sighting->rejected && !spec->score_rejected && !x->extract->keep_rejected)
        return UNSCORED_REJECTED;
    return UNSCORED__MAX;
}

/* What is said beside the pair; a text that is not clean or too long is left out. */
static void read_place(struct extraction *x, enum spec_role role,
                       char buffer[static NUMBER_TEXT_BYTES], const char **ret, size_t *ret_length)
{
    enum { PLACE_BYTES_MAX = 256 };

    if (!text_of(first_of(&x->spec->roles[role], x->cells), buffer, ret, ret_length) ||
        *ret_length > PLACE_BYTES_MAX || !str_is_clean_utf8(*ret, *ret_length))
        *ret_length = 0;
}

/* *ret_claimed is set when the row is one of the spec's. */
static enum err_code apply(struct extract *extract, size_t index, const struct cell *cells,
                           bool *ret_claimed, struct err *err)
{
    struct extraction x = {
        .extract = extract,
        .spec = extract->set->specs[index],
        .count = &extract->counts[index],
        .sighting = {.spec = index, .rows = extract->weight},
        .cells = cells,
    };
    char entity[ENTITY_BYTES_MAX + 1], account[NUMBER_TEXT_BYTES], region[NUMBER_TEXT_BYTES];
    enum unscored_reason reason;

    if (!all_hold(&x.spec->where, cells, false))
        return ERR_NONE;
    *ret_claimed = true;
    x.count->rows += extract->weight;
    reason = read_row(&x, entity);
    if (reason != UNSCORED__MAX) {
        leave_out(&x, reason);
        return ERR_NONE;
    }
    read_place(&x, ROLE_ACCOUNT, account, &x.sighting.account, &x.sighting.account_length);
    read_place(&x, ROLE_REGION, region, &x.sighting.region, &x.sighting.region_length);
    return add_addresses(&x, err);
}

static bool class_of(const struct cell *cell, int64_t *ret)
{
    char copy[NUMBER_TEXT_BYTES];

    *ret = cell->number;
    if (cell->kind != CELL_TEXT || cell->length >= sizeof copy)
        return cell->kind == CELL_INT;
    (void)memcpy(copy, cell->text, cell->length);
    copy[cell->length] = '\0';
    return str_to_i64(copy, ret);
}

enum err_code extract_row(struct extract *extract, const struct cell *cells, struct err *err)
{
    bool has_class, claimed = false, unused;
    int64_t class_uid;

    extract->outcome = (struct row_outcome){0};
    extract->rows += extract->weight;
    has_class = class_of(&cells[PLAN_CLASS_PATH], &class_uid);
    class_uid = has_class ? class_uid : 0;
    if (extract->rows == extract->weight)
        extract->class_uid = class_uid;
    extract->classes_differ |= class_uid != extract->class_uid;
    extract->class_seen |= has_class;
    for (size_t i = 0; has_class && i < extract->set->count; i++)
        if (spec_has_class(extract->set->specs[i], class_uid))
            TRY(apply(extract, i, cells, extract->set->specs[i]->silent ? &unused : &claimed, err));
    extract->rows_unclaimed += claimed ? 0 : extract->weight;
    extract->outcome.claimed = claimed;
    return ERR_NONE;
}

int64_t extract_class(const struct extract *extract)
{
    return extract->classes_differ ? 0 : extract->class_uid;
}

void extract_again(struct extract *extract, const struct row_outcome *outcome, uint64_t rows,
                   int64_t first_ms, int64_t last_ms)
{
    extract->rows += rows;
    extract->rows_unclaimed += outcome->claimed ? 0 : rows;
    for (size_t i = 0; i < outcome->count; i++) {
        struct lake_spec_count *count = &extract->counts[outcome->specs[i].spec];

        count->rows += rows;
        if (outcome->specs[i].reason != UNSCORED__MAX)
            count->unscored[outcome->specs[i].reason] += rows;
        else
            dedupe_add_again(&extract->dedupe, outcome->specs[i].entry, rows, first_ms, last_ms);
    }
}

/* Index of the spec that answers the pairs of one; the set's count when there is none. */
static size_t answering(const struct spec_set *set, const struct lake_spec *spec)
{
    size_t i = spec->answered_by != NULL ? 0 : set->count;

    while (i < set->count && strcmp(set->specs[i]->name, spec->answered_by) != 0)
        i++;
    return i;
}

/* A call that has its answer is none any more; so is one of which nothing could tell. */
static void find_answers(struct extract *extract)
{
    const struct spec_set *set = extract->set;
    size_t by[SPEC_COUNT_MAX];

    for (size_t i = 0; i < set->count; i++)
        by[i] = answering(set, set->specs[i]);
    for (size_t i = 0; i < extract->dedupe.count; i++) {
        struct dedupe_entry *entry = &extract->dedupe.entries[i];

        if (entry->pair.one_way)
            entry->pair.one_way = by[entry->spec] < set->count &&
                                  !dedupe_answered(&extract->dedupe, entry, by[entry->spec]);
    }
}

void extract_result(struct extract *extract, struct lake_result *ret)
{
    struct arena *arena = extract->dedupe.arena;
    size_t spec_count = 0;

    while (spec_count < extract->set->count && !extract->set->specs[spec_count]->silent)
        spec_count++;
    find_answers(extract);
    ret->rows = extract->rows;
    ret->rows_unclaimed = extract->rows_unclaimed;
    ret->pairs = dedupe_pairs(&extract->dedupe, spec_count, &ret->pair_count);
    ret->specs = ARENA_ARRAY(arena, struct lake_spec_count, spec_count);
    ret->spec_count = 0;
    for (size_t i = 0; i < spec_count; i++) {
        struct lake_spec_count *count = &ret->specs[ret->spec_count];

        if (extract->counts[i].rows == 0)
            continue;
        *count = extract->counts[i];
        for (size_t j = 0; j < extract->dedupe.count; j++)
            count->pairs += extract->dedupe.entries[j].spec == i;
        ret->spec_count++;
    }
}
