/* CSV lines to pairs. */
#include "command/pairs_csv.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/clock.h"
#include "base/str.h"

enum { FIELDS_MAX = 4, ENTITY_LENGTH_MAX = 2048, LINE_LENGTH_MAX = 64 * 1024 };
/* Whole numbers from here on are milliseconds: as seconds they would be in the year 5138. */
static const int64_t MILLISECONDS_FROM = INT64_C(100000000000);

struct fields {
    const char *items[FIELDS_MAX];
    long columns[FIELDS_MAX]; /* where they start, from 1 */
    size_t count;
};

struct place {
    const char *name;
    long line;
};

static enum err_code fault(const struct place *place, long column, struct err *err,
                           const char *what)
{
    return err_set(err, ERR_INVALID, "%s:%ld:%ld: %s", place->name, place->line, column, what);
}

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

static enum err_code split(char *line, const struct place *place, struct fields *ret,
                           struct err *err)
{
    char *at = line;

    ret->count = 0;
    for (;;) {
        char *end;
        long column = at - line + 1;

        if (ret->count == FIELDS_MAX)
            return fault(place, column, err, "more than four fields: entity,ip,time,label");
        ret->columns[ret->count] = column;
        ret->items[ret->count++] = at;
        end = *at == '"' ? unquote(at) : at + strcspn(at, ",");
        if (end == NULL || (*end != ',' && *end != '\0'))
            return fault(place, column, err, "a quoted field does not end properly");
        if (*end == '\0')
            return ERR_NONE;
        *end = '\0';
        at = end + 1;
    }
}

static bool is_header(const struct fields *fields, const struct place *place)
{
    static const char *const NAMES[] = {"ip", "ip_address", "ipaddress", "address", "src_ip"};

    if (place->line != 1 || fields->count < 2)
        return false;
    for (size_t i = 0; i < ARRAY_LEN(NAMES); i++)
        if (strcasecmp(fields->items[1], NAMES[i]) == 0)
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
        *ret_ms = number >= MILLISECONDS_FROM ? number : number * 1000;
        return number >= 0 && *ret_ms <= TIME_MS_MAX;
    }
    if (str_to_double(text, &real) && real >= 0 && real * 1000 <= (double)TIME_MS_MAX) {
        *ret_ms = (int64_t)(real * 1000);
        return true;
    }
    return time_parse(text, ret_ms);
}

static enum err_code read_fields(const struct fields *fields, const struct place *place,
                                 struct pairs_row *ret, struct err *err)
{
    const char *const *items = fields->items;
    size_t length = strlen(items[0]);
    int64_t label = 0;

    if (fields->count < 2)
        return fault(place, 1, err, "an entity and an IP address are needed");
    if (length == 0 || length > ENTITY_LENGTH_MAX || !str_is_clean_utf8(items[0], length))
        return fault(place, 1, err, "the entity must be 1 to 2048 bytes of printable UTF-8");
    if (!ip_parse(items[1], &ret->ip))
        return fault(place, fields->columns[1], err, "this is not an IP address");
    if (fields->count > 2 && !time_of(items[2], &ret->time_ms))
        return fault(place, fields->columns[2], err,
                     "the time must be in seconds since 1970 or RFC 3339");
    if (fields->count > 3 && *items[3] != '\0' &&
        (!str_to_i64(items[3], &label) || label < -1 || label > 1))
        return fault(place, fields->columns[3], err, "the label must be 1, 0 or -1");
    ret->entity = items[0];
    ret->label = (int)label;
    return ERR_NONE;
}

enum err_code pairs_csv_parse(char *line, const char *name, long line_number, struct pairs_row *ret,
                              bool *ret_header, struct err *err)
{
    struct place place = {name, line_number};
    struct fields fields;

    *ret = (struct pairs_row){0};
    TRY(split(line, &place, &fields, err));
    *ret_header = is_header(&fields, &place);
    return *ret_header ? ERR_NONE : read_fields(&fields, &place, ret, err);
}

enum err_code pairs_csv_open(struct pairs_csv *csv, const char *path, struct err *err)
{
    *csv = (struct pairs_csv){.name = path, .file = fopen(path, "re")};
    if (csv->file == NULL)
        return err_errno(err, ERR_IO, "opening \"%s\"", path);
    return ERR_NONE;
}

void pairs_csv_close(struct pairs_csv *csv)
{
    if (csv->file != NULL)
        (void)fclose(csv->file);
    own_freep(&csv->line);
    *csv = (struct pairs_csv){0};
}

/* The next line that is not empty, without its line end; *ret_more false at the end. */
static enum err_code next_line(struct pairs_csv *csv, bool *ret_more, struct err *err)
{
    ssize_t length;

    *ret_more = false;
    while ((length = getline(&csv->line, &csv->capacity, csv->file)) >= 0) {
        csv->line_number++;
        if (length > LINE_LENGTH_MAX || memchr(csv->line, '\0', (size_t)length) != NULL)
            return err_set(err, ERR_INVALID, "%s:%ld:1: this is not a line of text", csv->name,
                           csv->line_number);
        csv->line[strcspn(csv->line, "\r\n")] = '\0';
        if (csv->line[0] != '\0') {
            *ret_more = true;
            return ERR_NONE;
        }
    }
    if (ferror(csv->file))
        return err_errno(err, ERR_IO, "reading \"%s\"", csv->name);
    return ERR_NONE;
}

enum err_code pairs_csv_next(struct pairs_csv *csv, struct pairs_row *ret, bool *ret_more,
                             struct err *err)
{
    bool header = true;

    while (header) {
        TRY(next_line(csv, ret_more, err));
        if (!*ret_more)
            return ERR_NONE;
        TRY(pairs_csv_parse(csv->line, csv->name, csv->line_number, ret, &header, err));
    }
    return ERR_NONE;
}
