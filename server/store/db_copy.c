/* Every table is read by its declared column types, which the schema makes strict: so a value is
 * the same bytes in both digests whatever the engines write it as. */
#include "store/db_copy.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/arena.h"
#include "base/str.h"
#include "store/db.h"
#include "store/db_backend.h"
#include "store/migrate.h"

enum {
    COLUMNS_MAX = 32,
    NAME_BYTES_MAX = 40,
    SQL_BYTES_MAX = 2048,
    FETCH_ROWS = 5000, /* read back at a time */
};

/* Parents before children. Keys put the rows in the same order in both engines. */
static const struct table {
    const char *name, *key;
    bool has_id; /* numbered by the engine: the numbering goes on behind the copied ones */
} TABLES[] = {
    {"entity", "id", true},
    {"spec", "id", true},
    {"model", "id", true},
    {"model_spec", "model_id, spec_id", false},
    {"object", "id", true},
    {"request", "origin, key", false},
    {"finding", "id", true},
    {"explanation", "finding_id", false},
    {"note", "id", true},
    {"observation", "id", true},
    {"rollup_hour", "hour_ms, spec_id, model_id", false},
    {"change", "seq", false},
    {"user", "id", true},
    {"session", "digest", false},
    {"token", "id", true},
    {"comparison", "day_ms, spec_id, active_id, shadow_id", false},
    {"difference", "id", true},
    {"counter", "name", false},
};

struct column {
    char name[NAME_BYTES_MAX];
    enum param_type type;
};

struct copy {
    struct db *from, *to;
    const struct table *table;
    struct column columns[COLUMNS_MAX];
    int column_count;
    char names[SQL_BYTES_MAX / 2]; /* quoted, with commas */
    char sql[SQL_BYTES_MAX];
    struct db_copied copied;
};

/* A statement of this file's own, on either engine. */
struct own_statement {
    const struct db_backend *backend;
    void *handle, *statement;
};

static void own_statement_done(struct own_statement *s)
{
    if (s->statement != NULL)
        s->backend->finalize(s->statement);
}

static enum err_code prepare(struct db *db, const char *sql, struct own_statement *ret,
                             struct err *err)
{
    *ret = (struct own_statement){.backend = db_backend(db), .handle = db_handle(db)};
    return ret->backend->prepare(ret->handle, "copy", sql, &ret->statement, err);
}

static enum err_code one_int(struct db *db, const char *sql, int64_t *ret, struct err *err)
{
    AUTO(own_statement_done) struct own_statement s = {0};
    enum db_step outcome;

    TRY(prepare(db, sql, &s, err));
    outcome = s.backend->step(s.handle, s.statement, err);
    if (outcome == DB_STEP_ROW)
        *ret = s.backend->column_int(s.statement, 0);
    return outcome == DB_STEP_ERROR ? err->code : ERR_NONE;
}

static enum err_code type_of(const char *word, enum param_type *ret, struct err *err)
{
    static const struct {
        const char *word;
        enum param_type type;
    } TYPES[] = {
        {"INTEGER", PARAM_INT}, {"REAL", PARAM_REAL}, {"TEXT", PARAM_TEXT}, {"BLOB", PARAM_BLOB}};

    for (size_t i = 0; i < ARRAY_LEN(TYPES); i++)
        if (strcmp(TYPES[i].word, word) == 0) {
            *ret = TYPES[i].type;
            return ERR_NONE;
        }
    return err_set(err, ERR_INTERNAL, "a column of the type %.40s", word);
}

/* Name and declared type of every column, and their names as SQL lists them. */
static enum err_code read_columns(struct copy *copy, struct err *err)
{
    AUTO(own_statement_done) struct own_statement s = {0};
    enum db_step outcome;
    size_t length = 0;

    (void)snprintf(copy->sql, sizeof copy->sql, "SELECT name, type FROM pragma_table_info('%s')",
                   copy->table->name);
    TRY(prepare(copy->from, copy->sql, &s, err));
    copy->column_count = 0;
    while ((outcome = s.backend->step(s.handle, s.statement, err)) == DB_STEP_ROW) {
        struct column *column = &copy->columns[copy->column_count];

        ASSERT(copy->column_count < COLUMNS_MAX);
        (void)snprintf(column->name, sizeof column->name, "%s",
                       s.backend->column_text(s.statement, 0));
        TRY(type_of(s.backend->column_text(s.statement, 1), &column->type, err));
        length += (size_t)snprintf(copy->names + length, sizeof copy->names - length, "%s\"%s\"",
                                   copy->column_count++ > 0 ? ", " : "", column->name);
        ASSERT(length < sizeof copy->names);
    }
    return outcome == DB_STEP_ERROR ? err->code : ERR_NONE;
}

static struct param value_of(const struct own_statement *s, int at, enum param_type type)
{
    if (s->backend->column_is_null(s->statement, at))
        return P_NULL;
    switch (type) {
    case PARAM_INT:
        return P_INT(s->backend->column_int(s->statement, at));
    case PARAM_REAL:
        return P_REAL(s->backend->column_real(s->statement, at));
    case PARAM_TEXT:
        return P_TEXT(s->backend->column_text(s->statement, at));
    case PARAM_BLOB:
        return (struct param){.type = PARAM_BLOB,
                              .blob = s->backend->column_blob(s->statement, at)};
    case PARAM_NULL:
        break;
    }
    return P_NULL;
}

/* Type, length and bytes: no two rows are the same bytes. Numbers as the machine has them. */
static void digest_value(struct sha256 *sha, const struct param *value)
{
    uint8_t type = (uint8_t)value->type;
    uint64_t length;

    sha256_add(sha, &type, 1);
    switch (value->type) {
    case PARAM_NULL:
        break;
    case PARAM_INT:
        sha256_add(sha, &value->integer, sizeof value->integer);
        break;
    case PARAM_REAL:
        sha256_add(sha, &value->real, sizeof value->real);
        break;
    case PARAM_TEXT:
        sha256_add(sha, value->text, strlen(value->text) + 1);
        break;
    case PARAM_BLOB:
        length = value->blob.length;
        sha256_add(sha, &length, sizeof length);
        if (length > 0)
            sha256_add(sha, value->blob.bytes, length);
        break;
    }
}

static void read_values(const struct copy *copy, const struct own_statement *s,
                        struct param values[static COLUMNS_MAX], struct sha256 *sha)
{
    for (int i = 0; i < copy->column_count; i++) {
        values[i] = value_of(s, i, copy->columns[i].type);
        digest_value(sha, &values[i]);
    }
}

static void hex_of(struct sha256 *sha, char ret[static SHA256_HEX_BYTES])
{
    uint8_t digest[SHA256_BYTES];

    sha256_end(sha, digest);
    hex_encode(digest, sizeof digest, ret);
}

static enum err_code write_row(const struct own_statement *to, const struct param *values,
                               int count, struct err *err)
{
    TRY(to->backend->bind(to->handle, to->statement, values, (size_t)count, err));
    return to->backend->step(to->handle, to->statement, err) == DB_STEP_ERROR ? err->code
                                                                              : ERR_NONE;
}

static enum err_code write_rows(struct copy *copy, struct sha256 *sha, struct err *err)
{
    AUTO(own_statement_done) struct own_statement from = {0};
    AUTO(own_statement_done) struct own_statement to = {0};
    struct param values[COLUMNS_MAX];
    enum db_step outcome;

    (void)snprintf(copy->sql, sizeof copy->sql, "SELECT %s FROM \"%s\" ORDER BY %s", copy->names,
                   copy->table->name, copy->table->key);
    TRY(prepare(copy->from, copy->sql, &from, err));
    (void)snprintf(copy->sql, sizeof copy->sql, "COPY \"%s\" (%s) FROM STDIN", copy->table->name,
                   copy->names);
    TRY(prepare(copy->to, copy->sql, &to, err));
    while ((outcome = from.backend->step(from.handle, from.statement, err)) == DB_STEP_ROW) {
        read_values(copy, &from, values, sha);
        TRY(write_row(&to, values, copy->column_count, err));
        copy->copied.rows++;
    }
    return outcome == DB_STEP_ERROR ? err->code : ERR_NONE;
}

/* A page of the cursor; *ret_rows of it. */
static enum err_code read_page(const struct copy *copy, const struct own_statement *cursor,
                               struct sha256 *sha, uint64_t *ret_rows, struct err *err)
{
    struct param values[COLUMNS_MAX];
    enum db_step outcome;

    *ret_rows = 0;
    while ((outcome = cursor->backend->step(cursor->handle, cursor->statement, err)) ==
           DB_STEP_ROW) {
        read_values(copy, cursor, values, sha);
        ++*ret_rows;
    }
    cursor->backend->reset(cursor->statement);
    return outcome == DB_STEP_ERROR ? err->code : ERR_NONE;
}

static enum err_code read_back(struct copy *copy, struct sha256 *sha, uint64_t *ret_rows,
                               struct err *err)
{
    AUTO(own_statement_done) struct own_statement cursor = {0};
    uint64_t page;

    (void)snprintf(copy->sql, sizeof copy->sql,
                   "DECLARE read_back NO SCROLL CURSOR FOR SELECT %s FROM \"%s\" ORDER BY %s",
                   copy->names, copy->table->name, copy->table->key);
    TRY(db_script(copy->to, copy->sql, err));
    (void)snprintf(copy->sql, sizeof copy->sql, "FETCH %d FROM read_back", FETCH_ROWS);
    TRY(prepare(copy->to, copy->sql, &cursor, err));
    do {
        TRY(read_page(copy, &cursor, sha, &page, err));
        *ret_rows += page;
    } while (page > 0);
    return db_script(copy->to, "CLOSE read_back", err);
}

static enum err_code verify(struct copy *copy, struct err *err)
{
    struct sha256 *sha = sha256_new();
    char hex[SHA256_HEX_BYTES];
    uint64_t rows = 0;
    enum err_code code = read_back(copy, sha, &rows, err);

    hex_of(sha, hex);
    TRY(code);
    if (rows != copy->copied.rows || strcmp(hex, copy->copied.sha256) != 0)
        return err_set(err, ERR_CORRUPT,
                       "%" PRIu64 " rows were written and %" PRIu64
                       " others read back: nothing was kept",
                       copy->copied.rows, rows);
    return ERR_NONE;
}

/* What migrations have put there gives way; anything else is somebody's. */
static enum err_code make_room(struct copy *copy, struct err *err)
{
    int64_t there = 0;

    if (strcmp(copy->table->name, "counter") == 0)
        return db_script(copy->to, "DELETE FROM counter", err);
    (void)snprintf(copy->sql, sizeof copy->sql,
                   "SELECT COUNT(*) FROM (SELECT 1 FROM \"%s\" LIMIT 1) t", copy->table->name);
    TRY(one_int(copy->to, copy->sql, &there, err));
    return there == 0
               ? ERR_NONE
               : err_set(err, ERR_INVALID, "the target holds rows already: name an empty database");
}

static enum err_code number_on(struct copy *copy, struct err *err)
{
    if (!copy->table->has_id)
        return ERR_NONE;
    (void)snprintf(copy->sql, sizeof copy->sql,
                   "SELECT setval(pg_get_serial_sequence('\"%s\"', 'id'), MAX(id)) FROM \"%s\""
                   " HAVING MAX(id) IS NOT NULL",
                   copy->table->name, copy->table->name);
    return db_script(copy->to, copy->sql, err);
}

static enum err_code copy_table(struct copy *copy, struct err *err)
{
    struct sha256 *sha;
    enum err_code code;

    copy->copied = (struct db_copied){.table = copy->table->name};
    TRY(read_columns(copy, err));
    TRY(make_room(copy, err));
    sha = sha256_new();
    code = write_rows(copy, sha, err);
    hex_of(sha, copy->copied.sha256);
    TRY(code);
    TRY(verify(copy, err));
    return number_on(copy, err);
}

/* A table that this file does not name would be left behind. */
static enum err_code check_tables(struct db *from, struct err *err)
{
    int64_t tables = 0;

    TRY(one_int(from, db_backend(from)->foreign_tables, &tables, err));
    return tables == (int64_t)ARRAY_LEN(TABLES)
               ? ERR_NONE
               : err_set(err, ERR_INTERNAL, "there are %" PRId64 " tables, not %zu", tables,
                         ARRAY_LEN(TABLES));
}

static enum err_code copy_all(struct copy *copy,
                              void (*tell)(void *context, const struct db_copied *copied),
                              void *context, struct err *err)
{
    AUTO(tx_done) struct tx snapshot = {0};
    AUTO(tx_done) struct tx tx = {0};

    TRY(db_begin(copy->from, &snapshot, err));
    TRY(db_begin(copy->to, &tx, err));
    /* A table may take longer than any query should. */
    TRY(db_script(copy->to, "SET LOCAL statement_timeout = 0", err));
    TRY(check_tables(copy->from, err));
    for (size_t i = 0; i < ARRAY_LEN(TABLES); i++) {
        copy->table = &TABLES[i];
        if (copy_table(copy, err) != ERR_NONE)
            return err_prefix(err, "copying the table %s", copy->table->name);
        tell(context, &copy->copied);
    }
    return tx_commit(&tx, err);
}

enum err_code db_copy(const char *from_url, const char *to_url,
                      void (*tell)(void *context, const struct db_copied *copied), void *context,
                      struct err *err)
{
    AUTO(db_closep) struct db *from = NULL;
    AUTO(db_closep) struct db *to = NULL;
    struct copy copy;

    if (!str_starts(from_url, "sqlite:") || !str_starts(to_url, "postgresql:"))
        return err_set(err, ERR_INVALID, "a copy goes from sqlite:FILE to postgresql://…");
    TRY(db_open(from_url, DB_READ, &from, err));
    TRY(migrate_run(to_url, err));
    TRY(db_open(to_url, DB_WRITE, &to, err));
    copy = (struct copy){.from = from, .to = to};
    return copy_all(&copy, tell, context, err);
}
