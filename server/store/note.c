#include "store/note.h"

#include "base/arena.h"
#include "base/json.h"
#include "base/str.h"
#include "store/change.h"
#include "store/db.h"
#include "store/finding.h"

enum { NOTE_BODY_BYTES_MAX = 512 };

const struct field NOTE_FIELDS[] = {
    FIELD(struct note, id, FIELD_INT, .flags = 0),
    FIELD(struct note, author, FIELD_TEXT, .flags = 0),
    FIELD(struct note, time, FIELD_TIME, .flags = 0),
    FIELD(struct note, text, FIELD_TEXT, .flags = 0),
    FIELD_END,
};

enum err_code note_list(struct db *db, struct arena *arena, int64_t finding_id,
                        struct note_list *ret, struct err *err)
{
    AUTO(query_done) struct query q = {0};

    *ret = (struct note_list){.items = ARENA_ARRAY(arena, struct note, NOTES_MAX)};
    TRY(finding_check(db, finding_id, err));
    TRY(db_query(db, SQL_NOTE_LIST, PARAMS(P_INT(finding_id), P_INT(NOTES_MAX)), &q, err));
    while (ret->count < NOTES_MAX && query_next(&q, NOTE_FIELDS, arena, &ret->items[ret->count]))
        ret->count++;
    return query_end(&q, err);
}

static const char *body_of(struct arena *arena, const struct note *note)
{
    AUTO(str_done) struct str text = {0};
    struct json_writer json;

    str_init(&text, NOTE_BODY_BYTES_MAX);
    json_writer_init(&json, &text);
    json_object(&json, NULL);
    json_int(&json, "note", note->id);
    json_end(&json);
    return arena_strndup(arena, text.text, text.length);
}

enum err_code note_add_job(struct db *db, void *job_, struct err *err)
{
    struct note_job *job = job_;
    int64_t count, seq;

    TRY(finding_check(db, job->finding_id, err));
    TRY(db_int(db, SQL_NOTE_COUNT, PARAMS(P_INT(job->finding_id)), &count, err));
    if (count >= NOTES_MAX)
        return err_set(err, ERR_CONFLICT, "the finding has %d notes, as many as it may", NOTES_MAX);
    job->note = (struct note){.author = job->author, .time = job->now_ms, .text = job->text};
    TRY(db_int(
        db, SQL_NOTE_INSERT,
        PARAMS(P_INT(job->finding_id), P_TEXT(job->author), P_INT(job->now_ms), P_TEXT(job->text)),
        &job->note.id, err));
    TRY(change_add(db, CHANGE_NOTE_ADDED, job->author, job->finding_id,
                   body_of(job->arena, &job->note), &seq, err));
    return db_exec(db, SQL_FINDING_SEQ, PARAMS(P_INT(seq), P_INT(job->finding_id)), NULL, err);
}
