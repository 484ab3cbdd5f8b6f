#include "worker/post_body.h"

#include <math.h>
#include <string.h>

#include "base/json.h"
#include "store/ingest.h"
#include "worker/post.h"

static void write_object(struct json_writer *json, const struct ingest_object *object,
                         uint64_t offset)
{
    json_object(json, NULL);
    json_object(json, "object");
    json_text(json, "bucket", object->bucket);
    json_text(json, "key", object->key);
    json_text(json, "etag", object->etag);
    json_int(json, "size_bytes", (int64_t)object->size_bytes);
    json_int(json, "rows", (int64_t)object->rows);
    json_int(json, "pairs", (int64_t)object->pairs);
    json_int(json, "scored", (int64_t)object->scored);
    json_int(json, "offset", (int64_t)offset);
    if (object->made_ms > 0)
        json_time(json, "made", object->made_ms);
    json_raw(json, "unscored", object->unscored_json);
    if (object->error != NULL) {
        json_object(json, "error");
        json_text(json, "code", object->error_code);
        json_text(json, "detail", object->error);
        json_end(json);
    }
    json_end(json);
    json_end(json);
}

static void write_pair(struct json_writer *json, const struct scored_pair *pair)
{
    json_object(json, NULL);
    json_text(json, "entity", pair->entity);
    json_ip(json, "ip", &pair->ip);
    json_time(json, "time", pair->first_ms);
    if (pair->last_ms != pair->first_ms)
        json_time(json, "last_time", pair->last_ms);
    json_real(json, "score", pair->score);
    if (!isnan(pair->percentile))
        json_real(json, "percentile", pair->percentile);
    json_int(json, "count", (int64_t)pair->count);
    if (*pair->account != '\0')
        json_text(json, "account", pair->account);
    if (*pair->region != '\0')
        json_text(json, "region", pair->region);
    if (pair->unanswered)
        json_bool(json, "unanswered", true);
    json_bool(json, "entity_known", pair->entity_known);
    json_int(json, "known_bits", pair->known_bits);
    if (pair->explanation_json != NULL)
        json_raw(json, "explanation", pair->explanation_json);
    json_end(json);
}

struct post_part post_body_write(const struct ingest_batch *batch, size_t from, size_t rows_max,
                                 struct str *body)
{
    struct post_part part = {.from = from};
    struct json_writer json;

    json_writer_init(&json, body);
    write_object(&json, batch->object, batch->object->offset + from);
    str_add_char(body, '\n');
    for (size_t i = from; i < batch->count && part.count < rows_max; i++) {
        if (body->length >= POST_BODY_BYTES_MAX ||
            strcmp(batch->pairs[i].spec, batch->pairs[from].spec) != 0)
            break;
        json_writer_init(&json, body);
        write_pair(&json, &batch->pairs[i]);
        str_add_char(body, '\n');
        part.count++;
    }
    return part;
}

void post_body_key(const struct ingest_batch *batch, const struct str *body,
                   char ret[static SHA256_HEX_BYTES])
{
    const struct ingest_object *object = batch->object;
    const char *const names[] = {object->bucket, object->key, object->etag, batch->model_id};
    struct sha256 *sha = sha256_new();
    uint8_t digest[SHA256_BYTES];

    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        sha256_add(sha, names[i], strlen(names[i]) + 1);
    sha256_add(sha, body->text, body->length);
    sha256_end(sha, digest);
    hex_encode(digest, sizeof digest, ret);
}
