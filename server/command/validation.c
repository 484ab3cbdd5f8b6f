#include "command/validation.h"

#include <stdio.h>

#include "base/hash.h"
#include "base/own.h"
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

double discriminator_auc(const struct model *model, const struct pairs_input *input)
{
    AUTO(own_freep) struct sample *samples = own_array(2 * input->count + 1, sizeof *samples);
    struct rng rng;

    rng_init(&rng, NEGATIVE_SEED);
    for (size_t i = 0; i < input->count; i++) {
        const struct train_pair *seen = &input->pairs[i];
        const char *spec = spec_of(model, seen->spec);
        const struct model_pair pairs[2] = {
            {spec, seen->entity, seen->ip},
            {spec, seen->entity, draw_ip(&rng, !ip_is_v4(&seen->ip))}};
        double dots[2];

        model_dot_products(model, pairs, 2, dots);
        samples[2 * i] = (struct sample){.score = dots[0], .positive = true};
        samples[2 * i + 1] = (struct sample){.score = dots[1], .positive = false};
    }
    return metrics_auc(samples, 2 * input->count);
}

void print_discriminator_auc(const char *host, const struct model *model,
                             const struct pairs_input *input)
{
    (void)printf("#quality_metric: host=%s, validation discriminator_auc <score>=%.17g\n", host,
                 discriminator_auc(model, input));
}
