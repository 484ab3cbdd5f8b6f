#pragma once
/* The one table from error codes to HTTP: status, title, type, and whose eyes the sentence is for.
 * The body is RFC 9457. Any thread. */
#include "base/err.h"
#include <stdbool.h>

struct json_faults;
struct reply;

/* ERR_INVALID is 422 when every fault points into the body, 400 when the body could not be read at
 * all or a query parameter is wrong. */
int problem_status(enum err_code code, const struct json_faults *faults);
/* False: the sentence is about our insides and belongs into the log. */
bool problem_is_for_client(enum err_code code);
/* Drops what reply holds but Retry-After and Allow, and fills it with the problem. faults may be
 * NULL; id is told to the client where the sentence is not. */
void problem_write(struct reply *reply, const struct err *err, const struct json_faults *faults,
                   const char *id);
/* The same for what only the HTTP layer itself refuses: 405, 414, 431. */
void problem_write_status(struct reply *reply, int status, const struct err *err);
