#pragma once
/* From rows to pairs by the specs of a lake. Knows nothing of file formats: a reader hands it the
 * cells of a row, one per path of the spec set. One object at a time, one thread. */
#include "base/err.h"
#include "lake/cell.h"
#include "lake/dedupe.h"
#include "lake/pairs.h"
#include "lake/spec.h"

struct extract {
    const struct spec_set *set;
    bool keep_rejected;
    struct dedupe dedupe;
    struct lake_spec_count counts[SPEC_COUNT_MAX]; /* as in set */
    uint64_t weight; /* events that the next row stands for, 1 unless set */
    uint64_t rows, rows_unclaimed;
    bool class_seen; /* some row had a class_uid */
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
/* The object was read to its end. */
void extract_result(struct extract *extract, struct lake_result *ret);
