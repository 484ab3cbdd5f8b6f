#pragma once
/* What IP Insights' endpoints answer, byte for byte as their JSON is printed:
 *   application/json               {"predictions": [{"dot_product": 0.5}, …]}
 *   application/jsonlines          {"dot_product": 0.5} a line
 *   …;verbose=True                 "ip_embedding" and "entity_embedding" beside it
 * Not thread-safe; the model may be shared. */
#include "command/pairs_batch.h"

enum { PREDICTIONS_DIM_MAX = 4096 };

struct predictions_form {
    bool lines, verbose;
};
/* The first form of an Accept header that we have; all of it "", or NULL: JSON. False when there is
 * none. */
bool predictions_accept(const char *accept, struct predictions_form *ret);
const char *predictions_type(const struct predictions_form *form);
/* What one prediction takes at most. */
size_t predictions_bytes_max(const struct model *model, const struct predictions_form *form);

struct predictions {
    const struct model *model;
    const char *spec;
    struct predictions_form form;
    bool any;
};

void predictions_begin(const struct predictions *predictions, struct str *out);
/* Rows first to last - 1 of the batch, at most PREDICTIONS_MAX. */
enum { PREDICTIONS_MAX = 256 };
void predictions_add(struct predictions *predictions, const struct pairs_batch *batch, size_t first,
                     size_t last, struct str *out);
void predictions_end(const struct predictions *predictions, struct str *out);
