#pragma once
/* The held-out pairs of a spec, as a model sees them that has not learned them, and numbers of
 * them. Nothing is kept in memory of each of them but what a spool keeps. Private to this folder.
 */
#include "model/parts.h"
#include "model/train_set.h"

/* What the opinions are taken from. */
struct evidence {
    struct prefix_score prefix;
    struct habit habit;
    double dot_product;
    bool known;
    bool unseen; /* known, and in a network that it has not used */
};
struct evidence evidence_of(const struct model *model, const struct model_pair *pair);
/* Of all opinions; none is less than -1000. */
void evidence_scores(enum model_form form, const struct evidence *evidence, double shared,
                     double ret[static OPINION__MAX]);

struct held_spec {
    const struct model *model; /* what comes first is set beforehand */
    struct train_set *set;
    struct spool *records; /* struct train_record of the set, of this spec and others */
    const char *name;

    uint64_t count, unknown, unseen; /* of all sightings: of entities without history, and of known
                                        ones in new networks */
    int64_t first_ms, last_ms;
    double shared;      /* as struct spec_part has it */
    struct spool pairs; /* as they were scored */
};
struct model_pair held_pair_of(const struct train_set *set, const struct train_record *record);
NODISCARD enum err_code held_spec_score(struct held_spec *held, struct err *err);
void held_spec_done(struct held_spec *held); /* accepts a zeroed one */

/* What is asked of a pair: an opinion, or one of these. Of known entities only and once of each
 * pair, for a finding is a pair, however often it is seen; only HELD_USUAL is of all sightings. */
enum {
    HELD_EVIDENCE = OPINION__MAX, /* a stranger's or an impostor's, the stronger one */
    HELD_DECIDED, /* what decides, by the model's detector and the spec's thresholds */
    HELD_USUAL    /* the same */
};
/* Doubles, ascending. ret is initialised here. */
NODISCARD enum err_code held_values(struct held_spec *held, int what, const struct spec_part *spec,
                                    struct spool *ret, struct err *err);
/* As calibrate_quantiles and calibrate_nth_highest; at least one. */
NODISCARD enum err_code values_quantiles(struct spool *ascending, float ret[static MODEL_QUANTILES],
                                         struct err *err);
NODISCARD enum err_code values_nth_highest(struct spool *ascending, uint64_t rank, double *ret,
                                           struct err *err);
/* Everything of it but the threshold, which is there. */
NODISCARD enum err_code values_sample(struct spool *ascending, struct sample_part *sample,
                                      struct err *err);
