#pragma once
/* The order of an epoch over samples that may lie in a file: their blocks are shuffled, so many are
 * read at a time, a window, and the window's samples are shuffled. Samples that fit one window are
 * shuffled as a whole. What is read and in which order does not depend on where the samples lie.
 * Private to fit and its tests. */
#include "model/fit.h"

enum {
    FIT_BLOCK_SAMPLES = 4096,
    FIT_WINDOW_BLOCKS = 256, /* 8 MiB of samples */
};

struct fit_window {
    struct spool *all;
    uint32_t *blocks; /* numbers of all blocks, in the epoch's order */
    size_t block_count, window_count;
    size_t turn; /* of the window that comes next in the epoch */

    struct fit_sample *samples;
    size_t count;    /* in the window */
    uint32_t *order; /* of the samples in it */
    uint64_t first;  /* samples of the epoch before them */
    struct rng rng;  /* of the epoch */
    bool whole;      /* the only window, and it is loaded */
};

/* blocks: of a window; 0 = FIT_WINDOW_BLOCKS. */
void fit_window_init(struct fit_window *window, struct spool *samples, size_t blocks);
void fit_window_done(struct fit_window *window); /* accepts a zeroed one */
/* The epoch's order depends on the seed alone, not on the epoch before. Returns a number for what
 * else is drawn in it. */
uint64_t fit_window_shuffle(struct fit_window *window, uint64_t seed);
/* Whether there is another one in the epoch. */
bool fit_window_more(const struct fit_window *window);
NODISCARD enum err_code fit_window_next(struct fit_window *window, struct err *err);
