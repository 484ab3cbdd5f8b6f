/* How far long work has come. */
#include <stdio.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"

enum { PROGRESS_TERMINAL_MS = 200, PROGRESS_LOG_MS = 10000, PROGRESS_TEXT_BYTES = 200 };

static void describe(const struct progress *progress, char text[static PROGRESS_TEXT_BYTES])
{
    double seconds = (double)(clock_mono_ms() - progress->started_ms) / 1000.0;
    double rate = seconds > 0.001 ? (double)progress->done / seconds : 0.0;

    if (progress->total > 0 && rate > 0.0)
        (void)snprintf(text, PROGRESS_TEXT_BYTES, "%lld of %lld %s, %.0f/s, %.0f s left",
                       progress->done, progress->total, progress->unit, rate,
                       (double)(progress->total - progress->done) / rate);
    else
        (void)snprintf(text, PROGRESS_TEXT_BYTES, "%lld %s, %.0f/s", progress->done, progress->unit,
                       rate);
}

static void show(struct progress *progress)
{
    char text[PROGRESS_TEXT_BYTES];

    describe(progress, text);
    progress->shown_ms = clock_mono_ms();
    if (progress->terminal)
        (void)fprintf(stderr, "\r%s: %s\033[K", progress->what, text);
    else
        log_info(progress->what, "progress=%s", log_quote(text));
}

void progress_start(struct progress *progress, const char *what, const char *unit, long long total)
{
    int64_t now_ms = clock_mono_ms();

    *progress = (struct progress){
        .what = what,
        .unit = unit,
        .total = total,
        .started_ms = now_ms,
        .shown_ms = now_ms,
        .terminal = isatty(STDERR_FILENO) == 1,
    };
}

void progress_add(struct progress *progress, long long count)
{
    int64_t pause_ms = progress->terminal ? PROGRESS_TERMINAL_MS : PROGRESS_LOG_MS;

    progress->done += count;
    if (clock_mono_ms() - progress->shown_ms >= pause_ms)
        show(progress);
}

void progress_end(struct progress *progress)
{
    show(progress);
    if (progress->terminal)
        (void)fputc('\n', stderr);
}
