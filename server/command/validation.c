#include "command/validation.h"

#include <stdio.h>

#include "model/draw.h"
#include "model/metrics.h"

enum { NEGATIVE_SEED = 7 };

/* The spec of a pair as the model has it, its only one when it has not that. */
static const char *spec_of(const struct model *model, const char *spec)
{
    struct model_calibration unused;
    struct model_info info;

    model_info(model, &info);
    return model_calibration(model, spec, &unused) ? spec : info.specs[0];
}

void validation_init(struct validation *validation, const struct model *model,
                     uint64_t memory_bytes, const char *folder)
{
    validation->model = model;
    rng_init(&validation->rng, NEGATIVE_SEED);
    spool_pool_init(&validation->pool, memory_bytes, folder);
    spool_init(&validation->samples, &validation->pool, sizeof(struct sample));
}

void validation_done(struct validation *validation)
{
    spool_done(&validation->samples);
}

enum err_code validation_take(void *taker, const struct train_pair *pair, struct err *err)
{
    struct validation *validation = taker;
    const char *spec = spec_of(validation->model, pair->spec);
    const struct model_pair pairs[2] = {
        {spec, pair->entity, pair->ip},
        {spec, pair->entity, draw_ip(&validation->rng, !ip_is_v4(&pair->ip))}};
    double dots[2];

    if (pair->unanswered)
        return ERR_NONE;
    model_dot_products(validation->model, pairs, 2, dots);
    for (int i = 0; i < 2; i++) {
        struct sample sample = {.score = dots[i], .positive = i == 0};

        TRY(spool_add(&validation->samples, &sample, err));
    }
    return ERR_NONE;
}

enum err_code validation_print(struct validation *validation, const char *host, struct err *err)
{
    double auc;

    TRY(metrics_auc_of(&validation->samples, &auc, err));
    (void)printf("#quality_metric: host=%s, validation discriminator_auc <score>=%.17g\n", host,
                 auc);
    return ERR_NONE;
}
