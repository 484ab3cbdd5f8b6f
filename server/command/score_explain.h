#pragma once
/* What a model makes of each pair of a reader, and why, a line of JSON each on standard output. */
#include "command/pairs_reader.h"
#include "model/model.h"

/* spec: as the model names it, for rows that have none. Errors are the reader's and the output's.
 */
NODISCARD enum err_code score_explain(struct pairs_reader *reader, const struct model *model,
                                      const char *spec, struct err *err);
