/* Indexing the pairs and putting the fit's results together. */
#include "model/learn.h"

#include <stdlib.h>
#include <string.h>

#include "base/own.h"
#include "model/trained.h"
#include "model/vector.h"

/* The pairs as numbers. */
struct index {
    uint64_t *hashes; /* of the entities, ascending, distinct */
    size_t entity_count;
    struct ip *addresses; /* ascending, distinct */
    size_t address_count;
    uint32_t *entities, *rows, *ips; /* per pair: index, row of the entity table, address */
};

static int by_value(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

    return (x > y) - (x < y);
}

static int by_ip(const void *a, const void *b)
{
    return ip_compare(a, b);
}

static void index_entities(struct index *index, const struct train_pair *const *pairs, size_t count,
                           bool scoped)
{
    AUTO(own_freep) uint64_t *all = own_array(count, sizeof *all);

    index->hashes = own_array(count, sizeof *index->hashes);
    for (size_t i = 0; i < count; i++)
        all[i] = entity_hash(scoped, pairs[i]->spec, pairs[i]->entity);
    memcpy(index->hashes, all, count * sizeof *all);
    qsort(index->hashes, count, sizeof *all, by_value);
    for (size_t i = 0; i < count; i++)
        if (i == 0 || index->hashes[i] != index->hashes[i - 1])
            index->hashes[index->entity_count++] = index->hashes[i];
    for (size_t i = 0; i < count; i++) {
        const uint64_t *found =
            bsearch(&all[i], index->hashes, index->entity_count, sizeof *all, by_value);

        index->entities[i] = (uint32_t)(found - index->hashes);
    }
}

/* Also finds the prefixes, which count repetitions. */
static uint64_t *index_addresses(struct index *index, const struct train_pair *const *pairs,
                                 size_t count, uint32_t ret_counts[IP_LEVELS])
{
    uint64_t *keys;

    index->addresses = own_array(count, sizeof *index->addresses);
    for (size_t i = 0; i < count; i++)
        index->addresses[i] = prefix_ip(&pairs[i]->ip);
    qsort(index->addresses, count, sizeof *index->addresses, by_ip);
    keys = ip_prefixes_of(index->addresses, count, ret_counts);
    for (size_t i = 0; i < count; i++)
        if (i == 0 || !ip_equal(&index->addresses[i], &index->addresses[index->address_count - 1]))
            index->addresses[index->address_count++] = index->addresses[i];
    for (size_t i = 0; i < count; i++) {
        struct ip ip = prefix_ip(&pairs[i]->ip);
        const struct ip *found =
            bsearch(&ip, index->addresses, index->address_count, sizeof *found, by_ip);

        index->ips[i] = (uint32_t)(found - index->addresses);
    }
    return keys;
}

static void index_done(struct index *index)
{
    own_freep(&index->hashes);
    own_freep(&index->addresses);
    own_freep(&index->entities);
    own_freep(&index->rows);
    own_freep(&index->ips);
}

/* Twice the entities, the next power of two, is what a hashed table would want; only rows that
 * have an entity are kept. */
static uint64_t rows_of(const struct hyper *hyper, size_t entity_count)
{
    uint64_t wanted = (uint64_t)hyper->num_entity_vectors;

    return wanted == 0 || wanted > entity_count ? entity_count : wanted;
}

/* The mean over the entities stands in for those not known. */
static float *with_mean(const struct fit_table *table, const struct index *index)
{
    size_t stride = table->stride;
    float *vectors = own_array((table->rows + 1) * stride, sizeof *vectors);
    float *mean = vectors + table->rows * stride;

    memcpy(vectors, table->values, table->rows * stride * sizeof *vectors);
    for (size_t i = 0; i < index->entity_count; i++) {
        uint64_t row = entity_row(table->rows, index->entity_count, i, index->hashes[i]);

        vector_add(mean, vectors + row * stride, 1 / (float)index->entity_count, stride);
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

static enum err_code run_fit(const struct fit_input *input, const struct train_options *options,
                             bool calibrating, const struct ip_encoder *encoder, struct fit *fit,
                             struct err *err)
{
    struct stage stage = {options->watch, calibrating};
    struct train_watch watch = {tell_stage, &stage};
    AUTO(own_freep) char *checkpoint = NULL;
    struct fit_options chosen = {.hyper = &options->hyper,
                                 .seed = options->seed,
                                 .threads = options->threads,
                                 .kernel = kernel_named(options->kernel),
                                 .watch = options->watch != NULL ? &watch : NULL};

    if (options->checkpoint != NULL)
        chosen.checkpoint = checkpoint = train_checkpoint_name(options->checkpoint, calibrating);
    return fit_run(input, encoder, &chosen, fit, err);
}

static enum err_code fit_vectors(struct index *index, size_t count,
                                 const struct train_options *options, bool calibrating,
                                 struct learned *ret, struct err *err)
{
    AUTO(fit_done) struct fit fit = {0};
    uint64_t rows = rows_of(&options->hyper, index->entity_count);
    struct fit_input input = {.entities = index->rows,
                              .ips = index->ips,
                              .count = count,
                              .addresses = index->addresses,
                              .address_count = index->address_count,
                              .entity_rows = rows};

    for (size_t i = 0; i < count; i++) {
        uint32_t entity = index->entities[i];

        index->rows[i] =
            (uint32_t)entity_row(rows, index->entity_count, entity, index->hashes[entity]);
    }
    TRY(run_fit(&input, options, calibrating, &ret->model.encoder, &fit, err));
    ret->loss = fit.loss;
    ret->accuracy = fit.accuracy;
    ret->entity_vectors = with_mean(&fit.entities, index);
    ret->prefix_vectors = prefixes_and_layers(&fit);
    ret->model.parts.entity_rows = rows;
    return ERR_NONE;
}

static void profile_pairs(const struct index *index, const struct train_pair *const *pairs,
                          size_t count, struct learned *ret)
{
    AUTO(own_freep) struct observation *observations = own_array(count, sizeof *observations);

    for (size_t i = 0; i < count; i++)
        observations[i] = (struct observation){index->entities[i], pairs[i]->ip, pairs[i]->count};
    profile(observations, count, index->entity_count, ret);
}

/* As of the newest pair; one of unknown time is as new. */
static void fit_tree(const struct index *index, const struct train_pair *const *pairs, size_t count,
                     const struct train_options *options, struct learned *ret)
{
    AUTO(own_freep) struct prefix_event *events = own_array(count, sizeof *events);
    uint16_t today = prefix_day(pairs[count - 1]->time_ms);

    for (size_t i = 0; i < count; i++)
        events[i] = prefix_event(index->entities[i], &pairs[i]->ip,
                                 pairs[i]->time_ms > 0 ? prefix_day(pairs[i]->time_ms) : today);
    prefix_fit(events, count, index->entity_count, today, options->half_life_days,
               &ret->model.parts.tree, &ret->prefixes);
    if (options->asn != NULL)
        ret->model.parts.asn = *options->asn;
    prefix_tree_route(&ret->model.parts.tree, &ret->model.parts.asn);
}

static void keep_names(const struct index *index, const struct train_pair *const *pairs,
                       size_t count, struct learned *ret)
{
    AUTO(own_freep) const char **names = own_array(index->entity_count + 1, sizeof *names);

    for (size_t i = 0; i < count; i++)
        names[index->entities[i]] = pairs[i]->entity;
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

enum err_code learn(const struct train_pair *const *pairs, size_t count,
                    const struct train_options *options, bool calibrating, struct learned *ret,
                    struct err *err)
{
    struct model_parts *parts = &ret->model.parts;
    AUTO(index_done)
    struct index index = {.entities = own_array(count, sizeof(uint32_t)),
                          .rows = own_array(count, sizeof(uint32_t)),
                          .ips = own_array(count, sizeof(uint32_t))};
    enum err_code code;

    parts->dim = (uint32_t)options->hyper.vector_dim;
    parts->layers = (uint32_t)options->hyper.num_ip_encoder_layers;
    parts->stride = (uint32_t)vector_stride(parts->dim);
    parts->form = FORM__END - 1;
    parts->detector = options->detector;
    parts->threshold = options->threshold;
    parts->scoped = options->scoped;
    index_entities(&index, pairs, count, options->scoped);
    ret->prefix_keys = index_addresses(&index, pairs, count, parts->prefix_counts);
    code = ip_encoder_init(&ret->model.encoder, ret->prefix_keys, parts->prefix_counts, NULL);
    ASSERT(code == ERR_NONE);
    TRY(fit_vectors(&index, count, options, calibrating, ret, err));
    profile_pairs(&index, pairs, count, ret);
    fit_tree(&index, pairs, count, options, ret);
    ret->entity_hashes = TAKE(index.hashes);
    point_parts(ret, index.entity_count);
    keep_names(&index, pairs, count, ret);
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
