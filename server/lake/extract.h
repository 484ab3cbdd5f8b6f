#pragma once
/* From rows to pairs by the specs of a lake. Knows nothing of file formats: a reader hands it the
 * cells of a row, one per path of the spec set. One object at a time, one thread. */
#include "base/err.h"
#include "lake/cell.h"
#include "lake/dedupe.h"
#include "lake/pairs.h"
#include "lake/spec.h"

enum { OUTCOME_SPECS_MAX = 3 };

/* What a row came to. A row with the same values, times apart, in the same bucket comes to the
 * same, and can be added by extract_again. */
struct row_outcome {
    bool claimed;      /* it is one of some spec's */
    bool unrepeatable; /* it gave several pairs, or is of too many specs */
    uint8_t count;
    struct {
        uint8_t spec;   /* index in the set */
        uint8_t reason; /* UNSCORED__MAX: a pair */
        uint32_t entry; /* of the pair */
    } specs[OUTCOME_SPECS_MAX];
};

struct extract {
    const struct spec_set *set;
    bool keep_rejected;
    struct dedupe dedupe;
    struct lake_spec_count counts[SPEC_COUNT_MAX]; /* as in set */
    uint64_t weight; /* events that the next row stands for, 1 unless set */
    uint64_t rows, rows_unclaimed;
    bool class_seen;            /* some row had a class_uid */
    bool classes_differ;        /* between rows */
    int64_t class_uid;          /* of the first row, 0 when it had none */
    struct row_outcome outcome; /* of the last row */
};

struct extract_options {
    int64_t bucket_ms;
    uint64_t pairs_max;
    bool keep_rejected;
};

void extract_init(struct extract *extract, const struct spec_set *set,
                  const struct extract_options *options, struct arena *arena);
void extract_done(struct extract *extract);
/* cells: set->path_count of them. ERR_TOO_LARGE when the object has too many pairs. */
NODISCARD enum err_code extract_row(struct extract *extract, const struct cell *cells,
                                    struct err *err);
/* More rows that come to outcome, seen from first_ms to last_ms: in one bucket. */
void extract_again(struct extract *extract, const struct row_outcome *outcome, uint64_t rows,
                   int64_t first_ms, int64_t last_ms);
/* The time that a cell says, in milliseconds. False: none between TIME_MS_MIN and TIME_MS_MAX. */
bool extract_time(const struct cell *cell, int64_t *ret);
/* The class of every row, or 0. */
int64_t extract_class(const struct extract *extract);
/* The object was read to its end. */
void extract_result(struct extract *extract, struct lake_result *ret);
