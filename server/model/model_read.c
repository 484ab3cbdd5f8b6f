/* Mapping a model file and checking it whole: afterwards scoring needs no check. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <math.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/crypto.h"
#include "base/own.h"
#include "base/str.h"
#include "model/leaves.h"
#include "model/model_file.h"
#include "model/vector.h"

static enum err_code map_file(const char *path, int fd, struct model *model, struct err *err)
{
    struct stat status;
    void *map;

    if (fstat(fd, &status) != 0)
        return err_errno(err, ERR_IO, "reading \"%s\"", path);
    if (!S_ISREG(status.st_mode))
        return err_set(err, ERR_CORRUPT, "it is not a regular file");
    if (status.st_size < (off_t)(sizeof(struct file_header) + SHA256_BYTES))
        return err_set(err, ERR_CORRUPT, "it is too short to be a model");
    map = mmap(NULL, (size_t)status.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (map == MAP_FAILED || map == NULL)
        return err_errno(err, ERR_IO, "mapping \"%s\"", path);
    model->map = map;
    model->map_length = (size_t)status.st_size;
    return ERR_NONE;
}

static enum err_code check_header(const struct model *model, struct err *err)
{
    const struct file_header *header = model->map;

    if (memcmp(header->magic, MODEL_MAGIC, sizeof header->magic) != 0)
        return err_set(err, ERR_CORRUPT, "it is not a pairwatch model");
    if (header->version < FORM_FIRST || header->version >= FORM__END)
        return err_set(err, ERR_CORRUPT,
                       "it is of format version %" PRIu32 ", and this program reads %d to %d",
                       header->version, FORM_FIRST, FORM__END - 1);
    if (header->section_count != SECTION__MAX)
        return err_set(err, ERR_CORRUPT, "it has %" PRIu32 " sections, not %d",
                       header->section_count, SECTION__MAX);
    if (header->file_length != model->map_length)
        return err_set(err, ERR_CORRUPT, "it is %zu bytes long and should be %" PRIu64,
                       model->map_length, header->file_length);
    return ERR_NONE;
}

static enum err_code check_digest(struct model *model, struct err *err)
{
    const uint8_t *bytes = model->map;
    size_t length = model->map_length - SHA256_BYTES;
    uint8_t digest[SHA256_BYTES];

    sha256_of(bytes, length, digest);
    if (memcmp(digest, bytes + length, sizeof digest) != 0)
        return err_set(err, ERR_CORRUPT, "its contents do not match its SHA-256");
    hex_encode(digest, (MODEL_ID_BYTES - 1) / 2, model->id);
    return ERR_NONE;
}

static enum err_code check_sections(const struct model *model, struct err *err)
{
    const struct file_header *header = model->map;
    uint64_t end = sizeof *header, limit = model->map_length - SHA256_BYTES;

    for (int i = 0; i < SECTION__MAX; i++) {
        const struct section *section = &header->sections[i];

        if (section->offset % 64 != 0 || section->offset < end || section->offset > limit ||
            section->length > limit - section->offset)
            return err_set(err, ERR_CORRUPT, "section %d lies outside it", i);
        end = section->offset + section->length;
    }
    return ERR_NONE;
}

static const void *section_of(const struct model *model, int kind)
{
    const struct file_header *header = model->map;

    return (const char *)model->map + header->sections[kind].offset;
}

static uint64_t length_of(const struct model *model, int kind)
{
    const struct file_header *header = model->map;

    return header->sections[kind].length;
}

/* The section is count items of size bytes. */
static bool holds(const struct model *model, int kind, uint64_t count, uint64_t size)
{
    return length_of(model, kind) / size == count && length_of(model, kind) % size == 0;
}

static enum err_code read_meta(struct model *model, struct err *err)
{
    const struct file_meta *meta = section_of(model, SECTION_META);
    struct model_parts *parts = &model->parts;

    if (!holds(model, SECTION_META, 1, sizeof *meta))
        return err_set(err, ERR_CORRUPT, "its description has a wrong length");
    if (meta->dim < 1 || meta->dim > MODEL_DIM_MAX || meta->layers > MODEL_LAYERS_MAX ||
        meta->scoped > 1 || meta->detector >= DETECTOR__MAX || meta->entity_rows < 1 ||
        meta->entity_rows > UINT32_MAX || meta->threshold_kind >= THRESHOLD__MAX ||
        !isfinite(meta->threshold_value))
        return err_set(err, ERR_CORRUPT, "its description is out of bounds");
    parts->dim = meta->dim;
    parts->stride = (uint32_t)vector_stride(meta->dim);
    parts->layers = meta->layers;
    parts->scoped = meta->scoped == 1;
    parts->threshold =
        (struct threshold_rule){(enum threshold_kind)meta->threshold_kind, meta->threshold_value};
    parts->form = (enum model_form)((const struct file_header *)model->map)->version;
    parts->detector = (enum detector)meta->detector;
    parts->trained_until_ms = meta->trained_until_ms;
    parts->training_pairs = meta->training_pairs;
    parts->entity_rows = meta->entity_rows;
    memcpy(parts->prefix_counts, meta->prefix_counts, sizeof parts->prefix_counts);
    return ERR_NONE;
}

static void read_tree(const struct model *model, struct prefix_tree *tree)
{
    tree->entity_count = model->parts.entity_count;
    for (int f = 0; f < PREFIX_FAMILIES; f++) {
        int first = SECTION_PREFIX_TREE + f * TREE__MAX;

        tree->families[f] = (struct prefix_family){
            .starts = section_of(model, first + TREE_STARTS),
            .keys = section_of(model, first + TREE_KEYS),
            .weights = section_of(model, first + TREE_WEIGHTS),
            .days = section_of(model, first + TREE_DAYS),
            .count = length_of(model, first + TREE_KEYS) / sizeof(uint64_t),
            .all_keys = section_of(model, first + TREE_ALL_KEYS),
            .all_entities = section_of(model, first + TREE_ALL_ENTITIES),
        };
    }
}

static void read_asn(const struct model *model, struct asn_table *table)
{
    table->numbers = section_of(model, SECTION_ASN_NUMBERS);
    table->system_count = length_of(model, SECTION_ASN_NUMBERS) / sizeof *table->numbers;
    table->names = section_of(model, SECTION_ASN_NAMES);
    table->names_length = length_of(model, SECTION_ASN_NAMES);
    for (int f = 0; f < PREFIX_FAMILIES; f++) {
        int first = SECTION_ASN_RANGES + f * ASN__MAX;

        table->families[f] = (struct asn_ranges){
            .count = length_of(model, first + ASN_LOWS) / sizeof(uint64_t),
            .lows = section_of(model, first + ASN_LOWS),
            .highs = section_of(model, first + ASN_HIGHS),
            .systems = section_of(model, first + ASN_SYSTEMS),
        };
    }
}

static void read_pointers(struct model *model)
{
    struct model_parts *parts = &model->parts;

    parts->specs = section_of(model, SECTION_SPECS);
    parts->spec_count = length_of(model, SECTION_SPECS) / sizeof *parts->specs;
    parts->hyperparameters_json = section_of(model, SECTION_HYPERPARAMETERS);
    parts->metrics_json = section_of(model, SECTION_METRICS);
    parts->prefix_keys = section_of(model, SECTION_PREFIX_KEYS);
    parts->prefix_vectors = section_of(model, SECTION_PREFIX_VECTORS);
    parts->entity_count = length_of(model, SECTION_ENTITY_HASHES) / sizeof(uint64_t);
    parts->entity_hashes = section_of(model, SECTION_ENTITY_HASHES);
    parts->entity_vectors = section_of(model, SECTION_ENTITY_VECTORS);
    parts->vector_count = length_of(model, SECTION_VECTOR_HASHES) / sizeof(uint64_t);
    parts->vector_hashes = section_of(model, SECTION_VECTOR_HASHES);
    parts->observations = section_of(model, SECTION_OBSERVATIONS);
    parts->network_starts = section_of(model, SECTION_NETWORK_STARTS);
    parts->networks = section_of(model, SECTION_NETWORKS);
    parts->entity_names = section_of(model, SECTION_ENTITY_NAMES);
    parts->entity_names_length = length_of(model, SECTION_ENTITY_NAMES);
    read_asn(model, &parts->asn);
    read_tree(model, &parts->tree);
}

static bool ends_with_nul(const struct model *model, enum section_kind kind)
{
    const char *text = section_of(model, kind);
    uint64_t length = length_of(model, kind);

    return length > 0 && memchr(text, '\0', length) == text + length - 1;
}

static enum err_code check_lengths(const struct model *model, struct err *err)
{
    const struct model_parts *parts = &model->parts;
    uint64_t entities = parts->entity_count, keys = 0, row = parts->stride * sizeof(float);
    struct dense dense = parts_dense(parts);

    for (int level = 0; level < IP_LEVELS; level++)
        keys += parts->prefix_counts[level];
    if (parts->spec_count < 1 || parts->spec_count > MODEL_SPECS_MAX ||
        !holds(model, SECTION_SPECS, parts->spec_count, sizeof *parts->specs) ||
        !ends_with_nul(model, SECTION_HYPERPARAMETERS) || !ends_with_nul(model, SECTION_METRICS) ||
        !holds(model, SECTION_PREFIX_KEYS, keys, sizeof(uint64_t)) ||
        !holds(model, SECTION_PREFIX_VECTORS, keys + IP_LEVELS + dense_rows(&dense), row) ||
        !holds(model, SECTION_ENTITY_HASHES, entities, sizeof(uint64_t)) ||
        !holds(model, SECTION_VECTOR_HASHES, parts->vector_count, sizeof(uint64_t)) ||
        !holds(model, SECTION_ENTITY_VECTORS, parts->entity_rows + 1, row) ||
        !holds(model, SECTION_OBSERVATIONS, entities, sizeof(uint64_t)) ||
        !holds(model, SECTION_NETWORK_STARTS, entities + 1, sizeof(uint64_t)))
        return err_set(err, ERR_CORRUPT, "its sections' lengths contradict each other");
    return ERR_NONE;
}

/* Starts ascend from 0 by at most `most` to what the section holds. */
static bool starts_hold(const struct model *model, const uint64_t *starts, uint64_t most, int kind,
                        uint64_t size)
{
    uint64_t entities = model->parts.entity_count;

    if (starts[0] != 0)
        return false;
    for (uint64_t i = 0; i < entities; i++)
        if (starts[i + 1] < starts[i] || starts[i + 1] - starts[i] > most)
            return false;
    return holds(model, kind, starts[entities], size);
}

static bool ascend(const uint64_t *hashes, uint64_t count)
{
    for (uint64_t i = 1; i < count; i++)
        if (hashes[i] <= hashes[i - 1])
            return false;
    return true;
}

static enum err_code check_entities(const struct model *model, struct err *err)
{
    const struct model_parts *parts = &model->parts;

    if (!ascend(parts->entity_hashes, parts->entity_count) ||
        !ascend(parts->vector_hashes, parts->vector_count))
        return err_set(err, ERR_CORRUPT, "its entities are not in order");
    for (uint64_t i = 0; i < parts->entity_count; i++)
        if (parts->observations[i] == 0)
            return err_set(err, ERR_CORRUPT, "it has an entity without observations");
    if (!starts_hold(model, parts->network_starts, MODEL_NETWORKS_MAX, SECTION_NETWORKS,
                     sizeof *parts->networks))
        return err_set(err, ERR_CORRUPT, "its entities' networks contradict each other");
    return ERR_NONE;
}

static enum err_code check_finite(const float *numbers, uint64_t count, const char *what,
                                  struct err *err)
{
    for (uint64_t i = 0; i < count; i++)
        if (!isfinite(numbers[i]))
            return err_set(err, ERR_CORRUPT, "its %s hold a number that is none", what);
    return ERR_NONE;
}

static enum err_code check_sample(const struct sample_part *sample, struct err *err)
{
    if (!isfinite(sample->threshold) ||
        !(sample->threshold_percentile >= 0 && sample->threshold_percentile <= 100))
        return err_set(err, ERR_CORRUPT, "its calibration is out of bounds");
    TRY(check_finite(sample->quantiles, MODEL_QUANTILES, "quantiles", err));
    for (int i = 1; i < MODEL_QUANTILES; i++)
        if (sample->quantiles[i] < sample->quantiles[i - 1])
            return err_set(err, ERR_CORRUPT, "its quantiles do not ascend");
    return ERR_NONE;
}

static enum err_code check_spec(const struct spec_part *spec, struct err *err)
{
    if (memchr(spec->name, '\0', sizeof spec->name) == NULL)
        return err_set(err, ERR_CORRUPT, "the name of a spec does not end");
    if (!(spec->shared >= 0 && spec->shared <= 1))
        return err_set(err, ERR_CORRUPT, "its share of what is shared is out of bounds");
    for (int i = 0; i < OPINION__MAX; i++)
        TRY(check_sample(&spec->opinions[i], err));
    TRY(check_finite(spec->usual.quantiles, MODEL_QUANTILES, "quantiles", err));
    if (!(spec->usual.unknown_share >= 0 && spec->usual.unseen_share >= 0))
        return err_set(err, ERR_CORRUPT, "its shares are out of bounds");
    return check_sample(&spec->all, err);
}

static const double WEIGHT_MAX = (double)PREFIX_ENTITY_ADDRESSES_MAX * PREFIX_COUNT_MAX;

/* An entity's addresses ascend, and what they weigh. */
static bool entity_holds(const struct prefix_family *family, uint64_t start, uint64_t end)
{
    for (uint64_t i = start; i < end; i++) {
        float before = i > start ? family->weights[i - 1] : 0;

        if ((i > start && family->keys[i] <= family->keys[i - 1]) ||
            !(family->weights[i] >= before) || (double)family->weights[i] > WEIGHT_MAX)
            return false;
    }
    return true;
}

static enum err_code check_family(const struct model *model, int f, struct err *err)
{
    const struct prefix_family *family = &model->parts.tree.families[f];
    uint64_t entities = model->parts.entity_count, count = family->count;
    int first = SECTION_PREFIX_TREE + f * TREE__MAX;
    bool good = count <= PREFIX_ADDRESSES_MAX &&
                holds(model, first + TREE_STARTS, entities + 1, sizeof(uint64_t)) &&
                starts_hold(model, family->starts, PREFIX_ENTITY_ADDRESSES_MAX, first + TREE_KEYS,
                            sizeof(uint64_t)) &&
                holds(model, first + TREE_WEIGHTS, count, sizeof(float)) &&
                holds(model, first + TREE_DAYS, count, sizeof(uint16_t)) &&
                holds(model, first + TREE_ALL_KEYS, count, sizeof(uint64_t)) &&
                holds(model, first + TREE_ALL_ENTITIES, count, sizeof(uint32_t));

    for (uint64_t i = 0; good && i < entities; i++)
        good = entity_holds(family, family->starts[i], family->starts[i + 1]);
    for (uint64_t i = 0; good && i < count; i++)
        good = family->all_entities[i] < entities &&
               (i == 0 || family->all_keys[i] >= family->all_keys[i - 1]);
    if (!good)
        return err_set(err, ERR_CORRUPT, "its entities' addresses contradict each other");
    return ERR_NONE;
}

static enum err_code check_asn(const struct model *model, struct err *err)
{
    const struct asn_table *table = &model->parts.asn;
    bool good = holds(model, SECTION_ASN_NUMBERS, table->system_count, sizeof(uint32_t));

    for (int f = 0; good && f < PREFIX_FAMILIES; f++) {
        int first = SECTION_ASN_RANGES + f * ASN__MAX;
        uint64_t count = table->families[f].count;

        good = holds(model, first + ASN_LOWS, count, sizeof(uint64_t)) &&
               holds(model, first + ASN_HIGHS, count, sizeof(uint64_t)) &&
               holds(model, first + ASN_SYSTEMS, count, sizeof(uint32_t));
    }
    if (!good || !asn_table_holds(table))
        return err_set(err, ERR_CORRUPT, "its table of autonomous systems contradicts itself");
    return ERR_NONE;
}

static enum err_code check_parts(struct model *model, struct err *err)
{
    const struct model_parts *parts = &model->parts;
    struct dense dense = parts_dense(parts);

    TRY(check_lengths(model, err));
    TRY(check_entities(model, err));
    for (int f = 0; f < PREFIX_FAMILIES; f++)
        TRY(check_family(model, f, err));
    TRY(check_asn(model, err));
    if (!names_index(model))
        return err_set(err, ERR_CORRUPT, "it has not one name for each of its entities");
    prefix_tree_index(&model->parts.tree);
    prefix_tree_route(&model->parts.tree, &parts->asn);
    for (size_t i = 0; i < parts->spec_count; i++)
        TRY(check_spec(&parts->specs[i], err));
    TRY(ip_encoder_init(&model->encoder, parts->prefix_keys, parts->prefix_counts, err));
    TRY(check_finite(parts->prefix_vectors,
                     (ip_encoder_rows(&model->encoder) + dense_rows(&dense)) * parts->stride,
                     "prefix vectors", err));
    return check_finite(parts->entity_vectors, (parts->entity_rows + 1) * parts->stride,
                        "entity vectors", err);
}

static enum err_code read_model(const char *path, int fd, struct model *model, struct err *err)
{
    TRY(map_file(path, fd, model, err));
    TRY(check_header(model, err));
    TRY(check_digest(model, err));
    TRY(check_sections(model, err));
    TRY(read_meta(model, err));
    read_pointers(model);
    return check_parts(model, err);
}

enum err_code model_load(const char *path, struct model **ret, struct err *err)
{
    AUTO(model_freep) struct model *model = own_alloc(sizeof *model);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    enum err_code code;

    if (fd < 0 && errno == ENOENT)
        return err_set(err, ERR_NOT_FOUND,
                       "there is no model file \"%s\": `pairwatch train --out %s` makes one", path,
                       path);
    if (fd < 0)
        return err_errno(err, ERR_IO, "opening \"%s\"", path);
    code = read_model(path, fd, model, err);
    (void)close(fd);
    if (code == ERR_CORRUPT)
        return err_prefix(err, "model file \"%s\" cannot be used", path);
    model->leaves = leaves_new();
    if (code == ERR_NONE)
        *ret = TAKE(model);
    return code;
}

void model_free(struct model *model)
{
    if (model == NULL)
        return;
    leaves_freep(&model->leaves);
    ip_encoder_done(&model->encoder);
    prefix_tree_done(&model->parts.tree);
    own_freep(&model->name_starts);
    if (model->map != NULL)
        (void)munmap(model->map, model->map_length);
    own_freep(&model);
}

void model_freep(struct model **model)
{
    model_free(*model);
    *model = NULL;
}
