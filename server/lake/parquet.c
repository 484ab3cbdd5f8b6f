/* Streams a file's rows out of DuckDB as cells. */
#include "lake/parquet.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/own.h"
#include "base/str.h"
#include "lake/duckdb_api.h"
#include "lake/parquet_rows.h"

enum {
    SQL_BYTES_MAX = 1 << 20,
    NAMES_SHOWN = 8, /* columns named in a sentence */
};

struct parquet {
    const struct duckdb_api *api;
    struct duckdb *database, *connection;
    struct parquet_rows rows;
    int64_t class_uid; /* of all rows of the last object, or 0 */
};

struct stream { /* one query on its way */
    const struct duckdb_api *api;
    struct duckdb *statement, *pending;
    struct duckdb_answer answer;
};

static void stream_done(struct stream *stream)
{
    const struct duckdb_api *api = stream->api;

    api->destroy_result(&stream->answer);
    if (stream->pending != NULL)
        api->destroy_pending(&stream->pending);
    if (stream->statement != NULL)
        api->destroy_prepare(&stream->statement);
}

/* The first line of DuckDB's sentence, without "… Error: " and without the name that we gave the
 * file: only its caller knows the real one. */
static void add_sentence(struct str *text, const char *sentence)
{
    static const char PATH[] = "/proc/self/fd/";
    const char *start = strstr(sentence, "Error: ");

    start = start != NULL ? start + strlen("Error: ") : sentence;
    while (*start != '\0' && *start != '\n') {
        if (start[0] == ' ' && start[1] != '\0' && str_starts(start + 2, PATH)) {
            start += 2 + strlen(PATH);
            start += strspn(start, "0123456789");
            start += *start == '\'' || *start == '"';
            continue;
        }
        str_add_char(text, *start++);
    }
}

/* A full disk for what spills, or too little memory, says nothing of the object. */
static enum err_code code_of(enum err_code code, const char *sentence)
{
    if (str_starts(sentence, "Out of Memory Error"))
        return ERR_TOO_LARGE;
    return strstr(sentence, "No space left on device") != NULL ? ERR_FULL : code;
}

static enum err_code duckdb_fault(enum err_code code, const char *what, const char *sentence,
                                  struct err *err)
{
    enum { SENTENCE_SHOWN = 200 };
    AUTO(str_done) struct str text = {0};

    sentence = sentence != NULL ? sentence : "no reason given";
    str_init(&text, SENTENCE_SHOWN);
    add_sentence(&text, sentence);
    return err_set(err, code_of(code, sentence), "%s: %s", what,
                   text.length > 0 ? text.text : "no reason given");
}

static enum err_code run(struct parquet *parquet, const char *sql, struct err *err)
{
    struct duckdb_answer answer = {0};
    enum err_code code = ERR_NONE;

    if (parquet->api->query(parquet->connection, sql, &answer) != 0)
        code = duckdb_fault(ERR_INTERNAL, "setting DuckDB up", parquet->api->result_error(&answer),
                            err);
    parquet->api->destroy_result(&answer);
    return code;
}

static enum err_code open_database(struct parquet *parquet, const char *temp_dir, struct err *err)
{
    char memory[16];
    const char *const settings[][2] = {
        {"threads", "1"},
        {"memory_limit", memory},
        {"temp_directory", temp_dir},
        {"autoinstall_known_extensions", "false"},
        {"autoload_known_extensions", "false"},
        {"enable_external_file_cache", "false"}, /* our names of files come again and again */
    };
    const struct duckdb_api *api = parquet->api;
    struct duckdb *config = NULL;
    char *reason = NULL;
    enum err_code code = ERR_NONE;

    (void)snprintf(memory, sizeof memory, "%dMiB", PARQUET_MEMORY_MIB);
    if (api->create_config(&config) != 0)
        return err_set(err, ERR_INTERNAL, "setting DuckDB up: no configuration");
    for (size_t i = 0; i < ARRAY_LEN(settings) && code == ERR_NONE; i++)
        if (api->set_config(config, settings[i][0], settings[i][1]) != 0)
            code =
                err_set(err, ERR_INTERNAL, "setting DuckDB up: %s is not accepted", settings[i][0]);
    if (code == ERR_NONE && api->open_ext(NULL, &parquet->database, config, &reason) != 0)
        code = duckdb_fault(ERR_INTERNAL, "starting DuckDB", reason, err);
    api->free(reason);
    api->destroy_config(&config);
    return code;
}

static enum err_code set_up(struct parquet *parquet, const char *temp_dir, struct err *err)
{
    TRY(open_database(parquet, temp_dir, err));
    if (parquet->api->connect(parquet->database, &parquet->connection) != 0)
        return err_set(err, ERR_INTERNAL, "setting DuckDB up: no connection");
    TRY(parquet_rows_init(&parquet->rows, parquet->api, parquet->connection, err));
    TRY(run(parquet, "SET allowed_directories = ['/proc/self/fd/']", err));
    TRY(run(parquet, "SET enable_external_access = false", err));
    return run(parquet, "SET lock_configuration = true", err);
}

enum err_code parquet_open(const char *temp_dir, struct parquet **ret, struct err *err)
{
    const struct duckdb_api *api;
    struct parquet *parquet;
    enum err_code code;

    TRY(duckdb_load(&api, err));
    parquet = own_alloc(sizeof *parquet);
    parquet->api = api;
    code = set_up(parquet, temp_dir, err);
    if (code == ERR_NONE)
        *ret = parquet;
    else
        parquet_close(parquet);
    return code;
}

void parquet_close(struct parquet *parquet)
{
    if (parquet == NULL)
        return;
    if (parquet->connection != NULL)
        parquet->api->disconnect(&parquet->connection);
    if (parquet->database != NULL)
        parquet->api->close(&parquet->database);
    parquet_rows_done(&parquet->rows);
    free(parquet);
}

static enum err_code stream_start(struct parquet *parquet, const char *sql, struct stream *ret,
                                  struct err *err)
{
    static const char WHAT[] = "not readable as Parquet";
    const struct duckdb_api *api = parquet->api;

    if (api->prepare(parquet->connection, sql, &ret->statement) != 0) {
        const char *said = api->prepare_error(ret->statement);

        if (said != NULL && strstr(said, "No magic bytes found at end") != NULL)
            return err_set(err, ERR_CORRUPT, "%s: the end of the file is missing", WHAT);
        return duckdb_fault(ERR_CORRUPT, WHAT, said, err);
    }
    if (api->pending_prepared_streaming(ret->statement, &ret->pending) != 0)
        return duckdb_fault(ERR_CORRUPT, WHAT, api->pending_error(ret->pending), err);
    if (api->execute_pending(ret->pending, &ret->answer) != 0)
        return duckdb_fault(ERR_CORRUPT, WHAT, api->result_error(&ret->answer), err);
    return ERR_NONE;
}

/* From row *rows on, of which it keeps count. Stops where texts get no number any more, and at a
 * row of a class that the plan is not made for. An error in the middle of a stream shows only after
 * its last chunk. */
static enum err_code read_stream(struct parquet *parquet, struct stream *stream, uint64_t *rows,
                                 struct extract *extract, struct err *err)
{
    const struct duckdb_api *api = parquet->api;
    const char *fault;
    uint64_t passed = 0;

    while (!parquet->rows.other_class) {
        struct duckdb *chunk = api->fetch_chunk(stream->answer);
        enum err_code code = ERR_NONE;
        uint64_t count, at;

        if (chunk == NULL)
            break;
        count = api->data_chunk_get_size(chunk);
        at = passed >= *rows ? 0 : *rows - passed < count ? *rows - passed : count;
        if (at < count && !parquet->rows.texts.full)
            code = parquet_rows_add(&parquet->rows, chunk, &at, extract, err);
        api->destroy_data_chunk(&chunk);
        TRY(code);
        if (parquet->rows.texts.full)
            return ERR_NONE;
        *rows = passed + at > *rows ? passed + at : *rows;
        passed += count;
        if (*rows > PARQUET_ROWS_MAX)
            return err_set(err, ERR_TOO_LARGE, "the object has more than %" PRIu64 " rows",
                           PARQUET_ROWS_MAX);
    }
    fault = api->result_error(&stream->answer);
    if (fault != NULL && fault[0] != '\0')
        return duckdb_fault(ERR_CORRUPT, "damaged Parquet", fault, err);
    return ERR_NONE;
}

/* Names the columns that are there, so that one sees what the object is instead. */
static enum err_code no_class(const struct duckdb_api *api, struct duckdb_answer *schema,
                              struct err *err)
{
    AUTO(str_done) struct str names = {0};
    uint64_t count = api->column_count(schema);

    str_init(&names, ERR_TEXT_BYTES);
    for (uint64_t i = 0; i < count && i < NAMES_SHOWN; i++)
        str_addf(&names, "%s%.40s", i > 0 ? ", " : "", api->column_name(schema, i));
    return err_set(err, ERR_INVALID,
                   "another schema: OCSF events have a column class_uid, this object has %s%s",
                   names.length > 0 ? names.text : "none", count > NAMES_SHOWN ? ", …" : "");
}

static void add_source(struct str *sql, int fd)
{
    str_addf(sql,
             " FROM read_parquet('/proc/self/fd/%d', hive_partitioning = false, "
             "binary_as_string = true)",
             fd);
}

static enum err_code plan_file(struct parquet *parquet, int fd, const struct parquet_wish *wish,
                               struct str *ret_sql, struct err *err)
{
    AUTO(stream_done) struct stream schema = {.api = parquet->api};
    AUTO(str_done) struct str sql = {0};

    str_init(&sql, SQL_BYTES_MAX);
    str_add(&sql, "SELECT *");
    add_source(&sql, fd);
    str_add(&sql, " LIMIT 0");
    TRY(str_check(&sql, "the query", err));
    TRY(stream_start(parquet, sql.text, &schema, err));
    str_add(ret_sql, "SELECT ");
    parquet_plan(parquet->api, &schema.answer, wish, &parquet->rows.plan, ret_sql);
    add_source(ret_sql, fd);
    TRY(str_check(ret_sql, "the query", err));
    if (parquet->rows.plan.columns[PLAN_CLASS_PATH].form == FORM_NONE)
        return no_class(parquet->api, &schema.answer, err);
    return ERR_NONE;
}

static enum err_code read_rows(struct parquet *parquet, int fd, const struct parquet_wish *wish,
                               uint64_t *rows, struct extract *extract, struct err *err)
{
    AUTO(stream_done) struct stream stream = {.api = parquet->api};
    AUTO(str_done) struct str sql = {0};

    str_init(&sql, SQL_BYTES_MAX);
    TRY(plan_file(parquet, fd, wish, &sql, err));
    parquet->rows.class_uid = wish->class_uid;
    parquet_rows_begin(&parquet->rows, extract);
    TRY(stream_start(parquet, sql.text, &stream, err));
    TRY(read_stream(parquet, &stream, rows, extract, err));
    parquet_rows_end(&parquet->rows, extract);
    return ERR_NONE;
}

/* Read for the class of the object before: most come after one of their kind, and need fewer
 * columns then. From a row of another class on an object is read for all of them, and from where it
 * has more different texts than are kept, with its texts as they are: one thread gives the rows in
 * the file's order. */
enum err_code parquet_read(struct parquet *parquet, int fd, struct extract *extract,
                           struct err *err)
{
    struct parquet_wish wish = {
        .set = extract->set, .class_uid = parquet->class_uid, .numbered = true};
    uint64_t rows = 0;

    parquet->class_uid = 0;
    TRY(read_rows(parquet, fd, &wish, &rows, extract, err));
    if (parquet->rows.other_class) {
        wish.class_uid = 0;
        TRY(read_rows(parquet, fd, &wish, &rows, extract, err));
    }
    if (parquet->rows.texts.full) {
        wish.class_uid = 0;
        wish.numbered = false;
        TRY(read_rows(parquet, fd, &wish, &rows, extract, err));
    }
    parquet->class_uid = extract_class(extract);
    return ERR_NONE;
}
