#include "api/score_scan.h"

#include <endian.h>
#include <float.h>
#include <math.h>
#include <string.h>

#include "api/names.h"
#include "base/arena.h"
#include "base/clock.h"
#include "base/field.h"
#include "base/str.h"

enum {
    WORD_BYTES_MAX = 64,    /* of an address, a time, a number */
    EXACT_DIGITS_MAX = 15,  /* a whole number of so many is exact as a double */
    EXACT_DECIMALS_MAX = 22 /* as is this power of ten */
};

struct scan {
    const char *at, *end;
};
struct span {
    const char *text;
    size_t length;
};

/* Names, bounds and types are those of ROW_RULES (score_body.c); tests hold the two together. */
#define NAMED(name) name, sizeof name - 1
static const struct member {
    const char *name;
    size_t name_length;
    enum field_type type;
    size_t offset;
    double min, max; /* INT and REAL; of TEXT max bytes */
} MEMBERS[] = {
    {NAMED("entity"), FIELD_TEXT, offsetof(struct score_row, entity), 1, SCORES_ENTITY_BYTES_MAX},
    {NAMED("ip"), FIELD_IP, offsetof(struct score_row, ip), 0, 0},
    {NAMED("time"), FIELD_TIME, offsetof(struct score_row, time_ms), 0, 0},
    {NAMED("last_time"), FIELD_TIME, offsetof(struct score_row, last_ms), 0, 0},
    {NAMED("score"), FIELD_REAL, offsetof(struct score_row, score), -DBL_MAX, DBL_MAX},
    {NAMED("dot_product"), FIELD_REAL, offsetof(struct score_row, dot_product), -DBL_MAX, DBL_MAX},
    {NAMED("percentile"), FIELD_REAL, offsetof(struct score_row, percentile), 0, 100},
    {NAMED("count"), FIELD_INT, offsetof(struct score_row, count), 1, SCORES_COUNT_MAX},
    {NAMED("spec"), FIELD_TEXT, offsetof(struct score_row, spec), 1, SPEC_NAME_LENGTH_MAX},
    {NAMED("account"), FIELD_TEXT, offsetof(struct score_row, account), 1,
     SCORES_ACCOUNT_BYTES_MAX},
    {NAMED("region"), FIELD_TEXT, offsetof(struct score_row, region), 1, SCORES_ACCOUNT_BYTES_MAX},
    {NAMED("unanswered"), FIELD_BOOL, offsetof(struct score_row, unanswered), 0, 0},
    {NAMED("entity_known"), FIELD_BOOL, offsetof(struct score_row, entity_known), 0, 0},
    {NAMED("known_bits"), FIELD_INT, offsetof(struct score_row, known_bits), -1,
     SCORES_KNOWN_BITS_MAX},
};
enum { ENTITY, IP, TIME, LAST_TIME, SCORE, DOT_PRODUCT };
#define REQUIRED (1U << ENTITY | 1U << IP | 1U << TIME)

_Static_assert(ARRAY_LEN(MEMBERS) == SCORE_SCAN_MEMBERS, "one place each in the order");

/* Printable ASCII that stands for itself inside a text. */
static bool is_plain(char c)
{
    return (unsigned char)(c - ' ') <= '~' - ' ' && c != '"' && c != '\\';
}

static void skip_blanks(struct scan *s)
{
    while (s->at < s->end && (*s->at == ' ' || *s->at == '\t' || *s->at == '\r'))
        s->at++;
}

static bool take_char(struct scan *s, char c)
{
    skip_blanks(s);
    if (s->at == s->end || *s->at != c)
        return false;
    s->at++;
    return true;
}

/* Of each byte the highest bit, right for all up to the first that is set (Mycroft 1987). */
static uint64_t zero_bytes(uint64_t word)
{
    return (word - UINT64_C(0x0101010101010101)) & ~word & UINT64_C(0x8080808080808080);
}

/* The plain ones at the start of eight; 8: all are. */
static size_t plain_of_eight(const char *text)
{
    uint64_t word, others;

    (void)memcpy(&word, text, sizeof word);
    word = le64toh(word);
    others = (word & UINT64_C(0x8080808080808080)) |
             zero_bytes(word & UINT64_C(0xe0e0e0e0e0e0e0e0)) |
             zero_bytes(word ^ UINT64_C(0x2222222222222222)) |
             zero_bytes(word ^ UINT64_C(0x5c5c5c5c5c5c5c5c)) |
             zero_bytes(word ^ UINT64_C(0x7f7f7f7f7f7f7f7f));
    return others == 0 ? sizeof word : (size_t)__builtin_ctzll(others) / 8;
}

static void skip_plain(struct scan *s)
{
    while (s->end - s->at >= (ptrdiff_t)sizeof(uint64_t)) {
        size_t plain = plain_of_eight(s->at);

        s->at += plain;
        if (plain < sizeof(uint64_t))
            return;
    }
    while (s->at < s->end && is_plain(*s->at))
        s->at++;
}

/* Between quotes: printable ASCII without escapes. */
static bool take_text(struct scan *s, struct span *ret)
{
    if (!take_char(s, '"'))
        return false;
    ret->text = s->at;
    skip_plain(s);
    ret->length = (size_t)(s->at - ret->text);
    return s->at < s->end && *s->at++ == '"';
}

static size_t take_digits(struct scan *s, uint64_t *value)
{
    const char *start = s->at;

    for (; s->at < s->end && *s->at >= '0' && *s->at <= '9'; s->at++)
        *value = *value * 10 + (uint64_t)(*s->at - '0');
    return (size_t)(s->at - start);
}

static bool to_word(struct span span, char ret[static WORD_BYTES_MAX])
{
    if (span.length == 0 || span.length >= WORD_BYTES_MAX)
        return false;
    (void)memcpy(ret, span.text, span.length);
    ret[span.length] = '\0';
    return true;
}

/* A number of few digits is the quotient of two that are exact, so it is rounded once. */
static double quotient(uint64_t digits, size_t decimals, bool negative)
{
    static const double TENS[EXACT_DECIMALS_MAX + 1] = {
        1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,  1e10, 1e11,
        1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
    double value = (double)digits / TENS[decimals];

    return negative ? -value : value;
}

/* Digits, perhaps a point and more digits; no exponent. */
static bool take_number(struct scan *s, double *ret)
{
    bool negative = take_char(s, '-');
    uint64_t value = 0;
    size_t whole, decimals = 0;
    const char *start = s->at;

    whole = take_digits(s, &value);
    if (whole == 0 || (whole > 1 && *start == '0'))
        return false;
    if (s->at < s->end && *s->at == '.') {
        s->at++;
        decimals = take_digits(s, &value);
        if (decimals == 0)
            return false;
    }
    if (whole + decimals > EXACT_DIGITS_MAX)
        return false;
    *ret = quotient(value, decimals, negative);
    return s->at < s->end &&
           (*s->at == ',' || *s->at == '}' || *s->at == ' ' || *s->at == '\t' || *s->at == '\r');
}

static bool take_bool(struct scan *s, int64_t *ret)
{
    static const char TRUE[] = "true", FALSE[] = "false";
    size_t left;

    skip_blanks(s);
    left = (size_t)(s->end - s->at);
    *ret = left > strlen(TRUE) && memcmp(s->at, TRUE, strlen(TRUE)) == 0;
    if (*ret == 0 && (left <= strlen(FALSE) || memcmp(s->at, FALSE, strlen(FALSE)) != 0))
        return false;
    s->at += *ret != 0 ? strlen(TRUE) : strlen(FALSE);
    return true;
}

static bool take_real(struct scan *s, const struct member *member, double *ret)
{
    return (skip_blanks(s), take_number(s, ret)) && *ret >= member->min && *ret <= member->max;
}

static bool take_int(struct scan *s, const struct member *member, int64_t *ret)
{
    double value;

    if (!take_real(s, member, &value) || value != floor(value))
        return false;
    *ret = (int64_t)value;
    return true;
}

static bool keep_text(struct scan *s, const struct member *member, struct arena *arena,
                      const char **ret)
{
    struct span span;

    if (!take_text(s, &span) || span.length == 0 || (double)span.length > member->max)
        return false;
    *ret = arena_strndup(arena, span.text, span.length);
    return true;
}

static bool take_value(struct scan *s, const struct member *member, struct arena *arena, void *row)
{
    void *to = (char *)row + member->offset;
    char word[WORD_BYTES_MAX];
    struct span span;

    switch (member->type) {
    case FIELD_TEXT:
        return keep_text(s, member, arena, to);
    case FIELD_IP:
        return take_text(s, &span) && to_word(span, word) && ip_parse(word, to);
    case FIELD_TIME:
        return take_text(s, &span) && to_word(span, word) && time_parse(word, to);
    case FIELD_REAL:
        return take_real(s, member, to);
    case FIELD_INT:
        return take_int(s, member, to);
    case FIELD_BOOL:
        return take_bool(s, to);
    default:
        return false;
    }
}

static size_t find_member(struct span name)
{
    for (size_t i = 0; i < ARRAY_LEN(MEMBERS); i++)
        if (MEMBERS[i].name_length == name.length &&
            memcmp(MEMBERS[i].name, name.text, name.length) == 0)
            return i;
    return ARRAY_LEN(MEMBERS);
}

static bool is_named(const struct scan *s, const struct member *member)
{
    return (size_t)(s->end - s->at) > member->name_length + 2 && s->at[0] == '"' &&
           memcmp(s->at + 1, member->name, member->name_length) == 0 &&
           s->at[member->name_length + 1] == '"';
}

/* Lines of a body name their members in one order, so the one that came next in the last line is
 * tried first. */
static bool take_name(struct scan *s, uint8_t *next, size_t *ret)
{
    struct span name;

    skip_blanks(s);
    *ret = *next;
    if (is_named(s, &MEMBERS[*next])) {
        s->at += MEMBERS[*next].name_length + 2;
        return take_char(s, ':');
    }
    if (!take_text(s, &name) || !take_char(s, ':'))
        return false;
    *ret = find_member(name);
    if (*ret == ARRAY_LEN(MEMBERS))
        return false;
    *next = (uint8_t)*ret;
    return true;
}

static bool take_members(struct scan *s, struct score_scan_order *order, struct arena *arena,
                         struct score_row *row, unsigned *ret_met)
{
    uint8_t *next = &order->first;
    size_t i;

    *ret_met = 0;
    if (!take_char(s, '{'))
        return false;
    do {
        if (!take_name(s, next, &i) || (*ret_met & 1U << i) != 0 ||
            !take_value(s, &MEMBERS[i], arena, row))
            return false;
        *ret_met |= 1U << i;
        next = &order->after[i];
    } while (take_char(s, ','));
    if (!take_char(s, '}'))
        return false;
    skip_blanks(s);
    return s->at == s->end;
}

bool score_scan(const char *line, size_t length, const struct score_body *body,
                struct score_scan_order *order, struct arena *arena, struct score_row *ret)
{
    struct scan s = {.at = line, .end = line + length};
    unsigned met;

    *ret = SCORE_ROW_EMPTY;
    if (!take_members(&s, order, arena, ret, &met) || (met & REQUIRED) != REQUIRED)
        return false;
    if (((met >> SCORE & 1U) != 0) == ((met >> DOT_PRODUCT & 1U) != 0))
        return false;
    if ((ret->spec == NULL && body->spec == NULL) ||
        (ret->spec != NULL && !spec_name_is_valid(ret->spec)) ||
        ((met >> LAST_TIME & 1U) != 0 && ret->last_ms < ret->time_ms))
        return false;
    score_row_complete(ret, body);
    return true;
}
