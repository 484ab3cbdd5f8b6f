#pragma once
/* How well scores tell the labelled from the others. NAN where a class is missing. All sort the
 * samples in place. */
#include "base/spool.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct sample {
    double score; /* higher = more anomalous */
    bool positive;
    uint32_t group; /* the entity, for the macro average */
};

double metrics_auc(struct sample *samples, size_t count); /* a tie counts half */
/* The same of more of them than memory may hold. Errors are the spool's. */
NODISCARD enum err_code metrics_auc_of(struct spool *samples, double *ret, struct err *err);
/* Mean over the groups that have both classes; ret_groups: how many those are. */
double metrics_macro_auc(struct sample *samples, size_t count, size_t *ret_groups);
/* Share of positives above the lowest threshold that passes at most this share of the others;
 * equal scores are on the same side. */
double metrics_tpr_at_fpr(struct sample *samples, size_t count, double fpr);
/* Share of positives among the k highest; of equal scores at the edge, the expected share. */
double metrics_precision_at(struct sample *samples, size_t count, size_t k);

/* Shares of the positives and of the others that score above a threshold. */
void metrics_above(const struct sample *samples, size_t count, double threshold, double *ret_tpr,
                   double *ret_fpr);

/* How far AUC and TPR would go if the samples had been drawn anew: the middle 95 % over
 * METRICS_BOOTSTRAP_ROUNDS draws with repetition (Efron 1979; weights by Poisson). */
enum { METRICS_BOOTSTRAP_ROUNDS = 200 };
struct interval {
    double low, high;
};
void metrics_bootstrap(struct sample *samples, size_t count, double fpr, uint64_t seed,
                       struct interval *ret_auc, struct interval *ret_tpr);
