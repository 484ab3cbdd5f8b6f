/* GET /metrics in OpenMetrics 1.0 text (https://prometheus.io/docs/specs/om/open_metrics_spec/):
 * families with TYPE and HELP, counters end in _total, "# EOF" ends it. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <sys/stat.h>

#include "api/app.h"
#include "api/metrics_ingest.h"
#include "base/clock.h"
#include "base/field.h"
#include "base/str.h"
#include "gen/routes.h"
#include "store/change.h"
#include "store/drift.h"
#include "store/finding.h"
#include "store/object_row.h"
#include "store/rollup.h"
#include "store/writer.h"

enum { DRIFT_MS = 7 * DAY_MS, LOG_PATH_BYTES_MAX = 4096 };

static void family(struct str *out, const char *name, const char *type, const char *help)
{
    str_addf(out, "# TYPE %s %s\n# HELP %s %s\n", name, type, name, help);
}

static void single(struct str *out, const char *name, const char *type, const char *help,
                   uint64_t value)
{
    family(out, name, type, help);
    str_addf(out, "%s%s %" PRIu64 "\n", name, *type == 'c' ? "_total" : "", value);
}

static void write_http(struct str *out, const struct http_metrics *http)
{
    static const char *const CLASSES[] = {"aborted", "1xx", "2xx", "3xx", "4xx", "5xx"};

    family(out, "pairwatch_http_requests", "counter", "Requests by class of status.");
    for (size_t i = 0; i < ARRAY_LEN(CLASSES); i++)
        str_addf(out, "pairwatch_http_requests_total{status=\"%s\"} %" PRIu64 "\n", CLASSES[i],
                 http->requests[i]);
    family(out, "pairwatch_http_operation_requests", "counter", "Requests by operation.");
    for (size_t i = 0; i < ROUTE_COUNT && i < ARRAY_LEN(http->by_route); i++)
        str_addf(out, "pairwatch_http_operation_requests_total{operation=\"%s\"} %" PRIu64 "\n",
                 ROUTES[i].operation, http->by_route[i]);
    family(out, "pairwatch_http_request_seconds", "counter", "Time spent on requests, summed.");
    str_addf(out, "pairwatch_http_request_seconds_total %.3f\n",
             (double)http->request_ms_sum / 1000);
    single(out, "pairwatch_http_body_bytes", "counter", "Bytes of request bodies.",
           http->body_bytes);
    single(out, "pairwatch_http_reply_bytes", "counter", "Bytes of answers.", http->reply_bytes);
    single(out, "pairwatch_http_in_flight", "gauge", "Requests being answered.", http->in_flight);
}

/* What was committed and is not in the file yet; it grows as long as somebody reads an old state.
 */
static void write_log(struct str *out, const struct app *app)
{
    static const char PREFIX[] = "sqlite:";
    char path[LOG_PATH_BYTES_MAX];
    struct stat file;

    if (!str_starts(app->database_url, PREFIX))
        return;
    (void)snprintf(path, sizeof path, "%s-wal", app->database_url + sizeof PREFIX - 1);
    single(out, "pairwatch_database_log_bytes", "gauge", "Size of the log of the SQLite database.",
           stat(path, &file) == 0 ? (uint64_t)file.st_size : 0);
}

static enum err_code write_store(struct str *out, struct db *db, struct err *err)
{
    struct finding_counts findings;
    struct object_counts objects;
    struct rollup_totals all;
    int64_t first_ms, last_ms, seq;

    TRY(finding_count(db, &findings, err));
    TRY(object_count(db, &objects, err));
    TRY(change_last_seq(db, &seq, err));
    TRY(rollup_range(db, &first_ms, &last_ms, err));
    TRY(rollup_totals(db, &all, err));
    family(out, "pairwatch_findings", "gauge", "Findings by status.");
    for (size_t i = 0; FINDING_STATUS_WORDS[i] != NULL; i++)
        str_addf(out, "pairwatch_findings{status=\"%s\"} %" PRId64 "\n", FINDING_STATUS_WORDS[i],
                 findings.by_status[i]);
    family(out, "pairwatch_objects", "gauge", "Objects in the ledger by state.");
    str_addf(out, "pairwatch_objects{state=\"stored\"} %" PRId64 "\n", objects.stored);
    str_addf(out, "pairwatch_objects{state=\"failed\"} %" PRId64 "\n", objects.failed);
    single(out, "pairwatch_observations", "counter", "Scored sightings stored.",
           (uint64_t)all.observations);
    single(out, "pairwatch_flagged", "counter", "Sightings above the threshold.",
           (uint64_t)all.flagged);
    single(out, "pairwatch_change_seq", "gauge", "Number of the newest change.", (uint64_t)seq);
    family(out, "pairwatch_newest_hour_timestamp_seconds", "gauge",
           "Start of the newest hour with data.");
    if (last_ms != FIELD_NULL_INT)
        str_addf(out, "pairwatch_newest_hour_timestamp_seconds %" PRId64 "\n", last_ms / 1000);
    return ERR_NONE;
}

static void ratio(struct str *out, const char *name, const char *spec, double value)
{
    if (!isnan(value))
        str_addf(out, "%s{spec=\"%s\"} %.6f\n", name, spec, value);
}

/* Of the model that scores, or scored last: the newest week of data against training. */
static enum err_code write_model(struct str *out, struct db *db, struct arena *arena,
                                 struct err *err)
{
    int64_t first_ms, last_ms;
    struct model_row_list models;
    struct drift_list drift;

    TRY(rollup_range(db, &first_ms, &last_ms, err));
    TRY(model_row_list(db, arena, &models, err));
    if (models.count == 0 || last_ms == FIELD_NULL_INT)
        return ERR_NONE;
    TRY(drift_list(db, arena, &models.items[0], last_ms + HOUR_MS - DRIFT_MS, last_ms + HOUR_MS,
                   &drift, err));
    family(out, "pairwatch_model_psi", "gauge",
           "Population stability index of a week's scores against training.");
    for (size_t i = 0; i < drift.count; i++)
        ratio(out, "pairwatch_model_psi", drift.items[i].spec->spec, drift.items[i].drift.psi);
    family(out, "pairwatch_model_unknown_entities_ratio", "gauge",
           "Share of a week's observations of entities without history.");
    for (size_t i = 0; i < drift.count; i++)
        ratio(out, "pairwatch_model_unknown_entities_ratio", drift.items[i].spec->spec,
              drift.items[i].drift.unknown_share);
    family(out, "pairwatch_model_unseen_networks_ratio", "gauge",
           "Share of a week's observations in a /16 that the entity had not used.");
    for (size_t i = 0; i < drift.count; i++)
        ratio(out, "pairwatch_model_unseen_networks_ratio", drift.items[i].spec->spec,
              drift.items[i].drift.unseen_share);
    return ERR_NONE;
}

enum err_code get_metrics(struct request *req, struct reply *reply, struct err *err)
{
    struct app *app = app_of(req);
    struct http_server *server = atomic_load(&app->server);
    struct str *out = &reply->body;
    struct http_metrics http = {.in_flight = 0};
    struct db *db;

    TRY(query_check(req, err));
    TRY(app_db(req, &db, err));
    if (server != NULL)
        http_server_metrics(server, &http);
    reply->content_type = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    family(out, "pairwatch_build", "info", "The program.");
    str_addf(out, "pairwatch_build_info{version=\"%s\"} 1\n", app->version);
    family(out, "process_start_time_seconds", "gauge", "When the process started.");
    str_addf(out, "process_start_time_seconds %.3f\n", (double)app->started_ms / 1000);
    write_http(out, &http);
    single(out, "pairwatch_writer_queue_depth", "gauge", "Jobs waiting for the writer.",
           writer_queue_depth(app->writer));
    write_log(out, app);
    TRY(write_store(out, db, err));
    TRY(write_model(out, db, req->arena, err));
    TRY(metrics_ingest(out, db, req->arena, err));
    str_add(out, "# EOF\n");
    return ERR_NONE;
}
