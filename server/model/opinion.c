#include "model/opinion.h"

#include <math.h>
#include <string.h>

const char *const DETECTOR_WORDS[] = {"prefix", "ip_insights", NULL};
const char *const OPINION_WORDS[] = {"stranger", "impostor", "newcomer", "ip_insights", NULL};

/* Chosen by held-out training pairs against drawn ones, not by test rows: docs/detection.md. */
/* Of attackers, where entities keep apart, those who use the address of another. */
#define IMPOSTORS_SHARE 0.25
#define SHARED_UNKNOWN  0.05
enum { SHARED_ROUNDS = 100, SHARED_PRIOR = 4 };

/* An address the entity has used before is as usual as can be: how often or how long ago does not
 * make it more of a stranger. Without this, rare and frequent habits are ranked among each other,
 * which says nothing of intrusion (measured: README.md). Of a new address, its own habits say how
 * likely it goes so far from them; on from there, by the share known to be shared, it goes where
 * others do, and else where its autonomous systems are. */
static double stranger(const struct prefix_score *prefix, double shared)
{
    if (prefix->known_bits == prefix->length)
        return -2.0 * prefix->length;
    return -(prefix->entity +
             log2((1 - shared) * exp2(prefix->asn) + shared * exp2(prefix->below)) +
             prefix->known_bits);
}

/* As unusual as a stranger, and more so the likelier the address is for somebody else. That is no
 * reason where all use the same, nor in a network that is the entity's own. */
static double impostor(const struct prefix_score *prefix, double shared)
{
    int own = prefix->length == PREFIX_BITS_V4 ? PREFIX_NETWORK_BITS_V4 : PREFIX_NETWORK_BITS_V6;
    double share = IMPOSTORS_SHARE * (1 - 4 * shared);

    if (prefix->others <= 0 || prefix->known_bits >= own || share <= 0)
        return -INFINITY;
    return stranger(prefix, shared) + log2(1 - share + share * exp2(prefix->others));
}

void opinion_scores(const struct prefix_score *prefix, double shared, double dot_product,
                    double ret[static OPINION__MAX])
{
    ret[OPINION_STRANGER] = stranger(prefix, shared);
    ret[OPINION_IMPOSTOR] = impostor(prefix, shared);
    ret[OPINION_NEWCOMER] = 0.0 - prefix->others;
    ret[OPINION_IP_INSIGHTS] = 0.0 - dot_product;
}

double opinion_shared(const double *below, size_t count)
{
    double shared = SHARED_UNKNOWN;

    for (int round = 0; round < SHARED_ROUNDS; round++) {
        double explained = SHARED_PRIOR * SHARED_UNKNOWN; /* as if so many pairs more were known */

        for (size_t i = 0; i < count; i++) {
            double others = shared * exp2(below[i]);

            explained += others / (1 - shared + others);
        }
        shared = explained / ((double)count + SHARED_PRIOR);
    }
    return shared;
}

double opinion_over(const double scores[static OPINION__MAX], bool entity_known,
                    const struct sample_part thresholds[static OPINION__MAX],
                    enum opinion *ret_opinion)
{
    double as_stranger = scores[OPINION_STRANGER] - thresholds[OPINION_STRANGER].threshold;
    double as_impostor = scores[OPINION_IMPOSTOR] - thresholds[OPINION_IMPOSTOR].threshold;

    *ret_opinion = !entity_known               ? OPINION_NEWCOMER
                   : as_impostor > as_stranger ? OPINION_IMPOSTOR
                                               : OPINION_STRANGER;
    return scores[*ret_opinion] - thresholds[*ret_opinion].threshold;
}

double sample_percentile(const struct sample_part *sample, double score)
{
    const float *quantiles = sample->quantiles;
    size_t low = 0, high = MODEL_QUANTILES - 1;
    double most = 100 - 1000 / (double)sample->sample_size, share;

    if (sample->sample_size == 0 || most <= 0)
        return NAN;
    if (!(score > (double)quantiles[low]))
        return 0;
    if (score >= (double)quantiles[high])
        return most;
    while (high - low > 1) {
        size_t middle = (low + high) / 2;

        if ((double)quantiles[middle] <= score)
            low = middle;
        else
            high = middle;
    }
    share = (double)low +
            (score - (double)quantiles[low]) / ((double)quantiles[high] - (double)quantiles[low]);
    return fmin(most, share * 100 / (MODEL_QUANTILES - 1));
}

/* Of other pairs: a newcomer is no stranger, and the other way round. */
static bool is_about(enum opinion opinion, const double scores[static OPINION__MAX],
                     bool entity_known)
{
    if (opinion == OPINION_IP_INSIGHTS)
        return true;
    return (opinion == OPINION_NEWCOMER) == !entity_known && isfinite(scores[opinion]);
}

static struct model_opinion opinion_of(double score, const struct sample_part *sample)
{
    struct model_opinion opinion = {.score = score, .percentile = NAN};

    if (sample != NULL) {
        opinion.percentile = sample_percentile(sample, score);
        opinion.flagged = score > sample->threshold;
    }
    return opinion;
}

void opinion_judge(const struct prefix_score *prefix, double dot_product, bool entity_known,
                   enum detector detector, const struct spec_part *spec, struct model_score *ret)
{
    static const struct sample_part NONE[OPINION__MAX];
    const struct sample_part *samples = spec != NULL ? spec->opinions : NONE;
    double scores[OPINION__MAX];

    opinion_scores(prefix, spec != NULL ? spec->shared : SHARED_UNKNOWN, dot_product, scores);
    for (int i = 0; i < OPINION__MAX; i++)
        ret->opinions[i] = is_about((enum opinion)i, scores, entity_known)
                               ? opinion_of(scores[i], spec != NULL ? &samples[i] : NULL)
                               : (struct model_opinion){.score = NAN, .percentile = NAN};
    if (detector == DETECTOR_IP_INSIGHTS) {
        ret->opinion = OPINION_IP_INSIGHTS;
        ret->score = scores[OPINION_IP_INSIGHTS];
    } else {
        ret->score = opinion_over(scores, entity_known, samples, &ret->opinion);
    }
    ret->threshold = spec != NULL ? spec->all.threshold : NAN;
    ret->flagged = ret->score > ret->threshold;
    ret->percentile = spec == NULL ? NAN
                      : ret->opinion == OPINION_NEWCOMER
                          ? ret->opinions[OPINION_NEWCOMER].percentile
                          : sample_percentile(&spec->all, ret->score);
}
