#pragma once
/* The Accept header (RFC 9110 section 12.5.1). Pure, any thread. */
#include <stdbool.h>

struct name_value;

/* Whether the headers (NULL name ends) take a content type; they do when there is no Accept. The
 * most specific range decides; of parameters only q counts, and what is malformed is passed over.
 */
bool accept_allows(const struct name_value *headers, const char *content_type);
