#pragma once
/* The strict half of reading JSON: RFC 8259 syntax, valid UTF-8, no NUL, bounded nesting. cJSON
 * accepts more than JSON, so nothing reaches it that did not pass here. */
#include "base/err.h"
#include <stddef.h>

struct str;

/* ERR_INVALID with line and column (1-based, in bytes) of the first fault. */
NODISCARD enum err_code json_scan(const char *text, size_t length, struct err *err);
/* Adds the JSON pointer of the value where that fault is; nothing when it is the root or there is
 * none. It scans again: for the path that fails. */
void json_scan_pointer(const char *text, size_t length, struct str *ret);
