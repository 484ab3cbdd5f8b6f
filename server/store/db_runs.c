/* Runs of one statement: one by one on an engine in the process, a window of them at a time on one
 * that is a network away. */
#include "store/db_backend.h"

enum {
    RUN_PARAMS_MAX = 32,
    WINDOW_RUNS = 256, /* sent before the first answer is read */
};

static const struct field NO_FIELDS[] = {FIELD_END};

static enum err_code bind_run(struct db *db, const struct db_runs *runs, size_t run,
                              struct query *ret, struct err *err)
{
    struct param params[RUN_PARAMS_MAX];
    int count = SQL_STATEMENTS[runs->sql].parameters;

    ASSERT(count <= RUN_PARAMS_MAX);
    runs->params(runs->context, run, params);
    return db_query(db, runs->sql, params, (size_t)count, ret, err);
}

static enum err_code read_run(struct query *q, const struct db_runs *runs, size_t run,
                              struct err *err)
{
    const struct field *fields = runs->fields != NULL ? runs->fields : NO_FIELDS;
    void *row = runs->rows != NULL ? (char *)runs->rows + run * runs->row_bytes : NULL;
    bool found = query_next(q, fields, runs->arena, row);

    if (runs->found != NULL)
        runs->found[run] = found;
    /* An INSERT … RETURNING takes effect when it is run to its end. */
    while (found)
        found = query_next(q, fields, runs->arena, row);
    return query_end(q, err);
}

static enum err_code run_alone(struct db *db, const struct db_runs *runs, size_t run,
                               struct err *err)
{
    AUTO(query_done) struct query q = {0};

    TRY(bind_run(db, runs, run, &q, err));
    return read_run(&q, runs, run, err);
}

static enum err_code exchange(struct db *db, const struct db_runs *runs, size_t from, size_t count,
                              struct err *err)
{
    const struct db_backend *backend = db_backend(db);
    void *statement = db_statement(db, runs->sql), *handle = db_handle(db);

    for (size_t i = 0; i < count; i++) {
        AUTO(query_done) struct query q = {0};

        TRY(bind_run(db, runs, from + i, &q, err));
        TRY(backend->ahead_send(handle, statement, err));
    }
    TRY(backend->ahead_sent(handle, err));
    for (size_t i = 0; i < count; i++) {
        struct query q = {.db = db, .statement = statement, .sql = runs->sql};

        TRY(backend->ahead_take(handle, statement, err));
        TRY(read_run(&q, runs, from + i, err));
    }
    return ERR_NONE;
}

static enum err_code run_window(struct db *db, const struct db_runs *runs, size_t from,
                                size_t count, struct err *err)
{
    const struct db_backend *backend = db_backend(db);
    enum err_code code, ended;

    TRY(backend->ahead_begin(db_handle(db), db_statement(db, runs->sql), err));
    code = exchange(db, runs, from, count, err);
    ended = backend->ahead_end(db_handle(db), code == ERR_NONE ? err : NULL);
    return code != ERR_NONE ? code : ended;
}

enum err_code db_run_all(struct db *db, const struct db_runs *runs, struct err *err)
{
    size_t count;

    ASSERT(db_in_transaction(db));
    for (size_t from = 0; from < runs->count; from += count) {
        count = runs->count - from < WINDOW_RUNS ? runs->count - from : WINDOW_RUNS;
        if (db_backend(db)->ahead_begin == NULL || count == 1)
            count = 1;
        TRY(count == 1 ? run_alone(db, runs, from, err) : run_window(db, runs, from, count, err));
    }
    return ERR_NONE;
}
