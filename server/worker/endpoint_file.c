#include "worker/endpoint_file.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/json.h"
#include "base/own.h"
#include "base/str.h"
#include "lake/object.h"
#include "worker/endpoint_model.h"

enum { FILE_PATH_BYTES = 4096 };

static void write_spec(struct json_writer *json, const struct model_spec_row *spec)
{
    json_object(json, NULL);
    json_text(json, "spec", spec->spec);
    json_real(json, "threshold", spec->threshold);
    json_int(json, "sample_size", spec->sample_size);
    json_array(json, "quantiles");
    for (int i = 0; i < MODEL_ROW_QUANTILES; i++)
        json_real(json, NULL, (double)spec->quantiles[i]);
    json_end(json);
    json_end(json);
}

enum err_code endpoint_file_write(const char *path, const struct model_row *row, struct err *err)
{
    AUTO(str_done) struct str text = {0};
    struct json_writer json;
    char unnamed[FILE_PATH_BYTES];
    FILE *file;
    bool written;

    str_init(&text, ENDPOINT_FILE_BYTES_MAX);
    json_writer_init(&json, &text);
    json_object(&json, NULL);
    json_text(&json, "id", row->id);
    json_raw(&json, "info", row->info);
    json_array(&json, "specs");
    for (size_t i = 0; i < row->spec_count; i++)
        write_spec(&json, &row->specs[i]);
    json_end(&json);
    json_end(&json);
    TRY(str_check(&text, "the calibration", err));
    if (snprintf(unnamed, sizeof unnamed, "%s.part", path) >= (int)sizeof unnamed)
        return err_set(err, ERR_INVALID, "the name of the calibration's file is too long");
    file = fopen(unnamed, "we");
    if (file == NULL)
        return err_errno(err, ERR_IO, "writing \"%s\"", unnamed);
    written = fwrite(text.text, 1, text.length, file) == text.length;
    if ((fclose(file) != 0) | !written)
        return err_errno(err, ERR_IO, "writing \"%s\"", unnamed);
    if (rename(unnamed, path) != 0)
        return err_errno(err, ERR_IO, "renaming \"%s\" to \"%s\"", unnamed, path);
    return ERR_NONE;
}

static enum err_code read_text(const char *path, struct str *ret, struct err *err)
{
    AUTO(fd_closep) int fd = -1;
    AUTO(own_freep) char *bytes = NULL;
    uint64_t size;
    size_t length;

    TRY(object_open(path, ENDPOINT_FILE_BYTES_MAX, &fd, &size, err));
    bytes = own_alloc((size_t)size + 1);
    TRY(object_read(fd, bytes, (size_t)size, &length, err));
    str_init(ret, ENDPOINT_FILE_BYTES_MAX);
    str_add_bytes(ret, bytes, length);
    return str_check(ret, "the calibration", err);
}

static bool read_quantiles(const struct json *list, float *ret)
{
    size_t count = 0;

    for (const struct json *node = json_first(list); node != NULL; node = json_next(node)) {
        double value;

        if (count == MODEL_ROW_QUANTILES || !json_number_of(node, &value) ||
            (count > 0 && (float)value < ret[count - 1]))
            return false;
        ret[count++] = (float)value;
    }
    return count == MODEL_ROW_QUANTILES;
}

static bool read_spec(const struct json *node, struct arena *arena, struct model_spec_row *ret)
{
    float *quantiles = ARENA_ARRAY(arena, float, MODEL_ROW_QUANTILES);

    *ret = (struct model_spec_row){
        .spec = arena_strdup(arena, json_text_of(json_member(node, "spec"))),
        .quantiles = quantiles,
        .unknown_share = NAN,
        .unseen_share = NAN,
    };
    return ret->spec != NULL && ret->spec[0] != '\0' &&
           json_number_of(json_member(node, "threshold"), &ret->threshold) &&
           json_int_of(json_member(node, "sample_size"), &ret->sample_size) &&
           read_quantiles(json_member(node, "quantiles"), quantiles);
}

enum err_code endpoint_file_read(const char *path, struct endpoint_model *ret, struct err *err)
{
    AUTO(str_done) struct str text = {0};
    AUTO(str_done) struct str info = {0};
    AUTO(json_doc_freep) struct json_doc *doc = NULL;
    const struct json *root, *list;
    struct model_spec_row *specs;
    const char *id;

    TRY(read_text(path, &text, err));
    if (json_parse(text.text, text.length, &doc, err) != ERR_NONE)
        return err_prefix(err, "the calibration \"%.200s\"", path);
    root = json_root(doc);
    list = json_member(root, "specs");
    id = json_text_of(json_member(root, "id"));
    if (id == NULL || strlen(id) >= MODEL_ID_BYTES || json_count(list) == 0 ||
        json_count(list) > MODEL_SPECS_MAX)
        return err_set(err, ERR_INVALID, "\"%.200s\" is no calibration", path);
    str_init(&info, ENDPOINT_FILE_BYTES_MAX);
    json_print(json_member(root, "info"), &info);
    TRY(str_check(&info, "the calibration", err));
    specs = ARENA_ARRAY(&ret->texts, struct model_spec_row, json_count(list));
    ret->row = (struct model_row){.id = arena_strdup(&ret->texts, id),
                                  .detector = ENDPOINT_DETECTOR,
                                  .info = arena_strdup(&ret->texts, info.text),
                                  .specs = specs};
    for (const struct json *node = json_first(list); node != NULL; node = json_next(node))
        if (!read_spec(node, &ret->texts, &specs[ret->row.spec_count++]))
            return err_set(err, ERR_INVALID, "spec %zu of the calibration \"%.200s\" is none",
                           ret->row.spec_count, path);
    return ERR_NONE;
}
