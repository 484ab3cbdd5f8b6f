/* A capped text buffer, and readers that accept nothing but what they name. */
#include "base/str.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { STR_FIRST_BYTES = 64, STR_NUMBER_BYTES_MAX = 400 };

void str_init(struct str *str, size_t bytes_max)
{
    ASSERT(bytes_max > 0);
    *str = (struct str){.bytes_max = bytes_max};
}

void str_done(struct str *str)
{
    free(str->text);
    *str = (struct str){.bytes_max = str->bytes_max};
}

void str_clear(struct str *str)
{
    str->length = 0;
    str->failed = false;
    if (str->text != NULL)
        str->text[0] = '\0';
}

/* Makes room for length more bytes and the NUL; false at the limit. */
static bool str_reserve(struct str *str, size_t length)
{
    size_t capacity = str->capacity > 0 ? str->capacity : STR_FIRST_BYTES;

    ASSERT(str->bytes_max > 0);
    if (str->failed || length > str->bytes_max - str->length) {
        str->failed = true;
        return false;
    }
    while (capacity < str->length + length + 1)
        capacity *= 2;
    if (capacity != str->capacity)
        str->text = own_resize(str->text, capacity, 1);
    str->capacity = capacity;
    return true;
}

void str_add_bytes(struct str *str, const void *bytes, size_t length)
{
    if (!str_reserve(str, length))
        return;
    if (length > 0)
        (void)memcpy(str->text + str->length, bytes, length);
    str->length += length;
    str->text[str->length] = '\0';
}

char *str_room(struct str *str, size_t length)
{
    return str_reserve(str, length) ? str->text + str->length : NULL;
}

void str_wrote(struct str *str, size_t length)
{
    ASSERT(length < str->capacity - str->length);
    str->length += length;
    str->text[str->length] = '\0';
}

void str_add(struct str *str, const char *text)
{
    str_add_bytes(str, text, strlen(text));
}

void str_add_char(struct str *str, char c)
{
    str_add_bytes(str, &c, 1);
}

void str_addf(struct str *str, const char *format, ...)
{
    va_list args;
    int length;

    va_start(args, format);
    length = vsnprintf(NULL, 0, format, args);
    va_end(args);
    ASSERT(length >= 0);
    if (!str_reserve(str, (size_t)length))
        return;
    va_start(args, format);
    (void)vsnprintf(str->text + str->length, (size_t)length + 1, format, args);
    va_end(args);
    str->length += (size_t)length;
}

char *str_take(struct str *str)
{
    char *text = str->text != NULL ? str->text : own_strdup("");

    *str = (struct str){.bytes_max = str->bytes_max};
    return text;
}

enum err_code str_check(const struct str *str, const char *what, struct err *err)
{
    if (str->failed)
        return err_set(err, ERR_TOO_LARGE, "%s is larger than %zu bytes", what, str->bytes_max);
    return ERR_NONE;
}

bool str_to_u64(const char *text, uint64_t *ret)
{
    uint64_t value = 0;

    if (*text == '\0')
        return false;
    for (; *text != '\0'; text++) {
        uint64_t digit = (uint64_t)(*text - '0');

        if (*text < '0' || *text > '9' || value > (UINT64_MAX - digit) / 10)
            return false;
        value = value * 10 + digit;
    }
    *ret = value;
    return true;
}

bool str_to_i64(const char *text, int64_t *ret)
{
    bool negative = *text == '-';
    uint64_t value;

    if (!str_to_u64(text + (negative ? 1 : 0), &value))
        return false;
    if (value > (uint64_t)INT64_MAX + (negative ? 1 : 0))
        return false;
    *ret = negative ? (int64_t)(0 - value) : (int64_t)value;
    return true;
}

static const char *skip_digits(const char *text)
{
    while (*text >= '0' && *text <= '9')
        text++;
    return text;
}

/* -?digits(.digits)?([eE][+-]?digits)? and nothing else: no hex, no "inf", no locale's comma. */
static bool is_decimal(const char *text)
{
    const char *start = text + (*text == '-' ? 1 : 0);
    const char *at = skip_digits(start);

    if (at == start)
        return false;
    if (*at == '.') {
        start = at + 1;
        at = skip_digits(start);
        if (at == start)
            return false;
    }
    if (*at == 'e' || *at == 'E') {
        start = at + 1 + (at[1] == '+' || at[1] == '-' ? 1 : 0);
        at = skip_digits(start);
        if (at == start)
            return false;
    }
    return *at == '\0' && at - text < STR_NUMBER_BYTES_MAX;
}

bool str_to_double(const char *text, double *ret)
{
    double value;

    if (!is_decimal(text))
        return false;
    value = strtod(text, NULL);
    if (!isfinite(value))
        return false;
    *ret = value;
    return true;
}

bool str_to_bool(const char *text, bool *ret)
{
    static const char *const YES[] = {"true", "yes", "on", "1"};
    static const char *const NO[] = {"false", "no", "off", "0"};

    for (size_t i = 0; i < ARRAY_LEN(YES); i++) {
        if (strcmp(text, YES[i]) == 0 || strcmp(text, NO[i]) == 0) {
            *ret = strcmp(text, YES[i]) == 0;
            return true;
        }
    }
    return false;
}

/* 15 digits are enough for most doubles, 17 for all. */
size_t str_from_double(char ret[static 32], double value)
{
    for (int digits = 15; digits < 17; digits++) {
        int length = snprintf(ret, 32, "%.*g", digits, value);

        if (strtod(ret, NULL) == value)
            return (size_t)length;
    }
    return (size_t)snprintf(ret, 32, "%.17g", value);
}

bool str_starts(const char *text, const char *prefix)
{
    return strncmp(text, prefix, strlen(prefix)) == 0;
}

bool str_ends(const char *text, const char *suffix)
{
    size_t length = strlen(text), ending = strlen(suffix);

    return length >= ending && memcmp(text + length - ending, suffix, ending) == 0;
}

bool str_equal(const char *a, const char *b)
{
    if (a == NULL || b == NULL)
        return a == b;
    return strcmp(a, b) == 0;
}

/* Length of the well-formed sequence at bytes, or 0 (Unicode 15, table 3-7). */
static size_t utf8_sequence(const unsigned char *bytes, size_t left)
{
    unsigned char first = bytes[0];
    unsigned char low = 0x80, high = 0xbf;
    size_t length;

    if (first < 0x80)
        return 1;
    if (first < 0xc2 || first > 0xf4)
        return 0;
    length = first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
    if (length > left)
        return 0;
    if (first == 0xe0)
        low = 0xa0;
    if (first == 0xed)
        high = 0x9f;
    if (first == 0xf0)
        low = 0x90;
    if (first == 0xf4)
        high = 0x8f;
    if (bytes[1] < low || bytes[1] > high)
        return 0;
    for (size_t i = 2; i < length; i++)
        if (bytes[i] < 0x80 || bytes[i] > 0xbf)
            return 0;
    return length;
}

bool str_is_clean_utf8(const char *text, size_t length)
{
    const unsigned char *bytes = (const unsigned char *)text;

    for (size_t i = 0; i < length;) {
        size_t step = utf8_sequence(bytes + i, length - i);

        if (step == 0 || bytes[i] < 0x20 || bytes[i] == 0x7f)
            return false;
        i += step;
    }
    return true;
}

static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

bool str_percent_decode(const char *text, size_t length, bool form, char *ret)
{
    size_t to = 0;

    for (size_t i = 0; i < length; i++) {
        char c = text[i];

        if (c == '+' && form)
            c = ' ';
        if (c == '%') {
            bool whole = length - i > 2;
            int high = whole ? hex_value(text[i + 1]) : -1;
            int low = whole ? hex_value(text[i + 2]) : -1;

            if (high < 0 || low < 0 || (high == 0 && low == 0))
                return false;
            c = (char)(high * 16 + low);
            i += 2;
        }
        ret[to++] = c;
    }
    ret[to] = '\0';
    return true;
}

bool str_glob(const char *pattern, const char *text)
{
    const char *star = NULL, *retry = NULL;

    while (*text != '\0') {
        if (*pattern == '*') {
            star = pattern++;
            retry = text;
        } else if (*pattern == '?' || *pattern == *text) {
            pattern++;
            text++;
        } else if (star != NULL) {
            pattern = star + 1;
            text = ++retry;
        } else {
            return false;
        }
    }
    while (*pattern == '*')
        pattern++;
    return *pattern == '\0';
}
