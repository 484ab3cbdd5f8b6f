#include "lake/patience.h"

#include <inttypes.h>

#include "base/clock.h"
#include "base/log.h"

enum { PAUSE_SLICE_MS = 200 };

void patience_init(struct patience *patience, const atomic_bool *stop, bool none)
{
    *patience = (struct patience){.stop = stop, .none = none};
    (void)pthread_mutex_init(&patience->lock, NULL);
}

void patience_done(struct patience *patience)
{
    (void)pthread_mutex_destroy(&patience->lock);
}

bool patience_is_outage(enum err_code code)
{
    return code == ERR_UNAVAILABLE || code == ERR_TIMEOUT || code == ERR_RATE ||
           code == ERR_UNAUTHORIZED;
}

static void note_reached(struct patience *patience)
{
    (void)pthread_mutex_lock(&patience->lock);
    patience->reached_ms = clock_mono_ms();
    (void)pthread_mutex_unlock(&patience->lock);
}

static bool was_reached_since(struct patience *patience, int64_t since_ms)
{
    bool reached;

    (void)pthread_mutex_lock(&patience->lock);
    reached = since_ms > 0 && patience->reached_ms >= since_ms;
    (void)pthread_mutex_unlock(&patience->lock);
    return reached;
}

bool patience_pause(const struct patience *patience, int64_t pause_ms)
{
    const atomic_bool *stop = patience->stop;
    int64_t until_ms = clock_mono_ms() + pause_ms;

    while (clock_mono_ms() < until_ms && (stop == NULL || !atomic_load(stop)))
        clock_sleep_ms(PAUSE_SLICE_MS);
    return stop == NULL || !atomic_load(stop);
}

enum err_code patience_run(struct patience *patience, patience_try *try_once, void *context,
                           struct err *err)
{
    int64_t failing_ms = 0, pause_ms = PATIENCE_PAUSE_FIRST_MS;

    for (;;) {
        /* Before its last try: what others reached during it may have come after the outage. */
        bool reached = was_reached_since(patience, failing_ms);
        enum err_code code = try_once(context, err);

        if (failing_ms == 0)
            failing_ms = clock_mono_ms();
        if (!patience_is_outage(code)) {
            note_reached(patience);
            return code;
        }
        if (patience->none || reached || clock_mono_ms() - failing_ms >= PATIENCE_OUTAGE_MS_MAX)
            return code;
        log_warn("S3 is out of reach", "waiting_s=%" PRId64 " reason=%s",
                 (clock_mono_ms() - failing_ms) / 1000, log_quote(err->text));
        if (!patience_pause(patience, pause_ms))
            return err_set(err, ERR_CANCELLED, "a stop was asked for");
        pause_ms = pause_ms * 2 < PATIENCE_PAUSE_LAST_MS ? pause_ms * 2 : PATIENCE_PAUSE_LAST_MS;
    }
}
