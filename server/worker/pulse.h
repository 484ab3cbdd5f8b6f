#pragma once
/* A worker's sign of life: every WORKER_PULSE_MS it tells the store that it runs, what it has in
 * hand and what it has counted, and holds its leases. A thread of its own. */
#include "base/err.h"
#include "base/tally.h"
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct writer;

enum { PULSE_UID_BYTES = 17, PULSE_HOST_BYTES = 65 };

struct pulse {
    struct writer *writer;
    const char *queue;
    char uid[PULSE_UID_BYTES], host[PULSE_HOST_BYTES];
    int64_t started_ms;
    atomic_int_least64_t in_flight; /* objects in hand: the owner's to change */
    uint64_t told[TALLY_NAMES_MAX]; /* of each tally, what the store knows already */
    pthread_t thread;
    bool running;
    atomic_bool stop;
};

/* Names the worker. queue lives as long as the pulse. */
void pulse_init(struct pulse *pulse, struct writer *writer, const char *queue);
NODISCARD enum err_code pulse_start(struct pulse *pulse, struct err *err);
/* Tells the rest and says goodbye; harmless when it does not run. */
void pulse_stop(struct pulse *pulse);
