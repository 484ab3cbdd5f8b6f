#pragma once
/* Pairs as the body of an endpoint's request, and its answer as numbers, in the formats of
 * SageMaker IP Insights. Pure text, any thread. */
#include "base/err.h"
#include "model/model.h"

struct str;

/* What an answer takes for a row at most: {"dot_product": -0.0025198650546371937} and its end. */
enum { INVOCATION_ANSWER_ROW_BYTES = 48 };

/* Writes pairs[order[0]], pairs[order[1]], … into body, a cleared one whose limit is the request's,
 * as long as they fit; returns how many did. CSV when every entity can stand there as it is,
 * otherwise JSON Lines; *ret_type is the content type. */
size_t invocation_write(const struct model_pair *pairs, const size_t *order, size_t count,
                        struct str *body, const char **ret_type);

/* One dot product for each of count rows, in their order; NAN where the model gives null. JSON
 * Lines, or {"predictions": […]} of any other content type. ERR_CORRUPT: another count, no number,
 * no JSON. */
NODISCARD enum err_code invocation_read(const char *type, const char *text, size_t length,
                                        size_t count, double *ret, struct err *err);
