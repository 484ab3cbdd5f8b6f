/* Training from end to end: order, calibration on the newest fifth, then a fit on everything. */
#include "model/train.h"

#include <inttypes.h>
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

enum err_code train_set_check(const struct train_set *set, const struct train_options *options,
                              struct err *err)
{
    if (set->records.count == 0)
        return err_set(err, ERR_INVALID, "there are no pairs to learn from");
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

/* Of one entity shuffled negatives would be its own addresses, of one address nothing is learned.
 */
static enum err_code check_variety(const struct train_set *set, const struct train_options *options,
                                   struct err *err)
{
    const struct train_entity *entity = set->entities;

    if (set->learned == 0)
        return err_set(err, ERR_INVALID,
                       "there are no pairs to learn from: all of them are of refused traffic, or "
                       "nobody answered");
    if (set->learned_entities > 1)
        return ERR_NONE;
    while (!entity->learned)
        entity++;
    if (set->learned == 1)
        return err_set(err, ERR_INVALID,
                       "there is one pair only, of \"%.80s\": nothing can be learned from it",
                       entity->name);
    if (!set->varied)
        return err_set(err, ERR_INVALID,
                       "all %" PRIu64 " pairs are the same, of \"%.80s\": nothing can be learned "
                       "from them",
                       set->learned, entity->name);
    if (options->hyper.shuffled_negative_sampling_rate > 0)
        return err_set(err, ERR_INVALID,
                       "there is one entity only, \"%.80s\": shuffled negatives would be its own "
                       "addresses; a shuffled_negative_sampling_rate of 0 learns without them",
                       entity->name);
    return ERR_NONE;
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

static char *metrics_json(const struct trained *trained, const struct train_set *set)
{
    const struct calibration *calibration = &trained->calibration;
    struct json_writer writer;
    struct str text;

    str_init(&text, JSON_BYTES_MAX);
    json_writer_init(&writer, &text);
    json_object(&writer, NULL);
    json_int(&writer, "training_pairs", (int64_t)set->learned);
    json_int(&writer, "unanswered_pairs", (int64_t)train_set_unanswered(set));
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

static enum err_code learn_everything(struct train_set *set, const struct train_options *options,
                                      struct trained *trained, struct err *err)
{
    struct learning learning = {.set = set, .options = options};
    struct model_parts *parts = &trained->learned.model.parts;

    TRY(learn(&learning, &trained->learned, err));
    trained->hyperparameters_json = hyperparameters_json(options, parts->entity_count);
    trained->metrics_json = metrics_json(trained, set);
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

enum err_code train_set_run(struct train_set *set, const struct train_options *options,
                            struct trained **ret, struct err *err)
{
    AUTO(trained_freep) struct trained *trained = NULL;
    struct train_options chosen = *options;
    int64_t vectors = options->hyper.num_entity_vectors;

    TRY(train_set_check(set, options, err));
    TRY(check_variety(set, options, err));
    chosen.hyper = hyper_chosen(&options->hyper, (size_t)set->learned, 0);
    chosen.hyper.num_entity_vectors = vectors; /* by the entities, which are not counted yet */
    trained = own_alloc(sizeof *trained);
    TRY(train_set_order(set, err));
    TRY(calibrate(set, &chosen, &trained->calibration, err));
    TRY(learn_everything(set, &chosen, trained, err));
    TRY(check_result(trained, err));
    *ret = TAKE(trained);
    return ERR_NONE;
}

enum err_code train_set_of(const struct train_pair *pairs, size_t count, struct train_set **ret,
                           struct err *err)
{
    AUTO(train_set_freep) struct train_set *set = train_set_new(UINT64_MAX, "/tmp");

    for (size_t i = 0; i < count; i++)
        TRY(train_set_add(set, &pairs[i], err));
    *ret = TAKE(set);
    return ERR_NONE;
}

enum err_code train_run(const struct train_pair *pairs, size_t count,
                        const struct train_options *options, struct trained **ret, struct err *err)
{
    AUTO(train_set_freep) struct train_set *set = NULL;

    TRY(train_set_of(pairs, count, &set, err));
    return train_set_run(set, options, ret, err);
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
