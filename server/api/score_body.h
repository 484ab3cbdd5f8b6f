#pragma once
/* Bodies of POST /api/v1/scores: JSON, SageMaker's rows and predictions, NDJSON. All faults are
 * added to req->faults with pointers into the body; a fault of an NDJSON line points to
 * "/LINE/member", LINE counting from 0. Texts live in the arena given. */
#include "base/err.h"
#include "base/ip.h"
#include <stddef.h>
#include <stdint.h>

struct arena;
struct ingest_object;
struct json_faults;
struct json;
struct request;

enum {
    SCORES_ROWS_MAX = 100000,
    SCORES_ENTITY_BYTES_MAX = 2048,
    SCORES_DETECTOR_BYTES_MAX = 64,
    SCORES_ACCOUNT_BYTES_MAX = 64,
    SCORES_KNOWN_BITS_MAX = 128,
    SCORES_LINE_BYTES_MAX = 64 * 1024,
    SCORES_BODY_LARGE_BYTES = 4 << 20, /* lines of so much are gone when they are read */
    SCORES_EXPLANATIONS_BYTES_MAX = 32 * 1024 * 1024, /* of a body, together */
    /* Strings are no longer than the body (32 MiB), each with up to 16 bytes of padding;
     * explanations; rows. */
    SCORES_ARENA_BYTES_MAX = 208 * 1024 * 1024,
};

#define SCORES_COUNT_MAX 1e12

struct score_row {
    const char *entity, *spec, *account, *region; /* spec: the row's or the batch's */
    struct ip ip;
    int64_t time_ms, last_ms;
    int64_t count;
    double score;       /* finite; higher = more unusual */
    double dot_product; /* as given, or NAN */
    double percentile;  /* NAN = not given */
    int64_t unanswered, entity_known, known_bits;
    const char *explanation;             /* JSON text, NULL = none */
    const struct json *explanation_node; /* while the row is read */
};

struct score_body {
    const char *model, *detector, *spec; /* NULL = not given */
    double threshold;                    /* NAN = not given */
    int64_t time_ms;                     /* for rows without; FIELD_NULL_INT = not given */
    struct score_row *rows;
    size_t count;
    size_t explanation_bytes;
    struct ingest_object *object; /* that the scores come from; NULL = not said */
};

NODISCARD enum err_code score_body_read(struct request *req, struct arena *arena,
                                        struct score_body *ret, struct err *err);

/* For the readers. A row before it is read, and what one says by leaving it out; one row's object;
 * the batch's members. */
extern const struct score_row SCORE_ROW_EMPTY;
void score_row_complete(struct score_row *row, const struct score_body *body);
void score_row_read(const struct json *node, struct score_body *body, struct arena *arena,
                    const char *pointer, struct json_faults *faults, struct score_row *ret);
void score_body_check(const struct score_body *body, const char *prefix,
                      struct json_faults *faults);
NODISCARD enum err_code score_lines_read(struct request *req, struct arena *arena,
                                         struct score_body *ret, struct err *err);
