#pragma once
/* Passwords, never more than PASSWORD_CHECKS_MAX at a time: each takes 32 MiB and a tenth of a
 * second of a processor, and there are more HTTP threads than that. Any thread. */
#include "base/err.h"

struct app;

enum { PASSWORD_BYTES_MIN = 12, PASSWORD_BYTES_MAX = 1024 };

/* hash NULL: nobody of that name; takes as long as a wrong password. ERR_UNAUTHORIZED when it does
 * not match, ERR_BUSY when too many are being checked. */
NODISCARD enum err_code password_check(struct app *app, const char *password, const char *hash,
                                       struct err *err);
/* ret has room for PASSWORD_HASH_BYTES. ERR_BUSY as above. */
NODISCARD enum err_code password_make(struct app *app, const char *password, char *ret,
                                      struct err *err);
