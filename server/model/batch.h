#pragma once
/* A mini-batch as numbers: which rows it touches, and how its samples use them. Each positive has
 * its negatives behind it. Made by fit.c, read by the kernel. */
#include "model/ip_tree.h"
#include <stdbool.h>

/* Nodes of the tree: both roots, then the prefixes above and at the samples' leaves, parents before
 * children, then the unseen rows in use. A slot is a place in these arrays. */
struct batch {
    size_t positives, per_positive; /* samples of each, its own included */

    uint32_t *entities;    /* slot per positive */
    uint32_t *entity_rows; /* row per slot */
    size_t entity_count;

    uint32_t *leaves; /* per sample: first its row (drawing), then its slot (listing) */
    uint32_t *rows;   /* per slot; unused for the roots */
    uint32_t *parents;
    uint8_t *levels;
    bool *is_leaf;
    uint32_t *tails;                  /* slot of the first unseen row below a leaf; 0 = none */
    size_t node_count, slot_count;    /* nodes; nodes and unseen rows */
    uint32_t unseen_slots[IP_LEVELS]; /* of each level's unseen row; 0 when no sample uses it */
    struct ip *drawn;                 /* of BATCH_DRAWN positives: random negatives */

    uint32_t *slot_of_entity, *slot_of_row; /* 0 = none yet, else slot + 1 */
};

enum { BATCH_DRAWN = 16 }; /* positives drawn at once, so that memory has time for each */
enum { BATCH_ROOT_V4, BATCH_ROOT_V6, BATCH_ROOTS };

/* For up to positives_max with per_positive samples each. Returns how many slots it may use. */
size_t batch_init(struct batch *batch, size_t positives_max, size_t per_positive,
                  size_t entity_rows, size_t prefix_rows);
void batch_done(struct batch *batch); /* accepts a zeroed one */

/* Forget the batch before. */
void batch_clear_entities(struct batch *batch);
void batch_clear_nodes(struct batch *batch);
/* The positive's entity, by its row. */
void batch_add_entity(struct batch *batch, size_t positive, uint32_t row);
/* From leaves' rows to slots. */
void batch_list_nodes(struct batch *batch, const struct ip_tree *tree);
