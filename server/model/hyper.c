/* The table of hyperparameters: names, ranges, defaults. */
#include "model/hyper.h"

#include <inttypes.h>

#include "base/json.h"
#include "base/str.h"

const struct hyper HYPER_DEFAULT = {
    .vector_dim = 32,
    .epochs = 5,
    .learning_rate = 0.01,
    .mini_batch_size = 1000,
    .random_negative_sampling_rate = 5,
    .shuffled_negative_sampling_rate = 1,
    .weight_decay = 1e-5,
};

#define WHOLE(member) #member, false, offsetof(struct hyper, member)
#define REAL(member)  #member, true, offsetof(struct hyper, member)
const struct hyper_rule HYPER_RULES[] = {
    {WHOLE(num_entity_vectors), 1, 250e6,
     "entity vectors; more entities than these share them. Twice the entities unless given"},
    {WHOLE(vector_dim), 4, 4096, "numbers in a vector"},
    {WHOLE(epochs), 1, 10000, "passes over the training pairs"},
    {REAL(learning_rate), 1e-6, 10, "step of the optimiser"},
    {WHOLE(mini_batch_size), 1, 500000, "training pairs between two steps"},
    {WHOLE(random_negative_sampling_rate), 0, 500, "random addresses per training pair"},
    {WHOLE(shuffled_negative_sampling_rate), 0, 500, "other entities' addresses per training pair"},
    {REAL(weight_decay), 0, 10, "L2 penalty; over 1e-5 does harm"},
    {WHOLE(num_ip_encoder_layers), 0, 100, "layers over the prefix rows; only 0 is built"},
    {NULL, false, 0, 0, 0, NULL},
};

static double value_of(const struct hyper *hyper, const struct hyper_rule *rule)
{
    const char *member = (const char *)hyper + rule->offset;

    return rule->real ? *(const double *)(const void *)member
                      : (double)*(const int64_t *)(const void *)member;
}

enum err_code hyper_check(const struct hyper *hyper, struct err *err)
{
    for (const struct hyper_rule *rule = HYPER_RULES; rule->name != NULL; rule++) {
        double value = value_of(hyper, rule);

        if (rule->offset == offsetof(struct hyper, num_entity_vectors) && value == 0)
            continue;
        if (!(value >= rule->min && value <= rule->max))
            return err_set(err, ERR_INVALID, "%s is %.10g, and must be from %.10g to %.10g",
                           rule->name, value, rule->min, rule->max);
    }
    if (hyper->num_ip_encoder_layers != 0)
        return err_set(err, ERR_INVALID,
                       "num_ip_encoder_layers is %" PRId64
                       ": only 0 is built, the address's vector is the sum of its prefixes' rows",
                       hyper->num_ip_encoder_layers);
    if (hyper->random_negative_sampling_rate + hyper->shuffled_negative_sampling_rate == 0)
        return err_set(err, ERR_INVALID,
                       "random_negative_sampling_rate and "
                       "shuffled_negative_sampling_rate cannot both be 0");
    return ERR_NONE;
}

void hyper_json(const struct hyper *hyper, uint64_t seed, struct str *ret)
{
    struct json_writer writer;

    json_writer_init(&writer, ret);
    json_object(&writer, NULL);
    for (const struct hyper_rule *rule = HYPER_RULES; rule->name != NULL; rule++) {
        if (rule->real)
            json_real(&writer, rule->name, value_of(hyper, rule));
        else
            json_int(&writer, rule->name, (int64_t)value_of(hyper, rule));
    }
    json_int(&writer, "seed", (int64_t)seed);
    json_end(&writer);
}
