#pragma once
/* A growing text buffer with a limit, and strict readers of numbers and text.
 *
 * struct str: text is always NUL-terminated once anything was added; length excludes the NUL.
 * Growing past bytes_max sets `failed` and drops the addition; check it once, at the end
 * (str_check). The buffer owns its memory until str_take. Not thread-safe. */
#include "base/err.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct arena;

struct str {
    char *text;
    size_t length;
    size_t capacity;
    size_t bytes_max; /* 0 is not a limit but a mistake: str_init sets it */
    bool failed;
};

void str_init(struct str *str, size_t bytes_max);
void str_done(struct str *str);
void str_clear(struct str *str); /* length 0, memory kept, failed reset */
void str_add(struct str *str, const char *text);
void str_add_bytes(struct str *str, const void *bytes, size_t length);
void str_add_char(struct str *str, char c);
void str_addf(struct str *str, const char *format, ...) PRINTF(2, 3);
/* Room for so many more bytes, to be written in place: str_wrote says how many were. NULL at the
 * limit. */
char *str_room(struct str *str, size_t length);
void str_wrote(struct str *str, size_t length);
char *str_take(struct str *str); /* the caller frees; the str is empty and usable again */
NODISCARD enum err_code str_check(const struct str *str, const char *what, struct err *err);

/* Strict readers: the whole text must be the number, no spaces, no '+', no locale.
 * Return false and leave *ret alone otherwise. */
NODISCARD bool str_to_i64(const char *text, int64_t *ret);
NODISCARD bool str_to_u64(const char *text, uint64_t *ret);
NODISCARD bool str_to_double(const char *text, double *ret); /* finite decimal numbers only */
NODISCARD bool str_to_bool(const char *text, bool *ret);     /* true false yes no on off 1 0 */
/* Decimal text that reads back as the same double, the shortest for all but subnormal ones
 * ("0.1", "1e+300"); needs 32 bytes. */
size_t str_from_double(char ret[static 32], double value);

bool str_starts(const char *text, const char *prefix);
bool str_ends(const char *text, const char *suffix);
bool str_equal(const char *a, const char *b); /* NULL equals only NULL */
/* Well-formed UTF-8 (no surrogates, no overlong forms) without control characters
 * U+0000..U+001F and U+007F. */
bool str_is_clean_utf8(const char *text, size_t length);
/* Decodes %XX in place into ret (may be the source); '+' is a space when form is set.
 * False on a bad escape or an escaped NUL. */
NODISCARD bool str_percent_decode(const char *text, size_t length, bool form, char *ret);
/* Shell-style match of the whole text: * and ?, nothing else; linear time in practice, at most
 * length(pattern) * length(text) steps. */
bool str_glob(const char *pattern, const char *text);
