/* Rows kept together. */
#include "command/pairs_batch.h"

#include <string.h>

enum { CAPACITY_MIN = 256 };

void pairs_batch_init(struct pairs_batch *batch, size_t bytes_max)
{
    *batch = (struct pairs_batch){.count = 0};
    str_init(&batch->texts, bytes_max);
}

void pairs_batch_done(struct pairs_batch *batch)
{
    str_done(&batch->texts);
    own_freep(&batch->items);
    batch->count = batch->capacity = 0;
}

void pairs_batch_clear(struct pairs_batch *batch)
{
    str_clear(&batch->texts);
    batch->count = 0;
}

bool pairs_batch_add(struct pairs_batch *batch, const struct pairs_row *row)
{
    size_t at = batch->texts.length;

    str_add_bytes(&batch->texts, row->entity, strlen(row->entity) + 1);
    if (batch->texts.failed)
        return false;
    if (batch->count == batch->capacity) {
        batch->capacity = batch->capacity > 0 ? 2 * batch->capacity : CAPACITY_MIN;
        batch->items = own_resize(batch->items, batch->capacity, sizeof *batch->items);
    }
    batch->items[batch->count++] = (struct pairs_kept){at, row->ip};
    return true;
}

struct model_pair pairs_batch_pair(const struct pairs_batch *batch, size_t index, const char *spec)
{
    const struct pairs_kept *kept = &batch->items[index];

    return (struct model_pair){spec, batch->texts.text + kept->entity, kept->ip};
}
