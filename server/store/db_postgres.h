#pragma once
/* The connection to PostgreSQL and the values that go over it, beneath db_postgres.c. Private to
 * db_postgres*.c.
 *
 * A lost connection is opened again when the next transaction or the next reading query begins;
 * statements are prepared again as they are used. In the first OUTAGE_WAIT_MS_MAX of an outage that
 * waits for a server, up to the deadline. What was under way fails with ERR_BUSY, which callers
 * answer with "try again": batches are idempotent, so doing them again does no harm. */
#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"
#include "store/db.h"
#include <libpq-fe.h>
#include <stdbool.h>
#include <stdint.h>

struct pg {
    PGconn *conn;
    char *url;
    enum db_mode mode;
    int64_t deadline_mono_ms; /* 0 = none */
    uint64_t connections;     /* how often it was opened: statements are of one of them */
    uint64_t names;           /* of prepared statements, so far */
    bool in_transaction;
    bool copying; /* rows are on their way, which pg_ready ends before anything else is sent */
    const char *copy_query;
    bool lost;             /* to be opened again although it looks sound */
    bool synced;           /* in a pipeline: its end was sent */
    int64_t down_since_ms; /* monotonic; 0 = it is not known to be down */
    int64_t changes;
};

/* The url is the whole "postgresql://…", which libpq reads with all of its parameters (several
 * hosts, target_session_attrs, sslmode, sslrootcert, …). Never says the password. */
NODISCARD enum err_code pg_open(const char *url, enum db_mode mode, struct pg **ret,
                                struct err *err);
void pg_close(struct pg *pg);
/* Makes the connection ready to be asked: ends a COPY, reconnects outside of a transaction. */
NODISCARD enum err_code pg_ready(struct pg *pg, struct err *err);
/* After something was sent (sent is what PQsend… said): waits for its last result, to the deadline.
 * The caller frees the result with PQclear. what is said of failures: "using", "statement X". */
NODISCARD enum err_code pg_result(struct pg *pg, int sent, const char *what, PGresult **ret,
                                  struct err *err);
/* One row of COPY, begun by the query on the first. Its own failure may be told by what is done
 * next on this connection, at the latest by the COMMIT. */
NODISCARD enum err_code pg_copy_row(struct pg *pg, const char *query, const char *row,
                                    size_t length, struct err *err);
/* Whether the last failure was the connection's. */
bool pg_is_lost(const struct pg *pg);

/* ---- a pipeline: statements are sent before the answer to the first is read ---- */

/* Inside a transaction, and before the first of them. */
NODISCARD enum err_code pg_pipeline_begin(struct pg *pg, struct err *err);
/* After the last of them. */
NODISCARD enum err_code pg_pipeline_sync(struct pg *pg, struct err *err);
/* The result of the next one in order; as pg_result. Once one has failed, so do those after it. */
NODISCARD enum err_code pg_pipeline_result(struct pg *pg, PGresult **ret, struct err *err);
/* Always after pg_pipeline_begin: takes what is left and leaves the pipeline. */
NODISCARD enum err_code pg_pipeline_end(struct pg *pg, struct err *err);

/* Until a result can be taken without waiting: 1, 0 when the time is over, -1 when it is broken. */
int pg_wait_result(struct pg *pg, int64_t until_ms);
/* When what is asked now has to be answered, by the deadline; monotonic. */
int64_t pg_until(const struct pg *pg);
bool pg_is_failure(const PGresult *result);
/* What a failed result, or a connection that gave none, means. */
NODISCARD enum err_code pg_fail(struct pg *pg, const char *what, const PGresult *result,
                                struct err *err);
/* Asks the server to give up what it is doing; within two seconds, or the connection is lost. */
void pg_cancel(struct pg *pg);

/* ---- statements and their values (db_postgres_value.c) ---- */

enum { PG_PARAMS_MAX = 32 };

struct pg_statement {
    struct pg *pg;
    char name[24];       /* in the session */
    const char *label;   /* for messages */
    char *text;          /* owned */
    uint64_t connection; /* where it is prepared; 0 = nowhere */
    bool is_copy;
    int result_format; /* 1: columns come as they are and not as text, see pg_result_learn */
    size_t count;      /* of parameters */
    struct str values; /* their bytes, one after the other, each with a NUL */
    size_t starts[PG_PARAMS_MAX];
    int lengths[PG_PARAMS_MAX], formats[PG_PARAMS_MAX];
    bool is_null[PG_PARAMS_MAX];
    PGresult *result; /* NULL: not run yet */
    int row;
    struct arena blobs; /* of the current row */
    struct str line;    /* a row of COPY */
};

/* Appends a parameter. */
void pg_value_add(struct pg_statement *s, size_t at, const struct param *param);
/* The parameters as a line of COPY's text format, into s->line. */
void pg_value_copy_line(struct pg_statement *s);
/* Text is twice as long as bytes are and has to be read again: a statement with columns of bytes,
 * of whose result this is the first, asks for all of them as they are, if all can be read so. */
void pg_result_learn(struct pg_statement *s);

int pg_column_count(void *statement);
const char *pg_column_name(void *statement, int column);
bool pg_column_is_null(void *statement, int column);
int64_t pg_column_int(void *statement, int column);
double pg_column_real(void *statement, int column);
const char *pg_column_text(void *statement, int column);
struct blob pg_column_blob(void *statement, int column);
