#pragma once
/* The pairs that triage speaks against (store/training.h), for looking up while training pairs are
 * gathered. One thread. */
#include "base/arena.h"
#include "model/train.h"

struct triage_filter {
    struct arena texts;
    struct train_pair *held; /* not to be learned, in order; owned */
    size_t held_count, held_capacity;
    struct train_pair *never; /* those among them to be forgotten as well; owned */
    size_t never_count, never_capacity;
};

/* Of a zeroed one: holds nothing. */
NODISCARD enum err_code triage_filter_read(struct triage_filter *triage, const char *url,
                                           struct err *err);
bool triage_filter_holds(const struct triage_filter *triage, const struct train_pair *pair);
void triage_filter_done(struct triage_filter *triage);
