#pragma once
/* Rows kept together, entities and all: about 40 bytes a row beside the entities' own. Not
 * thread-safe. */
#include "base/str.h"
#include "command/pairs_row.h"
#include "model/model.h"

struct pairs_batch {
    struct str texts; /* the entities, each with its NUL */
    struct pairs_kept {
        size_t entity; /* in texts */
        struct ip ip;
    } * items;
    size_t count, capacity;
};

/* bytes_max: of the entities, their NULs too. */
void pairs_batch_init(struct pairs_batch *batch, size_t bytes_max);
void pairs_batch_done(struct pairs_batch *batch); /* accepts a zeroed one */
void pairs_batch_clear(struct pairs_batch *batch);
/* False when bytes_max is reached: the row was not taken. */
bool pairs_batch_add(struct pairs_batch *batch, const struct pairs_row *row);
struct model_pair pairs_batch_pair(const struct pairs_batch *batch, size_t index, const char *spec);
