/* CSV lines to pairs. */
#include "command/pairs_csv.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/clock.h"
#include "base/own.h"
#include "base/str.h"

/* Whole numbers from here on are milliseconds: as seconds they would be in the year 5138. */
static const int64_t MILLISECONDS_FROM = INT64_C(100000000000);

struct fields {
    const char *items[PAIRS_COLUMNS_LABELS];
    size_t offsets[PAIRS_COLUMNS_LABELS]; /* where they start in the line */
    int count;
};

/* Takes the quotes off in place; returns what follows the closing one, NULL without one. */
static char *unquote(char *text)
{
    char *to = text, *from = text + 1;

    for (; *from != '\0'; from++) {
        if (*from == '"' && from[1] != '"') {
            *to = '\0';
            return from + 1;
        }
        from += *from == '"';
        *to++ = *from;
    }
    return NULL;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

/* Ends the unquoted field that starts at `start`; *ret_end is its comma or the line's end. */
static bool end_bare(const char *line, char *start, char **ret_end, struct pairs_fault *fault)
{
    char *end = start + strcspn(start, ",\"");

    if (*end == '"')
        return pairs_fault_set(fault, PAIRS_QUOTES, (size_t)(end - line),
                               "there is a quote inside an unquoted field");
    if (is_blank(*start) || (end > start && is_blank(end[-1])))
        return pairs_fault_set(fault, PAIRS_BLANK, (size_t)(start - line),
                               "the field begins or ends with a blank; quote it if that is meant");
    *ret_end = end;
    return true;
}

static bool too_many(int columns_max, size_t offset, struct pairs_fault *fault)
{
    const char *what = "more than four fields: entity,ip,time,label";

    if (columns_max == PAIRS_COLUMNS_BARE)
        what = "more than two fields: entity,ip";
    else if (columns_max == PAIRS_COLUMNS_LABELS)
        what = "more than six fields: entity,ip,time,label,spec,story";
    return pairs_fault_set(fault, PAIRS_COLUMNS, offset, what);
}

static bool split(char *line, int columns_max, struct fields *ret, struct pairs_fault *fault)
{
    char *at = line;

    ret->count = 0;
    for (;;) {
        char *start = ret->count > 0 ? at + strspn(at, " \t") : at, *end = NULL;

        if (ret->count == columns_max)
            return too_many(columns_max, (size_t)(start - line), fault);
        ret->offsets[ret->count] = (size_t)(start - line);
        ret->items[ret->count++] = start;
        if (*start == '"')
            end = unquote(start);
        else if (!end_bare(line, start, &end, fault))
            return false;
        if (end == NULL || (*end != ',' && *end != '\0'))
            return pairs_fault_set(fault, PAIRS_QUOTES, (size_t)(start - line),
                                   "a quoted field does not end properly");
        if (*end == '\0')
            return true;
        *end = '\0';
        at = end + 1;
    }
}

bool pairs_csv_is_header(const char *line)
{
    static const char *const NAMES[] = {"ip", "ip_address", "ipaddress", "address", "src_ip"};
    const char *second = strchr(line, ',');
    size_t length;

    if (second == NULL)
        return false;
    second += 1 + strspn(second + 1, " \t\"");
    length = strcspn(second, ",\"");
    for (size_t i = 0; i < ARRAY_LEN(NAMES); i++)
        if (strlen(NAMES[i]) == length && strncasecmp(second, NAMES[i], length) == 0)
            return true;
    return false;
}

static bool time_of(const char *text, int64_t *ret_ms)
{
    int64_t number;
    double real;

    if (*text == '\0')
        return true;
    if (str_to_i64(text, &number)) {
        if (number < 0 || number > TIME_MS_MAX)
            return false;
        *ret_ms = number >= MILLISECONDS_FROM ? number : number * 1000;
        return *ret_ms <= TIME_MS_MAX;
    }
    if (str_to_double(text, &real) && real >= 0 && real * 1000 <= (double)TIME_MS_MAX) {
        *ret_ms = (int64_t)(real * 1000);
        return true;
    }
    return time_parse(text, ret_ms);
}

static bool read_extras(const struct fields *fields, struct pairs_row *ret,
                        struct pairs_fault *fault)
{
    int64_t label = 0;

    if (fields->count > 2 && !time_of(fields->items[2], &ret->time_ms))
        return pairs_fault_set(fault, PAIRS_TIME, fields->offsets[2],
                               "the time must be in seconds since 1970 or RFC 3339");
    if (fields->count > 3 && *fields->items[3] != '\0' &&
        (!str_to_i64(fields->items[3], &label) || label < -1 || label > 1))
        return pairs_fault_set(fault, PAIRS_LABEL, fields->offsets[3],
                               "the label must be 1, 0 or -1");
    ret->label = (int)label;
    if (fields->count > 4 && *fields->items[4] != '\0')
        ret->spec = fields->items[4];
    return true;
}

bool pairs_csv_parse(char *line, int columns_max, struct pairs_row *ret,
                     struct pairs_fault *ret_fault)
{
    struct fields fields;

    *ret = (struct pairs_row){0};
    if (!split(line, columns_max, &fields, ret_fault))
        return false;
    if (fields.count < 2)
        return pairs_fault_set(ret_fault, PAIRS_COLUMNS, 0,
                               "an entity and an IP address are needed: entity,ip");
    ret->entity = fields.items[0];
    if (!pairs_entity_check(ret->entity, strlen(ret->entity), ret_fault))
        return false;
    if (!pairs_address_read(fields.items[1], &ret->ip, ret_fault)) {
        ret_fault->offset = fields.offsets[1];
        return false;
    }
    return read_extras(&fields, ret, ret_fault);
}
