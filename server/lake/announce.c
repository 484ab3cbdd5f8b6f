/* The five forms. */
#include "lake/announce.h"

#include <string.h>

#include "aws/s3.h"
#include "base/arena.h"
#include "base/clock.h"
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

/* A text on its way: where it stands in the body, and what is made of it. */
struct reading {
    struct arena *arena;
    struct announcement *ret;
    const char *at; /* pointer to the value being read */
    int depth;      /* how often it is wrapped */
    bool in_text;   /* inside a text: pointers go no deeper */
};

/* A fault at a place below the value being read. */
#define REFUSE(reading, place, err, ...)                                                           \
    (point_at((reading), (place)), err_set((err), ERR_INVALID, __VA_ARGS__))

static void point_at(struct reading *r, const char *place)
{
    r->ret->fault = r->in_text ? r->at : arena_printf(r->arena, "%s%s", r->at, place);
}

static enum err_code read_size(struct reading *r, const struct json *node, const char *place,
                               uint64_t *ret, struct err *err)
{
    const char *text = json_text_of(node);
    int64_t number = 0;

    if (node == NULL)
        return ERR_NONE;
    if (json_int_of(node, &number) && number >= 0)
        *ret = (uint64_t)number;
    else if (text == NULL || !str_to_u64(text, ret))
        return REFUSE(r, place, err, "the object's size is no number of bytes");
    return ERR_NONE;
}

/* The members of one object in its form, and where they stand. */
struct form {
    const struct json *bucket, *object; /* {name}, {key, size, etag or eTag} */
    const char *bucket_at, *object_at, *region_at;
    const char *region, *time;
    bool encoded; /* S3's own form: the key form-encoded */
};

static enum err_code read_etag(struct reading *r, const struct form *form, const char **ret,
                               struct err *err)
{
    const char *name = form->encoded ? "eTag" : "etag";
    const char *etag = json_text_of(json_member(form->object, name));

    *ret = etag != NULL ? unquoted(etag, r->arena) : NULL;
    if (*ret != NULL && !etag_ok(*ret))
        return REFUSE(r, arena_printf(r->arena, "%s/%s", form->object_at, name), err,
                      "the notice has an etag that S3 does not give");
    return ERR_NONE;
}

static enum err_code read_key(struct reading *r, const struct form *form, const char **ret,
                              struct err *err)
{
    const char *key = json_text_of(json_member(form->object, "key"));
    const char *place = arena_printf(r->arena, "%s/key", form->object_at);
    char *plain;

    if (key == NULL)
        return REFUSE(r, place, err, "the notice names no key");
    plain = arena_strdup(r->arena, key);
    if (form->encoded && !str_percent_decode(key, strlen(key), true, plain))
        return REFUSE(r, place, err, "the key is badly encoded");
    if (!s3_key_ok(plain))
        return REFUSE(r, place, err, "the notice names a key that S3 cannot have");
    *ret = plain;
    return ERR_NONE;
}

static enum err_code read_object(struct reading *r, const struct form *form, struct err *err)
{
    const char *name = json_text_of(json_member(form->bucket, "name"));
    struct announced object = {.in_lake = false};

    if (name == NULL || !s3_bucket_ok(name))
        return REFUSE(r, arena_printf(r->arena, "%s/name", form->bucket_at), err,
                      name == NULL ? "the notice names no bucket"
                                   : "the notice names a bucket that S3 cannot have");
    object.bucket = arena_strdup(r->arena, name);
    TRY(read_key(r, form, &object.key, err));
    TRY(read_etag(r, form, &object.etag, err));
    if (form->region != NULL && !region_ok(form->region))
        return REFUSE(r, form->region_at, err, "the notice names a region that AWS cannot have");
    object.region = arena_strdup(r->arena, form->region);
    object.in_lake = is_in_lake(object.key);
    if (form->time != NULL && !time_parse(form->time, &object.time_ms))
        object.time_ms = 0; /* nothing depends on it but what is told of the delay */
    TRY(read_size(r, json_member(form->object, "size"),
                  arena_printf(r->arena, "%s/size", form->object_at), &object.size_bytes, err));
    r->ret->objects[r->ret->count++] = object;
    return ERR_NONE;
}

static enum err_code read_record(struct reading *r, const struct json *record, size_t index,
                                 struct err *err)
{
    const char *event = json_text_of(json_member(record, "eventName"));
    const struct json *s3 = json_member(record, "s3");
    const char *at = arena_printf(r->arena, "/Records/%zu", index);

    if (event == NULL || s3 == NULL)
        return REFUSE(r, at, err, "a record has no eventName or no s3");
    if (!str_starts(event, "ObjectCreated:"))
        return ERR_NONE;
    return read_object(r,
                       &(struct form){
                           .bucket = json_member(s3, "bucket"),
                           .object = json_member(s3, "object"),
                           .region = json_text_of(json_member(record, "awsRegion")),
                           .time = json_text_of(json_member(record, "eventTime")),
                           .bucket_at = arena_printf(r->arena, "%s/s3/bucket", at),
                           .object_at = arena_printf(r->arena, "%s/s3/object", at),
                           .region_at = arena_printf(r->arena, "%s/awsRegion", at),
                           .encoded = true,
                       },
                       err);
}

static enum err_code read_records(struct reading *r, const struct json *records, struct err *err)
{
    size_t index = 0;

    if (json_count(records) > ANNOUNCED_MAX)
        return REFUSE(r, "/Records", err, "the notice has more than %d records", ANNOUNCED_MAX);
    r->ret->objects = ARENA_ARRAY(r->arena, struct announced, json_count(records) + 1);
    for (const struct json *record = json_first(records); record != NULL;
         record = json_next(record))
        TRY(read_record(r, record, index++, err));
    return ERR_NONE;
}

static enum err_code read_node(struct reading *r, const struct json *root, struct err *err);

static enum err_code read_text(struct reading *r, const char *text, size_t length, struct err *err)
{
    AUTO(json_doc_freep) struct json_doc *doc = NULL;

    if (json_parse(text, length, &doc, err) != ERR_NONE) {
        point_at(r, "");
        return err_prefix(err, "the notice");
    }
    return read_node(r, json_root(doc), err);
}

static enum err_code read_inner(struct reading *outer, const struct json *root, const char *name,
                                struct err *err)
{
    const struct json *inner = json_member(root, name);
    const char *text = json_text_of(inner);
    struct reading r = *outer;

    if (outer->depth == ANNOUNCE_DEPTH_MAX)
        return REFUSE(outer, "", err, "the notice is wrapped too often");
    r.depth++;
    r.at = outer->in_text ? outer->at : arena_printf(outer->arena, "%s/%s", outer->at, name);
    if (text == NULL)
        return read_node(&r, inner, err);
    r.in_text = true;
    return read_text(&r, text, strlen(text), err);
}

static enum err_code read_event(struct reading *r, const struct json *root, struct err *err)
{
    const struct json *detail = json_member(root, "detail");

    r->ret->objects = ARENA_NEW(r->arena, struct announced);
    return read_object(r,
                       &(struct form){
                           .bucket = json_member(detail, "bucket"),
                           .object = json_member(detail, "object"),
                           .region = json_text_of(json_member(root, "region")),
                           .time = json_text_of(json_member(root, "time")),
                           .bucket_at = "/detail/bucket",
                           .object_at = "/detail/object",
                           .region_at = "/region",
                       },
                       err);
}

static enum err_code read_node(struct reading *r, const struct json *root, struct err *err)
{
    const char *detail_type = json_text_of(json_member(root, "detail-type"));
    const char *type = json_text_of(json_member(root, "Type"));
    const char *event = json_text_of(json_member(root, "Event"));

    if (json_type(root) != JSON_OBJECT)
        return REFUSE(r, "", err, "the notice is no JSON object");
    if (json_type(json_member(root, "Records")) == JSON_ARRAY)
        return read_records(r, json_member(root, "Records"), err);
    if (type != NULL && strcmp(type, "Notification") == 0 && json_member(root, "Message") != NULL)
        return read_inner(r, root, "Message", err);
    if (json_member(root, "body") != NULL)
        return read_inner(r, root, "body", err);
    if (event != NULL && strcmp(event, "s3:TestEvent") == 0)
        return ERR_NONE;
    if (json_type(json_member(root, "detail")) != JSON_OBJECT)
        return REFUSE(r, "", err, "the notice is of no known form");
    if (detail_type != NULL && strcmp(detail_type, "Object Created") != 0)
        return ERR_NONE;
    return read_event(r, root, err);
}

enum err_code announce_read(const char *body, size_t length, struct arena *arena,
                            struct announcement *ret, struct err *err)
{
    struct reading reading = {.arena = arena, .ret = ret, .at = ""};

    *ret = (struct announcement){0};
    return read_text(&reading, body, length, err);
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
