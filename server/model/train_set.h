#pragma once
/* Pairs gathered for training: each a record of fixed size, its entity and spec a number. Private
 * to this folder. */
#include "base/arena.h"
#include "base/spool.h"
#include "model/train.h"

enum { HELD_OUT_PART = 5 }; /* the newest pairs of a spec, one of so many, calibrate */

struct train_record {
    int64_t time_ms;
    uint64_t scatter; /* hash of entity and address: an order for pairs of one time */
    struct ip ip;
    uint32_t entity; /* in the set */
    uint32_t count : 31;
    uint32_t unanswered : 1;
};

struct train_entity {
    const char *name;
    uint64_t hash;      /* of name and spec, in the table */
    uint64_t name_hash; /* the same everywhere */
    uint32_t spec;
    bool learned; /* some pair of it is to be */
};

struct train_set {
    struct spool_pool pool;
    char *folder;
    struct spool records;
    bool ordered;       /* as the trainer wants them */
    struct ip first_ip; /* of what is to be learned */
    bool varied;        /* there is another address in it */
    struct arena texts;
    const char *specs[MODEL_SPECS_MAX];
    uint64_t spec_pairs[MODEL_SPECS_MAX]; /* of each spec, to be learned */
    uint64_t learned;                     /* of all */
    uint32_t learned_entities;            /* that have such pairs */
    size_t spec_count;
    struct train_entity *entities;
    uint32_t entity_count, entity_capacity;
    uint32_t *slots; /* entity + 1; 0 = free */
    uint64_t slot_mask, seed;
    uint32_t last; /* entity, which often comes again */
};

/* By time, then by everything else that matters. Once more is nothing to do. */
NODISCARD enum err_code train_set_order(struct train_set *set, struct err *err);
NODISCARD enum err_code train_set_check(const struct train_set *set,
                                        const struct train_options *options, struct err *err);

/* What is to be learned of an ordered set, or all of that but the held-out ones. */
struct train_walk {
    const struct train_set *set;
    struct spool_reader reader;
    uint64_t left[MODEL_SPECS_MAX]; /* of each spec */
};
void train_walk_init(struct train_walk *walk, struct train_set *set, bool older);
void train_walk_done(struct train_walk *walk);
/* *ret until the next call; NULL at the end. */
NODISCARD enum err_code train_walk_next(struct train_walk *walk, const struct train_record **ret,
                                        struct err *err);
/* The newest fifth, in its order, and with it what is not to be learned and as new. ret is
 * initialised here. */
NODISCARD enum err_code train_set_held_out(struct train_set *set, struct spool *ret,
                                           struct err *err);
static inline const char *train_set_spec(const struct train_set *set, uint32_t entity)
{
    return set->specs[set->entities[entity].spec];
}
