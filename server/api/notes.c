/* Notes of a finding: plain text, added and never changed. */
#include <string.h>

#include "api/app.h"
#include "api/rules.h"
#include "base/clock.h"
#include "base/str.h"
#include "gen/routes.h"
#include "store/note.h"
#include "store/writer.h"

enum { NOTE_BYTES_MAX = 40000, NOTE_CHARACTERS_MAX = 10000 };

enum err_code list_notes(struct request *req, struct reply *reply, struct err *err)
{
    struct note_list notes;
    struct db *db;
    int64_t id;

    TRY(path_int(req, "id", &id, err));
    TRY(query_check(req, err));
    TRY(app_db(req, &db, err));
    TRY(note_list(db, req->arena, id, &notes, err));
    json_object(&reply->json, NULL);
    json_array(&reply->json, "notes");
    for (size_t i = 0; i < notes.count; i++)
        json_row(&reply->json, NULL, NOTE_FIELDS, &notes.items[i]);
    json_end(&reply->json);
    json_end(&reply->json);
    return ERR_NONE;
}

static size_t characters(const char *text)
{
    size_t count = 0;

    for (; *text != '\0'; text++)
        count += ((unsigned char)*text & 0xc0) != 0x80;
    return count;
}

/* Line breaks and tabs are kept, other control characters refused; JSON texts are valid UTF-8. */
static bool is_plain(const char *text)
{
    for (; *text != '\0'; text++)
        if (((unsigned char)*text < ' ' && strchr("\n\r\t", *text) == NULL) || *text == 0x7f)
            return false;
    return true;
}

struct new_note {
    const struct json *text;
};

static const struct json_rule RULES[] = {
    RULE(struct new_note, text, "text", FIELD_JSON, .flags = JSON_REQUIRED),
    RULE_END,
};

static enum err_code read_note(struct request *req, const char **ret, struct err *err)
{
    static const char *const TYPES[] = {"application/json", NULL};
    struct new_note note = {NULL};
    const struct json *root;
    const char *text;

    TRY(body_json(req, TYPES, &root, err));
    json_read_object(root, RULES, &note, req->arena, "", &req->faults);
    text = json_text_of(note.text);
    if (note.text != NULL && text == NULL)
        json_fault(&req->faults, "/text", "is not text");
    else if (text != NULL && *text == '\0')
        json_fault(&req->faults, "/text", "is empty");
    else if (text != NULL && !is_plain(text))
        json_fault(&req->faults, "/text", "contains control characters");
    else if (text != NULL && characters(text) > NOTE_CHARACTERS_MAX)
        json_fault(&req->faults, "/text", "is longer than %d characters", NOTE_CHARACTERS_MAX);
    *ret = text;
    return ERR_NONE;
}

enum err_code create_note(struct request *req, struct reply *reply, struct err *err)
{
    struct note_job job = {.arena = req->arena, .author = req->actor, .now_ms = clock_now_ms()};

    TRY(path_int(req, "id", &job.finding_id, err));
    TRY(read_note(req, &job.text, err));
    TRY(query_check(req, err));
    TRY(writer_run(app_of(req)->writer, note_add_job, &job, err));
    reply->status = 201;
    json_row(&reply->json, NULL, NOTE_FIELDS, &job.note);
    return ERR_NONE;
}
