#include "aws/logs.h"

#include <stdio.h>
#include <string.h>

#include "aws/json_call.h"
#include "base/json.h"
#include "base/own.h"
#include "base/str.h"

enum { BODY_BYTES_MAX = 8192, EVENTS_OF_PAGE = 1000 };

static void begin(const struct logs_follower *follower, struct str *body, struct json_writer *json)
{
    str_init(body, BODY_BYTES_MAX);
    json_writer_init(json, body);
    json_object(json, NULL);
    json_text(json, "logGroupName", follower->group);
}

static enum err_code find_stream(struct aws_link *link, struct logs_follower *follower,
                                 struct err *err)
{
    AUTO(str_done) struct str body = {0};
    AUTO(json_doc_freep) struct json_doc *doc = NULL;
    struct json_call_fault fault;
    struct json_writer json;
    const char *name;
    enum err_code code;

    begin(follower, &body, &json);
    json_text(&json, "logStreamNamePrefix", follower->prefix);
    json_int(&json, "limit", 1);
    json_end(&json);
    code = json_call(link,
                     &(struct json_call){AWS_LOGS, "Logs_20140328.DescribeLogStreams", &body, NULL},
                     &doc, &fault, err);
    if (strcmp(fault.code, "ResourceNotFoundException") == 0)
        return ERR_NONE; /* the group is made with its first stream */
    TRY(code);
    name = json_text_of(
        json_member(json_first(json_member(json_root(doc), "logStreams")), "logStreamName"));
    (void)snprintf(follower->stream, sizeof follower->stream, "%s", name != NULL ? name : "");
    return ERR_NONE;
}

/* *ret_more: the page was not the last. */
static enum err_code read_page(struct aws_link *link, struct logs_follower *follower,
                               logs_line *line, void *context, bool *ret_more, struct err *err)
{
    AUTO(str_done) struct str body = {0};
    AUTO(json_doc_freep) struct json_doc *doc = NULL;
    struct json_writer json;
    const char *token;

    begin(follower, &body, &json);
    json_text(&json, "logStreamName", follower->stream);
    json_bool(&json, "startFromHead", true);
    json_int(&json, "limit", EVENTS_OF_PAGE);
    if (follower->token[0] != '\0')
        json_text(&json, "nextToken", follower->token);
    json_end(&json);
    TRY(json_call(link, &(struct json_call){AWS_LOGS, "Logs_20140328.GetLogEvents", &body, NULL},
                  &doc, NULL, err));
    for (const struct json *event = json_first(json_member(json_root(doc), "events"));
         event != NULL; event = json_next(event)) {
        const char *text = json_text_of(json_member(event, "message"));

        if (text != NULL)
            line(context, text);
    }
    token = json_text_of(json_member(json_root(doc), "nextForwardToken"));
    /* The end is where the token stays the same. */
    *ret_more = token != NULL && strcmp(token, follower->token) != 0 &&
                strlen(token) < sizeof follower->token;
    if (*ret_more)
        (void)snprintf(follower->token, sizeof follower->token, "%s", token);
    return ERR_NONE;
}

enum err_code logs_follow(struct aws_link *link, struct logs_follower *follower, logs_line *line,
                          void *context, struct err *err)
{
    bool more = true;

    if (follower->stream[0] == '\0')
        TRY(find_stream(link, follower, err));
    for (int page = 0; more && page < LOGS_PAGES_MAX && follower->stream[0] != '\0'; page++)
        TRY(read_page(link, follower, line, context, &more, err));
    return ERR_NONE;
}
