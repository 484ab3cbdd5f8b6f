#pragma once
/* The target of a request, read strictly (RFC 3986, 9112): path segments and query parameters
 * decoded one by one, so an encoded slash stays inside its segment. Texts live in the arena.
 * Pure, any thread. */
#include "base/err.h"
#include "http/request.h"
#include <stddef.h>

struct arena;

enum { URI_SEGMENTS_MAX = 16 }; /* more match no route and no file */

struct uri {
    const char *path; /* as sent, without the query */
    /* Decoded; "" where two slashes meet and after a slash at the end. "/" has one, "". */
    const char *segments[URI_SEGMENTS_MAX];
    size_t segment_count;           /* found: may be more than are kept */
    const struct name_value *query; /* NULL name ends */
};

/* ERR_INVALID for a byte that may not stand in a target, a bad escape, an encoded NUL or control
 * character, text that is no UTF-8, a parameter given twice or without a name, too many of them. */
NODISCARD enum err_code uri_parse(struct arena *arena, const char *target, struct uri *ret,
                                  struct err *err);
