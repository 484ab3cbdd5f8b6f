/* Numbering what a mini-batch touches. */
#include "model/batch.h"

#include <string.h>

#include "base/own.h"

size_t batch_init(struct batch *batch, size_t positives_max, size_t per_positive,
                  size_t entity_rows, size_t prefix_rows)
{
    size_t samples = positives_max * per_positive, slots = samples * IP_LEVELS_V6;
    size_t entities = positives_max < entity_rows ? positives_max : entity_rows;

    slots = (slots < prefix_rows ? slots : prefix_rows) + BATCH_ROOTS + IP_LEVELS;
    *batch = (struct batch){
        .per_positive = per_positive,
        .entities = own_aligned(positives_max, sizeof(uint32_t)),
        .entity_rows = own_aligned(entities, sizeof(uint32_t)),
        .leaves = own_aligned(samples, sizeof(uint32_t)),
        .rows = own_aligned(slots, sizeof(uint32_t)),
        .parents = own_aligned(slots, sizeof(uint32_t)),
        .levels = own_aligned(slots, sizeof(uint8_t)),
        .is_leaf = own_aligned(slots, sizeof(bool)),
        .tails = own_aligned(slots, sizeof(uint32_t)),
        .drawn = own_aligned(BATCH_DRAWN * per_positive, sizeof(struct ip)),
        .slot_of_entity = own_aligned(entity_rows, sizeof(uint32_t)),
        .slot_of_row = own_aligned(prefix_rows, sizeof(uint32_t)),
    };
    return slots;
}

void batch_done(struct batch *batch)
{
    own_freep(&batch->entities);
    own_freep(&batch->entity_rows);
    own_freep(&batch->leaves);
    own_freep(&batch->rows);
    own_freep(&batch->parents);
    own_freep(&batch->levels);
    own_freep(&batch->is_leaf);
    own_freep(&batch->tails);
    own_freep(&batch->drawn);
    own_freep(&batch->slot_of_entity);
    own_freep(&batch->slot_of_row);
}

void batch_clear_entities(struct batch *batch)
{
    for (size_t i = 0; i < batch->entity_count; i++)
        batch->slot_of_entity[batch->entity_rows[i]] = 0;
    batch->entity_count = 0;
}

void batch_clear_nodes(struct batch *batch)
{
    for (size_t i = BATCH_ROOTS; i < batch->node_count; i++)
        batch->slot_of_row[batch->rows[i]] = 0;
    memset(batch->is_leaf, 0, batch->slot_count * sizeof *batch->is_leaf);
    memset(batch->unseen_slots, 0, sizeof batch->unseen_slots);
    batch->slot_of_row[IP_ROOT_V4] = BATCH_ROOT_V4 + 1;
    batch->slot_of_row[IP_ROOT_V6] = BATCH_ROOT_V6 + 1;
    batch->node_count = batch->slot_count = BATCH_ROOTS;
}

void batch_add_entity(struct batch *batch, size_t positive, uint32_t row)
{
    if (batch->slot_of_entity[row] == 0) {
        batch->entity_rows[batch->entity_count++] = row;
        batch->slot_of_entity[row] = (uint32_t)batch->entity_count;
    }
    batch->entities[positive] = batch->slot_of_entity[row] - 1;
}

/* Those above it get their slots first. */
static uint32_t slot_of(struct batch *batch, const struct ip_tree *tree, uint32_t row)
{
    uint32_t missing[IP_LEVELS_V6], count = 0, slot;

    for (; batch->slot_of_row[row] == 0; row = tree->nodes[row].parent)
        missing[count++] = row;
    slot = batch->slot_of_row[row] - 1;
    while (count > 0) {
        row = missing[--count];
        batch->rows[batch->node_count] = row;
        batch->levels[batch->node_count] = tree->nodes[row].level;
        batch->parents[batch->node_count] = slot;
        slot = (uint32_t)batch->node_count++;
        batch->slot_of_row[row] = slot + 1;
    }
    return slot;
}

static bool is_v6(const struct batch *batch, size_t slot)
{
    return slot == BATCH_ROOT_V6 || (slot >= BATCH_ROOTS && batch->levels[slot] >= IP_LEVELS_V4);
}

/* The first level below it; the end of its family's levels for an address known to its last bit. */
static int level_below(const struct batch *batch, size_t slot)
{
    if (slot < BATCH_ROOTS)
        return is_v6(batch, slot) ? IP_ROOT_V6 : IP_ROOT_V4;
    return batch->levels[slot] + 1;
}

/* In use are all unseen rows from a family's first level on that is below one of its leaves. */
static void list_unseen(struct batch *batch, int first, int end)
{
    for (int level = first; level < end; level++) {
        batch->rows[batch->slot_count] = (uint32_t)level;
        batch->unseen_slots[level] = (uint32_t)batch->slot_count++;
    }
}

enum { LEAVES_AHEAD = 12 };

void batch_list_nodes(struct batch *batch, const struct ip_tree *tree)
{
    size_t samples = batch->positives * batch->per_positive;
    int first[2] = {IP_LEVELS_V4, IP_LEVELS}; /* of each family */

    for (size_t i = 0; i < samples; i++) {
        uint32_t slot;

        if (i + LEAVES_AHEAD < samples) {
            __builtin_prefetch(&batch->slot_of_row[batch->leaves[i + LEAVES_AHEAD]], 1);
            __builtin_prefetch(&tree->nodes[batch->leaves[i + LEAVES_AHEAD]]);
        }
        slot = slot_of(batch, tree, batch->leaves[i]);
        batch->leaves[i] = slot;
        if (!batch->is_leaf[slot]) {
            bool v6 = is_v6(batch, slot);
            int below = level_below(batch, slot);

            batch->is_leaf[slot] = true;
            first[v6] = below < first[v6] ? below : first[v6];
        }
    }
    batch->slot_count = batch->node_count;
    list_unseen(batch, first[0], IP_LEVELS_V4);
    list_unseen(batch, first[1], IP_LEVELS);
    for (size_t slot = 0; slot < batch->node_count; slot++) {
        int below = batch->is_leaf[slot] ? level_below(batch, slot) : IP_LEVELS;

        batch->tails[slot] = below < IP_LEVELS ? batch->unseen_slots[below] : 0;
        if (below == IP_LEVELS_V4 && !is_v6(batch, slot))
            batch->tails[slot] = 0; /* that level is the other family's first */
    }
}
