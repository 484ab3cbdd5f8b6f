#pragma once
/* One training run. Two batches are prepared at a time, as drawing and listing depend on nothing
 * that training moves; then one after the other is worked off in phases. A phase has two parts that
 * do not depend on each other, mostly the halves of every row: on one thread one after the other,
 * on two at the same time. Private to fit and its tests. */
#include "model/batch.h"
#include "model/fit_window.h"

enum { FIT_PARTS = 2, FIT_WHOLE = FIT_PARTS };

struct fit_work {
    const struct hyper *hyper;
    struct fit *fit;
    const struct kernel *kernel;
    struct ip_tree tree;
    struct fit_window window;
    uint64_t epoch_seed; /* of what is drawn in the epoch */

    struct batch batches[FIT_PARTS];
    size_t starts[FIT_PARTS]; /* of each batch in the window's order */
    struct step steps[FIT_PARTS];

    /* Per slot; images are vectors after the dense layers, the same array without any. Gradients
     * are 0 between batches. */
    float *vectors, *gradient, *images, *image_gradient;
    float *entity_gradient;
    float *dots[FIT_PARTS], *errors; /* per sample */
    float *dense_gradient[FIT_PARTS], *dense_states[FIT_PARTS];
    uint32_t *dense_rows;
    struct tally tallies[FIT_PARTS];
};

void fit_work_init(struct fit_work *work, const struct fit_input *input,
                   const struct ip_encoder *encoder, const struct hyper *hyper,
                   const struct kernel *kernel, size_t window_blocks, struct fit *fit);
void fit_work_done(struct fit_work *work);
/* Begins an epoch, of which no window is loaded yet. */
void fit_shuffle(struct fit_work *work, uint64_t seed);
/* Draws and lists batches[part], of starts[part] and as many positives as it says; none is fine. */
void fit_prepare(struct fit_work *work, int part);

/* What a phase needs of the one before: of the other part, too, or only of its own. */
enum fit_wait { FIT_WAIT_NEVER, FIT_WAIT_DENSE, FIT_WAIT_ALWAYS };
struct fit_phase {
    void (*run)(struct fit_work *work, int turn, int part); /* on batches[turn] */
    bool whole; /* may be run once for FIT_WHOLE, which is the same numbers in longer rows */
    bool dense; /* nothing to do without dense layers */
    enum fit_wait wait; /* behind it, for the other part */
};
enum { FIT_PHASES = 7 };
extern const struct fit_phase FIT_PHASE[FIT_PHASES];
/* The parts first .. last of a phase on batches[turn]. */
void fit_phase_run(struct fit_work *work, const struct fit_phase *phase, int turn, int first,
                   int last);
