#include "base/json_scan.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "base/json.h"
#include "base/str.h"

/* cJSON reads no more of a number and would misread the rest. */
enum { JSON_NUMBER_BYTES_MAX = 63 };

/* Where the scan is inside one array or object. */
struct step {
    const char *name,
        *name_end; /* the member's name as it is written; NULL in an array, before it */
    size_t index;
    bool is_array;
};

struct scan {
    const char *start, *at, *end;
    int depth;
    int fault_depth;
    const char *fault; /* what is wrong at `at`; NULL so far */
    struct step path[JSON_DEPTH_MAX];
};

static bool fail(struct scan *s, const char *fault)
{
    if (s->fault == NULL) {
        s->fault = fault;
        s->fault_depth = s->depth;
    }
    return false;
}

static void skip_space(struct scan *s)
{
    while (s->at < s->end && (*s->at == ' ' || *s->at == '\t' || *s->at == '\n' || *s->at == '\r'))
        s->at++;
}

static bool next_is(struct scan *s, char c)
{
    if (s->at >= s->end || *s->at != c)
        return false;
    s->at++;
    return true;
}

static bool scan_digits(struct scan *s)
{
    const char *start = s->at;

    while (s->at < s->end && *s->at >= '0' && *s->at <= '9')
        s->at++;
    return s->at > start || fail(s, "a digit is missing");
}

/* The syntax; scan_number looks at the length. */
static bool scan_number_syntax(struct scan *s)
{
    (void)next_is(s, '-');
    if (!next_is(s, '0') && !scan_digits(s))
        return false;
    if (next_is(s, '.') && !scan_digits(s))
        return false;
    if (next_is(s, 'e') || next_is(s, 'E')) {
        if (!next_is(s, '+'))
            (void)next_is(s, '-');
        return scan_digits(s);
    }
    return true;
}

static bool scan_number(struct scan *s)
{
    const char *start = s->at;

    if (!scan_number_syntax(s))
        return false;
    return s->at - start <= JSON_NUMBER_BYTES_MAX || fail(s, "a number is too long");
}

static bool scan_hex4(struct scan *s, uint32_t *ret)
{
    *ret = 0;
    for (int i = 0; i < 4; i++, s->at++) {
        char c = s->at < s->end ? *s->at : '\0';
        uint32_t digit = c >= '0' && c <= '9'   ? (uint32_t)(c - '0')
                         : c >= 'a' && c <= 'f' ? (uint32_t)(c - 'a' + 10)
                         : c >= 'A' && c <= 'F' ? (uint32_t)(c - 'A' + 10)
                                                : 16;

        if (digit == 16)
            return fail(s, "\\u needs four hexadecimal digits");
        *ret = *ret * 16 + digit;
    }
    return true;
}

static bool scan_unicode(struct scan *s)
{
    uint32_t unit, second;

    if (!scan_hex4(s, &unit))
        return false;
    if (unit == 0)
        return fail(s, "\\u0000 is not allowed");
    if (unit < 0xd800 || unit > 0xdfff)
        return true;
    if (unit > 0xdbff || !next_is(s, '\\') || !next_is(s, 'u') || !scan_hex4(s, &second) ||
        second < 0xdc00 || second > 0xdfff)
        return fail(s, "half a surrogate pair");
    return true;
}

static bool scan_escape(struct scan *s)
{
    if (s->at >= s->end)
        return fail(s, "the text is not closed");
    if (next_is(s, 'u'))
        return scan_unicode(s);
    if (strchr("\"\\/bfnrt", *s->at) == NULL || *s->at == '\0')
        return fail(s, "no such escape");
    s->at++;
    return true;
}

static bool scan_string(struct scan *s)
{
    const char *start = s->at;

    while (s->at < s->end && *s->at != '"') {
        if ((unsigned char)*s->at < 0x20)
            return fail(s, "a control character inside text");
        if (next_is(s, '\\')) {
            if (!scan_escape(s))
                return false;
        } else {
            s->at++;
        }
    }
    if (s->at >= s->end)
        return fail(s, "the text is not closed");
    /* Escapes are ASCII, so the raw bytes are UTF-8 exactly when the text is. DEL is allowed by
     * JSON; readers that mind use str_is_clean_utf8 on the value. */
    for (const char *from = start; from < s->at;) {
        const char *to = memchr(from, 0x7f, (size_t)(s->at - from));

        to = to != NULL ? to : s->at;
        if (!str_is_clean_utf8(from, (size_t)(to - from)))
            return fail(s, "text that is not UTF-8");
        from = to + 1;
    }
    s->at++;
    return true;
}

static bool scan_word(struct scan *s, const char *word)
{
    size_t length = strlen(word);

    if ((size_t)(s->end - s->at) < length || memcmp(s->at, word, length) != 0)
        return fail(s, "no JSON value");
    s->at += length;
    return true;
}

static bool scan_value(struct scan *s);

static bool scan_array(struct scan *s)
{
    struct step *step = &s->path[s->depth - 1];

    *step = (struct step){.is_array = true};
    skip_space(s);
    if (next_is(s, ']'))
        return true;
    for (;; step->index++) {
        if (!scan_value(s))
            return false;
        skip_space(s);
        if (next_is(s, ']'))
            return true;
        if (!next_is(s, ','))
            return fail(s, "expected , or ]");
    }
}

static bool scan_object(struct scan *s)
{
    struct step *step = &s->path[s->depth - 1];
    const char *name;

    *step = (struct step){0};
    skip_space(s);
    if (next_is(s, '}'))
        return true;
    for (;;) {
        step->name = NULL;
        skip_space(s);
        name = s->at + 1;
        if (!next_is(s, '"'))
            return fail(s, "expected a member name");
        if (!scan_string(s))
            return false;
        step->name = name;
        step->name_end = s->at - 1;
        skip_space(s);
        if (!next_is(s, ':'))
            return fail(s, "expected :");
        if (!scan_value(s))
            return false;
        skip_space(s);
        if (next_is(s, '}'))
            return true;
        if (!next_is(s, ','))
            return fail(s, "expected , or }");
    }
}

/* Recursion is bounded by JSON_DEPTH_MAX. */
static bool scan_nested(struct scan *s, bool (*inside)(struct scan *))
{
    bool ok;

    if (s->depth == JSON_DEPTH_MAX)
        return fail(s, "nested too deeply");
    s->depth++;
    ok = inside(s);
    s->depth--;
    return ok;
}

/* What other languages print for a number that JSON cannot say. */
static bool is_not_finite(const struct scan *s)
{
    static const char *const WORDS[] = {"NaN", "nan", "Infinity", "-Infinity", "inf", "-inf"};

    for (size_t i = 0; i < sizeof WORDS / sizeof *WORDS; i++) {
        size_t length = strlen(WORDS[i]);

        if ((size_t)(s->end - s->at) >= length && memcmp(s->at, WORDS[i], length) == 0)
            return true;
    }
    return false;
}

static bool scan_value(struct scan *s)
{
    skip_space(s);
    if (next_is(s, '{'))
        return scan_nested(s, scan_object);
    if (next_is(s, '['))
        return scan_nested(s, scan_array);
    if (next_is(s, '"'))
        return scan_string(s);
    if (is_not_finite(s))
        return fail(s, "is not a finite number");
    if (s->at < s->end && (*s->at == '-' || (*s->at >= '0' && *s->at <= '9')))
        return scan_number(s);
    if (s->at < s->end && *s->at == 't')
        return scan_word(s, "true");
    if (s->at < s->end && *s->at == 'f')
        return scan_word(s, "false");
    return scan_word(s, "null");
}

static enum err_code report(const struct scan *s, struct err *err)
{
    size_t line = 1, column = 1;

    for (const char *at = s->start; at < s->at; at++) {
        column++;
        if (*at == '\n') {
            line++;
            column = 1;
        }
    }
    return err_set(err, ERR_INVALID, "not JSON at line %zu, column %zu: %s", line, column,
                   s->fault);
}

static bool scan_all(struct scan *s, const char *text, size_t length)
{
    *s = (struct scan){.start = text, .at = text, .end = text + length};
    if (!scan_value(s))
        return false;
    skip_space(s);
    return s->at == s->end || fail(s, "something follows the value");
}

enum err_code json_scan(const char *text, size_t length, struct err *err)
{
    struct scan s;

    return scan_all(&s, text, length) ? ERR_NONE : report(&s, err);
}

/* RFC 6901 section 3. An escape inside a name stays as it is written. */
static void add_name(struct str *to, const char *at, const char *end)
{
    for (; at < end; at++) {
        if (*at == '~' || *at == '/')
            str_add(to, *at == '~' ? "~0" : "~1");
        else
            str_add_char(to, *at);
    }
}

void json_scan_pointer(const char *text, size_t length, struct str *ret)
{
    struct scan s;

    if (scan_all(&s, text, length))
        return;
    for (int i = 0; i < s.fault_depth; i++) {
        const struct step *step = &s.path[i];

        if (step->is_array) {
            str_addf(ret, "/%zu", step->index);
        } else if (step->name != NULL) {
            str_add(ret, "/");
            add_name(ret, step->name, step->name_end);
        }
    }
}
