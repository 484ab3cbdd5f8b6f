#pragma once
/* Parquet as Security Lake writes it: nested structs, zstd. Rows come as a flat CSV file and a
 * SELECT that nests its columns; DuckDB does the rest. One thread. */
#include "base/err.h"

struct parquet_writer;

/* ERR_UNAVAILABLE without libduckdb.so. */
NODISCARD enum err_code parquet_writer_open(struct parquet_writer **ret, struct err *err);
void parquet_writer_close(struct parquet_writer *writer);
void parquet_writer_closep(struct parquet_writer **writer);
/* select: the part between SELECT and FROM, over the CSV's columns, all of them text. The file
 * appears whole or not at all. Paths come from the program and hold no quotes. */
NODISCARD enum err_code parquet_write(struct parquet_writer *writer, const char *select,
                                      const char *csv_path, const char *out_path, struct err *err);
