#include "model/opinion.h"

#include <math.h>
#include <string.h>

const char *const DETECTOR_WORDS[] = {"prefix", "ip_insights", NULL};
const char *const OPINION_WORDS[] = {"stranger", "impostor", "newcomer", "ip_insights", NULL};

/* Of attackers, where entities keep apart, those who use the address of another; before
 * FORM_COUNTED. */
#define IMPOSTORS_SHARE 0.25
/* What is shared where nothing tells: others' use then speaks neither for an address nor against
 * it, for as many attackers would use it (s = (1 - 2s) / 4). */
#define SHARED_UNKNOWN (1.0 / 6)
enum { SHARED_ROUNDS = 100, SHARED_PRIOR = 4 };
/* What is not relied upon, however it is in what was held out: that nobody goes where others do, or
 * everybody. */
#define SHARED_LEAST 0.1
#define SHARED_MOST  0.9
/* That others, too, go to the network which the entity knows there counts less against an address
 * than that they go on from there. */
#define COMMON 0.25
/* An address is out of the way when it has less than this of what the entity does. Bits for each
 * halving of it. */
#define RARE_SHARE 0.001
#define RARE       0.5
/* Of what is usual more comes from who is busy: of addresses used before, bits for each doubling of
 * what the entity was observed. */
#define BUSY 0.25
/* An address that has no neighbour of the entity in so much of its bits (a /10, a /20) lies alone;
 * before FORM_COUNTED a /12, a /24. */
#define ISLAND       0.3
#define ISLAND_RATIO 0.375
/* An entity of which so much is at addresses it used before is one that comes back to them. */
#define RETURNS_ENOUGH 0.5
/* Next to a threshold, what an opinion of another unit adds. */
#define NUDGE 0x1p-10

/* Of a new address, the entity's own habits say how likely it goes so far from them; on from there,
 * by the share known to be shared, it goes where others do, and else where its autonomous systems
 * are. */
static double evidence(const struct prefix_score *prefix, double shared)
{
    return prefix->entity + log2((1 - shared) * exp2(prefix->asn) + shared * exp2(prefix->below));
}

static bool lies_alone(enum model_form form, const struct prefix_score *prefix)
{
    double island = form == FORM_RATIO ? ISLAND_RATIO : ISLAND;

    return prefix->once && prefix->firm_bits < island * prefix->length;
}

/* Of an address used before, what is taken off the most there can be, in bits of IPv4: it is seldom
 * used, or others use it more than the entity does, so that somebody else would come by, too. */
static double drawback(const struct prefix_score *prefix)
{
    double own = fmax(prefix->own_share, 1.0 / PREFIX_COUNT_MAX);
    double ret = RARE * fmax(0, log2(RARE_SHARE / own));

    return prefix->others_share > own ? ret + log2(prefix->others_share / own) : ret;
}

/* The bits for the pair, and once more those of the prefix known. An entity that comes back is
 * known by one sighting, and an address it used before is as usual as can be, but for the drawback;
 * unless it was there one time only and never nearby. One that hardly ever comes back is known by
 * two: a single one may have been somebody else. */
static double familiarity(enum model_form form, const struct prefix_score *prefix, double shared,
                          struct habit habit)
{
    double one = fmin(1, habit.returns / RETURNS_ENOUGH), most = 2.0 * prefix->length, bits;

    bits = evidence(prefix, shared) + prefix->firm_bits +
           one * (prefix->known_bits - prefix->firm_bits);
    if (prefix->known_bits == prefix->length && !lies_alone(form, prefix)) {
        double more = BUSY * log2(1 + habit.observed);

        if (form >= FORM_COUNTED)
            more -= drawback(prefix);
        most += more * prefix->length / PREFIX_BITS_V4;
        bits += one * (most - bits);
    }
    return bits;
}

static bool is_own_network(const struct prefix_score *prefix)
{
    return prefix->known_bits >=
           (prefix->length == PREFIX_BITS_V4 ? PREFIX_NETWORK_BITS_V4 : PREFIX_NETWORK_BITS_V6);
}

/* How much likelier the address is for attackers, of whom some use somebody else's, than drawn by
 * chance; 0 where nobody else goes, and in a network that is the entity's own. */
static double temptation(const struct prefix_score *prefix, double others, double share)
{
    if (others <= 0 || share <= 0 || is_own_network(prefix))
        return 0;
    return log2(1 - share + share * exp2(others));
}

/* What others do, of which what is in common with the entity counts less. */
static double others_apart(const struct prefix_score *prefix)
{
    double below = fmax(0, prefix->below);

    return below + COMMON * fmax(0, prefix->others - below);
}

/* A bit of an IPv6 network's 64 counts half: a /64 is as much as an IPv4 address, a /48 as a /24.
 */
static double scaled(const struct prefix_score *prefix, double bits)
{
    return bits * PREFIX_BITS_V4 / prefix->length;
}

/* Of attackers, as many use somebody else's address as of pairs of which nothing tells: so others'
 * use speaks for an address where more of what is new is shared, and against it where less is. */
static void ratio_scores(enum model_form form, const struct prefix_score *prefix, double shared,
                         struct habit habit, double ret[static OPINION__MAX])
{
    double relied = fmin(fmax(shared, SHARED_LEAST), SHARED_MOST), familiar, tempting;

    if (form == FORM_RATIO) {
        familiar = familiarity(form, prefix, shared, habit);
        tempting = temptation(prefix, prefix->others, IMPOSTORS_SHARE * (1 - 2 * shared));
    } else {
        familiar = familiarity(form, prefix, relied, habit);
        tempting = temptation(prefix, others_apart(prefix), SHARED_UNKNOWN);
    }
    ret[OPINION_STRANGER] = -scaled(prefix, familiar);
    ret[OPINION_IMPOSTOR] = tempting > 0 ? scaled(prefix, tempting - familiar) : -INFINITY;
    ret[OPINION_NEWCOMER] = -scaled(prefix, prefix->others);
}

/* As models of version 1 are calibrated. */
static void first_scores(const struct prefix_score *prefix, double shared,
                         double ret[static OPINION__MAX])
{
    double tempting = temptation(prefix, prefix->others, IMPOSTORS_SHARE * (1 - 4 * shared));
    double familiar = prefix->known_bits == prefix->length
                          ? 2.0 * prefix->length
                          : evidence(prefix, shared) + prefix->known_bits;

    ret[OPINION_STRANGER] = 0.0 - familiar;
    ret[OPINION_IMPOSTOR] = tempting != 0 ? tempting - familiar : -INFINITY;
    ret[OPINION_NEWCOMER] = 0.0 - prefix->others;
}

void opinion_scores(enum model_form form, const struct prefix_score *prefix, double shared,
                    struct habit habit, double dot_product, double ret[static OPINION__MAX])
{
    if (form == FORM_FIRST)
        first_scores(prefix, shared, ret);
    else
        ratio_scores(form, prefix, shared, habit, ret);
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

/* Its own opinion says on which side of the threshold it is. How far is in the bits of strangers,
 * so that all pairs rank together: an entity without history is one to whom every place is new. */
static double newcomer_over(double as_stranger, double as_newcomer)
{
    double nudge = as_newcomer * NUDGE;

    return as_newcomer > 0 ? fmax(as_stranger, nudge) : fmin(as_stranger, nudge);
}

double opinion_over(enum model_form form, const double scores[static OPINION__MAX],
                    bool entity_known, const struct sample_part thresholds[static OPINION__MAX],
                    enum opinion *ret_opinion)
{
    double as_stranger = scores[OPINION_STRANGER] - thresholds[OPINION_STRANGER].threshold;
    double as_impostor = scores[OPINION_IMPOSTOR] - thresholds[OPINION_IMPOSTOR].threshold;
    double as_newcomer = scores[OPINION_NEWCOMER] - thresholds[OPINION_NEWCOMER].threshold;

    *ret_opinion = !entity_known               ? OPINION_NEWCOMER
                   : as_impostor > as_stranger ? OPINION_IMPOSTOR
                                               : OPINION_STRANGER;
    if (!entity_known)
        return form == FORM_FIRST ? as_newcomer : newcomer_over(as_stranger, as_newcomer);
    return fmax(as_stranger, as_impostor);
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

void opinion_judge(const struct prefix_score *prefix, struct habit habit, double dot_product,
                   bool entity_known, const struct model_parts *parts, const struct spec_part *spec,
                   struct model_score *ret)
{
    static const struct sample_part NONE[OPINION__MAX];
    const struct sample_part *samples = spec != NULL ? spec->opinions : NONE;
    double scores[OPINION__MAX];

    opinion_scores(parts->form, prefix, spec != NULL ? spec->shared : SHARED_UNKNOWN, habit,
                   dot_product, scores);
    for (int i = 0; i < OPINION__MAX; i++)
        ret->opinions[i] = is_about((enum opinion)i, scores, entity_known)
                               ? opinion_of(scores[i], spec != NULL ? &samples[i] : NULL)
                               : (struct model_opinion){.score = NAN, .percentile = NAN};
    if (parts->detector == DETECTOR_IP_INSIGHTS) {
        ret->opinion = OPINION_IP_INSIGHTS;
        ret->score = scores[OPINION_IP_INSIGHTS];
    } else {
        ret->score = opinion_over(parts->form, scores, entity_known, samples, &ret->opinion);
    }
    ret->threshold = spec != NULL ? spec->all.threshold : NAN;
    ret->flagged = ret->score > ret->threshold;
    ret->percentile = spec == NULL ? NAN
                      : ret->opinion == OPINION_NEWCOMER
                          ? ret->opinions[OPINION_NEWCOMER].percentile
                          : sample_percentile(&spec->all, ret->score);
}
