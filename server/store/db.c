/* Queries, rows and transactions, the same for every engine. */
#include "store/db.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/log.h"
#include "base/str.h"
#include "store/db_backend.h"
#include "store/dictionary.h"
#include "store/migrate.h"

enum { SCHEME_SAID_MAX = 100 };

struct db {
    const struct db_backend *backend;
    void *handle;
    enum db_mode mode;
    bool in_transaction, syncs_later;
    void *statements[SQL__MAX];
    struct entity_memory *entities; /* NULL on a reading connection */
    uint64_t connections;           /* of the engine, when the last transaction began */
    int64_t fail_after;             /* tests: the n-th step from now on fails; 0 = never */
};

static const struct db_backend *const BACKENDS[] = {&DB_SQLITE, &DB_POSTGRES};

/* The backend of a url and the rest after "scheme:"; NULL when there is none. */
static const struct db_backend *backend_of(const char *url, const char **ret_rest)
{
    for (size_t i = 0; i < ARRAY_LEN(BACKENDS); i++) {
        size_t length = strlen(BACKENDS[i]->scheme);

        if (strncmp(url, BACKENDS[i]->scheme, length) == 0 && url[length] == ':' &&
            url[length + 1] != '\0') {
            *ret_rest = url + length + 1;
            return BACKENDS[i];
        }
    }
    return NULL;
}

/* Of an unknown url only what comes before the colon is said: a password may follow. */
static int scheme_length(const char *url)
{
    size_t length = strcspn(url, ":");

    return length < SCHEME_SAID_MAX ? (int)length : SCHEME_SAID_MAX;
}

enum err_code db_open_bare(const char *url, enum db_mode mode, struct db **ret, struct err *err)
{
    const char *rest = NULL;
    const struct db_backend *backend = backend_of(url, &rest);
    void *handle;
    struct db *db;

    if (backend == NULL)
        return err_set(err, ERR_INVALID,
                       "a database is sqlite:FILE or postgresql://…, not \"%.*s\"",
                       scheme_length(url), url);
    TRY(backend->open(rest, mode, &handle, err));
    db = own_alloc(sizeof *db);
    *db = (struct db){.backend = backend, .handle = handle, .mode = mode};
    if (mode == DB_WRITE)
        db->entities = entity_memory_new();
    *ret = db;
    return ERR_NONE;
}

static const char *text_for(const struct db *db, int sql)
{
    const struct sql_statement *statement = &SQL_STATEMENTS[sql];

    return db->backend == &DB_POSTGRES && statement->postgres != NULL ? statement->postgres
                                                                      : statement->text;
}

static enum err_code prepare_all(struct db *db, struct err *err)
{
    for (int i = 0; i < SQL__MAX; i++) {
        if (SQL_STATEMENTS[i].write && db->mode != DB_WRITE)
            continue;
        TRY(db->backend->prepare(db->handle, SQL_STATEMENTS[i].name, text_for(db, i),
                                 &db->statements[i], err));
    }
    return ERR_NONE;
}

enum err_code db_open(const char *url, enum db_mode mode, struct db **ret, struct err *err)
{
    AUTO(db_closep) struct db *db = NULL;

    TRY(db_open_bare(url, mode, &db, err));
    ASSERT(db != NULL);
    TRY(migrate_check(db, err));
    TRY(prepare_all(db, err));
    *ret = TAKE(db);
    return ERR_NONE;
}

void db_close(struct db *db)
{
    if (db == NULL)
        return;
    for (int i = 0; i < SQL__MAX; i++)
        if (db->statements[i] != NULL)
            db->backend->finalize(db->statements[i]);
    db->backend->close(db->handle);
    entity_memory_free(db->entities);
    free(db);
}

void db_closep(struct db **db)
{
    db_close(*db);
    *db = NULL;
}

void db_deadline(struct db *db, int64_t mono_ms)
{
    db->backend->deadline(db->handle, mono_ms);
}

enum err_code db_lead(struct db *db, enum db_task task, bool *ret, struct err *err)
{
    *ret = true;
    return db->backend->lead != NULL ? db->backend->lead(db->handle, task, ret, err) : ERR_NONE;
}

enum err_code db_space(struct db *db, struct db_space *ret, struct err *err)
{
    *ret = (struct db_space){0};
    return db->backend->space(db->handle, ret, err);
}

enum err_code db_release(struct db *db, int64_t pages, struct db_space *ret, struct err *err)
{
    *ret = (struct db_space){0};
    return db->backend->release != NULL ? db->backend->release(db->handle, pages, ret, err)
                                        : ERR_NONE;
}

const struct db_backend *db_backend(const struct db *db)
{
    return db->backend;
}

void *db_handle(const struct db *db)
{
    return db->handle;
}

void *db_statement(const struct db *db, enum sql_id sql)
{
    return db->statements[sql];
}

bool db_in_transaction(const struct db *db)
{
    return db->in_transaction;
}

struct entity_memory *db_entity_memory(const struct db *db)
{
    ASSERT(db->entities != NULL);
    return db->entities;
}

/* Whether this step is the one a test wants to fail. */
static bool made_to_fail(struct db *db)
{
    return db->fail_after > 0 && --db->fail_after == 0;
}

enum err_code db_script(struct db *db, const char *sql, struct err *err)
{
    if (made_to_fail(db))
        return err_set(err, ERR_IO, "the step was made to fail");
    return db->backend->script(db->handle, sql, err);
}

void db_fail_after(struct db *db, int64_t steps)
{
    db->fail_after = steps;
}

struct param db_param_text(const char *text)
{
    return text != NULL ? (struct param){.type = PARAM_TEXT, .text = text} : P_NULL;
}

struct param db_param_int(int64_t value)
{
    return value != FIELD_NULL_INT ? P_INT(value) : P_NULL;
}

struct param db_param_real(double value)
{
    return isnan(value) ? P_NULL : P_REAL(value);
}

static enum db_step step(struct db *db, void *statement, struct err *err)
{
    if (made_to_fail(db)) {
        (void)err_set(err, ERR_IO, "the step was made to fail");
        return DB_STEP_ERROR;
    }
    return db->backend->step(db->handle, statement, err);
}

enum err_code db_query(struct db *db, enum sql_id sql, const struct param *params,
                       size_t param_count, struct query *ret, struct err *err)
{
    void *statement = db->statements[sql];

    ASSERT(statement != NULL && (int)param_count == SQL_STATEMENTS[sql].parameters);
    *ret = (struct query){.db = db, .statement = statement, .sql = sql};
    return db->backend->bind(db->handle, statement, params, param_count, err);
}

static void read_null(const struct field *field, void *at)
{
    ASSERT(field->type != FIELD_IP && field->type != FIELD_BOOL);
    switch (field->type) {
    case FIELD_REAL:
        *(double *)at = NAN;
        break;
    case FIELD_ENUM:
        *(int64_t *)at = -1;
        break;
    case FIELD_TEXT:
    case FIELD_JSON:
        *(const char **)at = NULL;
        break;
    case FIELD_BLOB:
        *(struct blob *)at = (struct blob){NULL, 0};
        break;
    default:
        *(int64_t *)at = FIELD_NULL_INT;
    }
}

static bool read_ip(struct query *query, struct blob blob, struct ip *ret)
{
    if (blob.length != sizeof ret->bytes) {
        query->failed = true;
        (void)err_set(&query->err, ERR_CORRUPT, "an address in the database has %zu bytes",
                      blob.length);
        return false;
    }
    (void)memcpy(ret->bytes, blob.bytes, sizeof ret->bytes);
    return true;
}

static bool read_column(struct query *query, int column, const struct field *field,
                        struct arena *arena, void *row)
{
    const struct db_backend *backend = query->db->backend;
    void *at = (char *)row + field->offset;
    struct blob blob;

    if (backend->column_is_null(query->statement, column)) {
        read_null(field, at);
        return true;
    }
    switch (field->type) {
    case FIELD_REAL:
        *(double *)at = backend->column_real(query->statement, column);
        return true;
    case FIELD_TEXT:
    case FIELD_JSON:
        *(const char **)at = arena_strdup(arena, backend->column_text(query->statement, column));
        return true;
    case FIELD_IP:
        return read_ip(query, backend->column_blob(query->statement, column), at);
    case FIELD_BLOB:
        blob = backend->column_blob(query->statement, column);
        *(struct blob *)at =
            (struct blob){arena_memdup(arena, blob.bytes, blob.length), blob.length};
        return true;
    default:
        *(int64_t *)at = backend->column_int(query->statement, column);
        return true;
    }
}

/* Columns carry the fields' names in the fields' order, so a mistake is seen in the first test. */
static bool read_row(struct query *query, const struct field *fields, struct arena *arena,
                     void *row)
{
    const struct db_backend *backend = query->db->backend;
    int columns = backend->column_count(query->statement);

    for (int i = 0; i < columns || fields[i].name != NULL; i++) {
        if (i >= columns || fields[i].name == NULL ||
            strcmp(backend->column_name(query->statement, i), fields[i].name) != 0) {
            query->failed = true;
            (void)err_set(&query->err, ERR_INTERNAL, "%s: column %d is not the field %s",
                          SQL_STATEMENTS[query->sql].name, i,
                          fields[i].name != NULL ? fields[i].name : "(none)");
            return false;
        }
        if (!read_column(query, i, &fields[i], arena, row))
            return false;
    }
    return true;
}

bool query_next(struct query *query, const struct field *fields, struct arena *arena, void *row)
{
    if (query->failed || query->ended)
        return false;
    switch (step(query->db, query->statement, &query->err)) {
    case DB_STEP_ROW:
        return read_row(query, fields, arena, row);
    case DB_STEP_END:
        query->ended = true;
        return false;
    case DB_STEP_ERROR:
        query->failed = true;
        return false;
    }
    return false;
}

enum err_code query_end(struct query *query, struct err *err)
{
    enum err_code code = query->failed ? query->err.code : ERR_NONE;

    if (query->failed)
        *err = query->err;
    query_done(query);
    return code;
}

void query_done(struct query *query)
{
    if (query->statement != NULL)
        query->db->backend->reset(query->statement);
    query->statement = NULL;
}

enum err_code db_exec(struct db *db, enum sql_id sql, const struct param *params,
                      size_t param_count, int64_t *ret_changes, struct err *err)
{
    AUTO(query_done) struct query q = {0};
    enum db_step outcome;

    TRY(db_query(db, sql, params, param_count, &q, err));
    do {
        outcome = step(db, q.statement, err);
    } while (outcome == DB_STEP_ROW);
    if (outcome == DB_STEP_ERROR)
        return err->code;
    if (ret_changes != NULL)
        *ret_changes = db->backend->changes(db->handle);
    return ERR_NONE;
}

enum err_code db_int(struct db *db, enum sql_id sql, const struct param *params, size_t param_count,
                     int64_t *ret, struct err *err)
{
    AUTO(query_done) struct query q = {0};

    TRY(db_query(db, sql, params, param_count, &q, err));
    switch (step(db, q.statement, err)) {
    case DB_STEP_ROW:
        *ret = db->backend->column_int(q.statement, 0);
        break;
    case DB_STEP_END:
        return err_set(err, ERR_NOT_FOUND, "there is no such row");
    case DB_STEP_ERROR:
        return err->code;
    }
    /* An INSERT … RETURNING takes effect when it is run to its end. */
    return step(db, q.statement, err) == DB_STEP_ERROR ? err->code : ERR_NONE;
}

enum err_code db_row(struct db *db, enum sql_id sql, const struct param *params, size_t param_count,
                     const struct field *fields, struct arena *arena, void *row, struct err *err)
{
    AUTO(query_done) struct query q = {0};
    bool found;

    TRY(db_query(db, sql, params, param_count, &q, err));
    found = query_next(&q, fields, arena, row);
    TRY(query_end(&q, err));
    return found ? ERR_NONE : err_set(err, ERR_NOT_FOUND, "there is no such row");
}

static enum err_code sync_commits(struct db *db, bool later, struct err *err)
{
    const char *script = later ? db->backend->sync_later : db->backend->sync_now;

    if (script == NULL || db->mode != DB_WRITE || db->syncs_later == later)
        return ERR_NONE;
    TRY(db_script(db, script, err));
    db->syncs_later = later;
    return ERR_NONE;
}

static enum err_code begin(struct db *db, bool syncs_later, struct tx *ret, struct err *err)
{
    const struct db_backend *backend = db->backend;

    ASSERT(!db->in_transaction);
    TRY(sync_commits(db, syncs_later, err));
    TRY(db_script(db, db->mode == DB_WRITE ? backend->begin_write : backend->begin_read, err));
    db->in_transaction = true;
    if (db->entities != NULL && backend->connections != NULL &&
        backend->connections(db->handle) != db->connections) {
        db->connections = backend->connections(db->handle);
        entity_memory_forget(db->entities);
    }
    *ret = (struct tx){.db = db, .open = true};
    return ERR_NONE;
}

enum err_code db_begin(struct db *db, struct tx *ret, struct err *err)
{
    return begin(db, false, ret, err);
}

enum err_code db_begin_unhurried(struct db *db, struct tx *ret, struct err *err)
{
    return begin(db, true, ret, err);
}

enum err_code tx_commit(struct tx *tx, struct err *err)
{
    ASSERT(tx->open);
    TRY(db_script(tx->db, "COMMIT", err));
    tx->open = false;
    tx->db->in_transaction = false;
    if (tx->db->entities != NULL)
        entity_memory_committed(tx->db->entities);
    return ERR_NONE;
}

void tx_done(struct tx *tx)
{
    if (!tx->open)
        return;
    if (tx->db->backend->script(tx->db->handle, "ROLLBACK", NULL) != ERR_NONE)
        log_debug("the transaction was rolled back already", "%s", "by=engine");
    tx->open = false;
    tx->db->in_transaction = false;
    if (tx->db->entities != NULL)
        entity_memory_rolled_back(tx->db->entities);
}

enum err_code db_savepoint(struct db *db, struct err *err)
{
    return db_script(db, "SAVEPOINT job", err);
}

enum err_code db_savepoint_end(struct db *db, bool keep, struct err *err)
{
    if (!keep)
        entity_memory_rolled_back(db->entities);
    return db_script(db, keep ? "RELEASE job" : "ROLLBACK TO job; RELEASE job", err);
}
