/* The streaming writer: every reply is made here. */
#include <math.h>
#include <string.h>

#include "base/clock.h"
#include "base/field.h"
#include "base/ip.h"
#include "base/json.h"
#include "base/str.h"

void json_writer_init(struct json_writer *w, struct str *out)
{
    *w = (struct json_writer){.out = out};
}

static bool is_plain(unsigned char c)
{
    return c >= 0x20 && c != '"' && c != '\\' && c < 0x7f;
}

static void add_escaped(struct str *out, unsigned char c)
{
    switch (c) {
    case '"':
        str_add(out, "\\\"");
        break;
    case '\\':
        str_add(out, "\\\\");
        break;
    case '\n':
        str_add(out, "\\n");
        break;
    case '\r':
        str_add(out, "\\r");
        break;
    case '\t':
        str_add(out, "\\t");
        break;
    default:
        str_addf(out, "\\u%04x", c);
    }
}

/* Length of the UTF-8 sequence at text when it is well-formed, else 0. */
static size_t sequence_length(const char *text, size_t left)
{
    unsigned char c = (unsigned char)*text;
    size_t length = c >= 0xf0 ? 4 : c >= 0xe0 ? 3 : 2;

    return c >= 0xc2 && length <= left && str_is_clean_utf8(text, length) ? length : 0;
}

static void add_string(struct str *out, const char *text)
{
    size_t length = strlen(text);

    str_add_char(out, '"');
    for (size_t i = 0; i < length;) {
        size_t run = i;
        unsigned char c;
        size_t step;

        while (run < length && is_plain((unsigned char)text[run]))
            run++;
        str_add_bytes(out, text + i, run - i);
        i = run;
        if (i == length)
            break;
        c = (unsigned char)text[i];
        step = c < 0x80 ? 1 : sequence_length(text + i, length - i);
        if (c < 0x80)
            add_escaped(out, c);
        else if (step > 0)
            str_add_bytes(out, text + i, step);
        else
            str_add(out, "\xef\xbf\xbd"); /* U+FFFD */
        i += step > 0 ? step : 1;
    }
    str_add_char(out, '"');
}

static void begin_value(struct json_writer *w, const char *key)
{
    if (w->comma)
        str_add_char(w->out, ',');
    if (key != NULL) {
        ASSERT(w->depth > 0 && w->closers[w->depth - 1] == '}');
        add_string(w->out, key);
        str_add_char(w->out, ':');
    } else {
        ASSERT(w->depth == 0 || w->closers[w->depth - 1] == ']');
    }
    w->comma = true;
}

static void open_value(struct json_writer *w, const char *key, char opener, char closer)
{
    begin_value(w, key);
    ASSERT(w->depth < JSON_DEPTH_MAX);
    str_add_char(w->out, opener);
    w->closers[w->depth++] = closer;
    w->comma = false;
}

void json_object(struct json_writer *w, const char *key)
{
    open_value(w, key, '{', '}');
}

void json_array(struct json_writer *w, const char *key)
{
    open_value(w, key, '[', ']');
}

void json_end(struct json_writer *w)
{
    ASSERT(w->depth > 0);
    str_add_char(w->out, w->closers[--w->depth]);
    w->comma = true;
}

void json_null(struct json_writer *w, const char *key)
{
    begin_value(w, key);
    str_add(w->out, "null");
}

void json_text(struct json_writer *w, const char *key, const char *text)
{
    if (text == NULL) {
        json_null(w, key);
        return;
    }
    begin_value(w, key);
    add_string(w->out, text);
}

void json_int(struct json_writer *w, const char *key, int64_t value)
{
    begin_value(w, key);
    str_addf(w->out, "%lld", (long long)value);
}

void json_real(struct json_writer *w, const char *key, double value)
{
    char text[32];

    if (!isfinite(value)) {
        json_null(w, key);
        return;
    }
    begin_value(w, key);
    str_add_bytes(w->out, text, str_from_double(text, value));
}

void json_bool(struct json_writer *w, const char *key, bool value)
{
    begin_value(w, key);
    str_add(w->out, value ? "true" : "false");
}

void json_time(struct json_writer *w, const char *key, int64_t ms)
{
    char text[TIME_TEXT_BYTES];

    if (ms == FIELD_NULL_INT) {
        json_null(w, key);
        return;
    }
    (void)time_format(text, ms);
    json_text(w, key, text);
}

void json_ip(struct json_writer *w, const char *key, const struct ip *ip)
{
    char text[IP_TEXT_BYTES];

    (void)ip_format(text, ip);
    json_text(w, key, text);
}

void json_raw(struct json_writer *w, const char *key, const char *json_text_)
{
    if (json_text_ == NULL) {
        json_null(w, key);
        return;
    }
    begin_value(w, key);
    str_add(w->out, json_text_);
}

static int64_t int_at(const void *row, const struct field *field)
{
    return *(const int64_t *)((const char *)row + field->offset);
}

static const char *text_at(const void *row, const struct field *field)
{
    return *(const char *const *)((const char *)row + field->offset);
}

static void write_int(struct json_writer *w, const struct field *field, int64_t value)
{
    if ((field->flags & FIELD_NULLABLE) && value == FIELD_NULL_INT)
        json_null(w, field->name);
    else
        json_int(w, field->name, value);
}

/* Null, too, for a number without a word: it may come from a row of a later version. */
static void write_enum(struct json_writer *w, const struct field *field, int64_t value)
{
    const char *const *word = field->words;

    while (value > 0 && *word != NULL) {
        word++;
        value--;
    }
    json_text(w, field->name, value == 0 ? *word : NULL);
}

static void write_field(struct json_writer *w, const struct field *field, const void *row)
{
    const char *at = (const char *)row + field->offset;

    switch (field->type) {
    case FIELD_INT:
        write_int(w, field, int_at(row, field));
        break;
    case FIELD_REAL:
        json_real(w, field->name, *(const double *)(const void *)at);
        break;
    case FIELD_TEXT:
        json_text(w, field->name, text_at(row, field));
        break;
    case FIELD_TIME:
        json_time(w, field->name, int_at(row, field));
        break;
    case FIELD_BOOL:
        json_bool(w, field->name, int_at(row, field) != 0);
        break;
    case FIELD_IP:
        json_ip(w, field->name, (const struct ip *)(const void *)at);
        break;
    case FIELD_ENUM:
        write_enum(w, field, int_at(row, field));
        break;
    case FIELD_JSON:
        json_raw(w, field->name, text_at(row, field));
        break;
    case FIELD_BLOB: /* bytes have no JSON: a table that shows one is wrong */
        ASSERT(field->type != FIELD_BLOB);
        break;
    }
}

void json_fields(struct json_writer *w, const struct field *fields, const void *row)
{
    for (; fields->name != NULL; fields++)
        if (!(fields->flags & FIELD_HIDDEN))
            write_field(w, fields, row);
}

void json_row(struct json_writer *w, const char *key, const struct field *fields, const void *row)
{
    json_object(w, key);
    json_fields(w, fields, row);
    json_end(w);
}

static void write_number(struct json_writer *w, const char *key, const struct json *node)
{
    int64_t whole;
    double number = 0;

    if (json_int_of(node, &whole)) {
        json_int(w, key, whole);
        return;
    }
    (void)json_number_of(node, &number);
    json_real(w, key, number);
}

/* As deep as json_parse lets a document be. */
void json_node(struct json_writer *w, const char *key, const struct json *node)
{
    enum json_type type = json_type(node);
    bool value = false;

    switch (type) {
    case JSON_NULL:
        json_null(w, key);
        return;
    case JSON_BOOL:
        (void)json_bool_of(node, &value);
        json_bool(w, key, value);
        return;
    case JSON_NUMBER:
        write_number(w, key, node);
        return;
    case JSON_TEXT:
        json_text(w, key, json_text_of(node));
        return;
    case JSON_ARRAY:
    case JSON_OBJECT:
        break;
    }
    if (type == JSON_ARRAY)
        json_array(w, key);
    else
        json_object(w, key);
    for (const struct json *child = json_first(node); child != NULL; child = json_next(child))
        json_node(w, type == JSON_OBJECT ? json_name(child) : NULL, child);
    json_end(w);
}
