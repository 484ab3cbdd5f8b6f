/* The five forms. */
#include "lake/announce.h"

#include <string.h>

#include "aws/s3.h"
#include "base/arena.h"
#include "base/json.h"
#include "base/log.h"
#include "base/own.h"
#include "base/str.h"
#include "lake/scan.h"

/* aws/SOURCE/… and ext/NAME/… (Security Lake user guide, "Source partitioning"). */
static bool is_in_lake(const char *key)
{
    return (str_starts(key, "aws/") || str_starts(key, "ext/")) && scan_is_object_name(key);
}

static const char *unquoted(const char *etag, struct arena *arena)
{
    size_t length = strlen(etag);

    if (length >= 2 && etag[0] == '"' && etag[length - 1] == '"')
        return arena_strndup(arena, etag + 1, length - 2);
    return arena_strdup(arena, etag);
}

static bool etag_ok(const char *etag)
{
    size_t length = strlen(etag);

    return length > 0 && length < S3_ETAG_BYTES - 2 &&
           strspn(etag, "0123456789abcdefABCDEF-") == length;
}

/* It becomes part of a host name that signed requests go to. */
static bool region_ok(const char *region)
{
    size_t length = strlen(region);

    return length > 0 && length < AWS_REGION_BYTES &&
           strspn(region, "abcdefghijklmnopqrstuvwxyz0123456789-") == length;
}

static enum err_code read_size(const struct json *node, uint64_t *ret, struct err *err)
{
    const char *text = json_text_of(node);
    int64_t number = 0;

    if (node == NULL)
        return ERR_NONE;
    if (json_int_of(node, &number) && number >= 0)
        *ret = (uint64_t)number;
    else if (text == NULL || !str_to_u64(text, ret))
        return err_set(err, ERR_INVALID, "the object's size is no number of bytes");
    return ERR_NONE;
}

/* object: {key, size, etag or eTag}; the key form-encoded in S3's own form. */
static enum err_code read_object(const struct json *bucket, const struct json *object,
                                 const char *region, bool encoded, struct arena *arena,
                                 struct announced *ret, struct err *err)
{
    const char *name = json_text_of(json_member(bucket, "name"));
    const char *key = json_text_of(json_member(object, "key"));
    const char *etag = json_text_of(json_member(object, encoded ? "eTag" : "etag"));
    char *plain;

    if (name == NULL || key == NULL)
        return err_set(err, ERR_INVALID, "the notice names no bucket or no key");
    plain = arena_strdup(arena, key);
    if (encoded && !str_percent_decode(key, strlen(key), true, plain))
        return err_set(err, ERR_INVALID, "the key is badly encoded");
    if (!s3_bucket_ok(name) || !s3_key_ok(plain))
        return err_set(err, ERR_INVALID, "the notice names a bucket or key that S3 cannot have");
    if (etag != NULL)
        etag = unquoted(etag, arena);
    if (etag != NULL && !etag_ok(etag))
        return err_set(err, ERR_INVALID, "the notice has an etag that S3 does not give");
    if (region != NULL && !region_ok(region))
        return err_set(err, ERR_INVALID, "the notice names a region that AWS cannot have");
    *ret = (struct announced){.bucket = arena_strdup(arena, name),
                              .key = plain,
                              .etag = etag,
                              .region = arena_strdup(arena, region),
                              .in_lake = is_in_lake(plain)};
    return read_size(json_member(object, "size"), &ret->size_bytes, err);
}

static enum err_code read_records(const struct json *records, struct arena *arena,
                                  struct announcement *ret, struct err *err)
{
    if (json_count(records) > ANNOUNCED_MAX)
        return err_set(err, ERR_INVALID, "the notice has more than %d records", ANNOUNCED_MAX);
    ret->objects = ARENA_ARRAY(arena, struct announced, json_count(records) + 1);
    for (const struct json *record = json_first(records); record != NULL;
         record = json_next(record)) {
        const char *event = json_text_of(json_member(record, "eventName"));
        const struct json *s3 = json_member(record, "s3");

        if (event == NULL || s3 == NULL)
            return err_set(err, ERR_INVALID, "a record has no eventName or no s3");
        if (!str_starts(event, "ObjectCreated:"))
            continue;
        TRY(read_object(json_member(s3, "bucket"), json_member(s3, "object"),
                        json_text_of(json_member(record, "awsRegion")), true, arena,
                        &ret->objects[ret->count], err));
        ret->count++;
    }
    return ERR_NONE;
}

static enum err_code read_node(const struct json *root, int depth, struct arena *arena,
                               struct announcement *ret, struct err *err);

static enum err_code read_text(const char *text, size_t length, int depth, struct arena *arena,
                               struct announcement *ret, struct err *err)
{
    AUTO(json_doc_freep) struct json_doc *doc = NULL;

    if (json_parse(text, length, &doc, err) != ERR_NONE)
        return err_prefix(err, "the notice");
    return read_node(json_root(doc), depth, arena, ret, err);
}

static enum err_code read_inner(const struct json *inner, int depth, struct arena *arena,
                                struct announcement *ret, struct err *err)
{
    const char *text = json_text_of(inner);

    if (depth == ANNOUNCE_DEPTH_MAX)
        return err_set(err, ERR_INVALID, "the notice is wrapped too often");
    if (text != NULL)
        return read_text(text, strlen(text), depth + 1, arena, ret, err);
    return read_node(inner, depth + 1, arena, ret, err);
}

static enum err_code read_node(const struct json *root, int depth, struct arena *arena,
                               struct announcement *ret, struct err *err)
{
    const struct json *detail = json_member(root, "detail");
    const char *detail_type = json_text_of(json_member(root, "detail-type"));
    const char *type = json_text_of(json_member(root, "Type"));
    const char *event = json_text_of(json_member(root, "Event"));

    if (json_type(root) != JSON_OBJECT)
        return err_set(err, ERR_INVALID, "the notice is no JSON object");
    if (json_type(json_member(root, "Records")) == JSON_ARRAY)
        return read_records(json_member(root, "Records"), arena, ret, err);
    if (type != NULL && strcmp(type, "Notification") == 0 && json_member(root, "Message") != NULL)
        return read_inner(json_member(root, "Message"), depth, arena, ret, err);
    if (json_member(root, "body") != NULL)
        return read_inner(json_member(root, "body"), depth, arena, ret, err);
    if (event != NULL && strcmp(event, "s3:TestEvent") == 0)
        return ERR_NONE;
    if (json_type(detail) != JSON_OBJECT)
        return err_set(err, ERR_INVALID, "the notice is of no known form");
    if (detail_type != NULL && strcmp(detail_type, "Object Created") != 0)
        return ERR_NONE;
    ret->objects = ARENA_NEW(arena, struct announced);
    TRY(read_object(json_member(detail, "bucket"), json_member(detail, "object"),
                    json_text_of(json_member(root, "region")), false, arena, &ret->objects[0],
                    err));
    ret->count = 1;
    return ERR_NONE;
}

enum err_code announce_read(const char *body, size_t length, struct arena *arena,
                            struct announcement *ret, struct err *err)
{
    *ret = (struct announcement){0};
    return read_text(body, length, 0, arena, ret, err);
}

void announce_drop_strangers(struct announcement *announcement)
{
    size_t kept = 0;

    for (size_t i = 0; i < announcement->count; i++) {
        if (announcement->objects[i].in_lake)
            announcement->objects[kept++] = announcement->objects[i];
        else
            log_info("not an object of the lake", "key=%s",
                     log_quote(announcement->objects[i].key));
    }
    announcement->count = kept;
}
