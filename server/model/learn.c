/* From records to numbers, and putting the fit's results together. The records are read some times
 * over rather than kept: whatever is made of all of them is a spool. */
#include "model/learn.h"

#include <stdlib.h>
#include <string.h>

#include "base/own.h"
#include "model/profile.h"
#include "model/trained.h"
#include "model/vector.h"

#define NOT_IN_PART UINT32_MAX

/* What one reading of the records finds out. */
struct survey {
    uint32_t *numbers; /* of the set's entities: index in hashes, or NOT_IN_PART */
    uint64_t *hashes;  /* ascending, distinct */
    size_t entity_count;
    uint64_t observations;
    int64_t last_ms;
    struct spool keys[IP_FAMILIES]; /* prefix_key of every record */
};

static void survey_done(struct survey *survey)
{
    own_freep(&survey->numbers);
    own_freep(&survey->hashes);
    for (int f = 0; f < IP_FAMILIES; f++)
        spool_done(&survey->keys[f]);
}

static int by_value(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

    return (x > y) - (x < y);
}

static uint64_t hash_of(const struct learning *learning, uint32_t entity)
{
    return entity_hash(learning->options->scoped, train_set_spec(learning->set, entity),
                       learning->set->entities[entity].name);
}

static void index_entities(const struct learning *learning, struct survey *survey)
{
    uint32_t all = learning->set->entity_count;
    size_t used = 0;

    survey->hashes = own_array((size_t)all + 1, sizeof *survey->hashes);
    for (uint32_t i = 0; i < all; i++)
        if (survey->numbers[i] != NOT_IN_PART)
            survey->hashes[used++] = hash_of(learning, i);
    qsort(survey->hashes, used, sizeof *survey->hashes, by_value);
    for (size_t i = 0; i < used; i++)
        if (i == 0 || survey->hashes[i] != survey->hashes[i - 1])
            survey->hashes[survey->entity_count++] = survey->hashes[i];
    for (uint32_t i = 0; i < all; i++) {
        uint64_t hash = hash_of(learning, i);
        const uint64_t *found;

        if (survey->numbers[i] == NOT_IN_PART)
            continue;
        found = bsearch(&hash, survey->hashes, survey->entity_count, sizeof hash, by_value);
        survey->numbers[i] = (uint32_t)(found - survey->hashes);
    }
}

static enum err_code survey_records(const struct learning *learning, struct survey *survey,
                                    struct err *err)
{
    AUTO(train_walk_done) struct train_walk walk;

    survey->numbers = own_array((size_t)learning->set->entity_count + 1, sizeof(uint32_t));
    memset(survey->numbers, 0xff, learning->set->entity_count * sizeof(uint32_t));
    for (int f = 0; f < IP_FAMILIES; f++)
        spool_init(&survey->keys[f], &learning->set->pool, sizeof(uint64_t));
    train_walk_init(&walk, learning->set, learning->calibrating);
    for (;;) {
        const struct train_record *record;
        uint64_t key;
        int length;

        TRY(train_walk_next(&walk, &record, err));
        if (record == NULL)
            break;
        key = prefix_key(&record->ip, &length);
        TRY(spool_add(&survey->keys[length != PREFIX_BITS_V4], &key, err));
        survey->numbers[record->entity] = 0;
        survey->observations += record->count;
        survey->last_ms = record->time_ms;
    }
    index_entities(learning, survey);
    return ERR_NONE;
}

/* Twice the entities, the next power of two, is what a hashed table would want; only rows that
 * have an entity are kept. */
static uint64_t rows_of(const struct hyper *hyper, size_t entity_count)
{
    uint64_t wanted = (uint64_t)hyper->num_entity_vectors;

    return wanted == 0 || wanted > entity_count ? entity_count : wanted;
}

/* The mean over the entities stands in for those not known. */
static float *with_mean(const struct fit_table *table, const struct survey *survey)
{
    size_t stride = table->stride;
    float *vectors = own_array((table->rows + 1) * stride, sizeof *vectors);
    float *mean = vectors + table->rows * stride;

    memcpy(vectors, table->values, table->rows * stride * sizeof *vectors);
    for (size_t i = 0; i < survey->entity_count; i++) {
        uint64_t row = entity_row(table->rows, survey->entity_count, i, survey->hashes[i]);

        vector_add(mean, vectors + row * stride, 1 / (float)survey->entity_count, stride);
    }
    return vectors;
}

/* The layers' rows behind those of the prefixes. */
static float *prefixes_and_layers(struct fit *fit)
{
    size_t stride = fit->prefixes.stride, rows = fit->prefixes.rows, layers = fit->dense.rows;
    float *floats =
        own_resize(TAKE(fit->prefixes.values), (rows + layers) * stride, sizeof *floats);

    memcpy(floats + rows * stride, fit->dense.values, layers * stride * sizeof *floats);
    return floats;
}

/* Tells the caller's watch which of the two trainings it is. */
struct stage {
    const struct train_watch *outer;
    bool calibrating;
};

static bool tell_stage(void *context, const struct train_report *report)
{
    const struct stage *stage = context;
    struct train_report told = *report;

    told.calibrating = stage->calibrating;
    return stage->outer->tell(stage->outer->context, &told);
}

static enum err_code run_fit(const struct learning *learning, const struct fit_input *input,
                             const struct ip_encoder *encoder, struct fit *fit, struct err *err)
{
    const struct train_options *options = learning->options;
    struct stage stage = {options->watch, learning->calibrating};
    struct train_watch watch = {tell_stage, &stage};
    AUTO(own_freep) char *checkpoint = NULL;
    struct fit_options chosen = {.hyper = &options->hyper,
                                 .seed = options->seed,
                                 .threads = options->threads,
                                 .kernel = kernel_named(options->kernel),
                                 .window_blocks = options->window_blocks,
                                 .watch = options->watch != NULL ? &watch : NULL};

    if (options->checkpoint != NULL)
        chosen.checkpoint = checkpoint =
            train_checkpoint_name(options->checkpoint, learning->calibrating);
    return fit_run(input, encoder, &chosen, fit, err);
}

/* 8 bytes of each record are what the epochs read. */
static enum err_code take_samples(const struct learning *learning, const struct survey *survey,
                                  const struct ip_encoder *encoder, uint64_t rows,
                                  struct spool *samples, struct err *err)
{
    AUTO(train_walk_done) struct train_walk walk;
    AUTO(ip_tree_done) struct ip_tree tree = {.nodes = NULL};

    ip_tree_init(&tree, encoder);
    spool_init(samples, &learning->set->pool, sizeof(struct fit_sample));
    train_walk_init(&walk, learning->set, learning->calibrating);
    for (;;) {
        const struct train_record *record;
        struct fit_sample sample;
        struct ip ip;
        uint32_t entity;

        TRY(train_walk_next(&walk, &record, err));
        if (record == NULL)
            return ERR_NONE;
        ip = prefix_ip(&record->ip);
        entity = survey->numbers[record->entity];
        sample.entity =
            (uint32_t)entity_row(rows, survey->entity_count, entity, survey->hashes[entity]);
        sample.leaf = ip_tree_leaf(&tree, &ip);
        TRY(spool_add(samples, &sample, err));
    }
}

static enum err_code fit_vectors(const struct learning *learning, const struct survey *survey,
                                 struct learned *ret, struct err *err)
{
    AUTO(fit_done) struct fit fit = {0};
    AUTO(spool_done) struct spool samples = {.pool = NULL};
    uint64_t rows = rows_of(&learning->options->hyper, survey->entity_count);
    struct fit_input input = {.samples = &samples, .entity_rows = rows};

    TRY(take_samples(learning, survey, &ret->model.encoder, rows, &samples, err));
    TRY(run_fit(learning, &input, &ret->model.encoder, &fit, err));
    ret->loss = fit.loss;
    ret->accuracy = fit.accuracy;
    ret->entity_vectors = with_mean(&fit.entities, survey);
    ret->prefix_vectors = prefixes_and_layers(&fit);
    ret->model.parts.entity_rows = rows;
    return ERR_NONE;
}

static enum err_code profile_records(const struct learning *learning, const struct survey *survey,
                                     struct learned *ret, struct err *err)
{
    AUTO(profiler_done) struct profiler profiler;
    AUTO(train_walk_done) struct train_walk walk;

    profiler_init(&profiler, &learning->set->pool);
    train_walk_init(&walk, learning->set, learning->calibrating);
    for (;;) {
        const struct train_record *record;

        TRY(train_walk_next(&walk, &record, err));
        if (record == NULL)
            break;
        TRY(profiler_add(&profiler, survey->numbers[record->entity], &record->ip, record->count,
                         err));
    }
    return profiler_end(&profiler, survey->entity_count, ret, err);
}

/* As of the newest pair; one of unknown time is as new. */
static enum err_code fit_tree(const struct learning *learning, const struct survey *survey,
                              struct learned *ret, struct err *err)
{
    AUTO(prefix_events_done) struct prefix_events events = {.last = NULL};
    AUTO(train_walk_done) struct train_walk walk;
    uint16_t newest = prefix_day(survey->last_ms);

    prefix_events_init(&events, &learning->set->pool, survey->entity_count);
    train_walk_init(&walk, learning->set, learning->calibrating);
    for (;;) {
        const struct train_record *record;
        struct prefix_event event;

        TRY(train_walk_next(&walk, &record, err));
        if (record == NULL)
            break;
        event = prefix_event(survey->numbers[record->entity], &record->ip,
                             record->time_ms > 0 ? prefix_day(record->time_ms) : newest);
        event.count = prefix_count(record->count);
        TRY(prefix_events_add(&events, &event, err));
    }
    TRY(prefix_fit(&events, 0, learning->options->half_life_days, &ret->model.parts.tree,
                   &ret->prefixes, err));
    if (learning->options->asn != NULL)
        ret->model.parts.asn = *learning->options->asn;
    prefix_tree_route(&ret->model.parts.tree, &ret->model.parts.asn);
    return ERR_NONE;
}

static void keep_names(const struct learning *learning, const struct survey *survey,
                       struct learned *ret)
{
    AUTO(own_freep) const char **names = own_array(survey->entity_count + 1, sizeof *names);

    for (uint32_t i = 0; i < learning->set->entity_count; i++)
        if (survey->numbers[i] != NOT_IN_PART)
            names[survey->numbers[i]] = learning->set->entities[i].name;
    names_keep(names, ret);
}

static void point_parts(struct learned *learned, size_t entity_count)
{
    struct model_parts *parts = &learned->model.parts;

    parts->entity_count = entity_count;
    parts->prefix_keys = learned->prefix_keys;
    parts->prefix_vectors = learned->prefix_vectors;
    parts->entity_hashes = learned->entity_hashes;
    parts->vector_hashes = learned->entity_hashes;
    parts->vector_count = entity_count;
    parts->entity_vectors = learned->entity_vectors;
    parts->observations = learned->observations;
    parts->network_starts = learned->network_starts;
    parts->networks = learned->networks;
}

enum err_code learn(const struct learning *learning, struct learned *ret, struct err *err)
{
    const struct train_options *options = learning->options;
    struct model_parts *parts = &ret->model.parts;
    AUTO(survey_done) struct survey survey = {.entity_count = 0};

    parts->dim = (uint32_t)options->hyper.vector_dim;
    parts->layers = (uint32_t)options->hyper.num_ip_encoder_layers;
    parts->stride = (uint32_t)vector_stride(parts->dim);
    parts->form = FORM__END - 1;
    parts->detector = options->detector;
    parts->threshold = options->threshold;
    parts->scoped = options->scoped;
    TRY(survey_records(learning, &survey, err));
    parts->training_pairs = survey.observations;
    parts->trained_until_ms = survey.last_ms;
    TRY(ip_prefixes_of(survey.keys, &ret->prefix_keys, parts->prefix_counts, err));
    for (int f = 0; f < IP_FAMILIES; f++)
        spool_done(&survey.keys[f]);
    TRY(ip_encoder_init(&ret->model.encoder, ret->prefix_keys, parts->prefix_counts, err));
    TRY(fit_vectors(learning, &survey, ret, err));
    TRY(profile_records(learning, &survey, ret, err));
    TRY(fit_tree(learning, &survey, ret, err));
    ret->entity_hashes = TAKE(survey.hashes);
    point_parts(ret, survey.entity_count);
    keep_names(learning, &survey, ret);
    return ERR_NONE;
}

void learned_done(struct learned *learned)
{
    ip_encoder_done(&learned->model.encoder);
    own_freep(&learned->entity_hashes);
    own_freep(&learned->prefix_keys);
    own_freep(&learned->entity_vectors);
    own_freep(&learned->prefix_vectors);
    own_freep(&learned->observations);
    own_freep(&learned->network_starts);
    own_freep(&learned->networks);
    own_freep(&learned->names);
    own_freep(&learned->model.name_starts);
    prefix_tree_done(&learned->model.parts.tree);
    prefix_arrays_done(&learned->prefixes);
}
