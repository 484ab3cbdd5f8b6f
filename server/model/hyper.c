/* The table of hyperparameters: names, ranges, defaults. */
#include "model/hyper.h"

#include <inttypes.h>

#include "base/json.h"
#include "base/str.h"

enum { BATCHES_WANTED = 100, BATCH_MIN = 50, BATCH_MAX = 500, NEGATIVES_MAX = 500 };

const struct hyper HYPER_DEFAULT = {
    .vector_dim = 32,
    .epochs = 5,
    .learning_rate = 0.01,
    .random_negative_sampling_rate = 5,
    .shuffled_negative_sampling_rate = 1,
    .weight_decay = 1e-5,
};

#define WHOLE(member)  #member, false, false, offsetof(struct hyper, member)
#define CHOSEN(member) #member, false, true, offsetof(struct hyper, member)
#define REAL(member)   #member, true, false, offsetof(struct hyper, member)
const struct hyper_rule HYPER_RULES[] = {
    {CHOSEN(num_entity_vectors), 1, 250e6},
    {WHOLE(vector_dim), 4, 4096},
    {WHOLE(epochs), 1, 10000},
    {REAL(learning_rate), 1e-6, 10},
    {CHOSEN(mini_batch_size), 1, 500000},
    {WHOLE(random_negative_sampling_rate), 0, 500},
    {WHOLE(shuffled_negative_sampling_rate), 0, 500},
    {REAL(weight_decay), 0, 10},
    {WHOLE(num_ip_encoder_layers), 0, 100},
    {NULL, false, false, 0, 0, 0},
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

        if (rule->chosen && value == 0)
            continue;
        if (!(value >= rule->min && value <= rule->max))
            return err_set(err, ERR_INVALID, "%s is %.10g, and must be from %.10g to %.10g",
                           rule->name, value, rule->min, rule->max);
    }
    if (hyper_samples(hyper) < 2 || hyper_samples(hyper) > NEGATIVES_MAX + 1)
        return err_set(err, ERR_INVALID,
                       "random_negative_sampling_rate and shuffled_negative_sampling_rate are %zu "
                       "together, and must be from 1 to %d",
                       hyper_samples(hyper) - 1, NEGATIVES_MAX);
    if ((size_t)hyper->mini_batch_size > HYPER_BATCH_SAMPLES_MAX / hyper_samples(hyper))
        return err_set(err, ERR_INVALID,
                       "mini_batch_size is %" PRId64 " with %zu negatives each, and must be from 1 "
                       "to %zu with so many",
                       hyper->mini_batch_size, hyper_samples(hyper) - 1,
                       HYPER_BATCH_SAMPLES_MAX / hyper_samples(hyper));
    return ERR_NONE;
}

size_t hyper_samples(const struct hyper *hyper)
{
    return 1 + (size_t)hyper->random_negative_sampling_rate +
           (size_t)hyper->shuffled_negative_sampling_rate;
}

struct hyper hyper_chosen(const struct hyper *hyper, size_t pairs, size_t entities)
{
    struct hyper ret = *hyper;
    int64_t batch = (int64_t)pairs / BATCHES_WANTED;

    if (ret.mini_batch_size == 0)
        ret.mini_batch_size = batch < BATCH_MIN ? BATCH_MIN : batch > BATCH_MAX ? BATCH_MAX : batch;
    if (ret.num_entity_vectors == 0) {
        ret.num_entity_vectors = 1;
        while ((uint64_t)ret.num_entity_vectors < 2 * (uint64_t)entities)
            ret.num_entity_vectors *= 2;
    }
    return ret;
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
