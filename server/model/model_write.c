/* Writing a model file. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/crypto.h"
#include "base/str.h"
#include "model/model_file.h"

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "the file is mapped as it is");
const char MODEL_MAGIC[8] = {'p', 'w', 'm', 'o', 'd', 'e', 'l', '\n'};

enum { ALIGNMENT = 64, PATH_BYTES_MAX = 4096 };

struct piece {
    const void *bytes;
    uint64_t length;
};

struct output {
    FILE *file;
    struct sha256 *sha;
    uint64_t offset;
    bool failed;
};

static void put(struct output *output, const void *bytes, uint64_t length)
{
    if (length > 0 && fwrite(bytes, 1, length, output->file) != length)
        output->failed = true;
    if (length > 0)
        sha256_add(output->sha, bytes, length);
    output->offset += length;
}

static void put_padding(struct output *output)
{
    static const char ZEROS[ALIGNMENT] = {0};

    put(output, ZEROS, (ALIGNMENT - output->offset % ALIGNMENT) % ALIGNMENT);
}

static void tree_pieces(const struct prefix_tree *tree, struct piece *ret)
{
    for (int f = 0; f < PREFIX_FAMILIES; f++, ret += TREE__MAX) {
        const struct prefix_family *family = &tree->families[f];
        uint64_t count = family->count;

        ret[TREE_STARTS] =
            (struct piece){family->starts, (tree->entity_count + 1) * sizeof(uint64_t)};
        ret[TREE_KEYS] = (struct piece){family->keys, count * sizeof(uint64_t)};
        ret[TREE_WEIGHTS] = (struct piece){family->weights, count * sizeof(float)};
        ret[TREE_DAYS] = (struct piece){family->days, count * sizeof(uint16_t)};
        ret[TREE_ALL_KEYS] = (struct piece){family->all_keys, count * sizeof(uint64_t)};
        ret[TREE_ALL_ENTITIES] = (struct piece){family->all_entities, count * sizeof(uint32_t)};
    }
}

static void asn_pieces(const struct asn_table *table, struct piece ret[static SECTION__MAX])
{
    ret[SECTION_ASN_NUMBERS] =
        (struct piece){table->numbers, table->system_count * sizeof *table->numbers};
    ret[SECTION_ASN_NAMES] = (struct piece){table->names, table->names_length};
    for (int f = 0; f < PREFIX_FAMILIES; f++) {
        const struct asn_ranges *ranges = &table->families[f];
        struct piece *pieces = ret + SECTION_ASN_RANGES + f * ASN__MAX;

        pieces[ASN_LOWS] = (struct piece){ranges->lows, ranges->count * sizeof *ranges->lows};
        pieces[ASN_HIGHS] = (struct piece){ranges->highs, ranges->count * sizeof *ranges->highs};
        pieces[ASN_SYSTEMS] =
            (struct piece){ranges->systems, ranges->count * sizeof *ranges->systems};
    }
}

static void pieces_of(const struct model_parts *parts, const struct file_meta *meta,
                      struct piece ret[static SECTION__MAX])
{
    uint64_t entities = parts->entity_count, keys = 0, row = parts->stride * sizeof(float);
    struct dense dense = parts_dense(parts);

    for (int level = 0; level < IP_LEVELS; level++)
        keys += parts->prefix_counts[level];
    ret[SECTION_META] = (struct piece){meta, sizeof *meta};
    ret[SECTION_SPECS] = (struct piece){parts->specs, parts->spec_count * sizeof *parts->specs};
    ret[SECTION_HYPERPARAMETERS] =
        (struct piece){parts->hyperparameters_json, strlen(parts->hyperparameters_json) + 1};
    ret[SECTION_METRICS] = (struct piece){parts->metrics_json, strlen(parts->metrics_json) + 1};
    ret[SECTION_PREFIX_KEYS] = (struct piece){parts->prefix_keys, keys * sizeof(uint64_t)};
    ret[SECTION_PREFIX_VECTORS] =
        (struct piece){parts->prefix_vectors, (keys + IP_LEVELS + dense_rows(&dense)) * row};
    ret[SECTION_ENTITY_HASHES] = (struct piece){parts->entity_hashes, entities * sizeof(uint64_t)};
    ret[SECTION_VECTOR_HASHES] =
        (struct piece){parts->vector_hashes, parts->vector_count * sizeof(uint64_t)};
    ret[SECTION_ENTITY_VECTORS] =
        (struct piece){parts->entity_vectors, (parts->entity_rows + 1) * row};
    ret[SECTION_OBSERVATIONS] = (struct piece){parts->observations, entities * sizeof(uint64_t)};
    ret[SECTION_NETWORK_STARTS] =
        (struct piece){parts->network_starts, (entities + 1) * sizeof(uint64_t)};
    ret[SECTION_NETWORKS] =
        (struct piece){parts->networks, parts->network_starts[entities] * sizeof *parts->networks};
    ret[SECTION_ENTITY_NAMES] = (struct piece){parts->entity_names, parts->entity_names_length};
    asn_pieces(&parts->asn, ret);
    tree_pieces(&parts->tree, ret + SECTION_PREFIX_TREE);
}

static struct file_header header_of(enum model_form form,
                                    const struct piece pieces[static SECTION__MAX])
{
    struct file_header header = {.version = (uint32_t)form, .section_count = SECTION__MAX};
    uint64_t offset = sizeof header;

    memcpy(header.magic, MODEL_MAGIC, sizeof header.magic);
    for (int i = 0; i < SECTION__MAX; i++) {
        offset = (offset + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
        header.sections[i] = (struct section){offset, pieces[i].length};
        offset += pieces[i].length;
    }
    header.file_length = offset + SHA256_BYTES;
    return header;
}

static void put_model(struct output *output, const struct model_parts *parts,
                      char ret_id[static MODEL_ID_BYTES])
{
    struct file_meta meta = {.dim = parts->dim,
                             .scoped = parts->scoped,
                             .detector = parts->detector,
                             .layers = parts->layers,
                             .trained_until_ms = parts->trained_until_ms,
                             .training_pairs = parts->training_pairs,
                             .entity_rows = parts->entity_rows,
                             .threshold_kind = parts->threshold.kind,
                             .threshold_value = parts->threshold.value};
    struct piece pieces[SECTION__MAX];
    struct file_header header;
    uint8_t digest[SHA256_BYTES];

    memcpy(meta.prefix_counts, parts->prefix_counts, sizeof meta.prefix_counts);
    pieces_of(parts, &meta, pieces);
    header = header_of(parts->form, pieces);
    put(output, &header, sizeof header);
    for (int i = 0; i < SECTION__MAX; i++) {
        put_padding(output);
        put(output, pieces[i].bytes, pieces[i].length);
    }
    sha256_end(output->sha, digest);
    if (fwrite(digest, 1, sizeof digest, output->file) != sizeof digest)
        output->failed = true;
    hex_encode(digest, (MODEL_ID_BYTES - 1) / 2, ret_id);
}

static enum err_code write_file(const struct model_parts *parts, const char *path,
                                char ret_id[static MODEL_ID_BYTES], struct err *err)
{
    struct output output = {.file = fopen(path, "wbe")};
    bool failed;

    if (output.file == NULL)
        return err_errno(err, ERR_IO, "creating \"%s\"", path);
    output.sha = sha256_new();
    put_model(&output, parts, ret_id);
    failed = output.failed || fflush(output.file) != 0 || fsync(fileno(output.file)) != 0;
    if (fclose(output.file) != 0 || failed)
        return err_errno(err, ERR_IO, "writing \"%s\"", path);
    return ERR_NONE;
}

enum err_code model_write(const struct model_parts *parts, const char *path,
                          char ret_id[static MODEL_ID_BYTES], struct err *err)
{
    char temporary[PATH_BYTES_MAX];
    enum err_code code;

    if ((size_t)snprintf(temporary, sizeof temporary, "%s.new", path) >= sizeof temporary)
        return err_set(err, ERR_INVALID, "the model file's path is too long");
    code = write_file(parts, temporary, ret_id, err);
    if (code == ERR_NONE && rename(temporary, path) != 0)
        code = err_errno(err, ERR_IO, "renaming \"%s\" to \"%s\"", temporary, path);
    if (code != ERR_NONE)
        (void)unlink(temporary);
    return code;
}
