/* Printing how training gets on. */
#include "command/train_report.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/clock.h"
#include "command/command.h"

static void start_stage(struct train_printer *printer, const struct train_report *report)
{
    long long total = (long long)(report->epochs * (int64_t)report->epoch_records);

    printer->started = true;
    printer->calibrating = report->calibrating;
    printer->told = (long long)(report->epoch * (int64_t)report->epoch_records);
    printer->epoch_started_ms = clock_mono_ms();
    progress_start(&printer->progress, report->calibrating ? "calibration" : "training", "records",
                   total - printer->told);
}

/* As IP Insights' own container writes them. */
static void print_epoch(const struct train_printer *printer, const struct train_report *report)
{
    double seconds = (double)(clock_mono_ms() - printer->epoch_started_ms) / 1000;

    (void)printf("#quality_metric: host=%s, epoch=%" PRId64
                 ", train binary_classification_accuracy <score>=%.6f\n",
                 printer->host, report->epoch, report->accuracy);
    (void)printf("#quality_metric: host=%s, epoch=%" PRId64
                 ", train binary_classification_cross_entropy <loss>=%.6f\n",
                 printer->host, report->epoch, report->loss);
    (void)printf("#throughput_metric: host=%s, train throughput=%.0f records/second\n",
                 printer->host, (double)report->records / (seconds > 0.001 ? seconds : 0.001));
    (void)printf("#progress_metric: host=%s, completed %.1f %% of epochs\n", printer->host,
                 100 * (double)(report->epoch + 1) / (double)report->epochs);
    (void)fflush(stdout);
}

static bool tell(void *context, const struct train_report *report)
{
    struct train_printer *printer = context;
    long long done =
        (long long)(report->epoch * (int64_t)report->epoch_records) + (long long)report->records;
    bool last = report->epoch_ended && report->epoch + 1 == report->epochs;

    if (!printer->started || printer->calibrating != report->calibrating)
        start_stage(printer, report);
    progress_add(&printer->progress, done - printer->told);
    printer->told = done;
    if (last && printer->progress.terminal)
        progress_end(&printer->progress);
    if (report->epoch_ended && !report->calibrating)
        print_epoch(printer, report);
    if (report->epoch_ended)
        printer->epoch_started_ms = clock_mono_ms();
    return !atomic_load(&STOP_ASKED);
}

void train_printer_init(struct train_printer *printer, const char *host)
{
    *printer = (struct train_printer){.watch = {tell, printer}, .host = host};
}
