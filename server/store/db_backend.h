#pragma once
/* What an engine provides; db.c builds the rest on it. Private to store/.
 * Errors come back as codes with a sentence; a handle belongs to one thread. */
#include "base/err.h"
#include "store/db.h"
#include <stdbool.h>
#include <stdint.h>

enum db_step { DB_STEP_ROW, DB_STEP_END, DB_STEP_ERROR };

struct db_backend {
    const char *scheme;                /* "sqlite": the url is scheme:rest */
    const char *migrations_dir;        /* of the asset names: "migrations/sqlite/" */
    const char *begin_read;            /* the statement that opens a transaction on one snapshot */
    const char *begin_write;           /* the statement that opens a writing transaction */
    const char *sync_later, *sync_now; /* for db_begin_unhurried and back; NULL: no difference */
    const char *foreign_tables;        /* counts the tables beside schema_migration */
    enum err_code (*open)(const char *rest, enum db_mode mode, void **ret, struct err *err);
    void (*close)(void *handle);
    void (*deadline)(void *handle, int64_t mono_ms);
    /* How often it was connected so far: what is remembered of rows is of one connection, for
     * another server may have lost the last commits. NULL: always the same. */
    uint64_t (*connections)(void *handle);
    /* NULL: every connection leads. See db_lead. */
    enum err_code (*lead)(void *handle, enum db_task task, bool *ret, struct err *err);
    /* Puts what was committed where it stays; on a connection of its own, beside the writer. NULL:
     * the engine does that by itself. */
    enum err_code (*checkpoint)(void *handle, struct err *err);
    enum err_code (*space)(void *handle, struct db_space *ret, struct err *err);
    /* NULL: the engine does it by itself. */
    enum err_code (*release)(void *handle, int64_t pages, struct db_space *ret, struct err *err);
    /* Runs several statements without parameters: migrations and pragmas. */
    enum err_code (*script)(void *handle, const char *sql, struct err *err);

    enum err_code (*prepare)(void *handle, const char *name, const char *sql, void **ret,
                             struct err *err);
    void (*finalize)(void *statement);
    enum err_code (*bind)(void *handle, void *statement, const struct param *params, size_t count,
                          struct err *err);
    enum db_step (*step)(void *handle, void *statement, struct err *err);
    void (*reset)(void *statement);
    /* Several runs of one statement with one wait for all of them, see db_run_all: begin; bind and
     * send each; sent; take and step each; end, always. Inside a transaction. NULL: an engine that
     * is not far away. */
    enum err_code (*ahead_begin)(void *handle, void *statement, struct err *err);
    enum err_code (*ahead_send)(void *handle, void *statement, struct err *err);
    enum err_code (*ahead_sent)(void *handle, struct err *err);
    enum err_code (*ahead_take)(void *handle, void *statement, struct err *err);
    enum err_code (*ahead_end)(void *handle, struct err *err);
    int64_t (*changes)(void *handle);

    int (*column_count)(void *statement);
    const char *(*column_name)(void *statement, int column);
    bool (*column_is_null)(void *statement, int column);
    int64_t (*column_int)(void *statement, int column);
    double (*column_real)(void *statement, int column);
    /* Valid until the next step; both forms of one column only after each other. */
    const char *(*column_text)(void *statement, int column);
    struct blob (*column_blob)(void *statement, int column);
};
extern const struct db_backend DB_SQLITE, DB_POSTGRES;

/* For migrate.c: a connection without prepared statements. */
NODISCARD enum err_code db_open_bare(const char *url, enum db_mode mode, struct db **ret,
                                     struct err *err);
const struct db_backend *db_backend(const struct db *db);
void *db_handle(const struct db *db);
/* For db_runs.c. */
void *db_statement(const struct db *db, enum sql_id sql);
bool db_in_transaction(const struct db *db);
/* For dictionary.c: a writing connection's. */
struct entity_memory *db_entity_memory(const struct db *db);
NODISCARD enum err_code db_script(struct db *db, const char *sql, struct err *err);
