#pragma once
/* One request of POST /api/v1/scores: its NDJSON body, query and Idempotency-Key. Pure. */
#include "base/crypto.h"
#include "base/str.h"
#include <stddef.h>

struct ingest_batch;

struct post_part {
    size_t from, count; /* of the batch's pairs */
};
/* Writes the object's line and the pairs from `from` on: as many as are of one spec, at most
 * rows_max, and until the body is full. body is empty and limited to POST_BODY_BYTES_MAX and a
 * line more. */
struct post_part post_body_write(const struct ingest_batch *batch, size_t from, size_t rows_max,
                                 struct str *body);
/* Of the part's own content, so that what is cut otherwise another time is another request. */
void post_body_key(const struct ingest_batch *batch, const struct str *body,
                   char ret[static SHA256_HEX_BYTES]);
