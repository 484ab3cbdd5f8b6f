#include "worker/shadow.h"

#include <string.h>

#include "base/arena.h"
#include "store/ingest.h"
#include "store/model_life.h"
#include "worker/batch.h"
#include "worker/models.h"

enum { DIFFERENCES_OF_BATCH_MAX = 1000 };

struct comparing {
    struct comparison_row rows[MODEL_SPECS_MAX];
    struct difference_row differences[DIFFERENCES_OF_BATCH_MAX];
    struct comparison result;
};

static struct comparison_row *row_of(struct comparing *comparing, const char *spec)
{
    size_t count = comparing->result.count;

    if (count > 0 && strcmp(comparing->rows[count - 1].spec, spec) == 0)
        return &comparing->rows[count - 1];
    if (count == MODEL_SPECS_MAX)
        return NULL;
    comparing->rows[count] = (struct comparison_row){.spec = spec};
    comparing->result.count++;
    return &comparing->rows[count];
}

static void add(struct comparing *comparing, const struct scored_pair *pair,
                const struct model_score *score)
{
    struct comparison_row *row = row_of(comparing, pair->spec);

    if (row == NULL)
        return;
    row->pairs++;
    row->by_both += pair->flagged && score->flagged;
    row->only_active += pair->flagged && !score->flagged;
    row->only_shadow += !pair->flagged && score->flagged;
    if (pair->flagged == score->flagged ||
        comparing->result.difference_count == DIFFERENCES_OF_BATCH_MAX)
        return;
    comparing->differences[comparing->result.difference_count++] =
        (struct difference_row){.spec = pair->spec,
                                .entity = pair->entity,
                                .ip = pair->ip,
                                .time = pair->first_ms,
                                .active_score = pair->score,
                                .shadow_score = score->score,
                                .active_threshold = pair->threshold,
                                .shadow_threshold = score->threshold,
                                .shadow_flagged = score->flagged};
}

const struct comparison *shadow_compare(const struct model_set *set,
                                        const struct scored_pair *pairs, size_t count,
                                        struct arena *arena)
{
    struct comparing *comparing = ARENA_NEW(arena, struct comparing);

    comparing->result = (struct comparison){.shadow_id = set->shadow_id,
                                            .rows = comparing->rows,
                                            .differences = comparing->differences};
    for (size_t i = 0; i < count; i++) {
        struct model_pair pair = {batch_model_spec(set->shadow, pairs[i].spec), pairs[i].entity,
                                  pairs[i].ip};
        struct model_score score;

        if (pair.spec == NULL)
            continue;
        model_score_pairs(set->shadow, &pair, 1, &score);
        add(comparing, &pairs[i], &score);
    }
    return &comparing->result;
}
