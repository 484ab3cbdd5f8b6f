#include "store/drift.h"

#include <math.h>

#include "base/arena.h"
#include "store/rollup.h"

/* A share that is none has no logarithm; so small a one stands in for it. */
#define SHARE_LEAST 1e-4
enum { DRIFT_EDGES = 4 }; /* looked at for the end of a part; a bin is half a bit wide */

/* How many of the quantiles fall into each bin: the shape of training in the rollups' own bins. */
static void count_then(const float *quantiles, uint64_t ret[static ROLLUP_BINS])
{
    for (int i = 0; i < ROLLUP_BINS; i++)
        ret[i] = 0;
    for (int i = 0; i < MODEL_ROW_QUANTILES; i++)
        ret[rollup_bin((double)quantiles[i])]++;
}

static double term(uint64_t then, uint64_t now, uint64_t then_all, uint64_t now_all)
{
    double a = fmax((double)then / (double)then_all, SHARE_LEAST);
    double b = fmax((double)now / (double)now_all, SHARE_LEAST);

    return (b - a) * log(b / a);
}

/* Where a part that has its share by this bin ends: of the next edges that with the fewest of
 * training on both sides. Pairs seen before lie within half a bit of each other, and a model that
 * learned on says all of them a fraction of a bit more firmly: cut through their midst, they would
 * seem to have moved from one part to the next. */
static int emptiest_edge(const uint64_t *then, int bin)
{
    int best = bin;

    for (int edge = bin + 1; edge < bin + DRIFT_EDGES && edge < ROLLUP_BINS - 1; edge++)
        if (then[edge] + then[edge + 1] < then[best] + then[best + 1])
            best = edge;
    return best;
}

/* Bins are put together from the left until each part holds its share of training. */
static double psi_of(const float *quantiles, const struct rollup *now)
{
    uint64_t then[ROLLUP_BINS], then_part = 0, now_part = 0, now_all = 0;
    int edge = -1; /* of the present part, once it has its share */
    double psi = 0;

    count_then(quantiles, then);
    for (int i = 0; i < ROLLUP_BINS; i++)
        now_all += now->bins[i];
    for (int i = 0; i < ROLLUP_BINS; i++) {
        then_part += then[i];
        now_part += now->bins[i];
        if (edge < i && then_part * DRIFT_PARTS >= MODEL_ROW_QUANTILES && i < ROLLUP_BINS - 1)
            edge = emptiest_edge(then, i);
        if (i != edge && i < ROLLUP_BINS - 1)
            continue;
        psi += term(then_part, now_part, MODEL_ROW_QUANTILES, now_all);
        then_part = now_part = 0;
    }
    return psi;
}

struct drift drift_of(const struct model_spec_row *spec, const struct rollup *now)
{
    struct drift drift = {.observations = (int64_t)now->observations,
                          .psi = NAN,
                          .unknown_share = NAN,
                          .unseen_share = NAN};

    if (now->observations == 0)
        return drift;
    drift.unknown_share = (double)now->unknown_entities / (double)now->observations;
    drift.unseen_share = (double)now->unseen_networks / (double)now->observations;
    if (spec->usual_quantiles != NULL)
        drift.psi = psi_of(spec->usual_quantiles, now);
    return drift;
}

enum err_code drift_list(struct db *db, struct arena *arena, const struct model_row *model,
                         int64_t since_ms, int64_t until_ms, struct drift_list *ret,
                         struct err *err)
{
    size_t room = model->spec_count > 0 ? model->spec_count : 1;

    *ret = (struct drift_list){.items = ARENA_ARRAY(arena, struct drift_row, room)};
    for (; ret->count < model->spec_count; ret->count++) {
        const struct model_spec_row *spec = &model->specs[ret->count];
        struct rollup_filter filter = {
            .since_ms = since_ms, .until_ms = until_ms, .spec = spec->spec, .model = model->id};
        struct rollup now;

        TRY(rollup_sum(db, &filter, &now, err));
        ret->items[ret->count] = (struct drift_row){spec, drift_of(spec, &now)};
    }
    return ERR_NONE;
}
