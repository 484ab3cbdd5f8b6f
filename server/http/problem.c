/* application/problem+json */
#include "http/problem.h"

#include "base/json.h"
#include "base/str.h"
#include "http/reply.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

static const struct problem {
    int status;
    bool internal; /* the sentence is not sent */
    const char *title;
} PROBLEMS[ERR__MAX] = {
    [ERR_NONE] = {500, true, "Internal error"},
    [ERR_INVALID] = {400, false, "Invalid request"},
    [ERR_USAGE] = {500, true, "Internal error"},
    [ERR_NOT_FOUND] = {404, false, "Not found"},
    [ERR_UNAUTHORIZED] = {401, false, "Sign-in needed"},
    [ERR_FORBIDDEN] = {403, false, "Not allowed"},
    [ERR_CONFLICT] = {409, false, "Conflict"},
    [ERR_PRECONDITION] = {412, false, "Changed meanwhile"},
    [ERR_PRECONDITION_REQUIRED] = {428, false, "If-Match needed"},
    [ERR_TOO_LARGE] = {413, false, "Too large"},
    [ERR_MEDIA_TYPE] = {415, false, "Unsupported media type"},
    [ERR_NOT_ACCEPTABLE] = {406, false, "Not acceptable"},
    [ERR_BUSY] = {503, false, "Busy"},
    [ERR_RATE] = {429, false, "Too many requests"},
    [ERR_TIMEOUT] = {503, false, "Took too long"},
    [ERR_UNAVAILABLE] = {503, false, "Not available"},
    [ERR_IO] = {503, true, "Storage failed"},
    [ERR_FULL] = {503, true, "No space to store"},
    [ERR_CORRUPT] = {500, true, "Internal error"},
    [ERR_INTERNAL] = {500, true, "Internal error"},
    [ERR_CANCELLED] = {503, true, "Stopping"},
};

enum { RETRY_AFTER_S = 1 };

static const struct problem *problem_of(enum err_code code)
{
    return &PROBLEMS[(unsigned)code < ERR__MAX ? code : ERR_INTERNAL];
}

bool problem_is_for_client(enum err_code code)
{
    return !problem_of(code)->internal;
}

int problem_status(enum err_code code, const struct json_faults *faults)
{
    if (code != ERR_INVALID || faults == NULL || faults->total == 0)
        return problem_of(code)->status;
    if (faults->unreadable)
        return 400;
    for (size_t i = 0; i < faults->count; i++)
        if (faults->items[i].pointer[0] == '?')
            return 400;
    return 422;
}

static void keep_headers(struct reply *reply)
{
    size_t kept = 0;

    for (size_t i = 0; i < reply->header_count; i++)
        if (strcasecmp(reply->headers[i].name, "Retry-After") == 0 ||
            strcasecmp(reply->headers[i].name, "Allow") == 0)
            reply->headers[kept++] = reply->headers[i];
    reply->header_count = kept;
}

static bool has_header(const struct reply *reply, const char *name)
{
    for (size_t i = 0; i < reply->header_count; i++)
        if (strcasecmp(reply->headers[i].name, name) == 0)
            return true;
    return false;
}

static void write_faults(struct json_writer *w, const struct json_faults *faults)
{
    json_array(w, "errors");
    for (size_t i = 0; i < faults->count; i++) {
        json_object(w, NULL);
        json_text(w, "pointer", faults->items[i].pointer);
        json_text(w, "detail", faults->items[i].detail);
        json_end(w);
    }
    json_end(w);
}

static void write_head(struct reply *reply, const char *word, const char *title, const char *detail)
{
    struct json_writer *w = &reply->json;
    char type[64];

    (void)snprintf(type, sizeof type, "urn:pairwatch:problem:%s", word);
    json_object(w, NULL);
    json_text(w, "type", type);
    json_text(w, "title", title);
    json_int(w, "status", reply->status);
    json_text(w, "detail", detail);
}

/* An empty reply that keeps the headers a refusal needs. */
static void start_over(struct reply *reply, int status)
{
    struct reply old = *reply;

    reply_init(reply, old.arena);
    (void)memcpy(reply->headers, old.headers, sizeof old.headers);
    reply->header_count = old.header_count;
    reply_done(&old);
    keep_headers(reply);
    reply->status = status;
    reply->content_type = "application/problem+json";
}

void problem_write(struct reply *reply, const struct err *err, const struct json_faults *faults,
                   const char *id)
{
    const struct problem *problem = problem_of(err->code);
    const char *word = problem->status == 500 ? err_word(ERR_INTERNAL) : err_word(err->code);
    char hidden[128];

    start_over(reply, problem_status(err->code, faults));
    if (reply->status == 401)
        reply_header(reply, "WWW-Authenticate", "Bearer realm=\"pairwatch\"");
    if ((err->code == ERR_BUSY || err->code == ERR_RATE) && !has_header(reply, "Retry-After"))
        reply_retry_after(reply, RETRY_AFTER_S);
    (void)snprintf(hidden, sizeof hidden, "the server could not do this; its log says why under %s",
                   id);
    write_head(reply, word, problem->title, problem->internal ? hidden : err->text);
    if (err->code == ERR_INVALID && faults != NULL && faults->count > 0)
        write_faults(&reply->json, faults);
    json_end(&reply->json);
}

void problem_write_status(struct reply *reply, int status, const struct err *err)
{
    const char *word = "method_not_allowed", *title = "Method not allowed";

    if (status != 405) {
        word = status == 414 ? "target_too_long" : "head_too_large";
        title = status == 414 ? "Request target too long" : "Request head too large";
    }
    start_over(reply, status);
    write_head(reply, word, title, err->text);
    json_end(&reply->json);
}
