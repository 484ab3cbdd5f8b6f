#pragma once
/* What needs no training, to hold a model against: scores by the entity's own past alone, higher =
 * more unusual. Any thread once made. */
#include "model/train.h"

enum baseline_kind {
    BASELINE_SEEN,    /* 0 when the entity was seen at this very address, else 1 */
    BASELINE_LCP,     /* minus the longest prefix in common with one of the entity's addresses */
    BASELINE_BACKOFF, /* minus the depth of the longest /4k prefix seen, and the share of it */
    BASELINE_ASN,     /* minus the share of its autonomous system, the entity's, then everyone's */
    BASELINE__MAX
};
extern const char *const BASELINE_WORDS[BASELINE__MAX + 1];

struct baseline;
/* asn: NULL or an empty table when there is none, and then no BASELINE_ASN; it must outlive the
 * baseline. */
struct baseline *baseline_new(const struct train_pair *pairs, size_t count,
                              const struct asn_table *asn);
void baseline_free(struct baseline *baseline);
void baseline_freep(struct baseline **baseline);
bool baseline_has(const struct baseline *baseline, enum baseline_kind kind);
double baseline_score(const struct baseline *baseline, enum baseline_kind kind, const char *entity,
                      const struct ip *ip);
