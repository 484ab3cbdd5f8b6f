/* Patches of a finding's triage state. */
#include "api/triage.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/names.h"
#include "api/rules.h"
#include "base/arena.h"
#include "base/json.h"
#include "base/str.h"
#include "store/finding.h"

enum { TRIAGE_POINTER_BYTES = 96, TAGS_TEXT_BYTES_MAX = TAGS_MAX * (TAG_LENGTH_MAX + 3) + 3 };

struct members {
    bool unused; /* so that no seen_offset is 0 */
    bool has_status, has_verdict, has_assignee, has_tags;
    int64_t status, verdict;
    const char *assignee;
    const struct json *tags;
};

#define MEMBER(name, type, ...)                                                                    \
    RULE(struct members, name, #name, type, .seen_offset = offsetof(struct members, has_##name),   \
         __VA_ARGS__)
static const struct json_rule RULES[] = {
    MEMBER(status, FIELD_ENUM, .words = FINDING_STATUS_WORDS),
    MEMBER(verdict, FIELD_ENUM, .words = FINDING_VERDICT_WORDS, .flags = JSON_NULLABLE),
    MEMBER(assignee, FIELD_TEXT, .flags = JSON_NULLABLE, .length_max = NAME_LENGTH_MAX),
    MEMBER(tags, FIELD_JSON, .flags = 0),
    RULE_END,
};

static int compare_texts(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void tag_fault(struct json_faults *faults, const char *pointer, size_t index,
                      const char *detail)
{
    char at[TRIAGE_POINTER_BYTES];

    (void)snprintf(at, sizeof at, "%s/%zu", pointer, index);
    json_fault(faults, at, "%s", detail);
}

/* The count of tags read into ret; those that are not one are faults. */
static size_t read_tags(const struct json *node, const char *pointer, struct json_faults *faults,
                        const char *ret[static TAGS_MAX])
{
    size_t count = 0, index = 0;

    for (const struct json *item = json_first(node); item != NULL;
         item = json_next(item), index++) {
        const char *tag = json_text_of(item);
        bool repeated = false;

        for (size_t i = 0; tag != NULL && i < count; i++)
            repeated |= strcmp(ret[i], tag) == 0;
        if (tag == NULL || !tag_is_valid(tag))
            tag_fault(faults, pointer, index, "is not a tag: a-z 0-9 . _ : - of at most 50");
        else if (repeated)
            tag_fault(faults, pointer, index, "is there twice");
        else
            ret[count++] = tag;
    }
    return count;
}

const char *triage_tags(const struct json *node, struct arena *arena, const char *pointer,
                        struct json_faults *faults)
{
    AUTO(str_done) struct str out = {.bytes_max = TAGS_TEXT_BYTES_MAX};
    const char *tags[TAGS_MAX] = {NULL};
    struct json_writer w;
    size_t count;

    if (json_type(node) != JSON_ARRAY || json_count(node) > TAGS_MAX) {
        json_fault(faults, pointer, "is not an array of at most %d tags", TAGS_MAX);
        return "[]";
    }
    count = read_tags(node, pointer, faults, tags);
    qsort(tags, count, sizeof tags[0], compare_texts);
    json_writer_init(&w, &out);
    json_array(&w, NULL);
    for (size_t i = 0; i < count; i++)
        json_text(&w, NULL, tags[i]);
    json_end(&w);
    ASSERT(!out.failed);
    return arena_strdup(arena, out.text);
}

void triage_read(const struct json *node, struct arena *arena, const char *pointer,
                 struct json_faults *faults, struct finding_patch *ret)
{
    struct members members = {false};
    char at[TRIAGE_POINTER_BYTES];

    *ret = (struct finding_patch){0};
    json_read_object(node, RULES, &members, arena, pointer, faults);
    if (json_type(node) == JSON_OBJECT && json_count(node) == 0)
        json_fault(faults, pointer, "names nothing to change");
    (void)snprintf(at, sizeof at, "%s/assignee", pointer);
    if (members.assignee != NULL && !name_is_valid(members.assignee))
        json_fault(faults, at, "is not a user's name");
    (void)snprintf(at, sizeof at, "%s/tags", pointer);
    if (members.has_tags)
        ret->tags = triage_tags(members.tags, arena, at, faults);
    ret->has_status = members.has_status;
    ret->status = members.status;
    ret->has_verdict = members.has_verdict;
    ret->verdict = members.verdict;
    ret->has_assignee = members.has_assignee;
    ret->assignee = members.assignee;
    ret->has_tags = members.has_tags;
}
