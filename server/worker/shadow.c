#include "worker/shadow.h"

#include <string.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/log.h"
#include "store/ingest.h"
#include "store/model_life.h"
#include "worker/batch.h"
#include "worker/endpoint_model.h"
#include "worker/models.h"
#include "worker/remote.h"

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

static void compare_file(const struct model_set *set, const struct scored_pair *pairs, size_t count,
                         struct comparing *comparing)
{
    for (size_t i = 0; i < count; i++) {
        struct model_pair pair = {batch_model_spec(set->shadow, pairs[i].spec), pairs[i].entity,
                                  pairs[i].ip};
        struct model_score score;

        if (pair.spec == NULL)
            continue;
        model_score_pairs(set->shadow, &pair, 1, &score);
        add(comparing, &pairs[i], &score);
    }
}

/* Those of a spec that the endpoint was calibrated for; ret_from[i] is the pair behind ret[i]. */
static size_t select_known(const struct endpoint_model *endpoint, const struct scored_pair *pairs,
                           size_t count, struct model_pair *ret, size_t *ret_from)
{
    size_t known = 0;

    for (size_t i = 0; i < count; i++) {
        const struct model_spec_row *row = model_row_spec(&endpoint->row, pairs[i].spec);

        if (row == NULL)
            continue;
        ret[known] = (struct model_pair){row->spec, pairs[i].entity, pairs[i].ip};
        ret_from[known++] = i;
    }
    return known;
}

/* False: it did not answer. */
static bool compare_endpoint(const struct endpoint_model *endpoint, struct shadow_link *link,
                             const struct scored_pair *pairs, size_t count, struct arena *arena,
                             struct comparing *comparing)
{
    struct model_pair *asked = ARENA_ARRAY(arena, struct model_pair, count);
    size_t *from = ARENA_ARRAY(arena, size_t, count);
    struct remote_result result = {.dot_products = ARENA_ARRAY(arena, double, count),
                                   .why = ARENA_ARRAY(arena, uint8_t, count)};
    size_t known = select_known(endpoint, pairs, count, asked, from);
    struct err err = {0};

    if (link->remote == NULL || clock_mono_ms() < link->rests_until_ms)
        return false;
    if (known > 0 && remote_score(link->remote, asked, known, &result, &err) != ERR_NONE) {
        log_warn("the shadow did not score", "endpoint=%s reason=%s", endpoint->name,
                 log_quote(err.text));
        link->rests_until_ms = clock_mono_ms() + SHADOW_REST_MS;
        return false;
    }
    for (size_t i = 0; i < known; i++) {
        const struct model_spec_row *row = model_row_spec(&endpoint->row, asked[i].spec);
        struct model_score score;

        if (result.why[i] != REMOTE_SCORED)
            continue;
        score = endpoint_model_judge(row, result.dot_products[i]);
        add(comparing, &pairs[from[i]], &score);
    }
    return true;
}

const struct comparison *shadow_compare(const struct model_set *set, struct shadow_link *link,
                                        const struct scored_pair *pairs, size_t count,
                                        struct arena *arena)
{
    struct comparing *comparing = ARENA_NEW(arena, struct comparing);

    comparing->result = (struct comparison){.shadow_id = set->shadow_id,
                                            .rows = comparing->rows,
                                            .differences = comparing->differences};
    if (set->shadow != NULL)
        compare_file(set, pairs, count, comparing);
    else if (!compare_endpoint(set->shadow_endpoint, link, pairs, count, arena, comparing))
        return NULL;
    return &comparing->result;
}
