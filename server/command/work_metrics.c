#include "command/work_metrics.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "api/metrics_ingest.h"
#include "base/arena.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/own.h"
#include "base/tally.h"
#include "http/reply.h"
#include "http/server.h"
#include "store/arrival_view.h"
#include "worker/totals.h"

enum { THREADS = 1, CONNECTIONS_MAX = 16 };

struct work_metrics {
    struct worker_watch *watch;
    struct http_server *server;
    int64_t started_ms;
    struct route route;
};

static void add(struct counter_list *list, const struct tally *tallies, size_t count,
                struct arena *arena)
{
    for (size_t i = 0; i < count; i++)
        list->items[list->count++] = (struct counter){.name = arena_strdup(arena, tallies[i].name),
                                                      .value = (int64_t)tallies[i].value};
}

static void write_gauge(struct str *out, const char *name, const char *help)
{
    str_addf(out, "# TYPE %s gauge\n# HELP %s %s\n%s ", name, name, help, name);
}

static enum err_code metrics_of_worker(struct request *req, struct reply *reply,
                                       UNUSED struct err *err)
{
    struct work_metrics *metrics = req->app;
    struct tally *tallies = ARENA_ARRAY(req->arena, struct tally, TALLY_NAMES_MAX);
    struct tally own[TOTALS_COUNTERS_MAX];
    struct counter_list list = {
        .items = ARENA_ARRAY(req->arena, struct counter, TALLY_NAMES_MAX + TOTALS_COUNTERS_MAX)};
    struct worker_totals totals;
    struct str *out = &reply->body;

    watch_read(metrics->watch, &totals);
    add(&list, tallies, tally_read(tallies), req->arena);
    add(&list, own, totals_counters(&totals, own), req->arena);
    reply->content_type = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    str_addf(out,
             "# TYPE pairwatch_build info\n# HELP pairwatch_build The program.\n"
             "pairwatch_build_info{version=\"%s\"} 1\n",
             PAIRWATCH_VERSION);
    write_gauge(out, "process_start_time_seconds", "When the process started.");
    str_addf(out, "%.3f\n", (double)metrics->started_ms / 1000);
    metrics_counters(out, &list);
    if (totals.stored_ms != 0) {
        write_gauge(out, "pairwatch_ingest_stored_timestamp_seconds",
                    "When an object was stored last.");
        str_addf(out, "%.3f\n", (double)totals.stored_ms / 1000);
    }
    write_gauge(out, "pairwatch_worker_in_flight", "Objects in its hands.");
    str_addf(out, "%" PRIdLEAST64 "\n# EOF\n", atomic_load(&metrics->watch->in_flight));
    return ERR_NONE;
}

enum err_code work_metrics_start(const char *address, struct worker_watch *watch,
                                 struct work_metrics **ret, struct err *err)
{
    AUTO(work_metrics_stopp) struct work_metrics *metrics = own_alloc(sizeof *metrics);
    struct http_options http = {
        .listen = address,
        .route_count = 1,
        .threads = THREADS,
        .connections_max = CONNECTIONS_MAX,
        .no_files = true,
        .app = metrics,
    };

    metrics->watch = watch;
    metrics->started_ms = clock_now_ms();
    metrics->route = (struct route){"GET", "/metrics", "metrics", metrics_of_worker, ROLE_NONE, 0};
    http.routes = &metrics->route;
    if (http_server_start(&http, &metrics->server, err) != ERR_NONE)
        return err_prefix(err, "--metrics");
    log_info("metrics are told", "port=%d", http_server_port(metrics->server));
    *ret = TAKE(metrics);
    return ERR_NONE;
}

void work_metrics_stop(struct work_metrics *metrics)
{
    if (metrics == NULL)
        return;
    if (metrics->server != NULL)
        http_server_stop(metrics->server);
    free(metrics);
}

void work_metrics_stopp(struct work_metrics **metrics)
{
    work_metrics_stop(*metrics);
    *metrics = NULL;
}
