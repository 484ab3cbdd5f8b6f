/* Training from end to end: order, calibration on the newest fifth, then a fit on everything. */
#include "model/train.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/hash.h"
#include "base/json.h"
#include "base/own.h"
#include "base/str.h"
#include "model/model_file.h"
#include "model/trained.h"
#include "model/vector.h"

enum { JSON_BYTES_MAX = 16 * 1024 };

static uint64_t shuffle_hash(const struct train_pair *pair)
{
    return hash_bytes(pair->ip.bytes, sizeof pair->ip.bytes,
                      hash_bytes(pair->entity, strlen(pair->entity), 0));
}

/* A total order: what is equal in it is equal in everything that matters. Pairs of one time, or of
 * none, are shuffled by a hash: in the order of names the newest fifth, which calibrates, would be
 * entities that the oldest four fifths have never seen. */
static int by_time(const void *a, const void *b)
{
    const struct train_pair *x = a, *y = b;
    uint64_t hash_x, hash_y;
    int order;

    if (x->time_ms != y->time_ms)
        return x->time_ms < y->time_ms ? -1 : 1;
    order = strcmp(x->spec, y->spec);
    if (order == 0 && (hash_x = shuffle_hash(x)) != (hash_y = shuffle_hash(y)))
        return hash_x < hash_y ? -1 : 1;
    if (order == 0)
        order = strcmp(x->entity, y->entity);
    if (order == 0)
        order = ip_compare(&x->ip, &y->ip);
    if (order == 0)
        order = (x->count > y->count) - (x->count < y->count);
    return order;
}

void train_sort(struct train_pair *pairs, size_t count)
{
    qsort(pairs, count, sizeof *pairs, by_time);
}

enum err_code train_check(size_t count, const struct train_options *options, struct err *err)
{
    if (count == 0)
        return err_set(err, ERR_INVALID, "there are no pairs to learn from");
    if (count > TRAIN_PAIRS_MAX)
        return err_set(err, ERR_INVALID, "there are %zu pairs, and at most %d are learned from",
                       count, TRAIN_PAIRS_MAX);
    if (options->threshold.kind == THRESHOLD_PERCENTILE &&
        !(options->threshold.value >= 0 && options->threshold.value <= 100))
        return err_set(err, ERR_INVALID, "the threshold's percentile must be from 0 to 100");
    if (options->threshold.kind == THRESHOLD_BUDGET && !(options->threshold.value > 0))
        return err_set(err, ERR_INVALID, "the alerts per day must be more than 0");
    if (!(options->half_life_days > 0 && options->half_life_days <= 36500))
        return err_set(err, ERR_INVALID, "the half-life must be from above 0 to 36500 days");
    if (options->threads < 0 || options->threads > TRAIN_THREADS_MAX)
        return err_set(err, ERR_INVALID, "the threads must be from 1 to %d", TRAIN_THREADS_MAX);
    if (kernel_named(options->kernel) == NULL)
        return err_set(err, ERR_INVALID,
                       "this processor runs no loops called \"%s\"; its best are %s",
                       options->kernel, kernel_named(NULL)->name);
    return hyper_check(&options->hyper, err);
}

char *train_checkpoint_name(const char *checkpoint, bool calibrating)
{
    static const char SUFFIX[] = "-calibration";
    size_t length = strlen(checkpoint);
    char *name = own_alloc(length + sizeof SUFFIX);

    memcpy(name, checkpoint, length);
    if (calibrating)
        memcpy(name + length, SUFFIX, sizeof SUFFIX);
    return name;
}

void train_checkpoint_remove(const char *checkpoint)
{
    for (int calibrating = 0; checkpoint != NULL && calibrating < 2; calibrating++) {
        AUTO(own_freep) char *name = train_checkpoint_name(checkpoint, calibrating == 1);

        (void)unlink(name);
    }
}

static char *metrics_json(const struct trained *trained, size_t count)
{
    const struct calibration *calibration = &trained->calibration;
    struct json_writer writer;
    struct str text;

    str_init(&text, JSON_BYTES_MAX);
    json_writer_init(&writer, &text);
    json_object(&writer, NULL);
    json_int(&writer, "training_pairs", (int64_t)count);
    json_real(&writer, "training_loss", round(trained->learned.loss * 1e6) / 1e6);
    json_real(&writer, "training_accuracy", round(trained->learned.accuracy * 1e6) / 1e6);
    json_int(&writer, "held_out_pairs", (int64_t)calibration->held_out);
    json_int(&writer, "held_out_unknown_entities", (int64_t)calibration->unknown_entities);
    json_real(&writer, "held_out_auc_random", calibration->auc_random);
    json_real(&writer, "held_out_auc_shuffled", calibration->auc_shuffled);
    json_end(&writer);
    return str_take(&text);
}

static char *hyperparameters_json(const struct train_options *options, uint64_t entities)
{
    struct hyper hyper = hyper_chosen(&options->hyper, 0, entities);
    struct str text;

    str_init(&text, JSON_BYTES_MAX);
    hyper_json(&hyper, options->seed, &text);
    return str_take(&text);
}

static enum err_code learn_everything(const struct train_pair *pairs, size_t count,
                                      const struct train_options *options, struct trained *trained,
                                      struct err *err)
{
    AUTO(own_freep) const struct train_pair **order = own_array(count, sizeof *order);
    struct model_parts *parts = &trained->learned.model.parts;

    for (size_t i = 0; i < count; i++) {
        order[i] = &pairs[i];
        parts->training_pairs += pairs[i].count;
    }
    TRY(learn(order, count, options, false, &trained->learned, err));
    trained->hyperparameters_json = hyperparameters_json(options, parts->entity_count);
    trained->metrics_json = metrics_json(trained, count);
    parts->trained_until_ms = pairs[count - 1].time_ms;
    parts->specs = trained->calibration.specs;
    parts->spec_count = trained->calibration.spec_count;
    parts->hyperparameters_json = trained->hyperparameters_json;
    parts->metrics_json = trained->metrics_json;
    return ERR_NONE;
}

static bool finite_sample(const struct sample_part *sample)
{
    return isfinite(sample->threshold) && isfinite(sample->quantiles[0]) &&
           isfinite(sample->quantiles[MODEL_QUANTILES - 1]);
}

/* Too large a step makes numbers that are none; such a model would not load. */
static enum err_code check_result(const struct trained *trained, struct err *err)
{
    const struct model_parts *parts = &trained->learned.model.parts;
    float sum =
        vector_dot(parts->entity_vectors + parts->entity_rows * parts->stride,
                   parts->entity_vectors + parts->entity_rows * parts->stride, parts->stride);
    bool finite = isfinite(trained->learned.loss) && isfinite(sum);

    for (size_t i = 0; i < parts->spec_count; i++)
        finite = finite && finite_sample(&parts->specs[i].opinions[OPINION_IP_INSIGHTS]);
    if (!finite)
        return err_set(err, ERR_INVALID,
                       "training diverged: choose a smaller learning_rate or weight_decay");
    return ERR_NONE;
}

enum err_code train_run(struct train_pair *pairs, size_t count, const struct train_options *options,
                        struct trained **ret, struct err *err)
{
    AUTO(trained_freep) struct trained *trained = NULL;
    struct train_options chosen = *options;
    int64_t vectors = options->hyper.num_entity_vectors;

    TRY(train_check(count, options, err));
    chosen.hyper = hyper_chosen(&options->hyper, count, 0);
    chosen.hyper.num_entity_vectors = vectors; /* by the entities, which are not counted yet */
    trained = own_alloc(sizeof *trained);
    train_sort(pairs, count);
    TRY(calibrate(pairs, count, &chosen, &trained->calibration, err));
    TRY(learn_everything(pairs, count, &chosen, trained, err));
    TRY(check_result(trained, err));
    *ret = TAKE(trained);
    return ERR_NONE;
}

const struct model *trained_model(const struct trained *trained)
{
    return &trained->learned.model;
}

enum err_code trained_write(struct trained *trained, const char *path, struct err *err)
{
    struct model *model = &trained->learned.model;

    return model_write(&model->parts, path, model->id, err);
}

void trained_free(struct trained *trained)
{
    if (trained == NULL)
        return;
    if (trained->recalibrated)
        trained->learned.model.parts.tree = (struct prefix_tree){.entity_count = 0};
    learned_done(&trained->learned);
    calibration_done(&trained->calibration);
    own_freep(&trained->hyperparameters_json);
    own_freep(&trained->metrics_json);
    own_freep(&trained);
}

void trained_freep(struct trained **trained)
{
    trained_free(*trained);
    *trained = NULL;
}
