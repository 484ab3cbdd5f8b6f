#pragma once
/* The one way to fail: return a code, leave one sentence.
 * The sentence is one line, lower case, says what was being done and with what, names no
 * function. Libraries return; only the edge (commands, api, worker) logs. */
#include "base/own.h"
#include <stdarg.h>

enum err_code {
    ERR_NONE,
    ERR_INVALID,               /* the input is wrong: 400/422, exit 1 */
    ERR_USAGE,                 /* the command line is wrong: exit 2 */
    ERR_NOT_FOUND,             /* 404 */
    ERR_UNAUTHORIZED,          /* no or wrong credentials: 401 */
    ERR_FORBIDDEN,             /* the role does not allow it: 403 */
    ERR_CONFLICT,              /* already exists or is running: 409 */
    ERR_PRECONDITION,          /* a lost race: 412 */
    ERR_PRECONDITION_REQUIRED, /* If-Match is missing: 428 */
    ERR_TOO_LARGE,             /* a limit at the door: 413 */
    ERR_MEDIA_TYPE,            /* 415 */
    ERR_NOT_ACCEPTABLE,        /* 406 */
    ERR_BUSY,                  /* a bounded queue is full or a lock is held: 503 with Retry-After */
    ERR_RATE,                  /* too many attempts: 429 with Retry-After */
    ERR_TIMEOUT,               /* a deadline passed: 503 */
    ERR_UNAVAILABLE,           /* something needed is not installed or not configured: 503 */
    ERR_IO,                    /* the operating system refused, a disk perhaps: 503, try again */
    ERR_FULL,                  /* no space or read-only: 503 */
    ERR_CORRUPT,               /* stored or received data contradicts itself: 500 */
    ERR_INTERNAL,              /* a bug or a library's surprise: 500 */
    ERR_CANCELLED,             /* a stop was asked for */
    ERR__MAX
};

enum { ERR_TEXT_BYTES = 512 };

struct err {
    enum err_code code;
    char text[ERR_TEXT_BYTES];
};

/* Sets and returns the code. err may be NULL when nobody reads the sentence. */
enum err_code err_set(struct err *err, enum err_code code, const char *format, ...) PRINTF(3, 4);
/* Puts "prefix: " in front of the sentence and returns its code. */
enum err_code err_prefix(struct err *err, const char *format, ...) PRINTF(2, 3);
/* As err_set, with ": " and the text of errno. EACCES/ENOSPC/EROFS/... choose the code when
 * code is ERR_IO: ENOENT -> ERR_NOT_FOUND, ENOSPC/EROFS/EDQUOT -> ERR_FULL. */
enum err_code err_errno(struct err *err, enum err_code code, const char *format, ...) PRINTF(3, 4);
/* Stable lower-case word of a code: "invalid", "not_found", … */
const char *err_word(enum err_code code);
