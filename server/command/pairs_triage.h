#pragma once
/* The pairs that triage speaks against (store/training.h), for looking up while training pairs are
 * gathered. One thread. */
#include "base/arena.h"
#include "model/train.h"

struct pairs_triage {
    struct arena texts;
    struct train_pair *held; /* not to be learned, in order; owned */
    size_t held_count, held_capacity;
    struct train_pair *never; /* those among them to be forgotten as well; owned */
    size_t never_count, never_capacity;
};

/* Of a zeroed one: holds nothing. */
NODISCARD enum err_code pairs_triage_read(struct pairs_triage *triage, const char *url,
                                          struct err *err);
bool pairs_triage_holds(const struct pairs_triage *triage, const struct train_pair *pair);
void pairs_triage_done(struct pairs_triage *triage);
