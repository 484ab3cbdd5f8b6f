/* Every table is read by its declared column types, which the schema makes strict: so a value is
 * the same bytes in both digests whatever the engines write it as. */
#include "store/db_copy.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/arena.h"
#include "base/log.h"
#include "base/str.h"
#include "store/db.h"
#include "store/db_backend.h"
#include "store/db_copy_tables.h"
#include "store/migrate.h"

enum {
    COLUMNS_MAX = 32,
    NAME_BYTES_MAX = 40,
    SQL_BYTES_MAX = 2048,
    FETCH_ROWS = 5000,   /* read back at a time */
    SLICE_ROWS = 100000, /* of one transaction */
    LARGE_ROWS = 50,     /* both, of chunks: a few are as much as many other rows */
};

static const char MARK[] = "INSERT INTO schema_migration (name, checksum, applied_ms)"
                           " VALUES ('" MIGRATE_COPYING "', '', 0)";
static const char UNMARK[] = "DELETE FROM schema_migration WHERE name = '" MIGRATE_COPYING "'";

struct column {
    char name[NAME_BYTES_MAX];
    enum param_type type;
};

struct copy {
    struct db *from, *to;
    const struct copied_table *table;
    struct column columns[COLUMNS_MAX];
    int column_count;
    char names[SQL_BYTES_MAX / 2]; /* quoted, with commas */
    char sql[SQL_BYTES_MAX];
    struct progress progress;
    void (*tell)(void *context, const struct db_copied *copied);
    void *context;
};

/* A table may take longer than any query should. */
static enum err_code begin_target(const struct copy *copy, struct tx *tx, struct err *err)
{
    TRY(db_begin(copy->to, tx, err));
    return db_script(copy->to, "SET LOCAL statement_timeout = 0", err);
}

struct own_statement { /* of this file, on either engine */
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
    static const char *const WORDS[] = {[PARAM_INT] = "INTEGER",
                                        [PARAM_REAL] = "REAL",
                                        [PARAM_TEXT] = "TEXT",
                                        [PARAM_BLOB] = "BLOB"};

    for (size_t i = 0; i < ARRAY_LEN(WORDS); i++)
        if (WORDS[i] != NULL && strcmp(WORDS[i], word) == 0) {
            *ret = (enum param_type)i;
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
        if (sha != NULL)
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

static int rows_at_once(const struct copied_table *table, int usual)
{
    bool large =
        strcmp(table->name, "observation_chunk") == 0 || strcmp(table->name, "pair_chunk") == 0 ||
        strcmp(table->name, "address_chunk") == 0 || strcmp(table->name, "pair_source") == 0;

    return large ? LARGE_ROWS : usual;
}

static enum err_code one_slice(struct copy *copy, int64_t after, int64_t *ret_rows, struct err *err)
{
    AUTO(own_statement_done) struct own_statement from = {0};
    AUTO(own_statement_done) struct own_statement to = {0};
    struct param values[COLUMNS_MAX];
    enum db_step outcome;

    if (copy->table->number != NULL)
        (void)snprintf(copy->sql, sizeof copy->sql,
                       "SELECT %s FROM \"%s\" WHERE %s > %" PRId64 " ORDER BY %s LIMIT %d",
                       copy->names, copy->table->name, copy->table->number, after,
                       copy->table->number, rows_at_once(copy->table, SLICE_ROWS));
    else
        (void)snprintf(copy->sql, sizeof copy->sql, "SELECT %s FROM \"%s\"", copy->names,
                       copy->table->name);
    TRY(prepare(copy->from, copy->sql, &from, err));
    (void)snprintf(copy->sql, sizeof copy->sql, "COPY \"%s\" (%s) FROM STDIN", copy->table->name,
                   copy->names);
    TRY(prepare(copy->to, copy->sql, &to, err));
    *ret_rows = 0;
    while ((outcome = from.backend->step(from.handle, from.statement, err)) == DB_STEP_ROW) {
        read_values(copy, &from, values, NULL);
        TRY(write_row(&to, values, copy->column_count, err));
        progress_add(&copy->progress, 1);
        ++*ret_rows;
    }
    return outcome == DB_STEP_ERROR ? err->code : ERR_NONE;
}

/* A table or its next slice, behind what is there already. */
static enum err_code copy_slice(struct copy *copy, int64_t *ret_rows, struct err *err)
{
    AUTO(tx_done) struct tx tx = {0};
    int64_t after = INT64_MIN;

    TRY(begin_target(copy, &tx, err));
    if (copy->table->number != NULL) {
        (void)snprintf(copy->sql, sizeof copy->sql,
                       "SELECT COALESCE(MAX(%s), %" PRId64 ") FROM \"%s\"", copy->table->number,
                       after + 1, copy->table->name);
        TRY(one_int(copy->to, copy->sql, &after, err));
    } else {
        (void)snprintf(copy->sql, sizeof copy->sql, "DELETE FROM \"%s\"", copy->table->name);
        TRY(db_script(copy->to, copy->sql, err));
    }
    TRY(one_slice(copy, after, ret_rows, err));
    return tx_commit(&tx, err);
}

/* The days of chunks have partitions of their own. */
static enum err_code make_days(struct copy *copy, struct err *err)
{
    AUTO(own_statement_done) struct own_statement days = {0};
    AUTO(tx_done) struct tx tx = {0};
    enum db_step outcome;

    if (rows_at_once(copy->table, 0) == 0)
        return ERR_NONE;
    TRY(begin_target(copy, &tx, err));
    TRY(prepare(copy->from, "SELECT DISTINCT day_ms AS day FROM observation_chunk", &days, err));
    while ((outcome = days.backend->step(days.handle, days.statement, err)) == DB_STEP_ROW) {
        (void)snprintf(copy->sql, sizeof copy->sql, "SELECT observation_chunk_day(%s)",
                       days.backend->column_text(days.statement, 0));
        TRY(db_script(copy->to, copy->sql, err));
    }
    return outcome == DB_STEP_ERROR ? err->code : tx_commit(&tx, err);
}

static enum err_code copy_table(struct copy *copy, struct err *err)
{
    int64_t rows = 0;

    TRY(read_columns(copy, err));
    TRY(make_days(copy, err));
    do {
        TRY(copy_slice(copy, &rows, err));
    } while (copy->table->number != NULL && rows == rows_at_once(copy->table, SLICE_ROWS));
    return ERR_NONE;
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
    (void)snprintf(copy->sql, sizeof copy->sql, "FETCH %d FROM read_back",
                   rows_at_once(copy->table, FETCH_ROWS));
    TRY(prepare(copy->to, copy->sql, &cursor, err));
    do {
        TRY(read_page(copy, &cursor, sha, &page, err));
        *ret_rows += page;
    } while (page > 0);
    return db_script(copy->to, "CLOSE read_back", err);
}

static enum err_code read_source(struct copy *copy, struct sha256 *sha, uint64_t *ret_rows,
                                 struct err *err)
{
    AUTO(own_statement_done) struct own_statement from = {0};

    (void)snprintf(copy->sql, sizeof copy->sql, "SELECT %s FROM \"%s\" ORDER BY %s", copy->names,
                   copy->table->name, copy->table->key);
    TRY(prepare(copy->from, copy->sql, &from, err));
    return read_page(copy, &from, sha, ret_rows, err);
}

typedef enum err_code reader(struct copy *, struct sha256 *, uint64_t *ret_rows, struct err *);

static enum err_code digest_table(struct copy *copy, reader *read, struct db_copied *ret,
                                  struct err *err)
{
    struct sha256 *sha = sha256_new();
    enum err_code code;

    *ret = (struct db_copied){.table = copy->table->name};
    code = read(copy, sha, &ret->rows, err);
    hex_of(sha, ret->sha256);
    return code;
}

static enum err_code compare_table(struct copy *copy, struct db_copied *ret, struct err *err)
{
    struct db_copied other;

    TRY(read_columns(copy, err));
    TRY(digest_table(copy, read_source, ret, err));
    TRY(digest_table(copy, read_back, &other, err));
    if (ret->rows != other.rows || strcmp(ret->sha256, other.sha256) != 0)
        return err_set(err, ERR_CORRUPT,
                       "%" PRIu64 " rows there, %" PRIu64
                       " here, and not the same ones: stop what writes to the one, empty the "
                       "other and copy again",
                       ret->rows, other.rows);
    return ERR_NONE;
}

/* What migrations have put there gives way; anything else is somebody's. */
static enum err_code check_empty(struct copy *copy, struct err *err)
{
    int64_t there = 0;

    if (strcmp(copy->table->name, "counter") == 0)
        return ERR_NONE;
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

/* A table that this file does not name would be left behind. */
static enum err_code check_tables(struct db *from, struct err *err)
{
    int64_t tables = 0;

    TRY(one_int(from, db_backend(from)->foreign_tables, &tables, err));
    if (tables == (int64_t)COPIED_TABLE_COUNT)
        return ERR_NONE;
    return err_set(err, ERR_INTERNAL, "there are %" PRId64 " tables, not %zu", tables,
                   COPIED_TABLE_COUNT);
}

typedef enum err_code visit(struct copy *, struct err *);

/* One after the other, with the table in front of what is said of a failure. */
static enum err_code each_table(struct copy *copy, visit *call, struct err *err)
{
    for (size_t i = 0; i < COPIED_TABLE_COUNT; i++) {
        copy->table = &COPIED_TABLES[i];
        if (call(copy, err) != ERR_NONE)
            return err_prefix(err, "copying the table %s", copy->table->name);
    }
    return ERR_NONE;
}

static enum err_code start(struct copy *copy, struct err *err)
{
    AUTO(tx_done) struct tx tx = {0};

    TRY(begin_target(copy, &tx, err));
    TRY(each_table(copy, check_empty, err));
    TRY(db_script(copy->to, MARK, err));
    return tx_commit(&tx, err);
}

static enum err_code compare_and_tell(struct copy *copy, struct err *err)
{
    struct db_copied copied;

    TRY(compare_table(copy, &copied, err));
    copy->tell(copy->context, &copied);
    return number_on(copy, err);
}

static enum err_code finish(struct copy *copy, struct err *err)
{
    AUTO(tx_done) struct tx tx = {0};

    TRY(begin_target(copy, &tx, err));
    TRY(each_table(copy, compare_and_tell, err));
    TRY(db_script(copy->to, UNMARK, err));
    return tx_commit(&tx, err);
}

static enum err_code copy_all(struct copy *copy, bool begun, struct err *err)
{
    AUTO(tx_done) struct tx snapshot = {0};
    enum err_code code;

    TRY(db_begin(copy->from, &snapshot, err));
    TRY(check_tables(copy->from, err));
    if (!begun)
        TRY(start(copy, err));
    progress_start(&copy->progress, "copying", "rows", 0);
    code = each_table(copy, copy_table, err);
    progress_end(&copy->progress);
    TRY(code);
    return finish(copy, err);
}

enum err_code db_copy(const char *from_url, const char *to_url,
                      void (*tell)(void *context, const struct db_copied *copied), void *context,
                      struct err *err)
{
    AUTO(db_closep) struct db *from = NULL;
    AUTO(db_closep) struct db *to = NULL;
    enum err_code code;

    if (!str_starts(from_url, "sqlite:") || !str_starts(to_url, "postgresql:"))
        return err_set(err, ERR_INVALID, "a copy goes from sqlite:FILE to postgresql://…");
    TRY(db_open(from_url, DB_READ, &from, err));
    code = migrate_run(to_url, err);
    if (code != ERR_NONE && code != ERR_CONFLICT)
        return code;
    TRY(db_open_bare(to_url, DB_WRITE, &to, err));
    return copy_all(&(struct copy){.from = from, .to = to, .tell = tell, .context = context},
                    code == ERR_CONFLICT, err);
}
