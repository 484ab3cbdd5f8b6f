/* Triage: guarded by the finding's version, told in one change. */
#include <string.h>

#include "base/arena.h"
#include "base/json.h"
#include "base/str.h"
#include "store/change.h"
#include "store/db.h"
#include "store/finding.h"

enum { PATCH_BODY_BYTES_MAX = 16384, LATELY_MAX = 5000 };

static const char *word_of(const char *const *words, int64_t index)
{
    return index >= 0 ? words[index] : NULL;
}

static struct finding patched(const struct finding *before, const struct finding_patch *patch,
                              int64_t source)
{
    struct finding after = *before;

    if (patch->has_status)
        after.status = patch->status;
    if (patch->has_verdict) {
        after.verdict = patch->verdict;
        after.verdict_source = patch->verdict < 0 ? -1 : source;
    }
    if (patch->has_assignee)
        after.assignee = patch->assignee;
    if (patch->has_tags)
        after.tags = patch->tags;
    return after;
}

static void write_texts(struct json_writer *json, const char *name, const char *before,
                        const char *after)
{
    if (str_equal(before, after))
        return;
    json_object(json, name);
    json_text(json, "old", before);
    json_text(json, "new", after);
    json_end(json);
}

/* {"status": {"old": "new", "new": "resolved"}, …}; "{}" when nothing changes. */
static const char *difference(struct arena *arena, const struct finding *before,
                              const struct finding *after)
{
    AUTO(str_done) struct str text = {0};
    struct json_writer json;

    str_init(&text, PATCH_BODY_BYTES_MAX);
    json_writer_init(&json, &text);
    json_object(&json, NULL);
    write_texts(&json, "status", word_of(FINDING_STATUS_WORDS, before->status),
                word_of(FINDING_STATUS_WORDS, after->status));
    write_texts(&json, "verdict", word_of(FINDING_VERDICT_WORDS, before->verdict),
                word_of(FINDING_VERDICT_WORDS, after->verdict));
    write_texts(&json, "verdict_source",
                word_of(FINDING_VERDICT_SOURCE_WORDS, before->verdict_source),
                word_of(FINDING_VERDICT_SOURCE_WORDS, after->verdict_source));
    write_texts(&json, "assignee", before->assignee, after->assignee);
    if (strcmp(before->tags, after->tags) != 0) {
        json_object(&json, "tags");
        json_raw(&json, "old", before->tags);
        json_raw(&json, "new", after->tags);
        json_end(&json);
    }
    json_end(&json);
    ASSERT(!text.failed);
    return arena_strndup(arena, text.text, text.length);
}

static enum err_code write_patch(struct db *db, const struct finding_patch_job *job,
                                 const struct finding *after, const char *body, struct err *err)
{
    int64_t seq;

    TRY(change_add(db, CHANGE_FINDING_UPDATED, job->actor, after->id, body, &seq, err));
    return db_exec(db, SQL_FINDING_TRIAGE,
                   PARAMS(P_INT(after->status),
                          after->verdict >= 0 ? P_INT(after->verdict) : P_NULL,
                          after->verdict_source >= 0 ? P_INT(after->verdict_source) : P_NULL,
                          P_TEXT(after->assignee), P_TEXT(after->tags), P_INT(job->now_ms),
                          P_INT(seq), P_INT(after->id)),
                   NULL, err);
}

/* Verdicts of the actor within the last minute, as far as LATELY_MAX changes tell: a busy worker
 * makes thousands in between. */
static enum err_code count_lately(struct db *db, const struct finding_patch_job *job, int64_t *ret,
                                  struct err *err)
{
    return db_int(db, SQL_FINDING_VERDICTS_LATELY,
                  PARAMS(P_INT(LATELY_MAX), P_INT(job->now_ms - VERDICT_BULK_MS),
                         P_TEXT(job->actor), P_INT(CHANGE_FINDING_UPDATED)),
                  ret, err);
}

static enum err_code verdict_source(struct db *db, const struct finding_patch_job *job,
                                    int64_t *ret, struct err *err)
{
    int64_t lately = 0;

    *ret = str_starts(job->actor, "rule:") ? VERDICT_BY_RULE : VERDICT_BY_PLAYBOOK;
    if (strncmp(job->actor, "user:", strlen("user:")) != 0)
        return ERR_NONE;
    TRY(count_lately(db, job, &lately, err));
    *ret = job->count > 1 || lately >= VERDICT_BULK_COUNT ? VERDICT_IN_BULK : VERDICT_BY_PERSON;
    return ERR_NONE;
}

static enum err_code patch_one(struct db *db, const struct finding_patch_job *job, int64_t source,
                               struct finding_patch_item *item, struct err *err)
{
    struct finding before, after;
    const char *body;
    enum err_code code = finding_get(db, job->arena, item->id, &before, err);

    item->outcome = FINDING_NOT_FOUND;
    if (code != ERR_NONE)
        return code == ERR_NOT_FOUND ? ERR_NONE : code;
    item->before = item->after = before;
    item->outcome = FINDING_LOST_RACE;
    if (before.version != item->version)
        return ERR_NONE;
    after = patched(&before, &item->patch, source);
    body = difference(job->arena, &before, &after);
    item->outcome = FINDING_UNCHANGED;
    if (strcmp(body, "{}") == 0)
        return ERR_NONE;
    item->outcome = FINDING_CHANGED;
    TRY(write_patch(db, job, &after, body, err));
    return finding_get(db, job->arena, item->id, &item->after, err);
}

enum err_code finding_patch_job_run(struct db *db, void *job_, struct err *err)
{
    struct finding_patch_job *job = job_;
    int64_t source;

    TRY(verdict_source(db, job, &source, err));
    for (size_t i = 0; i < job->count; i++)
        TRY(patch_one(db, job, source, &job->items[i], err));
    return ERR_NONE;
}
