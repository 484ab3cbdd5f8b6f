#pragma once
/* Opaque cursors of lists: base64url of the last row's sort values and id and a digest that binds
 * them to the list's other parameters. The digest finds mistakes (another list, another filter, a
 * cut-off text); a forged cursor gives nothing that its forger could not have asked for.
 * Any thread; texts live in the request's arena. */
#include <stdbool.h>
#include <stdint.h>

#include "http/request.h"

struct reply;

enum { CURSOR_VALUES = 2, CURSOR_TEXT_MAX = 512 };

struct cursor {
    double values[CURSOR_VALUES]; /* what the list is sorted by; NAN stands for null */
    int64_t time_ms;
    int64_t id;
};

/* Reads the parameter "cursor". Without one *ret_given is false. One that is not of this list adds
 * a fault. */
void cursor_read(struct request *req, struct cursor *ret, bool *ret_given);
/* The next page's path and query: this request's with another cursor. */
const char *cursor_next(struct request *req, const struct cursor *last);
/* Writes the member "next" into the open object and the Link header; next NULL: the last page. */
void cursor_write(struct reply *reply, const char *next);
