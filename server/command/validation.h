#pragma once
/* SageMaker's validation metric: how well dot products tell pairs that were not learned from as
 * many drawn ones, one for each (its documentation: R = 1, S = 0), as an area under the ROC curve.
 */
#include "command/pairs_input.h"
#include "model/model.h"

/* The same for the same pairs in the same order. */
double discriminator_auc(const struct model *model, const struct pairs_input *input);
/* SageMaker's log line of it. */
void print_discriminator_auc(const char *host, const struct model *model,
                             const struct pairs_input *input);
