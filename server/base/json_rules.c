/* Reading bodies by table: every fault is kept with its pointer, so a client sees them at once. */
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/field.h"
#include "base/ip.h"
#include "base/json.h"
#include "base/json_scan.h"
#include "base/str.h"

enum {
    FAULT_TEXT_BYTES = 256,
    FAULT_POINTER_BYTES_MAX = 512,
    FAULT_NAME_BYTES_MAX = 128, /* of a member's name; the rest of a longer one is left out */
};

void json_faults_init(struct json_faults *faults, struct arena *arena)
{
    *faults = (struct json_faults){.arena = arena};
}

void json_fault(struct json_faults *faults, const char *pointer, const char *format, ...)
{
    char detail[FAULT_TEXT_BYTES];
    va_list args;

    faults->total++;
    if (faults->count == JSON_FAULTS_MAX)
        return;
    va_start(args, format);
    (void)vsnprintf(detail, sizeof detail, format, args);
    va_end(args);
    faults->items[faults->count++] = (struct json_fault){
        .pointer = arena_strdup(faults->arena, pointer),
        .detail = arena_strdup(faults->arena, detail),
    };
}

void json_fault_syntax(struct json_faults *faults, const char *pointer, const char *text,
                       size_t length, const struct err *err)
{
    AUTO(str_done) struct str at = {0};

    str_init(&at, FAULT_POINTER_BYTES_MAX);
    str_add(&at, pointer);
    json_scan_pointer(text, length, &at);
    json_fault(faults, at.failed || at.text == NULL ? pointer : at.text, "%s", err->text);
    faults->unreadable = true;
}

enum err_code json_faults_check(const struct json_faults *faults, struct err *err)
{
    if (faults->total == 0)
        return ERR_NONE;
    return err_set(err, ERR_INVALID, "%zu %s, the first at %.80s: %s", faults->total,
                   faults->total == 1 ? "fault" : "faults",
                   faults->items[0].pointer[0] != '\0' ? faults->items[0].pointer
                                                       : "the whole body",
                   faults->items[0].detail);
}

/* A member being read: where it is, and where faults go. */
struct reading {
    const struct json *node;
    const struct json_rule *rule;
    char *to;
    struct arena *arena;
    const char *parent;
    struct json_faults *faults;
};

/* Bytes of the name that are shown, cut between characters. */
static size_t shown_length(const char *name)
{
    size_t length = strlen(name);

    if (length <= FAULT_NAME_BYTES_MAX)
        return length;
    length = FAULT_NAME_BYTES_MAX;
    while (length > 0 && ((unsigned char)name[length] & 0xc0) == 0x80)
        length--;
    return length;
}

/* "~" and "/" inside a name are written ~0 and ~1 (RFC 6901 section 3). */
static const char *pointer_to(struct arena *arena, const char *parent, const char *name)
{
    size_t length = strlen(parent), shown = shown_length(name);
    char *pointer = arena_alloc(arena, length + 1 + 2 * shown + 1);
    char *at = pointer + length;

    (void)memcpy(pointer, parent, length);
    *at++ = '/';
    for (size_t i = 0; i < shown; i++) {
        if (name[i] == '~' || name[i] == '/') {
            *at++ = '~';
            *at++ = name[i] == '~' ? '0' : '1';
        } else {
            *at++ = name[i];
        }
    }
    *at = '\0';
    return pointer;
}

static void fault(const struct reading *r, const char *detail)
{
    if (r->faults->count == JSON_FAULTS_MAX) { /* counted, without making the pointer */
        r->faults->total++;
        return;
    }
    json_fault(r->faults, pointer_to(r->arena, r->parent, r->rule->name), "%s", detail);
}

static bool out_of_bounds(const struct reading *r, double value)
{
    const struct json_rule *rule = r->rule;
    char detail[FAULT_TEXT_BYTES];

    if (rule->min >= rule->max || (value >= rule->min && value <= rule->max))
        return false;
    (void)snprintf(detail, sizeof detail, "must be between %.15g and %.15g", rule->min, rule->max);
    fault(r, detail);
    return true;
}

static bool read_int(const struct reading *r)
{
    int64_t value;

    if (!json_int_of(r->node, &value)) {
        fault(r, "is not a whole number");
        return false;
    }
    if (out_of_bounds(r, (double)value))
        return false;
    *(int64_t *)(void *)r->to = value;
    return true;
}

static bool read_real(const struct reading *r)
{
    double value;

    if (!json_number_of(r->node, &value)) {
        fault(r, "is not a finite number");
        return false;
    }
    if (out_of_bounds(r, value))
        return false;
    *(double *)(void *)r->to = value;
    return true;
}

/* The text within its limits, or NULL and a fault. */
static const char *checked_text(const struct reading *r, size_t length_max)
{
    const char *text = json_text_of(r->node);
    char detail[FAULT_TEXT_BYTES];

    if (text == NULL) {
        fault(r, "is not text");
        return NULL;
    }
    if (*text == '\0') {
        fault(r, "is empty");
        return NULL;
    }
    if (length_max > 0 && strlen(text) > length_max) {
        (void)snprintf(detail, sizeof detail, "is longer than %zu bytes", length_max);
        fault(r, detail);
        return NULL;
    }
    if (!str_is_clean_utf8(text, strlen(text))) {
        fault(r, "contains control characters");
        return NULL;
    }
    return text;
}

static bool read_text(const struct reading *r)
{
    const char *text = checked_text(r, r->rule->length_max);

    if (text == NULL)
        return false;
    *(const char **)(void *)r->to = arena_strdup(r->arena, text);
    return true;
}

static bool read_time(const struct reading *r)
{
    const char *text = checked_text(r, TIME_TEXT_BYTES + 16);

    if (text == NULL)
        return false;
    if (!time_parse(text, (int64_t *)(void *)r->to)) {
        fault(r, "is not an RFC 3339 time between 1970 and 2099");
        return false;
    }
    return true;
}

static bool read_bool(const struct reading *r)
{
    bool value;

    if (!json_bool_of(r->node, &value)) {
        fault(r, "is not true or false");
        return false;
    }
    *(int64_t *)(void *)r->to = value;
    return true;
}

static bool read_ip(const struct reading *r)
{
    const char *text = checked_text(r, 0);

    if (text == NULL)
        return false;
    if (!ip_parse(text, (struct ip *)(void *)r->to)) {
        fault(r, "is not an IP address");
        return false;
    }
    return true;
}

static bool read_enum(const struct reading *r)
{
    const char *text = json_text_of(r->node);
    int index = text != NULL ? field_word_index(r->rule->words, text) : -1;
    AUTO(str_done) struct str detail = {0};

    if (index >= 0) {
        *(int64_t *)(void *)r->to = index;
        return true;
    }
    str_init(&detail, FAULT_TEXT_BYTES);
    str_add(&detail, "is not one of ");
    for (size_t i = 0; r->rule->words[i] != NULL; i++)
        str_addf(&detail, "%s%s", i > 0 ? ", " : "", r->rule->words[i]);
    fault(r, detail.text);
    return false;
}

static bool read_null(const struct reading *r)
{
    const struct json_rule *rule = r->rule;

    if (!(rule->flags & JSON_NULLABLE)) {
        fault(r, "must not be null");
        return false;
    }
    switch (rule->type) {
    case FIELD_INT:
    case FIELD_TIME:
        *(int64_t *)(void *)r->to = FIELD_NULL_INT;
        break;
    case FIELD_ENUM:
        *(int64_t *)(void *)r->to = -1;
        break;
    case FIELD_REAL:
        *(double *)(void *)r->to = NAN;
        break;
    case FIELD_TEXT:
    case FIELD_JSON:
        *(const void **)(void *)r->to = NULL;
        break;
    default: /* BOOL, IP and BLOB have no null: such a table is wrong */
        ASSERT(rule->type == FIELD_INT);
    }
    return true;
}

static bool read_member(const struct reading *r)
{
    if (json_type(r->node) == JSON_NULL && r->rule->type != FIELD_JSON)
        return read_null(r);
    switch (r->rule->type) {
    case FIELD_INT:
        return read_int(r);
    case FIELD_REAL:
        return read_real(r);
    case FIELD_TEXT:
        return read_text(r);
    case FIELD_TIME:
        return read_time(r);
    case FIELD_BOOL:
        return read_bool(r);
    case FIELD_IP:
        return read_ip(r);
    case FIELD_ENUM:
        return read_enum(r);
    case FIELD_JSON:
        *(const struct json **)(void *)r->to = r->node;
        return true;
    case FIELD_BLOB:
        break;
    }
    ASSERT(r->rule->type != FIELD_BLOB);
    return false;
}

static const struct json_rule *rule_of(const struct json_rule *rules, const char *name)
{
    for (; rules->name != NULL; rules++)
        if (strcmp(rules->name, name) == 0)
            return rules;
    return NULL;
}

void json_read_object(const struct json *node, const struct json_rule *rules, void *ret,
                      struct arena *arena, const char *pointer, struct json_faults *faults)
{
    struct reading r = {.arena = arena, .parent = pointer, .faults = faults};

    if (node == NULL || json_type(node) != JSON_OBJECT) {
        json_fault(faults, pointer, "is not an object");
        return;
    }
    for (r.node = json_first(node); r.node != NULL; r.node = json_next(r.node)) {
        const struct json_rule unknown = {.name = json_name(r.node)};

        r.rule = rule_of(rules, json_name(r.node));
        if (r.rule == NULL) {
            r.rule = &unknown;
            fault(&r, "is not known here");
            continue;
        }
        r.to = (char *)ret + r.rule->offset;
        if (read_member(&r) && r.rule->seen_offset > 0)
            *((bool *)ret + r.rule->seen_offset) = true;
    }
    for (r.rule = rules; r.rule->name != NULL; r.rule++)
        if ((r.rule->flags & JSON_REQUIRED) && json_member(node, r.rule->name) == NULL)
            fault(&r, "is missing");
}
