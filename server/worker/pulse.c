#include "worker/pulse.h"

#include <stdio.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/crypto.h"
#include "base/log.h"
#include "store/worker_row.h"
#include "store/writer.h"

enum { STOP_SLICE_MS = 100 };

void pulse_init(struct pulse *pulse, struct writer *writer, const char *queue)
{
    uint8_t bytes[(PULSE_UID_BYTES - 1) / 2];

    random_bytes(bytes, sizeof bytes);
    hex_encode(bytes, sizeof bytes, pulse->uid);
    if (gethostname(pulse->host, sizeof pulse->host) != 0)
        (void)snprintf(pulse->host, sizeof pulse->host, "unknown");
    pulse->host[sizeof pulse->host - 1] = '\0';
    pulse->writer = writer;
    pulse->queue = queue;
    pulse->started_ms = clock_now_ms();
}

/* Best effort: what could not be told is told next time. */
static void beat(struct pulse *pulse)
{
    struct worker_pulse_job job = {
        .row = {.uid = pulse->uid,
                .host = pulse->host,
                .queue = pulse->queue,
                .version = PAIRWATCH_VERSION,
                .started = pulse->started_ms,
                .seen = clock_now_ms(),
                .in_flight = atomic_load(&pulse->in_flight)},
    };
    struct worker_counter counters[TALLY_NAMES_MAX];
    struct tally tallies[TALLY_NAMES_MAX];
    size_t count = tally_read(tallies);
    struct err err = {0};

    for (size_t i = 0; i < count; i++)
        if (tallies[i].value > pulse->told[i])
            counters[job.counter_count++] =
                (struct worker_counter){tallies[i].name, tallies[i].value - pulse->told[i]};
    job.counters = counters;
    if (writer_run(pulse->writer, worker_pulse_job_run, &job, &err) != ERR_NONE) {
        log_debug("the worker's state was not noted", "reason=%s", log_quote(err.text));
        return;
    }
    for (size_t i = 0; i < count; i++)
        pulse->told[i] = tallies[i].value;
}

static void *pulse_main(void *argument)
{
    struct pulse *pulse = argument;

    while (!atomic_load(&pulse->stop)) {
        int64_t next_ms = clock_mono_ms() + WORKER_PULSE_MS;

        beat(pulse);
        while (!atomic_load(&pulse->stop) && clock_mono_ms() < next_ms)
            clock_sleep_ms(STOP_SLICE_MS);
    }
    return NULL;
}

enum err_code pulse_start(struct pulse *pulse, struct err *err)
{
    if (pthread_create(&pulse->thread, NULL, pulse_main, pulse) != 0)
        return err_set(err, ERR_INTERNAL, "starting the thread that tells of the worker");
    pulse->running = true;
    return ERR_NONE;
}

void pulse_stop(struct pulse *pulse)
{
    struct err err = {0};

    if (!pulse->running)
        return;
    atomic_store(&pulse->stop, true);
    (void)pthread_join(pulse->thread, NULL);
    pulse->running = false;
    beat(pulse);
    if (writer_run(pulse->writer, worker_gone_job_run, pulse->uid, &err) != ERR_NONE)
        log_debug("the worker's end was not noted", "reason=%s", log_quote(err.text));
}
