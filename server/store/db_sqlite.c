/* SQLite: write-ahead log, one writer at a time, readers that cannot write. */
#include <errno.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/own.h"
#include "store/db_backend.h"
#include "store/network_fs.h"

enum {
    /* Another process may hold the write lock for one group of batches. */
    BUSY_TIMEOUT_MS = 15000,
    /* How many virtual machine steps pass between two looks at the clock. */
    PROGRESS_STEPS = 10000,
};

struct sqlite {
    sqlite3 *connection;
    int64_t deadline_mono_ms; /* 0 = none */
};

static enum err_code code_of(int result)
{
    switch (result & 0xff) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return ERR_BUSY;
    case SQLITE_FULL:
    case SQLITE_READONLY:
        return ERR_FULL;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
        return ERR_CORRUPT;
    case SQLITE_INTERRUPT:
        return ERR_TIMEOUT;
    case SQLITE_CONSTRAINT:
        return ERR_CONFLICT;
    case SQLITE_IOERR:
    case SQLITE_CANTOPEN:
        return ERR_IO;
    case SQLITE_TOOBIG:
        return ERR_TOO_LARGE;
    default:
        return ERR_INTERNAL;
    }
}

/* What to do about it, where a person can do something. */
static const char *advice_of(int result)
{
    switch (result & 0xff) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return "; another process is writing: try again";
    case SQLITE_FULL:
        return "; make room on the disk, nothing was lost";
    case SQLITE_READONLY:
        return "; the file or its folder cannot be written: check owner and mount";
    case SQLITE_NOTADB:
        return "; it is no SQLite database: name another file";
    case SQLITE_CORRUPT:
        return "; the file is damaged: restore a backup";
    case SQLITE_IOERR:
        return "; the disk is full or failing: check its room and its health";
    case SQLITE_CANTOPEN:
        return "; check that its folder exists and can be written";
    case SQLITE_INTERRUPT:
        return "; the query took too long: ask for less";
    default:
        return "";
    }
}

static enum err_code fail(struct sqlite *sqlite, const char *doing, int result, struct err *err)
{
    const char *file = sqlite3_db_filename(sqlite->connection, "main");

    return err_set(err, code_of(result), "%s %s: %s%s", doing, file != NULL ? file : "database",
                   sqlite3_errmsg(sqlite->connection), advice_of(result));
}

static int past_deadline(void *context)
{
    struct sqlite *sqlite = context;

    return sqlite->deadline_mono_ms != 0 && clock_mono_ms() > sqlite->deadline_mono_ms;
}

static enum err_code sqlite_script(void *handle, const char *sql, struct err *err)
{
    struct sqlite *sqlite = handle;
    int result = sqlite3_exec(sqlite->connection, sql, NULL, NULL, NULL);

    return result == SQLITE_OK ? ERR_NONE : fail(sqlite, "writing to", result, err);
}

static void sqlite_close(void *handle)
{
    struct sqlite *sqlite = handle;

    (void)sqlite3_close(sqlite->connection);
    free(sqlite);
}

static enum err_code configure(struct sqlite *sqlite, enum db_mode mode, struct err *err)
{
    /* FULL: what was committed outlives a power cut, for a message is deleted and a POST answered
     * after it. One sync serves a whole group of jobs. */
    /* FAST: what is deleted is wiped out of pages that are written anyway. Debian's default wipes
     * and writes every page that becomes free: as much again as runs of pairs take. */
    /* Free pages are given back by retention: only a file made so can, hence before the log, as is
     * the size of a page: packed observations are long, and each page is two calls of the system.
     * What a savepoint could bring back stays in memory. The log goes into the file beside the
     * writer (sqlite_checkpoint); 64 MB of it and the writer does it itself. */
    static const char WRITE[] = "PRAGMA page_size = 8192;"
                                "PRAGMA auto_vacuum = INCREMENTAL;"
                                "PRAGMA journal_mode = WAL;"
                                "PRAGMA synchronous = FULL;"
                                "PRAGMA temp_store = MEMORY;"
                                "PRAGMA secure_delete = FAST;"
                                "PRAGMA foreign_keys = ON;"
                                "PRAGMA wal_autocheckpoint = 8000;"
                                "PRAGMA journal_size_limit = 67108864;"
                                "PRAGMA cache_size = -16384;";
    static const char READ[] = "PRAGMA query_only = ON; PRAGMA cache_size = -8192;";

    (void)sqlite3_extended_result_codes(sqlite->connection, 1);
    (void)sqlite3_busy_timeout(sqlite->connection, BUSY_TIMEOUT_MS);
    sqlite3_progress_handler(sqlite->connection, PROGRESS_STEPS, past_deadline, sqlite);
    (void)sqlite3_db_config(sqlite->connection, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    (void)sqlite3_db_config(sqlite->connection, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
    if (mode == DB_WRITE && sqlite3_db_readonly(sqlite->connection, "main") == 1)
        return err_set(err, ERR_FULL, "opening the database %s: it is read-only%s",
                       sqlite3_db_filename(sqlite->connection, "main"), advice_of(SQLITE_READONLY));
    if (sqlite_script(sqlite, mode == DB_WRITE ? WRITE : READ, err) != ERR_NONE)
        return err_prefix(err, "opening the database");
    return ERR_NONE;
}

static enum err_code check_path(const char *path, enum db_mode mode, struct err *err)
{
    struct stat info;

    /* A copy may be read anywhere. */
    if (mode == DB_WRITE)
        TRY(network_fs_refuse(path, err));
    if (stat(path, &info) != 0) {
        if (errno == ENOENT && mode == DB_WRITE)
            return ERR_NONE;
        return err_errno(err, ERR_IO, "opening the database %s", path);
    }
    if (!S_ISREG(info.st_mode))
        return err_set(err, ERR_INVALID, "opening the database %s: it is no file", path);
    return ERR_NONE;
}

static enum err_code sqlite_open(const char *rest, enum db_mode mode, void **ret, struct err *err)
{
    int flags = SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
    struct sqlite *sqlite;
    enum err_code code;
    int result;

    TRY(check_path(rest, mode, err));
    sqlite = own_alloc(sizeof *sqlite);
    flags |= mode == DB_WRITE ? SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE : SQLITE_OPEN_READONLY;
    result = sqlite3_open_v2(rest, &sqlite->connection, flags, NULL);
    if (result != SQLITE_OK)
        code = err_set(err, code_of(result), "opening the database %s: %s%s", rest,
                       sqlite3_errstr(result), advice_of(result));
    else
        code = configure(sqlite, mode, err);
    if (code != ERR_NONE) {
        sqlite_close(sqlite);
        return code;
    }
    *ret = sqlite;
    return ERR_NONE;
}

static void sqlite_deadline(void *handle, int64_t mono_ms)
{
    ((struct sqlite *)handle)->deadline_mono_ms = mono_ms;
}

static enum err_code sqlite_prepare(void *handle, const char *name, const char *sql, void **ret,
                                    struct err *err)
{
    struct sqlite *sqlite = handle;
    sqlite3_stmt *statement = NULL;
    const char *tail = NULL;
    int result = sqlite3_prepare_v3(sqlite->connection, sql, -1, SQLITE_PREPARE_PERSISTENT,
                                    &statement, &tail);

    if (result != SQLITE_OK)
        return err_set(err, code_of(result), "statement %s: %s", name,
                       sqlite3_errmsg(sqlite->connection));
    if (tail[strspn(tail, " \n")] != '\0') {
        (void)sqlite3_finalize(statement);
        return err_set(err, ERR_INTERNAL, "statement %s: text follows it", name);
    }
    *ret = statement;
    return ERR_NONE;
}

static void sqlite_finalize(void *statement)
{
    (void)sqlite3_finalize(statement);
}

static int bind_one(sqlite3_stmt *statement, int at, const struct param *param)
{
    switch (param->type) {
    case PARAM_NULL:
        return sqlite3_bind_null(statement, at);
    case PARAM_INT:
        return sqlite3_bind_int64(statement, at, param->integer);
    case PARAM_REAL:
        return sqlite3_bind_double(statement, at, param->real);
    case PARAM_TEXT:
        return sqlite3_bind_text(statement, at, param->text, -1, SQLITE_TRANSIENT);
    case PARAM_BLOB:
        return sqlite3_bind_blob64(statement, at, param->blob.bytes, param->blob.length,
                                   param->blob.length < DB_BLOB_LARGE ? SQLITE_TRANSIENT
                                                                      : SQLITE_STATIC);
    }
    return SQLITE_MISUSE;
}

static enum err_code sqlite_bind(void *handle, void *statement, const struct param *params,
                                 size_t count, struct err *err)
{
    (void)sqlite3_reset(statement);
    for (size_t i = 0; i < count; i++) {
        int result = bind_one(statement, (int)i + 1, &params[i]);

        if (result != SQLITE_OK)
            return fail(handle, "binding a parameter for", result, err);
    }
    return ERR_NONE;
}

static enum db_step sqlite_step(void *handle, void *statement, struct err *err)
{
    int result = sqlite3_step(statement);

    if (result == SQLITE_ROW)
        return DB_STEP_ROW;
    if (result == SQLITE_DONE)
        return DB_STEP_END;
    (void)fail(handle, "using", result, err);
    return DB_STEP_ERROR;
}

static void sqlite_reset(void *statement)
{
    (void)sqlite3_reset(statement);
    (void)sqlite3_clear_bindings(statement);
}

/* Writers and readers go on meanwhile; what a reader still needs stays for the next time. */
static enum err_code sqlite_checkpoint(void *handle, struct err *err)
{
    struct sqlite *sqlite = handle;
    int result =
        sqlite3_wal_checkpoint_v2(sqlite->connection, NULL, SQLITE_CHECKPOINT_PASSIVE, NULL, NULL);

    return result == SQLITE_OK ? ERR_NONE : fail(sqlite, "writing the log into", result, err);
}

static enum err_code pragma_int(struct sqlite *sqlite, const char *sql, int64_t *ret,
                                struct err *err)
{
    sqlite3_stmt *statement = NULL;
    int result = sqlite3_prepare_v2(sqlite->connection, sql, -1, &statement, NULL);

    if (result == SQLITE_OK)
        result = sqlite3_step(statement);
    if (result == SQLITE_ROW)
        *ret = sqlite3_column_int64(statement, 0);
    (void)sqlite3_finalize(statement);
    return result == SQLITE_ROW ? ERR_NONE : fail(sqlite, "measuring", result, err);
}

static enum err_code sqlite_space(void *handle, struct db_space *ret, struct err *err)
{
    int64_t pages = 0, bytes = 0;

    TRY(pragma_int(handle, "PRAGMA page_count", &pages, err));
    TRY(pragma_int(handle, "PRAGMA freelist_count", &ret->free, err));
    TRY(pragma_int(handle, "PRAGMA page_size", &bytes, err));
    ret->file_bytes = pages * bytes;
    ret->used_bytes = (pages - ret->free) * bytes;
    return ERR_NONE;
}

static enum err_code sqlite_release(void *handle, int64_t pages, struct db_space *ret,
                                    struct err *err)
{
    char sql[64];
    int64_t before;

    TRY(sqlite_space(handle, ret, err));
    before = ret->free;
    (void)snprintf(sql, sizeof sql, "PRAGMA incremental_vacuum(%lld)", (long long)pages);
    TRY(sqlite_script(handle, sql, err));
    TRY(sqlite_space(handle, ret, err));
    ret->released = before - ret->free;
    return ERR_NONE;
}

static int64_t sqlite_changes(void *handle)
{
    return sqlite3_changes64(((struct sqlite *)handle)->connection);
}

static int sqlite_column_count(void *statement)
{
    return sqlite3_column_count(statement);
}

static const char *sqlite_column_name(void *statement, int column)
{
    return sqlite3_column_name(statement, column);
}

static bool sqlite_column_is_null(void *statement, int column)
{
    return sqlite3_column_type(statement, column) == SQLITE_NULL;
}

static int64_t sqlite_column_int(void *statement, int column)
{
    return sqlite3_column_int64(statement, column);
}

static double sqlite_column_real(void *statement, int column)
{
    return sqlite3_column_double(statement, column);
}

static const char *sqlite_column_text(void *statement, int column)
{
    const char *text = (const char *)sqlite3_column_text(statement, column);

    return text != NULL ? text : "";
}

static struct blob sqlite_column_blob(void *statement, int column)
{
    const void *bytes = sqlite3_column_blob(statement, column);

    return (struct blob){bytes, (size_t)sqlite3_column_bytes(statement, column)};
}

const struct db_backend DB_SQLITE = {
    .scheme = "sqlite",
    .migrations_dir = "migrations/sqlite/",
    .begin_write = "BEGIN IMMEDIATE",
    .begin_read = "BEGIN",
    .sync_later = "PRAGMA synchronous = NORMAL",
    .sync_now = "PRAGMA synchronous = FULL",
    .foreign_tables = "SELECT COUNT(*) FROM sqlite_schema WHERE type = 'table'"
                      " AND name <> 'schema_migration' AND name NOT LIKE 'sqlite!_%' ESCAPE '!'",
    .open = sqlite_open,
    .close = sqlite_close,
    .deadline = sqlite_deadline,
    .script = sqlite_script,
    .prepare = sqlite_prepare,
    .finalize = sqlite_finalize,
    .bind = sqlite_bind,
    .step = sqlite_step,
    .checkpoint = sqlite_checkpoint,
    .space = sqlite_space,
    .release = sqlite_release,
    .reset = sqlite_reset,
    .changes = sqlite_changes,
    .column_count = sqlite_column_count,
    .column_name = sqlite_column_name,
    .column_is_null = sqlite_column_is_null,
    .column_int = sqlite_column_int,
    .column_real = sqlite_column_real,
    .column_text = sqlite_column_text,
    .column_blob = sqlite_column_blob,
};
