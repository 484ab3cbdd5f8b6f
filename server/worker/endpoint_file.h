#pragma once
/* What a calibration run measured, as a file: the model's id, what is known of the endpoint, and
 * for each spec the threshold and the quantiles. */
#include "base/err.h"

struct endpoint_model;
struct model_row;

enum { ENDPOINT_FILE_BYTES_MAX = 4 << 20 };
/* Whole or not at all. */
NODISCARD enum err_code endpoint_file_write(const char *path, const struct model_row *row,
                                            struct err *err);
/* Into a model with its name and its arena; the row's texts and quantiles live in there. */
NODISCARD enum err_code endpoint_file_read(const char *path, struct endpoint_model *ret,
                                           struct err *err);
