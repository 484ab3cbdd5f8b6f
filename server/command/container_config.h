#pragma once
/* The files by which SageMaker tells a training container what to do, in DIR/input/config:
 * hyperparameters.json, inputdataconfig.json, resourceconfig.json. The last two may be missing, as
 * they are when the image is run by hand. One thread. */
#include "base/err.h"
#include "model/hyper.h"

enum { CONTAINER_HOST_BYTES = 64 };

struct container_config {
    struct hyper hyper;
    char host[CONTAINER_HOST_BYTES]; /* for metric lines; "algo-1" unless told */
};

/* ERR_INVALID names file and member. Unknown hyperparameters and channels, values out of range,
 * other content types than text/csv, pipes and several hosts are refused. */
NODISCARD enum err_code container_config_read(const char *dir, struct container_config *ret,
                                              struct err *err);
