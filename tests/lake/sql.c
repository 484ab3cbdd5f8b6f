/* Runs SQL statements in a DuckDB of its own, to write Parquet files for the tests by another way
 * than the program reads them: sql STATEMENT… */
#include <stdio.h>

#include "base/err.h"
#include "lake/duckdb_api.h"

int main(int argc, char **argv)
{
    const struct duckdb_api *api;
    struct duckdb *database = NULL, *connection = NULL;
    struct err err = {0};
    int status = 0;

    if (duckdb_load(&api, &err) != ERR_NONE) {
        (void)fprintf(stderr, "%s\n", err.text);
        return 3;
    }
    if (api->open_ext(NULL, &database, NULL, NULL) != 0 || api->connect(database, &connection) != 0)
        return 1;
    for (int i = 1; i < argc && status == 0; i++) {
        struct duckdb_answer answer = {0};

        status = api->query(connection, argv[i], &answer);
        if (status != 0)
            (void)fprintf(stderr, "%s\n%s\n", argv[i], api->result_error(&answer));
        api->destroy_result(&answer);
    }
    api->disconnect(&connection);
    api->close(&database);
    return status;
}
