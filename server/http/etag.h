#pragma once
/* Entity tags and the conditions on them (RFC 9110 section 13). Tags are given as their text,
 * without quotes, as to reply_etag. Pure, any thread. */
#include <stdbool.h>

/* Whether a header's list ("*", "\"a\", W/\"b\"") names the tag. Strong comparison: a weak member
 * never matches (If-Match). A malformed list matches nothing. */
bool etag_matches(const char *header, const char *etag);
/* Weak comparison: W/ is passed over (If-None-Match). */
bool etag_matches_weak(const char *header, const char *etag);
