/* DuckDB flattens and sorts the rows and gives every column as text; an object has some ten
 * thousand of them. */
#include "lake/archive_read.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/str.h"
#include "lake/duckdb_api.h"

enum { COLUMNS = 9, PATH_BYTES_MAX = 4096, ROW_ARENA_BYTES = 1 << 21 };
enum { COLUMN_FIRST, COLUMN_LAST, COLUMN_COUNT, COLUMN_SPEC, COLUMN_ENTITY, COLUMN_IP };
enum { COLUMN_MODEL = COLUMN_IP + 1, COLUMN_SCORE, COLUMN_PERCENTILE };

static const char SELECT[] =
    "SELECT start_time::VARCHAR, \"time\"::VARCHAR, \"count\"::VARCHAR, unmapped.spec, "
    "unmapped.entity, unmapped.ip, unmapped.model, unmapped.score::VARCHAR, "
    "unmapped.percentile::VARCHAR FROM read_parquet('%s') ORDER BY unmapped.model, \"time\", "
    "unmapped.entity, unmapped.ip";

struct reading {
    const struct duckdb_api *api;
    struct duckdb *database, *connection;
    struct duckdb_answer answer;
    bool answered;
    const char *path;
    uint64_t row; /* for errors, from 1 */
};

static void reading_done(struct reading *reading)
{
    if (reading->answered)
        reading->api->destroy_result(&reading->answer);
    if (reading->connection != NULL)
        reading->api->disconnect(&reading->connection);
    if (reading->database != NULL)
        reading->api->close(&reading->database);
}

static enum err_code open_engine(struct reading *reading, struct err *err)
{
    struct duckdb *config = NULL;
    int failed;

    TRY(duckdb_load(&reading->api, err));
    failed = reading->api->create_config(&config);
    failed |= reading->api->set_config(config, "threads", "1");
    failed |= reading->api->set_config(config, "autoinstall_known_extensions", "false");
    failed |= reading->api->set_config(config, "autoload_known_extensions", "false");
    failed |= reading->api->open_ext(NULL, &reading->database, config, NULL);
    reading->api->destroy_config(&config);
    if (failed || reading->api->connect(reading->database, &reading->connection) != 0)
        return err_set(err, ERR_INTERNAL, "starting DuckDB failed");
    return ERR_NONE;
}

static enum err_code ask(struct reading *reading, struct err *err)
{
    char sql[sizeof SELECT + PATH_BYTES_MAX];

    if (strlen(reading->path) >= PATH_BYTES_MAX || strchr(reading->path, '\'') != NULL)
        return err_set(err, ERR_INVALID, "the path \"%.100s\" is too long or holds a quote",
                       reading->path);
    (void)snprintf(sql, sizeof sql, SELECT, reading->path);
    reading->answered = true;
    if (reading->api->query(reading->connection, sql, &reading->answer) != 0)
        return err_set(err, ERR_INVALID, "%.200s is no object of an archive: %.200s", reading->path,
                       reading->api->result_error(&reading->answer));
    return ERR_NONE;
}

/* The value as text in the arena, NULL when it is null. */
static const char *text_at(const struct reading *reading, struct duckdb *chunk, uint64_t column,
                           uint64_t row, struct arena *arena)
{
    struct duckdb *vector = reading->api->data_chunk_get_vector(chunk, column);
    const uint64_t *validity = reading->api->vector_get_validity(vector);
    const union duckdb_text *text =
        (const union duckdb_text *)reading->api->vector_get_data(vector) + row;

    if (validity != NULL && (validity[row / 64] >> (row % 64) & 1) == 0)
        return NULL;
    return text->near.length <= DUCKDB_TEXT_NEAR_MAX
               ? arena_strndup(arena, text->near.bytes, text->near.length)
               : arena_strndup(arena, text->far.bytes, text->far.length);
}

static bool is_name(const char *text)
{
    return text != NULL && *text != '\0' && str_is_clean_utf8(text, strlen(text));
}

/* Strictly: what did not come from an archive does not come in. */
static enum err_code read_row(const struct reading *reading, const char *const texts[COLUMNS],
                              struct archived *ret, struct err *err)
{
    const char *percentile = texts[COLUMN_PERCENTILE];
    bool fine = true;

    *ret = (struct archived){.spec = texts[COLUMN_SPEC],
                             .entity = texts[COLUMN_ENTITY],
                             .model = texts[COLUMN_MODEL],
                             .percentile = NAN};
    for (int i = 0; i < COLUMN_PERCENTILE; i++)
        fine = fine && is_name(texts[i]);
    fine = fine && str_to_i64(texts[COLUMN_FIRST], &ret->first_ms) &&
           str_to_i64(texts[COLUMN_LAST], &ret->last_ms) &&
           str_to_u64(texts[COLUMN_COUNT], &ret->count) &&
           str_to_double(texts[COLUMN_SCORE], &ret->score) &&
           ip_parse(texts[COLUMN_IP], &ret->ip) &&
           (percentile == NULL || str_to_double(percentile, &ret->percentile));
    fine = fine && ret->first_ms >= TIME_MS_MIN && ret->first_ms <= ret->last_ms &&
           ret->last_ms <= TIME_MS_MAX && ret->count > 0 && ret->count <= INT64_MAX;
    return fine ? ERR_NONE
                : err_set(err, ERR_INVALID, "%.200s: row %" PRIu64 " is no observation",
                          reading->path, reading->row);
}

static enum err_code read_chunk(struct reading *reading, struct duckdb *chunk,
                                archived_visit *visit, void *context, struct err *err)
{
    AUTO(arena_done) struct arena arena = {0};
    uint64_t count = reading->api->data_chunk_get_size(chunk);

    arena_init(&arena, ROW_ARENA_BYTES);
    for (uint64_t row = 0; row < count; row++) {
        const char *texts[COLUMNS];
        struct archived archived;

        reading->row++;
        for (uint64_t i = 0; i < COLUMNS; i++)
            texts[i] = text_at(reading, chunk, i, row, &arena);
        TRY(read_row(reading, texts, &archived, err));
        TRY(visit(context, &archived, err));
        arena_reset(&arena);
    }
    return ERR_NONE;
}

enum err_code archive_read(const char *path, uint64_t *ret_rows, archived_visit *visit,
                           void *context, struct err *err)
{
    AUTO(reading_done) struct reading reading = {.path = path};
    struct duckdb *chunk;
    enum err_code code = ERR_NONE;

    TRY(open_engine(&reading, err));
    TRY(ask(&reading, err));
    while (code == ERR_NONE && (chunk = reading.api->fetch_chunk(reading.answer)) != NULL) {
        code = read_chunk(&reading, chunk, visit, context, err);
        reading.api->destroy_data_chunk(&chunk);
    }
    *ret_rows = reading.row;
    return code;
}
