#pragma once
/* The usual line of scores, read without a tree: a fifth of the time. Private to the readers of
 * score_body.h. */
#include "api/score_body.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { SCORE_SCAN_MEMBERS = 14 };
/* Which member came first, and which after each, in the lines before; zeroed at first. */
struct score_scan_order {
    uint8_t first, after[SCORE_SCAN_MEMBERS];
};

/* Reads a line that is a flat object of known members, in plain ASCII, each within its bounds, and
 * complete: then *ret is what score_row_read would have made of it, with texts in the arena. False:
 * the line is something else, or wrong; nothing is said of it, read it by score_row_read. */
bool score_scan(const char *line, size_t length, const struct score_body *body,
                struct score_scan_order *order, struct arena *arena, struct score_row *ret);
