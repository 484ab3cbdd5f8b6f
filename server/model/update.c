/* Learning on: a model's prefix tree and what it knows of entities, with more pairs. */
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/str.h"
#include "model/trained.h"

enum { UPDATE_JSON_BYTES_MAX = 16 * 1024 };

/* A pair as the prefix tree sees it, under its entity's hash. */
struct identity {
    uint64_t entity, key;
    uint16_t family;
};

static struct identity identity_of(bool scoped, const struct train_pair *pair)
{
    struct prefix_event event = prefix_event(0, &pair->ip, 0);

    return (struct identity){entity_hash(scoped, pair->spec, pair->entity), event.key,
                             event.family};
}

static int by_identity(const void *a, const void *b)
{
    const struct identity *x = a, *y = b;

    if (x->entity != y->entity)
        return x->entity < y->entity ? -1 : 1;
    if (x->key != y->key)
        return x->key < y->key ? -1 : 1;
    return (x->family > y->family) - (x->family < y->family);
}

static int by_value(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

    return (x > y) - (x < y);
}

/* base's entities and those of the pairs. */
static void join_entities(const struct model_parts *base, const struct identity *pairs,
                          size_t count, struct learned *ret)
{
    uint64_t *all = own_array(base->entity_count + count, sizeof *all);
    uint64_t used = 0, room = base->entity_count + count;

    memcpy(all, base->entity_hashes, base->entity_count * sizeof *all);
    for (size_t i = 0; i < count; i++)
        all[base->entity_count + i] = pairs[i].entity;
    qsort(all, room, sizeof *all, by_value);
    for (uint64_t i = 0; i < room; i++)
        if (used == 0 || all[used - 1] != all[i])
            all[used++] = all[i];
    ret->entity_hashes = all;
    ret->model.parts.entity_hashes = all;
    ret->model.parts.entity_count = used;
}

static void join_names(const struct model *base, const struct identity *pairs,
                       const struct train_pair *from, size_t count, struct learned *ret)
{
    const struct model_parts *parts = &ret->model.parts;
    AUTO(own_freep) const char **names = own_array(parts->entity_count + 1, sizeof *names);

    for (size_t i = 0; i < count; i++)
        names[entity_find(parts, pairs[i].entity)] = from[i].entity;
    for (uint64_t i = 0; i < base->parts.entity_count; i++)
        names[entity_find(parts, base->parts.entity_hashes[i])] = entity_name(base, i);
    names_keep(names, ret);
}

static void join_tree(const struct model_parts *base, const struct identity *pairs,
                      const struct train_pair *from, size_t count, const struct identity *forgotten,
                      size_t forgotten_count, double half_life_days, struct learned *ret)
{
    const struct model_parts *parts = &ret->model.parts;
    uint64_t room = count + base->tree.families[0].count + base->tree.families[1].count;
    AUTO(own_freep) struct prefix_event *events = own_array(room + 1, sizeof *events);
    uint16_t today = prefix_day(from[count - 1].time_ms);
    size_t used = 0;

    for (int f = 0; f < PREFIX_FAMILIES; f++) {
        const struct prefix_family *family = &base->tree.families[f];

        for (uint64_t entity = 0; entity < base->entity_count; entity++) {
            uint32_t index = (uint32_t)entity_find(parts, base->entity_hashes[entity]);

            for (uint64_t i = family->starts[entity]; i < family->starts[entity + 1]; i++) {
                struct identity known = {base->entity_hashes[entity], family->keys[i], (uint16_t)f};

                if (bsearch(&known, forgotten, forgotten_count, sizeof known, by_identity) == NULL)
                    events[used++] =
                        (struct prefix_event){family->keys[i], index, family->days[i], (uint16_t)f};
            }
        }
    }
    for (size_t i = 0; i < count; i++)
        if (bsearch(&pairs[i], forgotten, forgotten_count, sizeof pairs[i], by_identity) == NULL)
            events[used++] = (struct prefix_event){
                pairs[i].key, (uint32_t)entity_find(parts, pairs[i].entity),
                from[i].time_ms > 0 ? prefix_day(from[i].time_ms) : today, pairs[i].family};
    prefix_fit(events, used, parts->entity_count, today, half_life_days, &ret->model.parts.tree,
               &ret->prefixes);
}

/* The networks that base kept count as observations of their own; those that it did not keep are
 * in the entity's sum. */
static void join_networks(const struct model_parts *base, const struct identity *pairs,
                          const struct train_pair *from, size_t count, struct learned *ret)
{
    struct model_parts *parts = &ret->model.parts;
    uint64_t kept = base->network_starts[base->entity_count];
    AUTO(own_freep)
    struct observation *observations = own_array(kept + count + 1, sizeof *observations);
    size_t used = 0;

    for (uint64_t entity = 0; entity < base->entity_count; entity++)
        for (uint64_t i = base->network_starts[entity]; i < base->network_starts[entity + 1]; i++) {
            struct observation *observation = &observations[used++];

            observation->entity = (uint32_t)entity_find(parts, base->entity_hashes[entity]);
            observation->count = base->networks[i].observations;
            memcpy(observation->ip.bytes, base->networks[i].ip, sizeof observation->ip.bytes);
        }
    for (size_t i = 0; i < count; i++)
        observations[used++] = (struct observation){(uint32_t)entity_find(parts, pairs[i].entity),
                                                    from[i].ip, from[i].count};
    profile(observations, used, parts->entity_count, ret);
    for (uint64_t entity = 0; entity < base->entity_count; entity++) {
        uint64_t other = base->observations[entity];

        for (uint64_t i = base->network_starts[entity]; i < base->network_starts[entity + 1]; i++)
            other -=
                base->networks[i].observations < other ? base->networks[i].observations : other;
        ret->observations[entity_find(parts, base->entity_hashes[entity])] += other;
    }
    parts->observations = ret->observations;
    parts->network_starts = ret->network_starts;
    parts->networks = ret->networks;
}

static char *update_json(const struct model *base, const struct trained *trained, size_t count,
                         size_t forgotten)
{
    struct json_writer writer;
    struct str text;

    str_init(&text, UPDATE_JSON_BYTES_MAX);
    json_writer_init(&writer, &text);
    json_object(&writer, NULL);
    json_text(&writer, "learned_on_from", base->id);
    json_int(&writer, "training_pairs", (int64_t)count);
    json_int(&writer, "forgotten_pairs", (int64_t)forgotten);
    json_int(&writer, "held_out_pairs", (int64_t)trained->calibration.held_out);
    json_int(&writer, "held_out_unknown_entities", (int64_t)trained->calibration.unknown_entities);
    json_end(&writer);
    return str_take(&text);
}

static char *recalibrated_json(const struct model *base, const struct trained *trained)
{
    struct json_writer writer;
    struct str text;

    str_init(&text, UPDATE_JSON_BYTES_MAX);
    json_writer_init(&writer, &text);
    json_object(&writer, NULL);
    json_text(&writer, "calibrated_from", base->id);
    json_int(&writer, "held_out_pairs", (int64_t)trained->calibration.held_out);
    json_int(&writer, "held_out_unknown_entities", (int64_t)trained->calibration.unknown_entities);
    json_end(&writer);
    return str_take(&text);
}

/* The parts but the texts and specs are base's own. */
enum err_code train_recalibrate(const struct model *base, struct train_pair *pairs, size_t count,
                                const struct train_options *options, struct trained **ret,
                                struct err *err)
{
    AUTO(trained_freep) struct trained *trained = NULL;
    struct model_parts *parts;

    TRY(train_check(count, options, err));
    trained = own_alloc(sizeof *trained);
    parts = &trained->learned.model.parts;
    train_sort(pairs, count);
    TRY(calibrate_update(base, pairs, count, options, &trained->calibration, err));
    *parts = base->parts;
    trained->recalibrated = true;
    TRY(ip_encoder_init(&trained->learned.model.encoder, parts->prefix_keys, parts->prefix_counts,
                        err));
    trained->hyperparameters_json = own_strdup(base->parts.hyperparameters_json);
    trained->metrics_json = recalibrated_json(base, trained);
    parts->hyperparameters_json = trained->hyperparameters_json;
    parts->metrics_json = trained->metrics_json;
    parts->specs = trained->calibration.specs;
    parts->spec_count = trained->calibration.spec_count;
    *ret = TAKE(trained);
    return ERR_NONE;
}

static struct identity *identities(bool scoped, const struct train_pair *pairs, size_t count)
{
    struct identity *ret = own_array(count + 1, sizeof *ret);

    for (size_t i = 0; i < count; i++)
        ret[i] = identity_of(scoped, &pairs[i]);
    return ret;
}

enum err_code train_update(const struct model *base, struct train_pair *pairs, size_t count,
                           const struct train_pair *forgotten, size_t forgotten_count,
                           const struct train_options *options, struct trained **ret,
                           struct err *err)
{
    AUTO(trained_freep) struct trained *trained = NULL;
    AUTO(own_freep) struct identity *known = NULL;
    AUTO(own_freep) struct identity *bad = NULL;
    bool scoped = base->parts.scoped;
    struct model_parts *parts;

    TRY(train_check(count, options, err));
    trained = own_alloc(sizeof *trained);
    parts = &trained->learned.model.parts;
    train_sort(pairs, count);
    TRY(calibrate_update(base, pairs, count, options, &trained->calibration, err));
    *parts = base->parts;
    parts->tree = (struct prefix_tree){.entity_count = 0};
    TRY(ip_encoder_init(&trained->learned.model.encoder, parts->prefix_keys, parts->prefix_counts,
                        err));
    known = identities(scoped, pairs, count);
    bad = identities(scoped, forgotten, forgotten_count);
    qsort(bad, forgotten_count, sizeof *bad, by_identity);
    join_entities(&base->parts, known, count, &trained->learned);
    join_names(base, known, pairs, count, &trained->learned);
    join_tree(&base->parts, known, pairs, count, bad, forgotten_count, options->half_life_days,
              &trained->learned);
    parts->threshold = options->threshold;
    if (options->asn != NULL)
        parts->asn = *options->asn;
    prefix_tree_route(&parts->tree, &parts->asn);
    join_networks(&base->parts, known, pairs, count, &trained->learned);
    for (size_t i = 0; i < count; i++)
        parts->training_pairs += pairs[i].count;
    if (pairs[count - 1].time_ms > parts->trained_until_ms)
        parts->trained_until_ms = pairs[count - 1].time_ms;
    trained->hyperparameters_json = own_strdup(base->parts.hyperparameters_json);
    trained->metrics_json = update_json(base, trained, count, forgotten_count);
    parts->hyperparameters_json = trained->hyperparameters_json;
    parts->metrics_json = trained->metrics_json;
    parts->specs = trained->calibration.specs;
    parts->spec_count = trained->calibration.spec_count;
    *ret = TAKE(trained);
    return ERR_NONE;
}
