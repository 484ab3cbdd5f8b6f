#pragma once
/* `pairwatch score` by a SageMaker endpoint: a dot product a line, null where its model refuses the
 * row. Memory does not grow with the input. */
#include "command/pairs_reader.h"

/* Refused rows are counted on stderr. As remote_score. */
NODISCARD enum err_code score_endpoint(struct pairs_reader *reader, const char *endpoint,
                                       struct err *err);
