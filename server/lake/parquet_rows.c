/* Chunks to cells and numbers. */
#include "lake/parquet_rows.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/own.h"

enum {
    LIST_ITEMS_MAX = 65536, /* of one row's list; longer ones are cut */
    CHUNK_ROWS_MAX = 2048,  /* DuckDB's; larger ones are taken row by row */
    NEW_ROWS_TRIED = 2048,
    ROWS_AHEAD = 12, /* that memory is asked for what a row is held against */
};
#define WEIGHT_MAX   INT64_C(1000000000000) /* events that a counted row may stand for */
#define NO_TIME      INT64_MIN              /* the bucket of a row without one */
#define PLAIN_MS_MIN INT64_C(1000000000000) /* from here on no seconds are meant */
#define NUMBERS_MAX  INT64_C(0xfffffff0)    /* numbers that fit beside the null */

/* One column of a chunk, or of the items of its lists. */
struct column {
    const void *data;
    const uint64_t *validity;
    struct duckdb *vector;
};

/* A chunk, as long as its rows are read. */
struct chunk {
    struct column columns[PLAN_PATHS_MAX];
    const uint32_t *values[REPEAT_VALUES_MAX];
    size_t value_count;
    uint64_t rows;
};

static struct column column_of(const struct duckdb_api *api, struct duckdb *vector)
{
    return (struct column){api->vector_get_data(vector), api->vector_get_validity(vector), vector};
}

static bool is_valid(const struct column *column, uint64_t row)
{
    return column->validity == NULL || (column->validity[row / 64] >> (row % 64) & 1) != 0;
}

/* For the values of a dictionary, or of a chunk. */
static void number_texts(struct duckdb *info, struct duckdb *chunk, struct duckdb *ret_vector)
{
    const struct duckdb_api *api = duckdb_loaded();
    struct parquet_rows *rows = api->scalar_function_get_extra_info(info);
    struct column column = column_of(api, api->data_chunk_get_vector(chunk, 0));

    texts_numbers(&rows->texts, column.data, column.validity, api->data_chunk_get_size(chunk),
                  api->vector_get_data(ret_vector));
}

enum err_code parquet_rows_init(struct parquet_rows *rows, const struct duckdb_api *api,
                                struct duckdb *connection, struct err *err)
{
    struct duckdb *function = api->create_scalar_function();
    struct duckdb *text = api->create_logical_type(DUCKDB_VARCHAR);
    struct duckdb *number = api->create_logical_type(DUCKDB_UINTEGER);
    enum err_code code = ERR_NONE;

    rows->api = api;
    rows->numbers = own_array((size_t)REPEAT_VALUES_MAX * CHUNK_ROWS_MAX, sizeof *rows->numbers);
    rows->times = own_array(CHUNK_ROWS_MAX, sizeof *rows->times);
    rows->buckets = own_array(CHUNK_ROWS_MAX, sizeof *rows->buckets);
    rows->hashes = own_array(CHUNK_ROWS_MAX, sizeof *rows->hashes);
    repeats_init(&rows->repeats);
    api->scalar_function_set_name(function, PLAN_NUMBER_FUNCTION);
    api->scalar_function_add_parameter(function, text);
    api->scalar_function_set_return_type(function, number);
    api->scalar_function_set_special_handling(function);
    api->scalar_function_set_extra_info(function, rows, NULL);
    api->scalar_function_set_function(function, number_texts);
    if (api->register_scalar_function(connection, function) != 0)
        code =
            err_set(err, ERR_INTERNAL, "setting DuckDB up: no function %s", PLAN_NUMBER_FUNCTION);
    api->destroy_scalar_function(&function);
    api->destroy_logical_type(&text);
    api->destroy_logical_type(&number);
    return code;
}

void parquet_rows_done(struct parquet_rows *rows)
{
    for (size_t i = 0; i < PLAN_PATHS_MAX; i++)
        free(rows->items[i]);
    free(rows->numbers);
    free(rows->times);
    free(rows->buckets);
    free(rows->hashes);
    texts_done(&rows->texts);
    repeats_done(&rows->repeats);
}

/* Rows are alike when all columns but the times are, and those are nothing but times. */
void parquet_rows_begin(struct parquet_rows *rows, const struct extract *extract)
{
    const struct spec_set *set = extract->set;

    (void)memset(rows->cells, 0, sizeof rows->cells);
    texts_done(&rows->texts);
    texts_init(&rows->texts);
    rows->other_class = false;
    rows->value_count = 0;
    rows->repeat = spec_set_times_apart(set);
    for (size_t i = 0; i < set->path_count; i++) {
        enum parquet_form form = rows->plan.columns[i].form;

        if (form == FORM_NONE || spec_set_is_time(set, i))
            continue;
        rows->repeat = rows->repeat && (form == FORM_NUMBER || form == FORM_INT) &&
                       rows->value_count < REPEAT_VALUES_MAX;
        if (rows->repeat)
            rows->value_paths[rows->value_count++] = i;
    }
    rows->met = 0;
    rows->new = 0;
    rows->bucket_ms = extract->dedupe.bucket_ms;
    rows->bucket_at_ms = 0;
    rows->bucket = 0;
    repeats_begin(&rows->repeats, rows->value_count);
}

/* Member by member where it stays: a cell that is returned and copied costs a sixth of all reading.
 */
static inline void set_scalar(struct cell *cell, const struct column *column, bool number,
                              uint64_t row)
{
    const union duckdb_text *text;

    cell->kind = CELL_NULL;
    if (!is_valid(column, row))
        return;
    if (number) {
        cell->kind = CELL_INT;
        cell->number = ((const int64_t *)column->data)[row];
        return;
    }
    text = (const union duckdb_text *)column->data + row;
    cell->length = text->near.length;
    cell->text = cell->length <= DUCKDB_TEXT_NEAR_MAX ? text->near.bytes : text->far.bytes;
    if (!cell_is_blank(cell->text, cell->length))
        cell->kind = CELL_TEXT;
}

static struct cell list(struct parquet_rows *rows, size_t path, const struct column *outer,
                        uint64_t row)
{
    const struct duckdb_api *api = rows->api;
    struct column inner;
    struct duckdb_list_entry entry;

    if (!is_valid(outer, row))
        return (struct cell){.kind = CELL_NULL};
    entry = ((const struct duckdb_list_entry *)outer->data)[row];
    inner = column_of(api, api->list_vector_get_child(outer->vector));
    if (entry.length > LIST_ITEMS_MAX)
        entry.length = LIST_ITEMS_MAX;
    if (entry.length > rows->item_capacity[path]) {
        rows->items[path] = own_resize(rows->items[path], entry.length, sizeof(struct cell));
        rows->item_capacity[path] = entry.length;
    }
    for (uint64_t i = 0; i < entry.length; i++)
        set_scalar(&rows->items[path][i], &inner, rows->plan.columns[path].form == FORM_INTS,
                   entry.offset + i);
    return (struct cell){.kind = CELL_LIST, .items = rows->items[path], .length = entry.length};
}

static inline void set_cell(struct parquet_rows *rows, const struct chunk *chunk, size_t path,
                            uint64_t row)
{
    const struct column *column = &chunk->columns[path];
    struct cell *cell = &rows->cells[path];

    if (column->data == NULL)
        return; /* the file has no such column */
    switch (rows->plan.columns[path].form) {
    case FORM_NONE:
        break;
    case FORM_TEXT:
    case FORM_INT:
        set_scalar(cell, column, rows->plan.columns[path].form == FORM_INT, row);
        break;
    case FORM_NUMBER:
        texts_cell(&rows->texts, ((const uint32_t *)column->data)[row], cell);
        break;
    case FORM_TEXTS:
    case FORM_INTS:
        *cell = list(rows, path, column, row);
        break;
    }
}

/* A count that is none counts as one. */
static uint64_t weight_of(const struct column *column, uint64_t row)
{
    int64_t rows =
        column->data != NULL && is_valid(column, row) ? ((const int64_t *)column->data)[row] : 1;

    return rows > 0 && rows <= WEIGHT_MAX ? (uint64_t)rows : 1;
}

/* False when one of the chunk's integers has no number. */
static bool number_integers(const struct column *column, uint64_t rows, uint32_t *ret)
{
    const int64_t *integers = column->data;
    bool all = true;

    for (uint64_t row = 0; row < rows; row++) {
        bool valid = is_valid(column, row);

        all &= !valid || (integers[row] >= 0 && integers[row] < NUMBERS_MAX);
        ret[row] = valid ? (uint32_t)integers[row] + 1 : 0;
    }
    return all;
}

static bool number_rows(struct parquet_rows *rows, struct chunk *chunk)
{
    if (!rows->repeat || chunk->rows > CHUNK_ROWS_MAX)
        return false;
    for (size_t i = 0; i < rows->value_count; i++) {
        const struct column *column = &chunk->columns[rows->value_paths[i]];
        uint32_t *numbers = &rows->numbers[i * CHUNK_ROWS_MAX];

        if (column->data == NULL)
            return false;
        chunk->values[i] = column->data;
        if (rows->plan.columns[rows->value_paths[i]].form == FORM_NUMBER)
            continue;
        chunk->values[i] = numbers;
        if (!number_integers(column, chunk->rows, numbers))
            return false;
    }
    chunk->value_count = rows->value_count;
    return true;
}

static bool set_time(struct parquet_rows *rows, const struct chunk *chunk,
                     const struct spec_paths *times, uint64_t row, int64_t *ret)
{
    for (size_t i = 0; i < times->count; i++) {
        set_cell(rows, chunk, times->paths[i], row);
        if (extract_time(&rows->cells[times->paths[i]], ret))
            return true;
    }
    *ret = 0;
    return false;
}

static int64_t bucket_of(struct parquet_rows *rows, int64_t time_ms)
{
    int64_t past_ms = time_ms - rows->bucket_at_ms;

    if (past_ms < 0 || past_ms >= rows->bucket_ms) {
        rows->bucket = time_ms / rows->bucket_ms;
        rows->bucket_at_ms = rows->bucket * rows->bucket_ms;
    }
    return rows->bucket;
}

static enum err_code add_row(struct parquet_rows *rows, const struct chunk *chunk, uint64_t row,
                             struct extract *extract, struct err *err)
{
    const struct cell *class = &rows->cells[PLAN_CLASS_PATH];

    for (size_t i = 0; i < extract->set->path_count; i++)
        set_cell(rows, chunk, i, row);
    rows->other_class =
        rows->class_uid != 0 && (class->kind != CELL_INT || class->number != rows->class_uid);
    if (rows->other_class)
        return ERR_NONE;
    return extract_row(extract, rows->cells, err);
}

/* Milliseconds as nearly every writer has them: a number, in the first column that may hold it. */
static bool plain_time(const struct column *column, uint64_t row, int64_t *ret)
{
    if (column->data == NULL || !is_valid(column, row))
        return false;
    *ret = ((const int64_t *)column->data)[row];
    return *ret >= PLAIN_MS_MIN && *ret <= TIME_MS_MAX;
}

static void set_times(struct parquet_rows *rows, const struct chunk *chunk,
                      const struct extract *extract, uint64_t first)
{
    const struct spec_paths *times = &extract->set->specs[0]->roles[ROLE_TIME];
    size_t path = times->count > 0 ? times->paths[0] : 0;
    bool plain = times->count > 0 && rows->plan.columns[path].form == FORM_INT;

    for (uint64_t row = first; row < chunk->rows; row++) {
        int64_t *time_ms = &rows->times[row];
        bool has = (plain && plain_time(&chunk->columns[path], row, time_ms)) ||
                   set_time(rows, chunk, times, row, time_ms);

        rows->buckets[row] = has ? bucket_of(rows, *time_ms) : NO_TIME;
    }
}

static enum err_code add_row_once(struct parquet_rows *rows, const struct chunk *chunk,
                                  uint64_t row, struct extract *extract, struct err *err)
{
    const struct repeat_row key = {chunk->values, row, rows->buckets[row], rows->hashes[row]};
    struct repeat *met = repeats_find(&rows->repeats, &key);

    if (met != NULL) {
        rows->met++;
        repeat_count(met, extract->weight, rows->times[row]);
        return ERR_NONE;
    }
    /* Where hardly a row comes again, looking for it is in vain. */
    if (++rows->new > NEW_ROWS_TRIED && rows->met < rows->new)
        rows->repeat = false;
    TRY(add_row(rows, chunk, row, extract, err));
    if (!extract->outcome.unrepeatable && !rows->other_class)
        repeats_put(&rows->repeats, &key, extract);
    return ERR_NONE;
}

/* Rows *at to the end, as parquet_rows_add. */
static enum err_code add_rows_once(struct parquet_rows *rows, const struct chunk *chunk,
                                   const struct column *counted, uint64_t *at,
                                   struct extract *extract, struct err *err)
{
    set_times(rows, chunk, extract, *at);
    repeats_hash(&rows->repeats, chunk->values, rows->buckets, *at, chunk->rows, rows->hashes);
    for (; *at < chunk->rows && !rows->other_class; *at += !rows->other_class) {
        if (*at + ROWS_AHEAD < chunk->rows)
            repeats_fetch(&rows->repeats, rows->hashes[*at + ROWS_AHEAD]);
        extract->weight = weight_of(counted, *at);
        TRY(add_row_once(rows, chunk, *at, extract, err));
    }
    return ERR_NONE;
}

static enum err_code add_rows(struct parquet_rows *rows, const struct chunk *chunk,
                              const struct column *counted, uint64_t *at, struct extract *extract,
                              struct err *err)
{
    for (; *at < chunk->rows && !rows->other_class; *at += !rows->other_class) {
        extract->weight = weight_of(counted, *at);
        TRY(add_row(rows, chunk, *at, extract, err));
    }
    return ERR_NONE;
}

static void open_chunk(const struct parquet_rows *rows, struct duckdb *vectors, size_t path_count,
                       struct chunk *ret)
{
    for (size_t i = 0; i < path_count; i++)
        if (rows->plan.columns[i].form != FORM_NONE)
            ret->columns[i] = column_of(
                rows->api, rows->api->data_chunk_get_vector(vectors, rows->plan.columns[i].column));
    ret->rows = rows->api->data_chunk_get_size(vectors);
}

enum err_code parquet_rows_add(struct parquet_rows *rows, struct duckdb *vectors, uint64_t *at,
                               struct extract *extract, struct err *err)
{
    struct column counted = {.data = NULL};
    struct chunk chunk = {.rows = 0};

    open_chunk(rows, vectors, extract->set->path_count, &chunk);
    if (rows->plan.rows.form == FORM_INT)
        counted =
            column_of(rows->api, rows->api->data_chunk_get_vector(vectors, rows->plan.rows.column));
    if (number_rows(rows, &chunk))
        return add_rows_once(rows, &chunk, &counted, at, extract, err);
    return add_rows(rows, &chunk, &counted, at, extract, err);
}

void parquet_rows_end(struct parquet_rows *rows, struct extract *extract)
{
    repeats_end(&rows->repeats, extract);
}
