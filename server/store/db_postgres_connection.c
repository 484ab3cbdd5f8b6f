/* Opening, waiting with a deadline, and what PostgreSQL's errors mean here. */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/own.h"
#include "base/str.h"
#include "store/db_postgres.h"

enum {
    QUERY_MS_MAX = 600000, /* without a deadline of its own */
    CANCEL_MS_MAX = 2000,  /* how long a cancelled query may take to end */
    MESSAGE_BYTES_MAX = 300,
    OUTAGE_WAIT_MS_MAX = 5000,
    RECONNECT_PAUSE_MS = 200,
};

/* What every session is told. A writer waits for the write lock as SQLite's does; one that hangs in
 * a transaction loses it, and one that vanished with its machine, after some probes. The server's
 * own limit ends what a vanished process has asked for. */
static const char SESSION_WRITE[] = "SET tcp_keepalives_idle = 10;"
                                    "SET tcp_keepalives_interval = 5;"
                                    "SET tcp_keepalives_count = 3;"
                                    "SET lock_timeout = '15s';"
                                    "SET idle_in_transaction_session_timeout = '60s';"
                                    "SET statement_timeout = '10min'";
static const char SESSION_READ[] = "SET default_transaction_read_only = on;"
                                   "SET statement_timeout = '10min'";

struct meaning {
    const char *state; /* a SQLSTATE or the first characters of several; the first match counts */
    enum err_code code;
    const char *advice;
};
static const struct meaning MEANINGS[] = {
    {"57014", ERR_TIMEOUT, "; the query took too long: ask for less"},
    {"55P03", ERR_BUSY, "; another process is writing: try again"},
    {"57P", ERR_BUSY, "; the server is stopping or starting: try again"},
    {"40", ERR_BUSY, "; another process was in the way: try again"},
    {"08", ERR_BUSY, "; the connection was lost: try again"},
    {"25006", ERR_FULL, "; the server is read-only, a standby perhaps: check which is the primary"},
    {"53100", ERR_FULL, "; make room on the server's disk, nothing was lost"},
    {"53300", ERR_BUSY, "; the server has no connection left: raise max_connections or try again"},
    {"53", ERR_BUSY, "; the server is short of resources: try again"},
    {"54", ERR_TOO_LARGE, ""},
    {"23", ERR_CONFLICT, ""},
    {"28", ERR_INVALID, "; check user and password (PGPASSWORD or ~/.pgpass) and pg_hba.conf"},
    {"3D000", ERR_INVALID, "; make it with createdb, or name another one"},
    {"42501", ERR_INVALID, "; grant the user what it needs on the schema"},
    {"22021", ERR_INVALID, ""},
    {"XX001", ERR_CORRUPT, "; the database is damaged: restore a backup"},
    {"XX002", ERR_CORRUPT, "; an index is damaged: REINDEX it or restore a backup"},
    {"58", ERR_IO, "; the server's disk is failing: check its health"},
};

/* One line of at most MESSAGE_BYTES_MAX. */
static void first_line(const char *message, char ret[static MESSAGE_BYTES_MAX])
{
    size_t length = strcspn(message, "\n");

    (void)snprintf(ret, MESSAGE_BYTES_MAX, "%.*s", (int)length, message);
}

static const struct meaning *meaning_of(const char *state)
{
    for (size_t i = 0; i < ARRAY_LEN(MEANINGS); i++)
        if (str_starts(state, MEANINGS[i].state))
            return &MEANINGS[i];
    return NULL;
}

static enum err_code fail_connection(struct pg *pg, const char *what, struct err *err)
{
    char text[MESSAGE_BYTES_MAX];

    pg->lost = true;
    first_line(PQerrorMessage(pg->conn), text);
    return err_set(err, ERR_BUSY, "%s PostgreSQL: %s; try again", what,
                   text[0] != '\0' ? text : "the connection was lost");
}

enum err_code pg_fail(struct pg *pg, const char *what, const PGresult *result, struct err *err)
{
    const char *state = PQresultErrorField(result, PG_DIAG_SQLSTATE); /* NULL of none */
    const char *message = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
    const struct meaning *meaning;
    char text[MESSAGE_BYTES_MAX];

    if (state == NULL || PQstatus(pg->conn) != CONNECTION_OK)
        pg->lost = true;
    if (state == NULL)
        return fail_connection(pg, what, err);
    meaning = meaning_of(state);
    /* A writer whose server has become a standby looks for the new primary. */
    if (meaning != NULL && meaning->code == ERR_FULL && pg->mode == DB_WRITE &&
        strcmp(state, "25006") == 0)
        pg->lost = true;
    first_line(message != NULL ? message : "", text);
    return err_set(err, meaning != NULL ? meaning->code : ERR_INTERNAL, "%s PostgreSQL: %s%s", what,
                   text, meaning != NULL ? meaning->advice : "");
}

static void note(UNUSED void *context, const char *message)
{
    char text[MESSAGE_BYTES_MAX];

    first_line(message, text);
    log_debug("PostgreSQL says", "text=%s", log_quote(text));
}

/* What libpq is asked for unless the url says otherwise. A server from which nothing comes any more
 * is given up after tcp_user_timeout when something was sent, else when it answers no probe. */
static PGconn *connect_to(const char *url)
{
    static const char *const NAMES[] = {
        "connect_timeout",     "tcp_user_timeout", "keepalives_idle",
        "keepalives_interval", "keepalives_count", "fallback_application_name",
        "client_encoding",     "dbname",           NULL,
    };
    const char *const values[] = {"5", "15000", "10", "5", "3", "pairwatch", "UTF8", url, NULL};

    return PQconnectdbParams(NAMES, values, 1);
}

static enum err_code start_session(struct pg *pg, struct err *err)
{
    const char *sql = pg->mode == DB_WRITE ? SESSION_WRITE : SESSION_READ;
    PGresult *result = NULL;

    (void)PQsetNoticeProcessor(pg->conn, note, NULL);
    pg->lost = pg->copying = pg->in_transaction = false;
    pg->connections++;
    TRY(pg_result(pg, PQsendQuery(pg->conn, sql), "opening the database in", &result, err));
    PQclear(result);
    return ERR_NONE;
}

static enum err_code pg_connect(struct pg *pg, struct err *err)
{
    char text[MESSAGE_BYTES_MAX];

    PQfinish(pg->conn);
    pg->conn = connect_to(pg->url);
    if (PQstatus(pg->conn) != CONNECTION_OK) {
        first_line(PQerrorMessage(pg->conn), text);
        pg->lost = true;
        return err_set(err, ERR_BUSY,
                       "opening the database: %s; check the url and that "
                       "PostgreSQL runs there",
                       text);
    }
    return start_session(pg, err);
}

enum err_code pg_open(const char *url, enum db_mode mode, struct pg **ret, struct err *err)
{
    struct pg *pg = own_alloc(sizeof *pg);
    enum err_code code;

    *pg = (struct pg){.url = own_strdup(url), .mode = mode};
    code = pg_connect(pg, err);
    if (code != ERR_NONE) {
        pg_close(pg);
        return code;
    }
    *ret = pg;
    return ERR_NONE;
}

void pg_close(struct pg *pg)
{
    PQfinish(pg->conn);
    free(pg->url);
    free(pg);
}

bool pg_is_lost(const struct pg *pg)
{
    return pg->lost || PQstatus(pg->conn) != CONNECTION_OK;
}

/* Waits for the socket: 1 ready, 0 past the time, -1 broken. */
static int wait_socket(const struct pg *pg, bool writing, int64_t until_ms)
{
    struct pollfd fd = {.fd = PQsocket(pg->conn), .events = POLLIN};
    int64_t left_ms = until_ms - clock_mono_ms();

    if (writing)
        fd.events |= POLLOUT;
    if (left_ms <= 0)
        return 0;
    if (poll(&fd, 1, (int)left_ms) < 0 && errno != EINTR)
        return -1;
    return 1;
}

int pg_wait_result(struct pg *pg, int64_t until_ms)
{
    int unsent, ready;

    for (;;) {
        unsent = PQflush(pg->conn);
        if (unsent < 0)
            return -1;
        if (unsent == 0 && PQisBusy(pg->conn) == 0)
            return 1;
        ready = wait_socket(pg, unsent > 0, until_ms);
        if (ready <= 0)
            return ready;
        if (PQconsumeInput(pg->conn) == 0)
            return -1;
    }
}

bool pg_is_failure(const PGresult *result)
{
    ExecStatusType status = PQresultStatus(result);

    return status == PGRES_FATAL_ERROR || status == PGRES_BAD_RESPONSE ||
           status == PGRES_PIPELINE_ABORTED;
}

/* The last of the results, or the first failure; NULL with *ret_ready <= 0 when none came. */
static PGresult *collect(struct pg *pg, int64_t until_ms, int *ret_ready)
{
    PGresult *last = NULL, *next;

    while ((*ret_ready = pg_wait_result(pg, until_ms)) > 0) {
        next = PQgetResult(pg->conn);
        if (next == NULL)
            return last;
        if (last != NULL && pg_is_failure(last)) {
            PQclear(next);
            continue;
        }
        PQclear(last);
        last = next;
        if (PQresultStatus(last) == PGRES_COPY_IN || PQresultStatus(last) == PGRES_COPY_OUT)
            return last;
    }
    PQclear(last);
    return NULL;
}

static enum err_code past_deadline(struct pg *pg, const char *what, PGresult **ret, struct err *err)
{
    int ready;

    pg_cancel(pg);
    *ret = collect(pg, clock_mono_ms() + CANCEL_MS_MAX, &ready);
    if (*ret != NULL)
        return ERR_NONE; /* the cancelled one, or it was done just then */
    pg->lost = true;
    return err_set(err, ERR_TIMEOUT, "%s PostgreSQL: no answer%s", what,
                   "; the query took too long: ask for less");
}

int64_t pg_until(const struct pg *pg)
{
    int64_t until_ms = clock_mono_ms() + QUERY_MS_MAX;

    return pg->deadline_mono_ms != 0 && pg->deadline_mono_ms < until_ms ? pg->deadline_mono_ms
                                                                        : until_ms;
}

enum err_code pg_result(struct pg *pg, int sent, const char *what, PGresult **ret, struct err *err)
{
    int64_t until_ms = pg_until(pg);
    PGresult *result = NULL;
    enum err_code code = ERR_NONE;
    int ready;

    if (sent == 0)
        return fail_connection(pg, what, err);
    result = collect(pg, until_ms, &ready);
    if (result == NULL && ready == 0)
        TRY(past_deadline(pg, what, &result, err));
    if (result == NULL)
        return fail_connection(pg, what, err);
    if (pg_is_failure(result))
        code = pg_fail(pg, what, result, err);
    if (PQstatus(pg->conn) == CONNECTION_OK && !pg->copying)
        pg->in_transaction = PQtransactionStatus(pg->conn) != PQTRANS_IDLE;
    if (code != ERR_NONE) {
        PQclear(result);
        return code;
    }
    *ret = result;
    return ERR_NONE;
}

static enum err_code copy_end(struct pg *pg, struct err *err)
{
    PGresult *result = NULL;

    pg->copying = false;
    TRY(pg_result(pg, PQputCopyEnd(pg->conn, NULL) == 1, "writing rows to", &result, err));
    PQclear(result);
    return ERR_NONE;
}

/* While a standby takes over, for as long as an outage is young; an old one is told at once. */
static enum err_code reconnect(struct pg *pg, struct err *err)
{
    enum err_code code;
    int64_t until_ms;

    if (pg->down_since_ms == 0)
        pg->down_since_ms = clock_mono_ms();
    until_ms = pg->down_since_ms + OUTAGE_WAIT_MS_MAX;
    if (pg->deadline_mono_ms != 0 && pg->deadline_mono_ms < until_ms)
        until_ms = pg->deadline_mono_ms;
    while ((code = pg_connect(pg, err)) != ERR_NONE) {
        if (clock_mono_ms() + RECONNECT_PAUSE_MS > until_ms)
            return code;
        clock_sleep_ms(RECONNECT_PAUSE_MS);
    }
    pg->down_since_ms = 0;
    return ERR_NONE;
}

enum err_code pg_ready(struct pg *pg, struct err *err)
{
    if (pg->copying && !pg_is_lost(pg))
        return copy_end(pg, err);
    if (!pg_is_lost(pg))
        return ERR_NONE;
    if (pg->in_transaction)
        return err_set(err, ERR_BUSY, "the connection to PostgreSQL was lost: try again");
    return reconnect(pg, err);
}

static enum err_code copy_begin(struct pg *pg, const char *query, struct err *err)
{
    PGresult *result = NULL;
    bool begun, inside;

    TRY(pg_ready(pg, err));
    inside = pg->in_transaction;
    TRY(pg_result(pg, PQsendQuery(pg->conn, query), "writing rows to", &result, err));
    begun = PQresultStatus(result) == PGRES_COPY_IN;
    PQclear(result);
    pg->copying = begun;
    pg->copy_query = query;
    pg->in_transaction = inside; /* while rows are sent, libpq only knows that something runs */
    return begun ? ERR_NONE : err_set(err, ERR_INTERNAL, "PostgreSQL takes no rows");
}

enum err_code pg_copy_row(struct pg *pg, const char *query, const char *row, size_t length,
                          struct err *err)
{
    if (!pg->copying || pg->copy_query != query)
        TRY(copy_begin(pg, query, err));
    if (PQputCopyData(pg->conn, row, (int)length) != 1)
        return fail_connection(pg, "writing rows to", err);
    return pg->in_transaction ? ERR_NONE : copy_end(pg, err);
}
