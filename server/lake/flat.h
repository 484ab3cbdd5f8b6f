#pragma once
/* Events that were counted before they came: every row stands for as many as its column
 * pairwatch_rows says, and has the values of the specs' paths in plain columns. What a query of
 * athena_query.h unloads; any reader of objects takes it. */
#include <stddef.h>

#define FLAT_ROWS_COLUMN "pairwatch_rows"
enum { FLAT_NAME_BYTES = 512 };

/* The column of a path: "src_endpoint.ip" is src_endpoint__ip, "answers[].rdata" answers__rdata. A
 * path that is longer than any has the empty name. */
void flat_name(const char *path, char ret[static FLAT_NAME_BYTES]);
