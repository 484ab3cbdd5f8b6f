#include "api/metrics_ingest.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/field.h"
#include "base/str.h"
#include "store/arrival_view.h"
#include "store/notice.h"
#include "store/worker_row.h"

enum { LABELS_MAX = 2 };

/* Counters of the store whose name is `counter`, or begins with it when it ends in "_" or "|": what
 * is behind, divided by "|", are the labels. Rows of one family stand together. */
static const struct metric {
    const char *counter, *family, *help;
    const char *labels[LABELS_MAX];
    const char *value; /* of the first label, where the name has none */
} METRICS[] = {
    {"objects_stored",
     "pairwatch_ingest_objects",
     "Objects read, by outcome.",
     {"outcome"},
     "stored"},
    {"objects_failed", "pairwatch_ingest_objects", NULL, {"outcome"}, "failed"},
    {"objects_rows", "pairwatch_ingest_rows", "Rows of stored objects.", {NULL}, NULL},
    {"objects_pairs", "pairwatch_ingest_pairs", "Distinct pairs of stored objects.", {NULL}, NULL},
    {"objects_scored",
     "pairwatch_ingest_scored",
     "Pairs of stored objects that were scored.",
     {NULL},
     NULL},
    {"unscored_",
     "pairwatch_ingest_unscored_rows",
     "Rows that gave no score, by reason.",
     {"reason"},
     NULL},
    {"received",
     "pairwatch_worker_received",
     "Objects that queues handed to workers.",
     {NULL},
     NULL},
    {"poison", "pairwatch_worker_poison", "Messages that were no notices.", {NULL}, NULL},
    {"aws_calls|", "pairwatch_aws_calls", "Tries of calls to AWS by workers.", {"service"}, NULL},
    {"aws_retries|",
     "pairwatch_aws_retries",
     "Calls to AWS tried again.",
     {"service", "code"},
     NULL},
    {"aws_throttles|",
     "pairwatch_aws_throttles",
     "Answers of AWS to slow down.",
     {"service", "code"},
     NULL},
};

static void write_labels(struct str *out, const struct metric *metric, const char *rest)
{
    if (metric->labels[0] == NULL)
        return;
    if (metric->value != NULL) {
        str_addf(out, "{%s=\"%s\"}", metric->labels[0], metric->value);
        return;
    }
    for (int i = 0; i < LABELS_MAX && metric->labels[i] != NULL; i++) {
        bool last = i == LABELS_MAX - 1 || metric->labels[i + 1] == NULL;
        size_t length = last ? strlen(rest) : strcspn(rest, "|");

        str_addf(out, "%s%s=\"%.*s\"", i == 0 ? "{" : ",", metric->labels[i], (int)length, rest);
        rest += length + (rest[length] == '|');
    }
    str_add(out, "}");
}

static bool is_prefix(const char *counter)
{
    return str_ends(counter, "_") || str_ends(counter, "|");
}

static void write_metric(struct str *out, const struct metric *metric,
                         const struct counter_list *counters)
{
    size_t length = strlen(metric->counter);

    if (metric->help != NULL)
        str_addf(out, "# TYPE %s counter\n# HELP %s %s\n", metric->family, metric->family,
                 metric->help);
    for (size_t i = 0; i < counters->count; i++) {
        const struct counter *counter = &counters->items[i];

        if (is_prefix(metric->counter) ? !str_starts(counter->name, metric->counter)
                                       : strcmp(counter->name, metric->counter) != 0)
            continue;
        str_addf(out, "%s_total", metric->family);
        write_labels(out, metric, counter->name + length);
        str_addf(out, " %" PRId64 "\n", counter->value);
    }
}

static int64_t value_of(const struct counter_list *counters, const char *name)
{
    for (size_t i = 0; i < counters->count; i++)
        if (strcmp(counters->items[i].name, name) == 0)
            return counters->items[i].value;
    return 0;
}

static void write_lag(struct str *out, const struct counter_list *counters)
{
    static const char NAME[] = "pairwatch_ingest_lag_seconds";
    int64_t below = 0;
    char bin[32];

    str_addf(
        out,
        "# TYPE %s histogram\n# HELP %s From an object's making to its results being visible.\n",
        NAME, NAME);
    for (int i = 0; i < ARRIVAL_LAG_BINS; i++) {
        (void)snprintf(bin, sizeof bin, "lag_bin_%d", i);
        below += value_of(counters, bin);
        if (i < ARRIVAL_LAG_BINS - 1)
            str_addf(out, "%s_bucket{le=\"%" PRId64 ".0\"} %" PRId64 "\n", NAME,
                     ARRIVAL_LAG_BOUNDS_S[i], below);
    }
    str_addf(out, "%s_bucket{le=\"+Inf\"} %" PRId64 "\n", NAME, below);
    str_addf(out, "%s_sum %.3f\n%s_count %" PRId64 "\n", NAME,
             (double)value_of(counters, "lag_ms") / 1000, NAME, below);
}

static enum err_code write_sources(struct str *out, struct db *db, struct arena *arena,
                                   struct err *err)
{
    static const char NAME[] = "pairwatch_ingest_stored_timestamp_seconds";
    struct arrival_source_list sources;

    TRY(arrival_sources(db, arena, INT64_MAX, &sources, err));
    str_addf(out, "# TYPE %s gauge\n# HELP %s When an object of the source was stored last.\n",
             NAME, NAME);
    for (size_t i = 0; i < sources.count; i++) {
        const struct arrival_source *source = &sources.items[i];

        if (source->last_stored == FIELD_NULL_INT || strpbrk(source->source, "\"\\") != NULL)
            continue;
        str_addf(out, "%s{source=\"%s\"} %.3f\n", NAME, source->source,
                 (double)source->last_stored / 1000);
    }
    return ERR_NONE;
}

static enum err_code write_now(struct str *out, struct db *db, struct arena *arena, struct err *err)
{
    struct notice_counts notices;
    struct worker_list workers;
    int64_t in_flight = 0;

    TRY(notice_count(db, &notices, err));
    TRY(worker_list(db, arena, clock_now_ms() - WORKER_SILENT_MS, &workers, err));
    for (size_t i = 0; i < workers.count; i++)
        in_flight += workers.items[i].in_flight;
    str_add(out, "# TYPE pairwatch_notices gauge\n# HELP pairwatch_notices Notices in the store by "
                 "state.\n");
    str_addf(out, "pairwatch_notices{state=\"waiting\"} %" PRId64 "\n", notices.waiting);
    str_addf(out, "pairwatch_notices{state=\"in_hand\"} %" PRId64 "\n", notices.in_hand);
    str_addf(out, "pairwatch_notices{state=\"dead\"} %" PRId64 "\n", notices.dead);
    str_addf(
        out,
        "# TYPE pairwatch_workers gauge\n# HELP pairwatch_workers Workers heard of in a minute.\n"
        "pairwatch_workers %zu\n",
        workers.count);
    str_addf(out,
             "# TYPE pairwatch_worker_in_flight gauge\n# HELP pairwatch_worker_in_flight Objects "
             "in their hands.\n"
             "pairwatch_worker_in_flight %" PRId64 "\n",
             in_flight);
    return ERR_NONE;
}

void metrics_counters(struct str *out, const struct counter_list *counters)
{
    for (size_t i = 0; i < ARRAY_LEN(METRICS); i++)
        write_metric(out, &METRICS[i], counters);
    write_lag(out, counters);
}

enum err_code metrics_ingest(struct str *out, struct db *db, struct arena *arena, struct err *err)
{
    struct counter_list counters;

    TRY(counter_list(db, arena, &counters, err));
    metrics_counters(out, &counters);
    TRY(write_sources(out, db, arena, err));
    return write_now(out, db, arena, err);
}
