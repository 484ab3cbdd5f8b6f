#include "lake/parquet_write.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/own.h"
#include "base/str.h"
#include "lake/duckdb_api.h"

enum { WRITE_SQL_BYTES_MAX = 1 << 16, WRITE_PATH_BYTES_MAX = 4096 };

struct parquet_writer {
    const struct duckdb_api *api;
    struct duckdb *database, *connection;
};

enum err_code parquet_writer_open(struct parquet_writer **ret, struct err *err)
{
    AUTO(parquet_writer_closep) struct parquet_writer *writer = own_alloc(sizeof *writer);
    struct duckdb *config = NULL;
    int failed;

    TRY(duckdb_load(&writer->api, err));
    failed = writer->api->create_config(&config);
    failed |= writer->api->set_config(config, "threads", "1"); /* rows keep their order */
    failed |= writer->api->set_config(config, "autoinstall_known_extensions", "false");
    failed |= writer->api->set_config(config, "autoload_known_extensions", "false");
    failed |= writer->api->open_ext(NULL, &writer->database, config, NULL);
    writer->api->destroy_config(&config);
    if (failed || writer->api->connect(writer->database, &writer->connection) != 0)
        return err_set(err, ERR_INTERNAL, "starting DuckDB failed");
    *ret = TAKE(writer);
    return ERR_NONE;
}

void parquet_writer_close(struct parquet_writer *writer)
{
    if (writer == NULL)
        return;
    if (writer->connection != NULL)
        writer->api->disconnect(&writer->connection);
    if (writer->database != NULL)
        writer->api->close(&writer->database);
    free(writer);
}

void parquet_writer_closep(struct parquet_writer **writer)
{
    parquet_writer_close(*writer);
    *writer = NULL;
}

enum err_code parquet_write(struct parquet_writer *writer, const char *select, const char *csv_path,
                            const char *out_path, struct err *err)
{
    AUTO(str_done) struct str sql = {0};
    struct duckdb_answer answer = {0};
    char part[WRITE_PATH_BYTES_MAX];
    enum err_code code = ERR_NONE;

    str_init(&sql, WRITE_SQL_BYTES_MAX);
    (void)snprintf(part, sizeof part, "%s.tmp", out_path);
    str_addf(&sql,
             "COPY (SELECT %s FROM read_csv('%s', header=true, all_varchar=true, nullstr=''))"
             " TO '%s' (FORMAT parquet, COMPRESSION zstd)",
             select, csv_path, part);
    TRY(str_check(&sql, "a statement", err));
    if (writer->api->query(writer->connection, sql.text, &answer) != 0)
        code = err_set(err, ERR_IO, "writing %s: %.300s", out_path,
                       writer->api->result_error(&answer));
    writer->api->destroy_result(&answer);
    if (code == ERR_NONE && rename(part, out_path) != 0)
        code = err_errno(err, ERR_IO, "renaming %s", part);
    if (code != ERR_NONE)
        (void)unlink(part);
    return code;
}
