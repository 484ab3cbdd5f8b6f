#include "api/score_object.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "api/rules.h"
#include "base/arena.h"
#include "base/str.h"
#include "store/ingest.h"

enum { POINTER_BYTES = 64, UNSCORED_BYTES_MAX = 4096, WORD_LENGTH_MAX = 32 };
#define COUNT_MAX 1e15

struct members {
    const char *bucket, *key, *etag;
    int64_t size_bytes, rows, pairs, scored, offset;
    int64_t made; /* 0 = not said */
    const struct json *unscored, *error;
};
#define MEMBER(name, type, ...) RULE(struct members, name, #name, type, __VA_ARGS__)
#define COUNT(name, flags_)     MEMBER(name, FIELD_INT, .flags = (flags_), .max = COUNT_MAX)
static const struct json_rule RULES[] = {
    MEMBER(bucket, FIELD_TEXT, .flags = JSON_REQUIRED, .length_max = OBJECT_BUCKET_BYTES_MAX),
    MEMBER(key, FIELD_TEXT, .flags = JSON_REQUIRED, .length_max = OBJECT_KEY_BYTES_MAX),
    MEMBER(etag, FIELD_TEXT, .flags = JSON_REQUIRED, .length_max = OBJECT_ETAG_BYTES_MAX),
    COUNT(size_bytes, JSON_REQUIRED),
    COUNT(rows, 0),
    COUNT(pairs, 0),
    COUNT(scored, 0),
    COUNT(offset, 0),
    MEMBER(made, FIELD_TIME, .flags = 0),
    MEMBER(unscored, FIELD_JSON, .flags = 0),
    MEMBER(error, FIELD_JSON, .flags = 0),
    RULE_END,
};

struct failure {
    const char *code, *detail;
};
static const struct json_rule FAILURE_RULES[] = {
    RULE(struct failure, code, "code", FIELD_TEXT, .flags = JSON_REQUIRED,
         .length_max = WORD_LENGTH_MAX),
    RULE(struct failure, detail, "detail", FIELD_TEXT, .flags = JSON_REQUIRED,
         .length_max = OBJECT_ERROR_BYTES_MAX),
    RULE_END,
};

static bool is_word(const char *text)
{
    size_t length = strlen(text);

    return length > 0 && length <= WORD_LENGTH_MAX &&
           strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789_") == length;
}

static void read_failure(const struct json *node, struct arena *arena, const char *pointer,
                         struct json_faults *faults, struct ingest_object *ret)
{
    struct failure failure = {.code = NULL};
    char at[POINTER_BYTES];

    if (json_type(node) == JSON_NULL)
        return;
    (void)snprintf(at, sizeof at, "%s/error", pointer);
    json_read_object(node, FAILURE_RULES, &failure, arena, at, faults);
    if (failure.code != NULL && !is_word(failure.code))
        json_fault(faults, at, "has a code that is no word in lower case");
    ret->error_code = failure.code;
    ret->error = failure.detail;
}

/* {"no_entity": 3, …}: words and counts. */
static const char *read_unscored(const struct json *node, struct arena *arena, const char *pointer,
                                 struct json_faults *faults)
{
    AUTO(str_done) struct str text = {0};
    struct json_writer json;
    char at[POINTER_BYTES];

    if (node == NULL)
        return "{}";
    (void)snprintf(at, sizeof at, "%s/unscored", pointer);
    if (json_type(node) != JSON_OBJECT || json_count(node) > OBJECT_REASONS_MAX) {
        json_fault(faults, at, "is no object of at most %d counts", OBJECT_REASONS_MAX);
        return NULL;
    }
    for (const struct json *count = json_first(node); count != NULL; count = json_next(count)) {
        int64_t value;

        if (!is_word(json_name(count)) || !json_int_of(count, &value) || value < 0) {
            json_fault(faults, at, "holds something else than words with counts");
            return NULL;
        }
    }
    str_init(&text, UNSCORED_BYTES_MAX);
    json_writer_init(&json, &text);
    json_node(&json, NULL, node);
    return arena_strndup(arena, text.text, text.length);
}

void score_object_read(const struct json *node, struct arena *arena, const char *pointer,
                       struct json_faults *faults, struct ingest_object *ret)
{
    struct members members = {.bucket = NULL};

    json_read_object(node, RULES, &members, arena, pointer, faults);
    *ret = (struct ingest_object){
        .bucket = members.bucket,
        .key = members.key,
        .etag = members.etag,
        .size_bytes = (uint64_t)members.size_bytes,
        .rows = (uint64_t)members.rows,
        .pairs = (uint64_t)members.pairs,
        .scored = (uint64_t)members.scored,
        .offset = (uint64_t)members.offset,
        .made_ms = members.made,
    };
    ret->unscored_json = read_unscored(members.unscored, arena, pointer, faults);
    read_failure(members.error, arena, pointer, faults, ret);
}

void score_object_check(struct ingest_object *object, size_t scores, const char *pointer,
                        struct json_faults *faults)
{
    if (object->error != NULL && (scores > 0 || object->scored > 0 || object->offset > 0))
        json_fault(faults, pointer, "failed, and there are scores of it");
    if (object->offset + scores > object->scored)
        json_fault(faults, pointer,
                   "has %" PRIu64 " scored pairs, and %zu more from %" PRIu64 " on are given",
                   object->scored, scores, object->offset);
    object->more = object->offset + scores < object->scored;
    if (object->more && scores == 0)
        json_fault(faults, pointer, "goes on, and no score is given");
}
