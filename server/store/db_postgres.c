/* PostgreSQL by libpq: any number of processes, one of them writing at a time.
 *
 * A writing transaction begins by taking one advisory lock, which ends with it: so what is read
 * inside of it is the last commit and stays so, and the numbers of the change feed come in the
 * order of commits and without gaps, as under SQLite's write lock. Readers wait for nobody.
 *
 * A statement whose text for PostgreSQL is a COPY takes one row each time it is run, and the rows
 * go out together. LIKE is ILIKE here, as in SQLite: small and capital letters are the same.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/own.h"
#include "base/str.h"
#include "store/db_backend.h"
#include "store/db_postgres.h"

enum {
    URL_BYTES_MAX = 4096,
    PARAM_BYTES_MAX = 64 << 20,     /* of one statement, all together */
    STATEMENT_BYTES_MAX = 64 << 10, /* of its text */
    BLOBS_BYTES_MAX = 64 << 20,     /* of one row */
};

/* ---- connections ---- */

static enum err_code postgres_open(const char *rest, enum db_mode mode, void **ret, struct err *err)
{
    char url[URL_BYTES_MAX];
    struct pg *pg = NULL;

    if (!str_starts(rest, "//") || strlen(rest) > sizeof url - sizeof "postgresql:")
        return err_set(err, ERR_INVALID,
                       "a database is sqlite:FILE or postgresql://USER@HOST:PORT/NAME");
    (void)snprintf(url, sizeof url, "postgresql:%s", rest);
    TRY(pg_open(url, mode, &pg, err));
    *ret = pg;
    return ERR_NONE;
}

static void postgres_close(void *handle)
{
    pg_close(handle);
}

static void postgres_deadline(void *handle, int64_t mono_ms)
{
    ((struct pg *)handle)->deadline_mono_ms = mono_ms;
}

static uint64_t postgres_connections(void *handle)
{
    return ((struct pg *)handle)->connections;
}

static enum err_code run_script(struct pg *pg, const char *sql, struct err *err)
{
    PGresult *result = NULL;
    bool undone;

    TRY(pg_ready(pg, err));
    TRY(pg_result(pg, PQsendQuery(pg->conn, sql), "writing to", &result, err));
    undone = strcmp(sql, "COMMIT") == 0 && strcmp(PQcmdStatus(result), "COMMIT") != 0;
    PQclear(result);
    if (undone)
        return err_set(err, ERR_INTERNAL, "PostgreSQL undid a transaction that had failed before");
    return ERR_NONE;
}

/* A transaction that began and could not have the write lock. */
static void end_begun(struct pg *pg)
{
    if (pg_is_lost(pg))
        pg->in_transaction = false;
    else if (pg->in_transaction && run_script(pg, "ROLLBACK", NULL) != ERR_NONE)
        pg->lost = true;
}

/* With the connection its transaction is gone: nothing is left to be undone. A transaction that has
 * not begun yet begins on a new connection. */
static enum err_code postgres_script(void *handle, const char *sql, struct err *err)
{
    struct pg *pg = handle;
    enum err_code code;

    if (strcmp(sql, "ROLLBACK") == 0 && pg_is_lost(pg)) {
        pg->in_transaction = pg->copying = false;
        return ERR_NONE;
    }
    if (!str_starts(sql, "BEGIN"))
        return run_script(pg, sql, err);
    code = run_script(pg, sql, err);
    if (code == ERR_BUSY && !pg->in_transaction && pg_is_lost(pg))
        code = run_script(pg, sql, err);
    if (code != ERR_NONE)
        end_begun(pg);
    return code;
}

/* A lock of the session: taken again by the one that has it, gone with its connection. */
static enum err_code postgres_lead(void *handle, enum db_task task, bool *ret, struct err *err)
{
    struct pg *pg = handle;
    PGresult *result = NULL;
    char sql[160];

    (void)snprintf(sql, sizeof sql,
                   "SELECT pg_try_advisory_lock(112115, hashtext(COALESCE(current_schema(), '')"
                   " || ' %d'))",
                   (int)task);
    TRY(pg_ready(pg, err));
    TRY(pg_result(pg, PQsendQuery(pg->conn, sql), "using", &result, err));
    *ret = PQntuples(result) == 1 && PQgetvalue(result, 0, 0)[0] == 't';
    PQclear(result);
    return ERR_NONE;
}

/* Of the schema's tables with their indexes and values kept apart. */
static enum err_code postgres_space(void *handle, struct db_space *ret, struct err *err)
{
    static const char SQL[] =
        "SELECT COALESCE(SUM(pg_total_relation_size(oid)), 0)::BIGINT FROM pg_class"
        " WHERE relkind = 'r' AND relnamespace = current_schema()::regnamespace";
    struct pg *pg = handle;
    PGresult *result = NULL;
    bool fine;

    TRY(pg_ready(pg, err));
    TRY(pg_result(pg, PQsendQuery(pg->conn, SQL), "measuring", &result, err));
    fine = PQntuples(result) == 1 && str_to_i64(PQgetvalue(result, 0, 0), &ret->used_bytes);
    PQclear(result);
    ret->file_bytes = ret->used_bytes;
    return fine ? ERR_NONE : err_set(err, ERR_INTERNAL, "PostgreSQL gave no size");
}

/* ---- statements ---- */

/* The statement's text with ILIKE for LIKE. */
static char *dialect_of(const char *sql)
{
    static const char LIKE[] = " LIKE ";
    AUTO(str_done) struct str text = {0};
    const char *found;

    str_init(&text, STATEMENT_BYTES_MAX);
    for (; (found = strstr(sql, LIKE)) != NULL; sql = found + strlen(LIKE)) {
        str_add_bytes(&text, sql, (size_t)(found - sql));
        str_add(&text, " ILIKE ");
    }
    str_add(&text, sql);
    return text.failed ? NULL : str_take(&text);
}

static enum err_code prepare_here(struct pg_statement *s, struct err *err)
{
    struct pg *pg = s->pg;
    PGresult *result = NULL;
    int sent;

    if (s->is_copy || s->connection == pg->connections)
        return ERR_NONE;
    (void)snprintf(s->name, sizeof s->name, "s%" PRIu64, ++pg->names);
    sent = PQsendPrepare(pg->conn, s->name, s->text, 0, NULL);
    if (pg_result(pg, sent, "preparing for", &result, err) != ERR_NONE)
        return err_prefix(err, "statement %s", s->label);
    PQclear(result);
    s->connection = pg->connections;
    return ERR_NONE;
}

static void postgres_finalize(void *statement)
{
    struct pg_statement *s = statement;

    /* It ends on the server with the connection, of which it is one of the few dozen. */
    PQclear(s->result);
    str_done(&s->values);
    str_done(&s->line);
    arena_done(&s->blobs);
    free(s->text);
    free(s);
}

static enum err_code postgres_prepare(void *handle, const char *name, const char *sql, void **ret,
                                      struct err *err)
{
    struct pg *pg = handle;
    struct pg_statement *s;
    char *text = dialect_of(sql);
    enum err_code code;

    if (text == NULL)
        return err_set(err, ERR_INTERNAL, "statement %s: it is too long", name);
    s = own_alloc(sizeof *s);
    *s = (struct pg_statement){.pg = pg, .label = name, .text = text};
    s->is_copy = str_starts(text, "COPY ");
    str_init(&s->values, PARAM_BYTES_MAX);
    str_init(&s->line, PARAM_BYTES_MAX);
    arena_init(&s->blobs, BLOBS_BYTES_MAX);
    code = pg_ready(pg, err);
    if (code == ERR_NONE)
        code = prepare_here(s, err);
    if (code == ERR_BUSY && pg_is_lost(pg) && !pg->in_transaction && pg_ready(pg, err) == ERR_NONE)
        code = prepare_here(s, err);
    if (code != ERR_NONE) {
        postgres_finalize(s);
        return code;
    }
    *ret = s;
    return ERR_NONE;
}

static void postgres_reset(void *statement)
{
    struct pg_statement *s = statement;

    PQclear(s->result);
    s->result = NULL;
    s->count = 0;
    str_clear(&s->values);
    arena_reset(&s->blobs);
}

static enum err_code postgres_bind(UNUSED void *handle, void *statement, const struct param *params,
                                   size_t count, struct err *err)
{
    struct pg_statement *s = statement;

    ASSERT(count <= PG_PARAMS_MAX);
    postgres_reset(s);
    for (size_t i = 0; i < count; i++)
        pg_value_add(s, i, &params[i]);
    s->count = count;
    return str_check(&s->values, "the parameters of a statement", err);
}

static int send_statement(struct pg_statement *s)
{
    const char *values[PG_PARAMS_MAX];

    for (size_t i = 0; i < s->count; i++)
        values[i] = s->is_null[i] ? NULL : s->values.text + s->starts[i];
    return PQsendQueryPrepared(s->pg->conn, s->name, (int)s->count, values, s->lengths, s->formats,
                               s->result_format);
}

static void begin_rows(struct pg_statement *s)
{
    int64_t changes = 0;

    s->pg->changes = str_to_i64(PQcmdTuples(s->result), &changes) ? changes : 0;
    s->row = -1;
    pg_result_learn(s);
}

static enum err_code run_once(struct pg_statement *s, struct err *err)
{
    TRY(pg_ready(s->pg, err));
    TRY(prepare_here(s, err));
    TRY(pg_result(s->pg, send_statement(s), "using", &s->result, err));
    begin_rows(s);
    return ERR_NONE;
}

static enum err_code copy_row(struct pg_statement *s, struct err *err)
{
    pg_value_copy_line(s);
    TRY(str_check(&s->line, "a row", err));
    s->pg->changes = 1;
    return pg_copy_row(s->pg, s->text, s->line.text, s->line.length, err);
}

/* A reader's connection that was lost while idle is noticed by the next query, which asks again. */
static enum err_code run(struct pg_statement *s, struct err *err)
{
    struct pg *pg = s->pg;
    bool again = pg->mode == DB_READ && !pg->in_transaction;
    enum err_code code = run_once(s, err);

    return code == ERR_BUSY && again && pg_is_lost(pg) ? run_once(s, err) : code;
}

static enum db_step postgres_step(UNUSED void *handle, void *statement, struct err *err)
{
    struct pg_statement *s = statement;

    if (s->is_copy)
        return copy_row(s, err) == ERR_NONE ? DB_STEP_END : DB_STEP_ERROR;
    if (s->result == NULL && run(s, err) != ERR_NONE)
        return DB_STEP_ERROR;
    arena_reset(&s->blobs);
    return ++s->row < PQntuples(s->result) ? DB_STEP_ROW : DB_STEP_END;
}

static int64_t postgres_changes(void *handle)
{
    return ((struct pg *)handle)->changes;
}

/* ---- several runs of a statement, in a pipeline ---- */

static enum err_code postgres_ahead_begin(void *handle, void *statement, struct err *err)
{
    TRY(pg_ready(handle, err));
    TRY(prepare_here(statement, err));
    return pg_pipeline_begin(handle, err);
}

static enum err_code postgres_ahead_send(void *handle, void *statement, struct err *err)
{
    return send_statement(statement) == 1 ? ERR_NONE : pg_fail(handle, "using", NULL, err);
}

static enum err_code postgres_ahead_sent(void *handle, struct err *err)
{
    return pg_pipeline_sync(handle, err);
}

static enum err_code postgres_ahead_take(void *handle, void *statement, struct err *err)
{
    struct pg_statement *s = statement;

    postgres_reset(s);
    TRY(pg_pipeline_result(handle, &s->result, err));
    begin_rows(s);
    return ERR_NONE;
}

static enum err_code postgres_ahead_end(void *handle, struct err *err)
{
    return pg_pipeline_end(handle, err);
}

const struct db_backend DB_POSTGRES = {
    .scheme = "postgresql",
    .migrations_dir = "migrations/postgres/",
    .begin_write = "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE;"
                   "SELECT pg_advisory_xact_lock(112114, hashtext(COALESCE(current_schema(), '')))",
    .begin_read = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY",
    .foreign_tables = "SELECT COUNT(*) FROM pg_catalog.pg_tables"
                      " WHERE schemaname = current_schema() AND tablename <> 'schema_migration'",
    .open = postgres_open,
    .close = postgres_close,
    .deadline = postgres_deadline,
    .connections = postgres_connections,
    .lead = postgres_lead,
    .space = postgres_space,
    .script = postgres_script,
    .prepare = postgres_prepare,
    .finalize = postgres_finalize,
    .bind = postgres_bind,
    .step = postgres_step,
    .reset = postgres_reset,
    .ahead_begin = postgres_ahead_begin,
    .ahead_send = postgres_ahead_send,
    .ahead_sent = postgres_ahead_sent,
    .ahead_take = postgres_ahead_take,
    .ahead_end = postgres_ahead_end,
    .changes = postgres_changes,
    .column_count = pg_column_count,
    .column_name = pg_column_name,
    .column_is_null = pg_column_is_null,
    .column_int = pg_column_int,
    .column_real = pg_column_real,
    .column_text = pg_column_text,
    .column_blob = pg_column_blob,
};
