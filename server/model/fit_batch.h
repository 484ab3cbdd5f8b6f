#pragma once
/* One training run, batch after batch. A batch is worked off in phases, each in two parts that do
 * not depend on each other: on one thread one after the other, on two at the same time with a
 * barrier behind each phase. Private to fit and its tests. */
#include "model/batch.h"
#include "model/fit.h"

enum { FIT_PARTS = 2 };

struct fit_work {
    const struct fit_input *input;
    const struct hyper *hyper;
    struct fit *fit;
    const struct kernel *kernel;
    struct ip_tree tree;
    struct batch batch;
    uint32_t *address_leaves; /* per address */
    uint32_t *order;          /* of the samples in this epoch */
    size_t start;             /* of the batch in order */
    uint64_t epoch_seed;      /* of what is drawn in it */
    struct step step;

    /* Per slot; images are vectors after the dense layers, the same array without any. */
    float *vectors, *gradient, *images, *image_gradient;
    float *entity_gradient;
    float *dots[FIT_PARTS], *errors; /* per sample */
    float *dense_gradient[FIT_PARTS], *dense_states[FIT_PARTS];
    uint32_t *dense_rows;
    struct tally tallies[FIT_PARTS];
};

void fit_work_init(struct fit_work *work, const struct fit_input *input,
                   const struct ip_encoder *encoder, const struct hyper *hyper,
                   const struct kernel *kernel, struct fit *fit);
void fit_work_done(struct fit_work *work);
void fit_shuffle(struct fit_work *work, uint64_t seed);

typedef void fit_phase(struct fit_work *work, int part);
enum { FIT_PHASES = 10, FIT_PHASE_STEP = FIT_PHASES - 1 }; /* the last one moves the rows */
extern fit_phase *const FIT_PHASE[FIT_PHASES];
