#pragma once
/* From a file's columns to the SELECT that fetches what the specs name and the file has. */
#include "base/err.h"
#include "lake/duckdb_api.h"
#include "lake/spec.h"

struct str;

/* The function of SQL that gives a text its number (texts.h). */
#define PLAN_NUMBER_FUNCTION "pairwatch_number"

enum parquet_form {
    FORM_NONE,
    FORM_TEXT,
    FORM_NUMBER, /* of a text */
    FORM_INT,
    FORM_TEXTS, /* lists */
    FORM_INTS,
};

struct parquet_column {
    enum parquet_form form; /* FORM_NONE: the file has no such path */
    size_t column;          /* of the SELECT */
};

struct parquet_wish {
    const struct spec_set *set;
    int64_t class_uid; /* what specs of other classes want is left out; 0: nothing is */
    bool numbered;     /* texts are fetched as numbers, save those that say a time */
};

struct parquet_plan {
    struct parquet_column columns[PLAN_PATHS_MAX]; /* as set->paths */
    size_t selected;
    struct parquet_column rows; /* how many events a row stands for; FORM_NONE: one */
};

/* schema: a result with the file's columns. Appends "expression, …" to select. */
void parquet_plan(const struct duckdb_api *api, struct duckdb_answer *schema,
                  const struct parquet_wish *wish, struct parquet_plan *ret, struct str *select);
