/* JSON, one object; format 1. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/json.h"
#include "base/str.h"
#include "store/backup.h"
#include "store/file_sync.h"

enum { FORMAT = 1, MANIFEST_PATH_BYTES = 4096 };

static enum err_code write_text(const char *path, const struct str *text, struct err *err)
{
    FILE *file = fopen(path, "wxe");
    bool written;

    if (file == NULL)
        return err_errno(err, ERR_IO, "making %s", path);
    written = fwrite(text->text, 1, text->length, file) == text->length;
    if (fclose(file) != 0 || !written)
        return err_errno(err, ERR_IO, "writing %s", path);
    return file_sync(path, err);
}

enum err_code backup_manifest_write(const char *path, const struct backup_manifest *manifest,
                                    struct err *err)
{
    AUTO(str_done) struct str text = {0};
    char part[MANIFEST_PATH_BYTES];
    struct json_writer json;
    enum err_code code;

    str_init(&text, BACKUP_MANIFEST_BYTES_MAX);
    json_writer_init(&json, &text);
    json_object(&json, NULL);
    json_int(&json, "format", FORMAT);
    json_text(&json, "file", manifest->file);
    json_text(&json, "version", manifest->version);
    json_text(&json, "migration", manifest->migration);
    json_time(&json, "made", manifest->made_ms);
    json_int(&json, "bytes", manifest->bytes);
    json_int(&json, "first_seq", manifest->first_seq);
    json_int(&json, "last_seq", manifest->last_seq);
    json_text(&json, "last_hash", manifest->last_hash);
    json_text(&json, "sha256", manifest->sha256);
    json_end(&json);
    str_add_char(&text, '\n');
    TRY(str_check(&text, "a manifest", err));
    if (snprintf(part, sizeof part, "%s.part", path) >= (int)sizeof part)
        return err_set(err, ERR_INVALID, "the path of the manifest is too long");
    (void)unlink(part);
    code = write_text(part, &text, err);
    if (code == ERR_NONE && rename(part, path) != 0)
        code = err_errno(err, ERR_IO, "naming %s", path);
    if (code != ERR_NONE)
        (void)unlink(part);
    return code == ERR_NONE ? folder_sync(path, err) : code;
}

struct wire { /* as it stands in the file */
    int64_t format;
    struct backup_manifest manifest;
};
#define WIRE(member) offsetof(struct wire, manifest.member)
static const struct json_rule RULES[] = {
    {"format", FIELD_INT, offsetof(struct wire, format), JSON_REQUIRED, FORMAT, FORMAT + 0.5, 0,
     NULL, 0},
    {"file", FIELD_TEXT, WIRE(file), JSON_REQUIRED, 0, 0, 255, NULL, 0},
    {"version", FIELD_TEXT, WIRE(version), JSON_REQUIRED, 0, 0, 64, NULL, 0},
    {"migration", FIELD_TEXT, WIRE(migration), JSON_REQUIRED, 0, 0, 255, NULL, 0},
    {"made", FIELD_TIME, WIRE(made_ms), JSON_REQUIRED, 0, 0, 0, NULL, 0},
    {"bytes", FIELD_INT, WIRE(bytes), JSON_REQUIRED, 1, 9e15, 0, NULL, 0},
    {"first_seq", FIELD_INT, WIRE(first_seq), JSON_REQUIRED, 0, 9e15, 0, NULL, 0},
    {"last_seq", FIELD_INT, WIRE(last_seq), JSON_REQUIRED, 0, 9e15, 0, NULL, 0},
    {"last_hash", FIELD_TEXT, WIRE(last_hash), JSON_REQUIRED | JSON_NULLABLE, 0, 0,
     SHA256_HEX_BYTES - 1, NULL, 0},
    {"sha256", FIELD_TEXT, WIRE(sha256), JSON_REQUIRED, 0, 0, SHA256_HEX_BYTES - 1, NULL, 0},
    {NULL, 0, 0, 0, 0, 0, 0, NULL, 0},
};

static enum err_code read_text(const char *path, struct str *ret, struct err *err)
{
    char bytes[4096];
    FILE *file = fopen(path, "re");
    size_t got;

    if (file == NULL)
        return err_errno(err, ERR_IO, "opening the manifest %s", path);
    while ((got = fread(bytes, 1, sizeof bytes, file)) > 0)
        str_add_bytes(ret, bytes, got);
    (void)fclose(file);
    return str_check(ret, "the manifest", err);
}

enum err_code backup_manifest_read(const char *path, struct arena *arena,
                                   struct backup_manifest *ret, struct err *err)
{
    AUTO(str_done) struct str text = {0};
    AUTO(json_doc_freep) struct json_doc *doc = NULL;
    struct json_faults faults;
    struct wire wire = {0};

    str_init(&text, BACKUP_MANIFEST_BYTES_MAX);
    TRY(read_text(path, &text, err));
    if (json_parse(text.text != NULL ? text.text : "", text.length, &doc, err) != ERR_NONE)
        return err_prefix(err, "the manifest %s", path);
    json_faults_init(&faults, arena);
    json_read_object(json_root(doc), RULES, &wire, arena, "", &faults);
    if (json_faults_check(&faults, err) != ERR_NONE)
        return err_prefix(err, "the manifest %s", path);
    *ret = wire.manifest;
    if (strchr(ret->file, '/') != NULL)
        return err_set(err, ERR_INVALID, "the manifest %s: /file is a path and no name", path);
    return ERR_NONE;
}
