#pragma once
/* Training as a job of SageMaker's: the pairs go to S3, the container learns, the model comes back.
 */
#include "command/pairs_input.h"
#include "command/sagemaker_setup.h"
#include "model/hyper.h"

/* out: where the model goes; NULL = it stays in S3. ERR_INVALID: pairs of several specs, which one
 * CSV cannot tell apart; the job failed. ERR_CANCELLED: the job was told to stop. */
NODISCARD enum err_code train_sagemaker(const struct sagemaker_options *options,
                                        const struct hyper *hyper, const struct pairs_input *input,
                                        const char *out, struct err *err);
