#include "lake/event.h"

#include <string.h>

#include "base/arena.h"
#include "base/crypto.h"
#include "base/json.h"
#include "base/log.h"
#include "base/str.h"
#include "base/tally.h"

enum {
    MESSAGE_ID_BYTES_MAX = 100,
    BODY_BYTES_MAX = 8 << 20,
    FAILURE_BYTES_MAX = MESSAGE_ID_BYTES_MAX * 6 + 64, /* escaped */
};

static enum err_code read_notice(const char *text, size_t length, struct arena *arena,
                                 struct announcement *ret, struct err *err)
{
    TRY(announce_read(text, length, arena, ret, err));
    announce_drop_strangers(ret);
    return ERR_NONE;
}

/* Of a message as SQS sends it the body is text, with its digest beside it. Events that people make
 * to try a function often have that of another body; what was damaged would hardly be a notice, so
 * it is only told. */
static enum err_code read_body(const struct json *record, struct arena *arena,
                               struct announcement *ret, struct err *err)
{
    const struct json *body = json_member(record, "body");
    const char *text = json_text_of(body), *md5 = json_text_of(json_member(record, "md5OfBody"));
    AUTO(str_done) struct str printed = {0};
    char digest[MD5_HEX_BYTES];

    if (text == NULL) {
        str_init(&printed, BODY_BYTES_MAX);
        json_print(body, &printed);
        TRY(str_check(&printed, "a message's body", err));
        return read_notice(printed.text, printed.length, arena, ret, err);
    }
    md5_hex(text, strlen(text), digest);
    if (md5 != NULL && strcmp(md5, digest) != 0)
        log_warn("a message's MD5 is not its body's", "told=%s", log_quote(md5));
    return read_notice(text, strlen(text), arena, ret, err);
}

static bool is_message(const struct json *record)
{
    const char *id = json_text_of(json_member(record, "messageId"));

    return id != NULL && *id != '\0' && strlen(id) <= MESSAGE_ID_BYTES_MAX &&
           json_member(record, "body") != NULL;
}

static enum err_code read_messages(const struct json *records, struct arena *arena,
                                   struct event *ret, struct err *err)
{
    ret->messages = ARENA_ARRAY(arena, struct event_message, json_count(records));
    for (const struct json *at = json_first(records); at != NULL; at = json_next(at)) {
        struct event_message *message = &ret->messages[ret->count++];
        struct err reason = {0};

        if (!is_message(at))
            return err_set(err, ERR_INVALID, "a record of the event is no message of SQS");
        message->id = arena_strdup(arena, json_text_of(json_member(at, "messageId")));
        if (read_body(at, arena, &message->announcement, &reason) == ERR_NONE)
            continue;
        log_warn("message is no notice", "id=%s reason=%s", log_quote(message->id),
                 log_quote(reason.text));
        tally_add("poison", NULL, NULL, 1);
        message->announcement.count = 0;
        message->failed = true;
    }
    return ERR_NONE;
}

enum err_code event_read(const char *body, size_t length, struct arena *arena, struct event *ret,
                         struct err *err)
{
    AUTO(json_doc_freep) struct json_doc *doc = NULL;
    const struct json *records;

    *ret = (struct event){.count = 0};
    if (json_parse(body, length, &doc, err) != ERR_NONE)
        return err_prefix(err, "the event");
    records = json_member(json_root(doc), "Records");
    if (json_count(records) > EVENT_MESSAGES_MAX)
        return err_set(err, ERR_INVALID, "the event has more than %d records", EVENT_MESSAGES_MAX);
    if (json_type(records) == JSON_ARRAY && is_message(json_first(records)))
        return read_messages(records, arena, ret, err);
    ret->messages = ARENA_NEW(arena, struct event_message);
    ret->count = 1;
    return read_notice(body, length, arena, &ret->messages[0].announcement, err);
}

const char *event_answer(const struct event *event, struct arena *arena, size_t *ret_failed)
{
    AUTO(str_done) struct str text = {0};
    struct json_writer json;

    *ret_failed = 0;
    str_init(&text, FAILURE_BYTES_MAX * (event->count + 1));
    json_writer_init(&json, &text);
    json_object(&json, NULL);
    json_array(&json, "batchItemFailures");
    for (size_t i = 0; i < event->count; i++) {
        const struct event_message *message = &event->messages[i];

        if (!message->failed && message->settled == message->announcement.count)
            continue;
        (*ret_failed)++;
        if (message->id == NULL)
            continue;
        json_object(&json, NULL);
        json_text(&json, "itemIdentifier", message->id);
        json_end(&json);
    }
    json_end(&json);
    json_end(&json);
    return arena_strndup(arena, text.text, text.length);
}
