/* An explanation made by another worker: checked member by member, because browsers rely on it. */
#include <string.h>

#include "api/rules.h"
#include "api/score_object.h"
#include "base/arena.h"
#include "base/ip.h"
#include "base/str.h"
#include "model/model.h"
#include "store/window.h"

enum {
    ITEMS_MAX = 64,
    NAMES_MAX = 8,
    NAME_BYTES_MAX = 512,
    SCRATCH_BYTES_MAX = 1 << 20, /* a line has 64 KiB */
    BITS_MAX = 128,
};
#define COUNT_MAX 1e15

struct members {
    int64_t opinion, known_bits, bearers, neighbours;
    const struct json *nearest, *opinions, *levels, *networks, *bearer_names, *system, *judged_by;
};
#define MEMBER(name, type, ...)                                                                    \
    RULE(struct members, name, #name, type, .flags = JSON_REQUIRED, __VA_ARGS__)
static const struct json_rule RULES[] = {
    MEMBER(opinion, FIELD_ENUM, .words = OPINION_WORDS),
    MEMBER(known_bits, FIELD_INT, .min = -1, .max = BITS_MAX),
    MEMBER(bearers, FIELD_INT, .min = 0, .max = COUNT_MAX),
    MEMBER(neighbours, FIELD_INT, .min = 0, .max = COUNT_MAX),
    MEMBER(nearest, FIELD_JSON, .min = 0),
    MEMBER(opinions, FIELD_JSON, .min = 0),
    MEMBER(levels, FIELD_JSON, .min = 0),
    MEMBER(networks, FIELD_JSON, .min = 0),
    RULE(struct members, bearer_names, "bearer_names", FIELD_JSON, .flags = 0),
    RULE(struct members, system, "system", FIELD_JSON, .flags = 0),
    RULE(struct members, judged_by, "judged_by", FIELD_JSON, .flags = 0),
    RULE_END,
};

struct item { /* of any of the arrays */
    int64_t word, flagged, count, time;
    double a, b, c;
    const char *network;
    const struct json *name;
    struct ip ip;
};
#define ITEM(member, name, type, ...) RULE(struct item, member, name, type, __VA_ARGS__)
#define NETWORK(name)                                                                              \
    ITEM(network, name, FIELD_TEXT, .flags = JSON_REQUIRED, .length_max = CIDR_TEXT_BYTES)
static const struct json_rule NEAREST_RULES[] = {
    ITEM(ip, "ip", FIELD_IP, .flags = JSON_REQUIRED),
    ITEM(time, "last_seen", FIELD_TIME, .flags = JSON_REQUIRED),
    RULE_END,
};
static const struct json_rule OPINION_RULES[] = {
    ITEM(word, "name", FIELD_ENUM, .flags = JSON_REQUIRED, .words = OPINION_WORDS),
    ITEM(a, "score", FIELD_REAL, .flags = JSON_REQUIRED),
    ITEM(b, "percentile", FIELD_REAL, .flags = JSON_REQUIRED | JSON_NULLABLE, .min = 0, .max = 100),
    ITEM(flagged, "flagged", FIELD_BOOL, .flags = JSON_REQUIRED),
    RULE_END,
};
static const struct json_rule LEVEL_RULES[] = {
    NETWORK("prefix"),
    ITEM(a, "entity", FIELD_REAL, .flags = JSON_REQUIRED),
    ITEM(b, "others", FIELD_REAL, .flags = JSON_REQUIRED),
    ITEM(c, "ip_insights", FIELD_REAL, .flags = JSON_REQUIRED),
    RULE_END,
};
static const struct json_rule NETWORK_RULES[] = {
    NETWORK("network"),
    ITEM(count, "observations", FIELD_INT, .flags = JSON_REQUIRED, .min = 0, .max = COUNT_MAX),
    ITEM(a, "share", FIELD_REAL, .flags = JSON_REQUIRED, .min = 0, .max = 1),
    RULE_END,
};

static const struct json_rule SYSTEM_RULES[] = {
    ITEM(count, "asn", FIELD_INT, .flags = JSON_REQUIRED, .min = 1, .max = UINT32_MAX),
    ITEM(name, "name", FIELD_JSON, .flags = JSON_REQUIRED),
    ITEM(flagged, "known", FIELD_BOOL, .flags = JSON_REQUIRED),
    ITEM(a, "share", FIELD_REAL, .flags = JSON_REQUIRED, .min = 0, .max = 1),
    ITEM(time, "entities", FIELD_INT, .flags = JSON_REQUIRED, .min = 0, .max = COUNT_MAX),
    ITEM(b, "evidence", FIELD_REAL, .flags = JSON_REQUIRED),
    RULE_END,
};

static const struct json_rule JUDGED_RULES[] = {
    ITEM(a, "threshold", FIELD_REAL, .flags = JSON_REQUIRED),
    ITEM(name, "window", FIELD_JSON, .flags = JSON_REQUIRED),
    RULE_END,
};
static const struct json_rule WINDOW_RULES[] = {
    ITEM(time, "first_day", FIELD_TIME, .flags = JSON_REQUIRED),
    ITEM(time, "last_day", FIELD_TIME, .flags = JSON_REQUIRED),
    ITEM(count, "days", FIELD_INT, .flags = JSON_REQUIRED, .min = 1, .max = WINDOW_DAYS),
    ITEM(count, "sample_size", FIELD_INT, .flags = JSON_REQUIRED, .min = 1, .max = COUNT_MAX),
    RULE_END,
};

static void check_item(const struct json *node, const struct json_rule *rules,
                       struct arena *scratch, const char *pointer, struct json_faults *faults)
{
    struct item item = {.network = NULL};
    struct cidr cidr;

    json_read_object(node, rules, &item, scratch, pointer, faults);
    if (item.network != NULL && !cidr_parse(item.network, &cidr))
        json_fault(faults, pointer, "names no network");
}

static void check_items(const struct json *array, const char *name, const struct json_rule *rules,
                        struct arena *scratch, const char *pointer, struct json_faults *faults)
{
    const char *at = arena_printf(scratch, "%s/%s", pointer, name);
    size_t i = 0;

    if (json_type(array) != JSON_ARRAY || json_count(array) > ITEMS_MAX) {
        json_fault(faults, at, "is no array of at most %d", ITEMS_MAX);
        return;
    }
    for (const struct json *node = json_first(array); node != NULL; node = json_next(node))
        check_item(node, rules, scratch, arena_printf(scratch, "%s/%zu", at, i++), faults);
}

static bool is_name(const struct json *node, size_t length_max)
{
    const char *text = json_text_of(node);

    return text != NULL && strlen(text) <= length_max && str_is_clean_utf8(text, strlen(text));
}

static void check_names(const struct json *array, struct arena *scratch, const char *pointer,
                        struct json_faults *faults)
{
    const char *at = arena_printf(scratch, "%s/bearer_names", pointer);
    size_t i = 0;

    if (array == NULL)
        return;
    if (json_type(array) != JSON_ARRAY || json_count(array) > NAMES_MAX)
        json_fault(faults, at, "is no array of at most %d", NAMES_MAX);
    for (const struct json *node = json_first(array); node != NULL; node = json_next(node), i++)
        if (!is_name(node, NAME_BYTES_MAX))
            json_fault(faults, arena_printf(scratch, "%s/%zu", at, i), "is no name");
}

static void check_system(const struct json *node, struct arena *scratch, const char *pointer,
                         struct json_faults *faults)
{
    const char *at = arena_printf(scratch, "%s/system", pointer);

    if (json_type(node) == JSON_NULL)
        return;
    check_item(node, SYSTEM_RULES, scratch, at, faults);
    if (json_member(node, "name") != NULL && !is_name(json_member(node, "name"), NAME_BYTES_MAX))
        json_fault(faults, arena_printf(scratch, "%s/name", at), "is no name");
}

static void check_judged(const struct json *node, struct arena *scratch, const char *pointer,
                         struct json_faults *faults)
{
    const char *at = arena_printf(scratch, "%s/judged_by", pointer);
    const struct json *window = json_member(node, "window");

    if (node == NULL)
        return;
    check_item(node, JUDGED_RULES, scratch, at, faults);
    if (window != NULL && json_type(window) != JSON_NULL)
        check_item(window, WINDOW_RULES, scratch, arena_printf(scratch, "%s/window", at), faults);
}

static void check_all(const struct json *node, struct arena *scratch, const char *pointer,
                      struct json_faults *faults)
{
    struct members members = {.opinion = 0};
    size_t before = faults->total;

    json_read_object(node, RULES, &members, scratch, pointer, faults);
    if (faults->total > before)
        return;
    if (json_type(members.nearest) != JSON_NULL)
        check_item(members.nearest, NEAREST_RULES, scratch,
                   arena_printf(scratch, "%s/nearest", pointer), faults);
    check_items(members.opinions, "opinions", OPINION_RULES, scratch, pointer, faults);
    check_items(members.levels, "levels", LEVEL_RULES, scratch, pointer, faults);
    check_items(members.networks, "networks", NETWORK_RULES, scratch, pointer, faults);
    check_names(members.bearer_names, scratch, pointer, faults);
    check_system(members.system, scratch, pointer, faults);
    check_judged(members.judged_by, scratch, pointer, faults);
}

const char *score_explanation_read(const struct json *node, struct arena *arena,
                                   const char *pointer, struct json_faults *faults)
{
    AUTO(arena_done) struct arena scratch = {0};
    AUTO(str_done) struct str text = {0};
    struct json_writer json;
    const char *at;
    size_t before = faults->total;

    if (json_type(node) == JSON_NULL)
        return NULL;
    arena_init(&scratch, SCRATCH_BYTES_MAX);
    at = arena_printf(&scratch, "%s/explanation", pointer);
    check_all(node, &scratch, at, faults);
    if (faults->total > before)
        return NULL;
    str_init(&text, EXPLANATION_JSON_BYTES_MAX);
    json_writer_init(&json, &text);
    json_node(&json, NULL, node);
    if (!text.failed)
        return arena_strndup(arena, text.text, text.length);
    json_fault(faults, at, "is longer than %d bytes", EXPLANATION_JSON_BYTES_MAX);
    return NULL;
}
