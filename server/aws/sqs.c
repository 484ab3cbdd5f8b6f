/* The operations of SQS that a consumer needs. */
#include "aws/sqs.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/crypto.h"
#include "base/json.h"
#include "base/log.h"
#include "base/own.h"
#include "base/str.h"

enum {
    QUEUE_NAME_BYTES_MAX = 80,
    REQUEST_BYTES_MAX = 64 * 1024,
    /* Ten messages of SQS_MESSAGE_BYTES_MAX together at most, JSON's escapes on top. */
    REPLY_BYTES_MAX = 8 * SQS_MESSAGE_BYTES_MAX,
    TRY_MS_MAX = 10 * 1000,
    CALL_MS_MAX = 30 * 1000,
};

struct sqs_queue {
    char region[AWS_REGION_BYTES];
    char *url;
};

/* One operation; the answer's document is the caller's. */
static enum err_code ask(struct aws_link *link, const char *region, const char *operation,
                         const struct str *body, int wait_s, const atomic_bool *stop,
                         struct json_doc **ret, struct err *err)
{
    AUTO(aws_reply_done) struct aws_reply reply = {0};
    char target[64];
    const char *headers[] = {"Content-Type", "application/x-amz-json-1.0", "X-Amz-Target", target,
                             NULL};
    struct aws_call call = {
        .service = AWS_SQS,
        .method = "POST",
        .region = region,
        .path = "/",
        .headers = headers,
        .body = body->text,
        .body_length = body->length,
        .reply_bytes_max = REPLY_BYTES_MAX,
        .file = -1,
        .try_timeout_ms = TRY_MS_MAX + wait_s * INT64_C(1000),
        .deadline_ms = CALL_MS_MAX + wait_s * INT64_C(1000),
        .stop = stop,
    };
    const struct str *text = &reply.http.body;

    TRY(str_check(body, "a question to SQS", err));
    (void)snprintf(target, sizeof target, "AmazonSQS.%s", operation);
    TRY(aws_call(link, &call, &reply, err));
    if (text->length == 0)
        return json_parse("{}", 2, ret, err);
    if (json_parse(text->text, text->length, ret, err) != ERR_NONE)
        return err_set(err, ERR_CORRUPT, "SQS answered %s with something that is not JSON",
                       operation);
    return ERR_NONE;
}

static bool is_region(const char *text, size_t length)
{
    return length > 0 && length < AWS_REGION_BYTES &&
           strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789-") >= length;
}

/* "https://sqs.REGION.amazonaws.com/…", "https://REGION.queue.amazonaws.com/…"; of another host the
 * region stays unknown. */
static void region_of_url(const char *url, char ret[static AWS_REGION_BYTES])
{
    const char *host = strstr(url, "://"), *from, *dot;

    if (host == NULL)
        return;
    host += 3;
    from = host;
    if (strncmp(host, "sqs.", 4) == 0 || strncmp(host, "sqs-fips.", 9) == 0)
        from = strchr(host, '.') + 1;
    dot = strchr(from, '.');
    if (dot == NULL || (from == host && strncmp(dot, ".queue.", 7) != 0) ||
        !is_region(from, (size_t)(dot - from)))
        return;
    (void)memcpy(ret, from, (size_t)(dot - from));
    ret[dot - from] = '\0';
}

/* arn:PARTITION:sqs:REGION:ACCOUNT:NAME */
static enum err_code look_up(struct aws_link *link, const char *arn, struct sqs_queue *queue,
                             struct err *err)
{
    AUTO(str_done) struct str body = {0};
    AUTO(json_doc_freep) struct json_doc *doc = NULL;
    char partition[32], account[16], name[QUEUE_NAME_BYTES_MAX + 1];
    struct json_writer json;
    const char *url;
    int end = 0;

    if (sscanf(arn, "arn:%31[a-z-]:sqs:%32[a-z0-9-]:%15[0-9]:%80[A-Za-z0-9_.-]%n", partition,
               queue->region, account, name, &end) != 4 ||
        arn[end] != '\0' || strlen(account) != 12)
        return err_set(err, ERR_INVALID, "\"%s\" is not the ARN of an SQS queue", arn);
    str_init(&body, REQUEST_BYTES_MAX);
    json_writer_init(&json, &body);
    json_object(&json, NULL);
    json_text(&json, "QueueName", name);
    json_text(&json, "QueueOwnerAWSAccountId", account);
    json_end(&json);
    TRY(ask(link, queue->region, "GetQueueUrl", &body, 0, NULL, &doc, err));
    url = json_text_of(json_member(json_root(doc), "QueueUrl"));
    if (url == NULL)
        return err_set(err, ERR_CORRUPT, "SQS gave no URL for the queue %s", name);
    queue->url = own_strdup(url);
    return ERR_NONE;
}

static void queue_freep(struct sqs_queue **queue)
{
    sqs_close(*queue);
}

enum err_code sqs_open(struct aws_link *link, const char *url_or_arn, struct sqs_queue **ret,
                       struct err *err)
{
    AUTO(queue_freep) struct sqs_queue *queue = own_alloc(sizeof *queue);

    if (str_starts(url_or_arn, "arn:")) {
        TRY(look_up(link, url_or_arn, queue, err));
    } else {
        if (!str_starts(url_or_arn, "https://") && !str_starts(url_or_arn, "http://"))
            return err_set(err, ERR_INVALID, "an SQS queue is its URL or its ARN, not \"%s\"",
                           url_or_arn);
        region_of_url(url_or_arn, queue->region);
        queue->url = own_strdup(url_or_arn);
    }
    *ret = TAKE(queue);
    return ERR_NONE;
}

void sqs_close(struct sqs_queue *queue)
{
    if (queue == NULL)
        return;
    free(queue->url);
    free(queue);
}

const char *sqs_url(const struct sqs_queue *queue)
{
    return queue->url;
}

static const char *region_of(const struct sqs_queue *queue)
{
    return queue->region[0] != '\0' ? queue->region : NULL;
}

static void begin(const struct sqs_queue *queue, struct str *body, struct json_writer *json)
{
    str_init(body, REQUEST_BYTES_MAX);
    json_writer_init(json, body);
    json_object(json, NULL);
    json_text(json, "QueueUrl", queue->url);
}

enum err_code sqs_attributes(struct aws_link *link, const struct sqs_queue *queue,
                             struct sqs_attributes *ret, struct err *err)
{
    AUTO(str_done) struct str body = {0};
    AUTO(json_doc_freep) struct json_doc *doc = NULL;
    struct json_writer json;
    const struct json *attributes;
    const char *visibility;

    begin(queue, &body, &json);
    json_array(&json, "AttributeNames");
    json_text(&json, NULL, "All");
    json_end(&json);
    json_end(&json);
    TRY(ask(link, region_of(queue), "GetQueueAttributes", &body, 0, NULL, &doc, err));
    attributes = json_member(json_root(doc), "Attributes");
    visibility = json_text_of(json_member(attributes, "VisibilityTimeout"));
    ret->has_dead_letters = json_member(attributes, "RedrivePolicy") != NULL;
    if (visibility == NULL || !str_to_i64(visibility, &ret->visibility_s))
        return err_set(err, ERR_CORRUPT, "SQS does not say the queue's visibility timeout");
    return ERR_NONE;
}

static enum err_code read_message(const struct json *node, struct arena *arena,
                                  struct sqs_message *ret, struct err *err)
{
    const char *body = json_text_of(json_member(node, "Body"));
    const char *id = json_text_of(json_member(node, "MessageId"));
    const char *receipt = json_text_of(json_member(node, "ReceiptHandle"));
    const char *md5 = json_text_of(json_member(node, "MD5OfBody"));
    const char *receives = json_text_of(json_path(node, "Attributes.ApproximateReceiveCount"));
    char digest[MD5_HEX_BYTES];

    if (body == NULL || id == NULL || receipt == NULL)
        return err_set(err, ERR_CORRUPT, "SQS gave a message without body, id or receipt");
    *ret = (struct sqs_message){.id = arena_strdup(arena, id),
                                .receipt = arena_strdup(arena, receipt),
                                .body = arena_strdup(arena, body)};
    md5_hex(body, strlen(body), digest);
    ret->damaged = md5 != NULL && strcmp(md5, digest) != 0;
    if (receives != NULL && !str_to_i64(receives, &ret->receives))
        ret->receives = 0;
    return ERR_NONE;
}

enum err_code sqs_receive(struct aws_link *link, const struct sqs_queue *queue, size_t max,
                          int wait_s, const atomic_bool *stop, struct arena *arena,
                          struct sqs_message *ret, size_t *ret_count, struct err *err)
{
    AUTO(str_done) struct str body = {0};
    AUTO(json_doc_freep) struct json_doc *doc = NULL;
    struct json_writer json;

    *ret_count = 0;
    begin(queue, &body, &json);
    json_int(&json, "MaxNumberOfMessages", (int64_t)(max < SQS_BATCH_MAX ? max : SQS_BATCH_MAX));
    json_int(&json, "WaitTimeSeconds",
             wait_s < SQS_WAIT_SECONDS_MAX ? wait_s : SQS_WAIT_SECONDS_MAX);
    json_array(&json, "MessageSystemAttributeNames");
    json_text(&json, NULL, "ApproximateReceiveCount");
    json_text(&json, NULL, "SentTimestamp");
    json_end(&json);
    json_end(&json);
    TRY(ask(link, region_of(queue), "ReceiveMessage", &body, wait_s, stop, &doc, err));
    for (const struct json *node = json_first(json_member(json_root(doc), "Messages"));
         node != NULL && *ret_count < max; node = json_next(node)) {
        TRY(read_message(node, arena, &ret[*ret_count], err));
        (*ret_count)++;
    }
    return ERR_NONE;
}

/* Into *ret when it is one of the batch. */
static bool place_of(const struct json *node, size_t count, size_t *ret)
{
    const char *id = json_text_of(json_member(node, "Id"));
    int64_t place;

    if (id == NULL || !str_to_i64(id, &place) || place < 0 || (size_t)place >= count)
        return false;
    *ret = (size_t)place;
    return true;
}

/* The two lists of a batch's answer: what is in none was not done. What is the sender's fault, a
 * receipt that ran out, is no better the next time. */
static void read_failed(const struct json_doc *doc, const char *operation, size_t count,
                        bool *ret_failed)
{
    const struct json *done = json_member(json_root(doc), "Successful");
    const struct json *failed = json_member(json_root(doc), "Failed");
    size_t place;

    for (size_t i = 0; i < count; i++)
        ret_failed[i] = true;
    for (const struct json *node = json_first(done); node != NULL; node = json_next(node))
        if (place_of(node, count, &place))
            ret_failed[place] = false;
    for (const struct json *node = json_first(failed); node != NULL; node = json_next(node)) {
        const char *code = json_text_of(json_member(node, "Code"));
        bool senders_fault = false;

        (void)json_bool_of(json_member(node, "SenderFault"), &senders_fault);
        log_warn("the queue refused a message", "operation=%s code=%s", operation,
                 log_quote(code != NULL ? code : "unknown"));
        if (place_of(node, count, &place))
            ret_failed[place] = !senders_fault;
    }
}

static enum err_code batch(struct aws_link *link, const struct sqs_queue *queue,
                           const char *operation, const char *const *receipts, size_t count,
                           int seconds, bool *ret_failed, struct err *err)
{
    AUTO(str_done) struct str body = {0};
    AUTO(json_doc_freep) struct json_doc *doc = NULL;
    struct json_writer json;
    char id[8];

    ASSERT(count > 0 && count <= SQS_BATCH_MAX);
    begin(queue, &body, &json);
    json_array(&json, "Entries");
    for (size_t i = 0; i < count; i++) {
        (void)snprintf(id, sizeof id, "%zu", i);
        json_object(&json, NULL);
        json_text(&json, "Id", id);
        json_text(&json, "ReceiptHandle", receipts[i]);
        if (seconds >= 0)
            json_int(&json, "VisibilityTimeout", seconds);
        json_end(&json);
    }
    json_end(&json);
    json_end(&json);
    TRY(ask(link, region_of(queue), operation, &body, 0, NULL, &doc, err));
    read_failed(doc, operation, count, ret_failed);
    return ERR_NONE;
}

enum err_code sqs_delete(struct aws_link *link, const struct sqs_queue *queue,
                         const char *const *receipts, size_t count, bool *ret_failed,
                         struct err *err)
{
    return batch(link, queue, "DeleteMessageBatch", receipts, count, -1, ret_failed, err);
}

enum err_code sqs_hide(struct aws_link *link, const struct sqs_queue *queue,
                       const char *const *receipts, size_t count, int seconds, bool *ret_failed,
                       struct err *err)
{
    return batch(link, queue, "ChangeMessageVisibilityBatch", receipts, count, seconds, ret_failed,
                 err);
}
