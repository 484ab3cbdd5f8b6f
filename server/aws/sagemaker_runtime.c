#include "aws/sagemaker_runtime.h"

#include <stdio.h>
#include <string.h>

#include "aws/signed.h"
#include "base/json.h"
#include "base/own.h"

enum { PATH_BYTES = SAGEMAKER_NAME_BYTES + 32 };

bool sagemaker_name_ok(const char *name)
{
    size_t length = strlen(name);
    static const char LETTERS[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-";

    return length > 0 && length < SAGEMAKER_NAME_BYTES && name[0] != '-' &&
           name[length - 1] != '-' && strspn(name, LETTERS) == length;
}

static bool is_model_error(const struct aws_reply *reply)
{
    return reply->http.status == 424 || strcmp(reply->code, "ModelError") == 0;
}

/* The model's own status; 0 also when the answer does not say. */
static int original_status(const struct aws_reply *reply)
{
    AUTO(json_doc_freep) struct json_doc *doc = NULL;
    const struct str *body = &reply->http.body;
    struct err unused;
    int64_t status;

    if (body->length == 0 || json_parse(body->text, body->length, &doc, &unused) != ERR_NONE ||
        !json_int_of(json_member(json_root(doc), "OriginalStatusCode"), &status) || status < 0 ||
        status > 999)
        return 0;
    return (int)status;
}

/* What the model refuses it will refuse again; what it failed at it may do next time. */
static bool is_transient(const struct aws_reply *reply)
{
    return is_model_error(reply) && original_status(reply) / 100 != 4;
}

static void read_reason(const struct aws_reply *reply, char ret[static SAGEMAKER_REASON_BYTES])
{
    AUTO(json_doc_freep) struct json_doc *doc = NULL;
    const struct str *body = &reply->http.body;
    const char *text = NULL;
    struct err unused;

    if (body->length > 0 && json_parse(body->text, body->length, &doc, &unused) == ERR_NONE)
        text = json_text_of(json_member(json_root(doc), "OriginalMessage"));
    if (text != NULL && text[0] != '\0')
        (void)snprintf(ret, SAGEMAKER_REASON_BYTES, "%s", text);
    else
        reply_message(reply, ret, SAGEMAKER_REASON_BYTES);
    for (char *at = ret; *at != '\0'; at++)
        if ((unsigned char)*at < ' ')
            *at = ' ';
}

static enum err_code explain(const struct sagemaker_asked *asked, const struct aws_reply *reply,
                             enum err_code code, struct sagemaker_refusal *ret, struct err *err)
{
    if (is_model_error(reply)) {
        ret->by_model = true;
        ret->status = original_status(reply);
        read_reason(reply, ret->reason);
        if (ret->status == 0)
            return err_set(err, ERR_UNAVAILABLE, "the model behind %s did not answer in time: %s",
                           asked->endpoint, ret->reason);
        return err_set(err, ret->status / 100 == 4 ? ERR_INVALID : ERR_UNAVAILABLE,
                       "the model behind %s answered %d: %s", asked->endpoint, ret->status,
                       ret->reason);
    }
    if (strcmp(reply->code, "ValidationError") == 0 ||
        strcmp(reply->code, "ValidationException") == 0)
        code = ERR_NOT_FOUND;
    err->code = code;
    return err_prefix(err, "the endpoint %s", asked->endpoint);
}

enum err_code sagemaker_invoke(struct aws_link *link, const struct sagemaker_asked *asked,
                               struct aws_reply *reply, struct sagemaker_refusal *ret,
                               struct err *err)
{
    const char *headers[] = {"Content-Type", asked->content_type, "Accept", asked->accept, NULL};
    char path[PATH_BYTES];
    struct aws_call call = {
        .service = AWS_SAGEMAKER_RUNTIME,
        .method = "POST",
        .path = path,
        .headers = headers,
        .body = asked->body,
        .body_length = asked->length,
        .reply_bytes_max = SAGEMAKER_BODY_BYTES_MAX,
        .file = -1,
        .try_timeout_ms = asked->answer_ms,
        .deadline_ms = asked->deadline_ms,
        .stop = asked->stop,
        .transient = is_transient,
    };
    enum err_code code;

    *ret = (struct sagemaker_refusal){.by_model = false};
    if (!sagemaker_name_ok(asked->endpoint))
        return err_set(err, ERR_INVALID, "\"%.80s\" is no name of an endpoint", asked->endpoint);
    (void)snprintf(path, sizeof path, "/endpoints/%s/invocations", asked->endpoint);
    reply->http.status = 0;
    code = aws_call(link, &call, reply, err);
    if (code == ERR_NONE || reply->http.status < 300)
        return code;
    return explain(asked, reply, code, ret, err);
}
