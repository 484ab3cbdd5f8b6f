/* Learning on: a model's prefix tree and what it knows of entities, with more pairs. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/str.h"
#include "model/profile.h"
#include "model/trained.h"

enum { UPDATE_JSON_BYTES_MAX = 16 * 1024 };

/* A pair as the prefix tree sees it, under its entity's hash. */
struct identity {
    uint64_t entity, key;
    uint16_t family;
};

static struct identity identity_of(uint64_t entity, const struct ip *ip)
{
    struct prefix_event event = prefix_event(0, ip, 0);

    return (struct identity){entity, event.key, event.family};
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

/* What is learned from, and what not. */
struct update {
    const struct model *base;
    struct train_set *set;
    const struct train_options *options;
    const struct identity *forgotten; /* in order */
    size_t forgotten_count;
    uint64_t *hashes;  /* of the set's entities */
    uint32_t *numbers; /* of them among all */
    uint64_t observations;
    int64_t last_ms;
};

static void update_done(struct update *update)
{
    own_freep(&update->hashes);
    own_freep(&update->numbers);
}

/* base's entities and those of the set. */
static void join_entities(struct update *update, struct learned *ret)
{
    const struct model_parts *base = &update->base->parts;
    const struct train_set *set = update->set;
    struct model_parts *parts = &ret->model.parts;
    uint64_t room = base->entity_count, used = 0;
    uint64_t *all = own_array(room + set->entity_count + 1, sizeof *all);

    update->hashes = own_array((size_t)set->entity_count + 1, sizeof *update->hashes);
    update->numbers = own_array((size_t)set->entity_count + 1, sizeof *update->numbers);
    memcpy(all, base->entity_hashes, base->entity_count * sizeof *all);
    for (uint32_t i = 0; i < set->entity_count; i++) {
        update->hashes[i] =
            entity_hash(base->scoped, train_set_spec(set, i), set->entities[i].name);
        if (set->entities[i].learned)
            all[room++] = update->hashes[i];
    }
    qsort(all, room, sizeof *all, by_value);
    for (uint64_t i = 0; i < room; i++)
        if (used == 0 || all[used - 1] != all[i])
            all[used++] = all[i];
    ret->entity_hashes = all;
    parts->entity_hashes = all;
    parts->entity_count = used;
    for (uint32_t i = 0; i < set->entity_count; i++)
        update->numbers[i] = (uint32_t)entity_find(parts, update->hashes[i]);
}

static void join_names(const struct update *update, struct learned *ret)
{
    const struct model_parts *parts = &ret->model.parts, *base = &update->base->parts;
    AUTO(own_freep) const char **names = own_array(parts->entity_count + 1, sizeof *names);

    for (uint32_t i = 0; i < update->set->entity_count; i++)
        if (update->set->entities[i].learned)
            names[update->numbers[i]] = update->set->entities[i].name;
    for (uint64_t i = 0; i < base->entity_count; i++)
        names[entity_find(parts, base->entity_hashes[i])] = entity_name(update->base, i);
    names_keep(names, ret);
}

static bool is_forgotten(const struct update *update, const struct identity *identity)
{
    return update->forgotten_count > 0 &&
           bsearch(identity, update->forgotten, update->forgotten_count, sizeof *identity,
                   by_identity) != NULL;
}

static uint16_t last_day(const struct prefix_tree *tree, uint64_t entity)
{
    uint16_t last = 0;

    for (int f = 0; f < PREFIX_FAMILIES; f++)
        for (uint64_t i = tree->families[f].starts[entity];
             i < tree->families[f].starts[entity + 1]; i++)
            if (prefix_last_seen(tree->families[f].days[i]) > last)
                last = prefix_last_seen(tree->families[f].days[i]);
    return last;
}

/* How often an address was used, as of the day it was last: what it weighs, grown back. last: the
 * entity's last day. */
static uint16_t base_count(const struct update *update, const struct prefix_family *family,
                           uint64_t start, uint64_t i, uint16_t last)
{
    uint16_t least = (family->days[i] & PREFIX_ONCE) != 0 ? 1 : 2;
    double weight = (double)family->weights[i] - (i > start ? (double)family->weights[i - 1] : 0);
    double age = last - prefix_last_seen(family->days[i]);

    if (update->base->parts.form < FORM_COUNTED)
        return least;
    weight *= exp2(age / update->options->half_life_days);
    return (uint16_t)fmin(fmax(weight + 0.5, least), PREFIX_COUNT_MAX);
}

static enum err_code add_base_events(const struct update *update, const struct model_parts *parts,
                                     struct prefix_events *events, struct err *err)
{
    const struct model_parts *base = &update->base->parts;

    for (int f = 0; f < PREFIX_FAMILIES; f++) {
        const struct prefix_family *family = &base->tree.families[f];

        for (uint64_t entity = 0; entity < base->entity_count; entity++) {
            uint32_t index = (uint32_t)entity_find(parts, base->entity_hashes[entity]);
            uint64_t start = family->starts[entity];
            uint16_t last = last_day(&base->tree, entity);

            for (uint64_t i = start; i < family->starts[entity + 1]; i++) {
                struct identity known = {base->entity_hashes[entity], family->keys[i], (uint16_t)f};
                struct prefix_event event = {.key = family->keys[i],
                                             .entity = index,
                                             .family = (uint32_t)f & 1,
                                             .day = prefix_last_seen(family->days[i]),
                                             .count = base_count(update, family, start, i, last)};

                if (!is_forgotten(update, &known))
                    TRY(prefix_events_add(events, &event, err));
            }
        }
    }
    return ERR_NONE;
}

/* Also sums up what the set has. */
static enum err_code add_events(struct update *update, struct prefix_events *events, uint16_t today,
                                struct err *err)
{
    AUTO(train_walk_done) struct train_walk walk;

    train_walk_init(&walk, update->set, false);
    for (;;) {
        const struct train_record *record;
        struct identity known;
        struct prefix_event event;

        TRY(train_walk_next(&walk, &record, err));
        if (record == NULL)
            return ERR_NONE;
        update->observations += record->count;
        known = identity_of(update->hashes[record->entity], &record->ip);
        event =
            (struct prefix_event){.key = known.key,
                                  .entity = update->numbers[record->entity],
                                  .family = known.family & 1,
                                  .day = record->time_ms > 0 ? prefix_day(record->time_ms) : today,
                                  .count = prefix_count(record->count)};
        if (!is_forgotten(update, &known))
            TRY(prefix_events_add(events, &event, err));
    }
}

static enum err_code join_tree(struct update *update, struct learned *ret, struct err *err)
{
    struct model_parts *parts = &ret->model.parts;
    AUTO(prefix_events_done) struct prefix_events events = {.last = NULL};
    struct train_record last;
    uint16_t today;

    TRY(spool_read(&update->set->records, update->set->records.count - 1, 1, &last, err));
    update->last_ms = last.time_ms;
    today = prefix_day(last.time_ms);
    prefix_events_init(&events, &update->set->pool, parts->entity_count);
    events.by_address = parts->form < FORM_COUNTED;
    TRY(add_base_events(update, parts, &events, err));
    TRY(add_events(update, &events, today, err));
    return prefix_fit(&events, today, update->options->half_life_days, &parts->tree, &ret->prefixes,
                      err);
}

/* The networks that base kept count as observations of their own; those that it did not keep are
 * in the entity's sum. */
static enum err_code add_uses(const struct update *update, const struct model_parts *parts,
                              struct profiler *profiler, struct err *err)
{
    const struct model_parts *base = &update->base->parts;
    AUTO(train_walk_done) struct train_walk walk = {.set = NULL};

    for (uint64_t entity = 0; entity < base->entity_count; entity++)
        for (uint64_t i = base->network_starts[entity]; i < base->network_starts[entity + 1]; i++) {
            struct ip ip;

            memcpy(ip.bytes, base->networks[i].ip, sizeof ip.bytes);
            TRY(profiler_add(profiler, (uint32_t)entity_find(parts, base->entity_hashes[entity]),
                             &ip, base->networks[i].observations, err));
        }
    train_walk_init(&walk, update->set, false);
    for (;;) {
        const struct train_record *record;

        TRY(train_walk_next(&walk, &record, err));
        if (record == NULL)
            return ERR_NONE;
        TRY(profiler_add(profiler, update->numbers[record->entity], &record->ip, record->count,
                         err));
    }
}

static enum err_code join_networks(const struct update *update, struct learned *ret,
                                   struct err *err)
{
    const struct model_parts *base = &update->base->parts;
    struct model_parts *parts = &ret->model.parts;
    AUTO(profiler_done) struct profiler profiler;

    profiler_init(&profiler, &update->set->pool);
    TRY(add_uses(update, parts, &profiler, err));
    TRY(profiler_end(&profiler, parts->entity_count, ret, err));
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
    return ERR_NONE;
}

static char *update_json(const struct model *base, const struct trained *trained,
                         const struct train_set *set, size_t forgotten)
{
    struct json_writer writer;
    struct str text;

    str_init(&text, UPDATE_JSON_BYTES_MAX);
    json_writer_init(&writer, &text);
    json_object(&writer, NULL);
    json_text(&writer, "learned_on_from", base->id);
    json_int(&writer, "training_pairs", (int64_t)set->learned);
    json_int(&writer, "unanswered_pairs", (int64_t)train_set_unanswered(set));
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
enum err_code train_recalibrate(const struct model *base, const struct train_pair *pairs,
                                size_t count, const struct train_options *options,
                                struct trained **ret, struct err *err)
{
    AUTO(trained_freep) struct trained *trained = own_alloc(sizeof *trained);
    AUTO(train_set_freep) struct train_set *set = NULL;
    struct model_parts *parts = &trained->learned.model.parts;

    TRY(train_set_of(pairs, count, &set, err));
    TRY(train_set_check(set, options, err));
    TRY(train_set_order(set, err));
    TRY(calibrate_update(base, set, options, &trained->calibration, err));
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
        ret[i] = identity_of(entity_hash(scoped, pairs[i].spec, pairs[i].entity), &pairs[i].ip);
    qsort(ret, count, sizeof *ret, by_identity);
    return ret;
}

/* All that pairs tell of. */
static enum err_code join(struct update *update, struct trained *trained, struct err *err)
{
    struct learned *learned = &trained->learned;
    struct model_parts *parts = &learned->model.parts;

    *parts = update->base->parts;
    parts->tree = (struct prefix_tree){.entity_count = 0};
    TRY(ip_encoder_init(&learned->model.encoder, parts->prefix_keys, parts->prefix_counts, err));
    join_entities(update, learned);
    join_names(update, learned);
    TRY(join_tree(update, learned, err));
    parts->threshold = update->options->threshold;
    if (update->options->asn != NULL)
        parts->asn = *update->options->asn;
    prefix_tree_route(&parts->tree, &parts->asn);
    TRY(join_networks(update, learned, err));
    parts->training_pairs += update->observations;
    if (update->last_ms > parts->trained_until_ms)
        parts->trained_until_ms = update->last_ms;
    return ERR_NONE;
}

enum err_code train_set_update(const struct model *base, struct train_set *set,
                               const struct train_pair *forgotten, size_t forgotten_count,
                               const struct train_options *options, struct trained **ret,
                               struct err *err)
{
    AUTO(trained_freep) struct trained *trained = NULL;
    AUTO(own_freep) struct identity *bad = NULL;
    AUTO(update_done) struct update update = {.base = base, .set = set, .options = options};
    struct model_parts *parts;

    TRY(train_set_check(set, options, err));
    trained = own_alloc(sizeof *trained);
    parts = &trained->learned.model.parts;
    TRY(train_set_order(set, err));
    TRY(calibrate_update(base, set, options, &trained->calibration, err));
    update.forgotten = bad = identities(base->parts.scoped, forgotten, forgotten_count);
    update.forgotten_count = forgotten_count;
    TRY(join(&update, trained, err));
    trained->hyperparameters_json = own_strdup(base->parts.hyperparameters_json);
    trained->metrics_json = update_json(base, trained, set, forgotten_count);
    parts->hyperparameters_json = trained->hyperparameters_json;
    parts->metrics_json = trained->metrics_json;
    parts->specs = trained->calibration.specs;
    parts->spec_count = trained->calibration.spec_count;
    *ret = TAKE(trained);
    return ERR_NONE;
}

enum err_code train_update(const struct model *base, const struct train_pair *pairs, size_t count,
                           const struct train_pair *forgotten, size_t forgotten_count,
                           const struct train_options *options, struct trained **ret,
                           struct err *err)
{
    AUTO(train_set_freep) struct train_set *set = NULL;

    TRY(train_set_of(pairs, count, &set, err));
    return train_set_update(base, set, forgotten, forgotten_count, options, ret, err);
}
