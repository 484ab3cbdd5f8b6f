#pragma once
/* From chunks of DuckDB's to extract, row by row. Texts come as numbers (texts.h), which a function
 * of SQL gives them before DuckDB copies its results; where all that a row is about has a number,
 * rows that were met before are only counted (repeats.h). One object at a time, one thread. */
#include "base/err.h"
#include "lake/extract.h"
#include "lake/parquet_plan.h"
#include "lake/repeats.h"
#include "lake/texts.h"

struct parquet_rows {
    const struct duckdb_api *api;
    struct parquet_plan plan; /* of the object: set before parquet_rows_begin */
    struct texts texts;       /* of the object */
    struct repeats repeats;
    int64_t class_uid;                     /* that the plan is made for, 0: any */
    bool other_class;                      /* a row has another one: it was not taken */
    bool repeat;                           /* rows that were met before are told */
    size_t value_count;                    /* of what tells them: */
    size_t value_paths[REPEAT_VALUES_MAX]; /* the paths, as in the set */
    uint64_t met, new;                     /* rows so far */
    uint32_t *numbers;                     /* of a chunk, for values that have none by SQL */
    int64_t *times, *buckets;              /* of a chunk's rows, where those are numbered */
    uint64_t *hashes;
    int64_t bucket_at_ms, bucket, bucket_ms; /* the last row's: most rows are near the one before */
    struct cell cells[PLAN_PATHS_MAX];       /* of the row */
    struct cell *items[PLAN_PATHS_MAX];      /* buffers of lists */
    size_t item_capacity[PLAN_PATHS_MAX];
};

/* PLAN_NUMBER_FUNCTION is to be registered with connection while rows live. */
NODISCARD enum err_code parquet_rows_init(struct parquet_rows *rows, const struct duckdb_api *api,
                                          struct duckdb *connection, struct err *err);
void parquet_rows_done(struct parquet_rows *rows); /* accepts a zeroed one */
void parquet_rows_begin(struct parquet_rows *rows, const struct extract *extract);
/* Rows of the chunk from *at on, which goes to its end, or to the row of another class. */
NODISCARD enum err_code parquet_rows_add(struct parquet_rows *rows, struct duckdb *chunk,
                                         uint64_t *at, struct extract *extract, struct err *err);
/* What was only counted so far goes to extract. */
void parquet_rows_end(struct parquet_rows *rows, struct extract *extract);
