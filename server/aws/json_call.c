#include "aws/json_call.h"

#include <stdio.h>
#include <string.h>

#include "aws/signed.h"
#include "base/json.h"
#include "base/own.h"
#include "base/str.h"

enum { TRY_MS_MAX = 30 * 1000, CALL_MS_MAX = 120 * 1000 };

enum err_code json_call(struct aws_link *link, const struct json_call *call, struct json_doc **ret,
                        struct json_call_fault *fault, struct err *err)
{
    AUTO(aws_reply_done) struct aws_reply reply = {0};
    const char *headers[] = {"Content-Type", "application/x-amz-json-1.1", "X-Amz-Target",
                             call->target, NULL};
    struct aws_call asked = {
        .service = call->service,
        .method = "POST",
        .path = "/",
        .headers = headers,
        .body = call->body->text,
        .body_length = call->body->length,
        .reply_bytes_max = JSON_CALL_REPLY_BYTES_MAX,
        .file = -1,
        .try_timeout_ms = TRY_MS_MAX,
        .deadline_ms = CALL_MS_MAX,
        .stop = call->stop,
    };
    const struct str *text = &reply.http.body;
    enum err_code code;

    if (fault != NULL)
        *fault = (struct json_call_fault){.tries = 0};
    TRY(str_check(call->body, "a question to AWS", err));
    code = aws_call(link, &asked, &reply, err);
    if (fault != NULL) {
        (void)snprintf(fault->code, sizeof fault->code, "%s", reply.code);
        if (code != ERR_NONE && reply.http.status >= 300)
            reply_message(&reply, fault->message, sizeof fault->message);
        fault->tries = reply.tries;
    }
    if (code != ERR_NONE)
        return err_prefix(err, "%s", strchr(call->target, '.') + 1);
    if (text->length == 0)
        return json_parse("{}", 2, ret, err);
    if (json_parse(text->text, text->length, ret, err) != ERR_NONE)
        return err_set(err, ERR_CORRUPT, "%s was answered with something that is not JSON",
                       call->target);
    return ERR_NONE;
}
