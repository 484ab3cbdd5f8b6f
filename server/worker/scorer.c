#include "worker/scorer.h"

#include "base/arena.h"
#include "base/log.h"
#include "worker/batch.h"
#include "worker/endpoint_model.h"
#include "worker/models.h"

const char *scorer_spec(const struct scorer *scorer, const char *spec)
{
    const struct endpoint_model *endpoint = scorer->set->endpoint;
    const struct model_spec_row *row;

    if (endpoint == NULL)
        return batch_model_spec(scorer->set->model, spec);
    row = model_row_spec(&endpoint->row, spec);
    return row != NULL ? row->spec : NULL;
}

enum err_code scorer_run(const struct scorer *scorer, const struct model_pair *pairs, size_t count,
                         struct arena *arena, struct model_score *ret, uint8_t *ret_why,
                         struct err *err)
{
    const struct endpoint_model *endpoint = scorer->set->endpoint;
    struct remote_result result = {.why = ret_why};
    const struct model_spec_row *spec = NULL;

    if (endpoint == NULL) {
        model_score_pairs(scorer->set->model, pairs, count, ret);
        return ERR_NONE;
    }
    result.dot_products = ARENA_ARRAY(arena, double, count + 1);
    TRY(remote_score(scorer->remote, pairs, count, &result, err));
    if (result.refused > 0)
        log_warn("the endpoint refused pairs", "endpoint=%s pairs=%zu of=%zu reason=%s",
                 endpoint->name, result.refused, count, log_quote(result.reason));
    for (size_t i = 0; i < count; i++) {
        if (ret_why[i] != REMOTE_SCORED)
            continue;
        if (spec == NULL || spec->spec != pairs[i].spec) /* texts of the row itself */
            spec = model_row_spec(&endpoint->row, pairs[i].spec);
        ret[i] = endpoint_model_judge(spec, result.dot_products[i]);
    }
    return ERR_NONE;
}
