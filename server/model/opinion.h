#pragma once
/* Opinions: scores of the prefix tree and of IP Insights, each held against its own calibration,
 * and the one that decides. Private to this folder. */
#include "model/parts.h"

/* An alert budget is not spent on pairs with so many bits for them: of a stranger about an address
 * in a /16 that is the entity's own, of a newcomer one in a /8 that everyone uses. */
#define STRANGER_LEAST (-30.0)
#define NEWCOMER_LEAST (-8.0)

/* All four of a pair, also that of a newcomer for an entity that is none; -INFINITY where there is
 * no reason at all for one. shared: as struct spec_part has it; habit: entity_habit;
 * dot_product: IP Insights'. */
void opinion_scores(enum model_form form, const struct prefix_score *prefix, double shared,
                    struct habit habit, double dot_product, double ret[static OPINION__MAX]);
/* The share of pairs in new places that others' use explains, the likeliest one (by expectation
 * and maximisation: Dempster, Laird, Rubin 1977), drawn to 1/20 where there are few. below: the
 * evidence of others there, in bits. */
double opinion_shared(const double *below, size_t count);
/* What the prefix tree makes of a pair when these are the thresholds of its spec. */
double opinion_over(enum model_form form, const double scores[static OPINION__MAX],
                    bool entity_known, const struct sample_part thresholds[static OPINION__MAX],
                    enum opinion *ret_opinion);
/* Fills what is not the entity's or the address's. spec NULL: nothing is flagged. */
void opinion_judge(const struct prefix_score *prefix, struct habit habit, double dot_product,
                   bool entity_known, const struct model_parts *parts, const struct spec_part *spec,
                   struct model_score *ret);
/* Where a score stands, as model_score.percentile says. */
double sample_percentile(const struct sample_part *sample, double score);
