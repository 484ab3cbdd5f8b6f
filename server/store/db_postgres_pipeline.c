/* A pipeline: what is sent is answered in order, and the connection is not waited for in between.
 * It does not block meanwhile, so that neither side waits for the other with full buffers. */
#include "base/clock.h"
#include "store/db_postgres.h"

enum { CANCEL_MS_MAX = 2000 }; /* how long what was cancelled may take to end */

enum err_code pg_pipeline_begin(struct pg *pg, struct err *err)
{
    TRY(pg_ready(pg, err));
    if (PQenterPipelineMode(pg->conn) != 1 || PQsetnonblocking(pg->conn, 1) != 0)
        return pg_fail(pg, "using", NULL, err);
    pg->synced = false;
    return ERR_NONE;
}

enum err_code pg_pipeline_sync(struct pg *pg, struct err *err)
{
    pg->synced = true;
    return PQpipelineSync(pg->conn) == 1 ? ERR_NONE : pg_fail(pg, "using", NULL, err);
}

/* What comes next: a result, NULL for the end of one. False when the connection is broken or the
 * time over. */
static bool next(struct pg *pg, int64_t until_ms, PGresult **ret)
{
    int ready = pg_wait_result(pg, until_ms);

    if (ready == 0) {
        pg_cancel(pg);
        ready = pg_wait_result(pg, clock_mono_ms() + CANCEL_MS_MAX);
    }
    *ret = ready > 0 ? PQgetResult(pg->conn) : NULL;
    return ready > 0;
}

enum err_code pg_pipeline_result(struct pg *pg, PGresult **ret, struct err *err)
{
    int64_t until_ms = pg_until(pg);
    PGresult *result = NULL, *end = NULL;

    if (!next(pg, until_ms, &result) || result == NULL || !next(pg, until_ms, &end)) {
        PQclear(result);
        return pg_fail(pg, "using", NULL, err);
    }
    PQclear(end); /* nothing: one statement has one result */
    if (pg_is_failure(result)) {
        enum err_code code = pg_fail(pg, "using", result, err);

        PQclear(result);
        return code;
    }
    *ret = result;
    return ERR_NONE;
}

/* What is left, to the end that was sent. */
static bool drain(struct pg *pg)
{
    int64_t until_ms = pg_until(pg);
    PGresult *result;

    while (next(pg, until_ms, &result)) {
        bool ends = PQresultStatus(result) == PGRES_PIPELINE_SYNC;

        PQclear(result);
        if (ends)
            return true;
        if (PQstatus(pg->conn) != CONNECTION_OK)
            return false;
    }
    return false;
}

enum err_code pg_pipeline_end(struct pg *pg, struct err *err)
{
    if (!pg_is_lost(pg) && !pg->synced && pg_pipeline_sync(pg, NULL) != ERR_NONE)
        pg->lost = true;
    if (pg_is_lost(pg) || !drain(pg) || PQexitPipelineMode(pg->conn) != 1 ||
        PQsetnonblocking(pg->conn, 0) != 0)
        return pg_fail(pg, "using", NULL, err);
    pg->in_transaction = PQtransactionStatus(pg->conn) != PQTRANS_IDLE;
    return ERR_NONE;
}
