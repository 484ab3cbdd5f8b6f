#pragma once
/* Connections, queries and transactions; the engine (SQLite or PostgreSQL) is behind db_backend.h.
 * SQL lives in store/X.sql beside X.c: "-- name: FINDING_GET" heads each statement, and
 * server/tools/statements.awk turns them into enum sql_id and their texts. Every statement is
 * prepared at open, so a bad one fails at start. Parameters are $1, $2 … in order of first
 * appearance. That first appearance tells PostgreSQL a parameter's type, so it stands beside a
 * column: (s.name = $5 OR $5 IS NULL). "-- postgres:" heads the text for PostgreSQL where the two
 * cannot be the same.
 * A struct db belongs to one thread. */
#include "base/err.h"
#include "base/field.h"
#include "base/ip.h"
#include "gen/statements.h" /* enum sql_id */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct arena;
struct db;

enum db_mode {
    DB_READ,  /* never writes, sees the last commit */
    DB_WRITE, /* one per process: the writer's; SQLite's makes the file when there is none */
};

/* "sqlite:FILE", or "postgresql://…" as libpq reads it: then ERR_BUSY when it cannot be reached.
 * Does not migrate: see migrate.h. ERR_NOT_FOUND, ERR_FULL (read-only file or full
 * disk), ERR_CORRUPT, ERR_INVALID (of a newer version: says which) in one sentence with what to do.
 */
NODISCARD enum err_code db_open(const char *url, enum db_mode mode, struct db **ret,
                                struct err *err);
void db_close(struct db *db);
void db_closep(struct db **db);
/* Queries that run longer fail with ERR_TIMEOUT; 0 = no deadline. In clock_mono_ms. */
void db_deadline(struct db *db, int64_t mono_ms);

enum { DB_BLOB_LARGE = 1024 }; /* bytes that are not copied: they stay until the query has ended */
enum param_type { PARAM_NULL, PARAM_INT, PARAM_REAL, PARAM_TEXT, PARAM_BLOB };
struct param {
    enum param_type type;
    union {
        int64_t integer;
        double real;
        const char *text;
        struct blob blob;
    };
};
#define P_INT(v)          ((struct param){.type = PARAM_INT, .integer = (v)})
#define P_REAL(v)         ((struct param){.type = PARAM_REAL, .real = (v)})
#define P_TEXT(v)         db_param_text(v) /* NULL becomes null */
#define P_BLOB(b, n)      ((struct param){.type = PARAM_BLOB, .blob = {(b), (n)}})
#define P_IP(ip_)         ((struct param){.type = PARAM_BLOB, .blob = {(ip_)->bytes, 16}})
#define P_NULL            ((struct param){.type = PARAM_NULL})
#define P_INT_OR_NULL(v)  db_param_int(v)  /* FIELD_NULL_INT becomes null */
#define P_REAL_OR_NULL(v) db_param_real(v) /* NAN becomes null */
#define PARAMS(...)                                                                                \
    ((const struct param[]){__VA_ARGS__}),                                                         \
        (sizeof((struct param[]){__VA_ARGS__}) / sizeof(struct param))
#define NO_PARAMS NULL, 0
struct param db_param_text(const char *text);
struct param db_param_int(int64_t value);
struct param db_param_real(double value);

/* Work that one process does for all of them. */
enum db_task { DB_TASK_LEARN = 1, DB_TASK_RETENTION = 2 };
/* *ret: whether this connection leads the task, from now until it is closed or lost; false while
 * another one does. On SQLite everybody may: its processes are on one machine, and tasks are such
 * that doing them twice does no harm. */
NODISCARD enum err_code db_lead(struct db *db, enum db_task task, bool *ret, struct err *err);

/* How large the database is. released: pages that db_release gave back. */
struct db_space {
    int64_t used_bytes, file_bytes;
    int64_t free, released; /* pages */
};
NODISCARD enum err_code db_space(struct db *db, struct db_space *ret, struct err *err);
/* Inside a writer's job: gives up to so many free pages back to the file system. PostgreSQL does
 * that by itself. */
NODISCARD enum err_code db_release(struct db *db, int64_t pages, struct db_space *ret,
                                   struct err *err);

struct query { /* a running statement; AUTO(query_done) struct query q = {0}; */
    struct db *db;
    void *statement;
    enum sql_id sql;
    bool failed, ended;
    struct err err;
};
NODISCARD enum err_code db_query(struct db *db, enum sql_id sql, const struct param *params,
                                 size_t param_count, struct query *ret, struct err *err);
/* Reads one row by its field table (the columns carry the fields' names in their order; anything
 * else is ERR_INTERNAL). False when there are no more rows or it failed: query_end tells. */
bool query_next(struct query *query, const struct field *fields, struct arena *arena, void *row);
NODISCARD enum err_code query_end(struct query *query, struct err *err);
void query_done(struct query *query);
/* Runs to the end; *ret_changes (or NULL) is the number of rows changed. */
NODISCARD enum err_code db_exec(struct db *db, enum sql_id sql, const struct param *params,
                                size_t param_count, int64_t *ret_changes, struct err *err);
/* The first column of the single row, e.g. of INSERT … RETURNING id. ERR_NOT_FOUND without a row.
 */
NODISCARD enum err_code db_int(struct db *db, enum sql_id sql, const struct param *params,
                               size_t param_count, int64_t *ret, struct err *err);
/* One row; ERR_NOT_FOUND when there is none. */
NODISCARD enum err_code db_row(struct db *db, enum sql_id sql, const struct param *params,
                               size_t param_count, const struct field *fields, struct arena *arena,
                               void *row, struct err *err);

/* One statement run for each of several sets of parameters, in order: one wait for all of them
 * where the engine is far away. Each run gives one row at most. Inside a transaction. */
struct db_runs {
    enum sql_id sql;
    size_t count;
    /* Sets the parameters of a run; what they point at stays until the next call. */
    void (*params)(void *context, size_t run, struct param *ret);
    void *context;
    /* The row of each run goes to rows + run * row_bytes, by its field table, with texts in the
     * arena; found (or NULL) says whether there was one. fields NULL: statements without rows. */
    const struct field *fields;
    struct arena *arena;
    void *rows;
    size_t row_bytes;
    bool *found;
};
NODISCARD enum err_code db_run_all(struct db *db, const struct db_runs *runs, struct err *err);

struct tx { /* AUTO(tx_done) struct tx tx = {0}; rolls back unless committed */
    struct db *db;
    bool open;
};
NODISCARD enum err_code db_begin(struct db *db, struct tx *ret, struct err *err);
/* For what nobody is told of: a power cut may take its commit back until the next of db_begin. */
NODISCARD enum err_code db_begin_unhurried(struct db *db, struct tx *ret, struct err *err);
NODISCARD enum err_code tx_commit(struct tx *tx, struct err *err);
void tx_done(struct tx *tx);
/* Inside a transaction: what follows can be undone alone. One level. */
NODISCARD enum err_code db_savepoint(struct db *db, struct err *err);
NODISCARD enum err_code db_savepoint_end(struct db *db, bool keep, struct err *err);

/* For tests of failure: the n-th step from now fails; 0 = never again. */
void db_fail_after(struct db *db, int64_t steps);
