#pragma once
/* What training needs to go on after its process was killed: a file of its own beside the model,
 * replaced after each epoch and only by a whole one. It is used when it is of the same samples,
 * hyperparameters and seed; one that is not, or is damaged, is passed over: training begins anew.
 */
#include "model/fit.h"

struct checkpoint; /* the options' path is borrowed */
struct checkpoint_state {
    int64_t epochs; /* done */
    double mean_left, square_left;
};

/* Reads the samples once; errors are of that. */
NODISCARD enum err_code checkpoint_new(const struct fit_options *options,
                                       const struct fit_input *input,
                                       const struct ip_encoder *encoder, struct checkpoint **ret,
                                       struct err *err);
void checkpoint_freep(struct checkpoint **checkpoint);
NODISCARD enum err_code checkpoint_write(const struct checkpoint *checkpoint,
                                         const struct checkpoint_state *state,
                                         const struct fit *fit, struct err *err);
/* Leaves both as they are when there is nothing to go on from. ERR_IO when it cannot be read. */
NODISCARD enum err_code checkpoint_read(const struct checkpoint *checkpoint,
                                        struct checkpoint_state *state, struct fit *fit,
                                        struct err *err);
