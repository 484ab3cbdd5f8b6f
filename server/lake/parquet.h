#pragma once
/* Reads Parquet through DuckDB: one database and connection per reader, streaming, one thread.
 * Only the columns that the specs name are read. The database may open nothing but our own open
 * files, loads no extensions, and its settings are locked. One thread. */
#include "base/err.h"
#include "lake/extract.h"

struct parquet;

enum { PARQUET_MEMORY_MIB = 256 };
/* A few bytes can claim any number of rows of nulls. */
#define PARQUET_ROWS_MAX UINT64_C(500000000)

/* temp_dir: where DuckDB may spill. ERR_UNAVAILABLE without libduckdb. */
NODISCARD enum err_code parquet_open(const char *temp_dir, struct parquet **ret, struct err *err);
void parquet_close(struct parquet *parquet);
/* fd: a regular file, open for reading. Every row goes to extract; a failure may come after some
 * rows did. ERR_CORRUPT, ERR_INVALID (no class_uid), ERR_TOO_LARGE. */
NODISCARD enum err_code parquet_read(struct parquet *parquet, int fd, struct extract *extract,
                                     struct err *err);
