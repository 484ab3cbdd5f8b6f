#include "aws/lambda.h"

#include <stdio.h>
#include <string.h>

#include "aws/http.h"
#include "base/arena.h"
#include "base/clock.h"
#include "base/json.h"

#define API "/2018-06-01/runtime/"
enum {
    NEXT_WAIT_MS = DAY_MS, /* of one exchange; then it is asked again */
    URL_BYTES = sizeof "http://" API "invocation//response" + LAMBDA_ADDRESS_BYTES_MAX +
                LAMBDA_ID_BYTES_MAX,
    REPLY_BYTES_MAX = 64 * 1024,
    FAILURE_BYTES_MAX = 8 * 1024,
    TRIES_MAX = 3, /* of an answer that does not get through */
    TRY_PAUSE_MS = 50,
};

static bool id_is_valid(const char *id)
{
    size_t length = strlen(id);

    return length > 0 && length <= LAMBDA_ID_BYTES_MAX &&
           strspn(id, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.") ==
               length;
}

static enum err_code read_event(const struct http_reply *reply, struct arena *arena,
                                struct lambda_event *ret, struct err *err)
{
    char id[LAMBDA_ID_BYTES_MAX + 2], deadline[32];

    if (!http_reply_header(reply, "lambda-runtime-aws-request-id", id, sizeof id) ||
        !id_is_valid(id))
        return err_set(err, ERR_CORRUPT, "Lambda's runtime API gave an invocation without an id");
    *ret = (struct lambda_event){
        .id = arena_strdup(arena, id),
        .body = arena_strndup(arena, reply->body.length > 0 ? reply->body.text : "",
                              reply->body.length),
        .length = reply->body.length,
    };
    if (http_reply_header(reply, "lambda-runtime-deadline-ms", deadline, sizeof deadline) &&
        !str_to_i64(deadline, &ret->deadline_ms))
        return err_set(err, ERR_CORRUPT, "Lambda's runtime API gave a deadline that is no number");
    return ERR_NONE;
}

enum err_code lambda_next(struct http_link *link, const char *address, const atomic_bool *stop,
                          struct arena *arena, struct lambda_event *ret, struct err *err)
{
    AUTO(http_reply_done) struct http_reply reply = {0};
    char url[URL_BYTES];
    struct http_request request = {
        .method = "GET",
        .url = url,
        .timeout_ms = NEXT_WAIT_MS,
        .no_proxy = true,
        .reply_bytes_max = LAMBDA_EVENT_BYTES_MAX,
        .file = -1,
        .stop = stop,
    };
    enum err_code code;

    (void)snprintf(url, sizeof url, "http://%s" API "invocation/next", address);
    do
        code = http_exchange(link, &request, &reply, err);
    while (code == ERR_TIMEOUT);
    if (code != ERR_NONE)
        return err_prefix(err, "asking Lambda's runtime API at %s", address);
    if (reply.status != 200)
        return err_set(err, reply.status >= 500 ? ERR_UNAVAILABLE : ERR_CORRUPT,
                       "Lambda's runtime API answered %d", reply.status);
    return read_event(&reply, arena, ret, err);
}

static enum err_code tell(struct http_link *link, const char *url, const char *type,
                          const char *json, struct err *err)
{
    AUTO(http_reply_done) struct http_reply reply = {0};
    char type_header[128];
    const char *headers[] = {"Content-Type: application/json", type_header};
    struct http_request request = {
        .method = "POST",
        .url = url,
        .headers = headers,
        .header_count = type != NULL ? 2 : 1,
        .body = json,
        .body_length = strlen(json),
        .timeout_ms = LAMBDA_CALL_MS,
        .no_proxy = true,
        .reply_bytes_max = REPLY_BYTES_MAX,
        .file = -1,
    };
    enum err_code code = ERR_NONE;

    (void)snprintf(type_header, sizeof type_header, "Lambda-Runtime-Function-Error-Type: %s",
                   type != NULL ? type : "");
    for (int try = 0; try < TRIES_MAX; try++) {
        code = http_exchange(link, &request, &reply, err);
        if (code == ERR_NONE && reply.status / 100 == 2)
            return ERR_NONE;
        if (code == ERR_NONE && reply.status < 500)
            break;
        clock_sleep_ms(TRY_PAUSE_MS);
    }
    if (code != ERR_NONE)
        return err_prefix(err, "answering Lambda's runtime API");
    return err_set(err, ERR_UNAVAILABLE, "Lambda's runtime API answered %d to an answer",
                   reply.status);
}

enum err_code lambda_respond(struct http_link *link, const char *address, const char *id,
                             const char *json, struct err *err)
{
    char url[URL_BYTES];

    (void)snprintf(url, sizeof url, "http://%s" API "invocation/%s/response", address, id);
    return tell(link, url, NULL, json, err);
}

enum err_code lambda_fail(struct http_link *link, const char *address, const char *id,
                          const char *type, const char *message, struct err *err)
{
    AUTO(str_done) struct str text = {0};
    struct json_writer json;
    char url[URL_BYTES];

    if (id == NULL)
        (void)snprintf(url, sizeof url, "http://%s" API "init/error", address);
    else
        (void)snprintf(url, sizeof url, "http://%s" API "invocation/%s/error", address, id);
    str_init(&text, FAILURE_BYTES_MAX);
    json_writer_init(&json, &text);
    json_object(&json, NULL);
    json_text(&json, "errorMessage", message);
    json_text(&json, "errorType", type);
    json_array(&json, "stackTrace");
    json_end(&json);
    json_end(&json);
    TRY(str_check(&text, "an error for Lambda's runtime API", err));
    return tell(link, url, type, text.text, err);
}
