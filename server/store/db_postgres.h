#pragma once
/* The connection to PostgreSQL, beneath db_postgres.c. Private to these two.
 *
 * A lost connection is opened again when the next transaction or the next reading query begins;
 * statements are prepared again as they are used. In the first OUTAGE_WAIT_MS_MAX of an outage that
 * waits for a server, up to the deadline. What was under way fails with ERR_BUSY, which callers
 * answer with "try again": batches are idempotent, so doing them again does no harm. */
#include "base/err.h"
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
