#pragma once
/* The object that scores of an NDJSON body come from: its first line, {"object": {…}}, schema
 * ScoreObject; and what a line may bring of a finding's explanation, schema Explanation. */
#include <stddef.h>

struct arena;
struct ingest_object;
struct json;
struct json_faults;

enum {
    OBJECT_BUCKET_BYTES_MAX = 255,
    OBJECT_KEY_BYTES_MAX = 1024,
    OBJECT_ETAG_BYTES_MAX = 79,
    OBJECT_ERROR_BYTES_MAX = 511,
    OBJECT_REASONS_MAX = 32, /* why rows gave no pair */
    EXPLANATION_JSON_BYTES_MAX = 16 * 1024,
};

/* Faults point below pointer. Texts live in arena; ret->more is left to score_object_check. */
void score_object_read(const struct json *node, struct arena *arena, const char *pointer,
                       struct json_faults *faults, struct ingest_object *ret);
/* Against the number of scores that came with it. */
void score_object_check(struct ingest_object *object, size_t scores, const char *pointer,
                        struct json_faults *faults);
/* The explanation as compact text in arena; NULL when it is null or faults were added. */
const char *score_explanation_read(const struct json *node, struct arena *arena,
                                   const char *pointer, struct json_faults *faults);
