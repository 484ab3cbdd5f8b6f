#pragma once
/* Handlers of large bodies run on threads of their own: a handler may wait long (for the store's
 * writer, for a scorer), and MHD's threads serve many connections each, which would wait with it.
 * Meanwhile the connection is suspended. Private to the HTTP layer. */
#include "base/err.h"
#include <stdbool.h>
#include <stddef.h>

struct bulk;
struct exchange;

enum {
    BULK_BODY_BYTES_MIN = 64 << 10, /* smaller bodies are handled where they were read */
    BULK_QUEUE_MAX = 256,           /* fuller: handled where they were read */
    BULK_NICE = 10,                 /* behind those that somebody looks at */
};

/* run does the work of an exchange and says nothing to the client. */
NODISCARD enum err_code bulk_start(int threads, void (*run)(struct exchange *x), struct bulk **ret,
                                   struct err *err);
/* On the exchange's own thread: suspends its connection and resumes it when run is done; false when
 * there is no room. */
bool bulk_take(struct bulk *bulk, struct exchange *x);
/* Runs what it has, and takes no more: before MHD stops, which suspended connections must not see.
 */
void bulk_stop(struct bulk *bulk);
/* After bulk_stop and the last exchange. Accepts NULL. */
void bulk_free(struct bulk *bulk);
