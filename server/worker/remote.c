/* Splits pairs into requests, waits for the endpoint, finds the rows that it refuses. */
#include "worker/remote.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "aws/client.h"
#include "aws/retry.h"
#include "aws/sagemaker_runtime.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/own.h"
#include "base/str.h"
#include "worker/invocation.h"

_Static_assert(REMOTE_ROWS_MAX *INVOCATION_ANSWER_ROW_BYTES <= SAGEMAKER_BODY_BYTES_MAX,
               "the answer to a full request fits");
enum { TYPE_BYTES = 96, NAP_MS = 100, PAUSE_MIN_MS = 1000, ASK_MS_MIN = 100 };

struct remote {
    struct remote_options options;
    struct aws_link *link;
    struct str body;
    bool proven; /* it gave a number before: what it refuses are single rows, and not our form */
};

/* One remote_score on its way. */
struct scoring {
    struct remote *remote;
    const struct model_pair *pairs;
    const size_t *order; /* of those that are sent */
    struct remote_result *ret;
    double *answers; /* room for a request's */
    size_t taken;    /* rows that got a number */
    size_t halvings;
};

void remote_open(const struct remote_options *options, struct remote **ret)
{
    struct remote *remote = own_alloc(sizeof *remote);

    remote->options = *options;
    aws_link_open(options->aws, &remote->link);
    str_init(&remote->body, SAGEMAKER_BODY_BYTES_MAX);
    *ret = remote;
}

void remote_close(struct remote *remote)
{
    if (remote == NULL)
        return;
    aws_link_close(remote->link);
    str_done(&remote->body);
    own_freep(&remote);
}

void remote_closep(struct remote **remote)
{
    remote_close(*remote);
    *remote = NULL;
}

static bool should_stop(const struct remote *remote)
{
    return remote->options.stop != NULL && atomic_load(remote->options.stop);
}

static bool may_pass(enum err_code code)
{
    return code == ERR_UNAVAILABLE || code == ERR_RATE || code == ERR_TIMEOUT ||
           code == ERR_UNAUTHORIZED;
}

static enum err_code nap(const struct remote *remote, int64_t pause_ms, struct err *err)
{
    for (int64_t end_ms = clock_mono_ms() + pause_ms; clock_mono_ms() < end_ms;) {
        if (should_stop(remote))
            return err_set(err, ERR_CANCELLED, "stopped while waiting for the endpoint %s",
                           remote->options.endpoint);
        clock_sleep_ms(NAP_MS);
    }
    return ERR_NONE;
}

/* Asks until the endpoint answers, refuses, or wait_ms is over. */
static enum err_code ask(struct remote *remote, const char *type, struct aws_reply *reply,
                         struct sagemaker_refusal *refusal, struct err *err)
{
    const struct remote_options *options = &remote->options;
    struct sagemaker_asked asked = {
        .endpoint = options->endpoint,
        .content_type = type,
        .accept = "application/jsonlines",
        .body = remote->body.text,
        .length = remote->body.length,
        .answer_ms = options->answer_ms,
        .stop = options->stop,
    };
    int64_t end_ms = clock_mono_ms() + options->wait_ms;

    for (int round = 1;; round++) {
        int64_t pause_ms = PAUSE_MIN_MS + retry_pause_ms(RETRY_THROTTLED, round, 0);
        enum err_code code;

        asked.deadline_ms = end_ms - clock_mono_ms();
        asked.deadline_ms = asked.deadline_ms > 0 ? asked.deadline_ms : 1;
        code = sagemaker_invoke(remote->link, &asked, reply, refusal, err);
        if (!may_pass(code))
            return code;
        if (clock_mono_ms() + pause_ms + ASK_MS_MIN >= end_ms) {
            err->code = ERR_UNAVAILABLE;
            return err_prefix(err, "not scored within %lld s",
                              (long long)(options->wait_ms / 1000));
        }
        log_warn("waiting for the endpoint", "endpoint=%s pause_ms=%lld reason=%s",
                 options->endpoint, (long long)pause_ms, log_quote(err->text));
        TRY(nap(remote, pause_ms, err));
    }
}

static void refuse(struct scoring *scoring, size_t from, size_t to,
                   const struct sagemaker_refusal *refusal)
{
    struct remote_result *ret = scoring->ret;

    for (size_t i = from; i < to; i++)
        ret->why[scoring->order[i]] = REMOTE_REFUSED;
    if (ret->refused == 0)
        (void)snprintf(ret->reason, sizeof ret->reason, "%s", refusal->reason);
    ret->refused += to - from;
}

static enum err_code take(struct scoring *scoring, const struct aws_reply *reply, size_t from,
                          size_t to, struct err *err)
{
    static const struct sagemaker_refusal NULL_ANSWER = {.reason = "the model's answer is null"};
    const struct str *body = &reply->http.body;
    char type[TYPE_BYTES] = "";

    (void)http_reply_header(&reply->http, "content-type", type, sizeof type);
    if (invocation_read(type, body->text != NULL ? body->text : "", body->length, to - from,
                        scoring->answers, err) != ERR_NONE)
        return err_prefix(err, "the endpoint %s", scoring->remote->options.endpoint);
    for (size_t i = from; i < to; i++) {
        scoring->ret->dot_products[scoring->order[i]] = scoring->answers[i - from];
        if (isnan(scoring->answers[i - from]))
            refuse(scoring, i, i + 1, &NULL_ANSWER);
        else
            scoring->taken++;
    }
    scoring->remote->proven = scoring->remote->proven || scoring->taken > 0;
    return ERR_NONE;
}

static enum err_code takes_none(const struct remote *remote, const char *reason, struct err *err)
{
    return err_set(err, ERR_INVALID, "the endpoint %s takes none of the pairs: %s",
                   remote->options.endpoint, reason);
}

static enum err_code score_range(struct scoring *scoring, size_t from, size_t to, struct err *err);

/* A request that the model calls wrong: one row of it, or both halves by themselves. As deep as a
 * request's rows have bits. */
static enum err_code halve(struct scoring *scoring, size_t from, size_t to,
                           const struct sagemaker_refusal *refusal, struct err *err)
{
    if (to - from == 1 || scoring->halvings >= REMOTE_HALVINGS_MAX) {
        refuse(scoring, from, to, refusal);
        return scoring->taken == 0 && scoring->ret->refused >= REMOTE_REFUSED_MAX
                   ? takes_none(scoring->remote, refusal->reason, err)
                   : ERR_NONE;
    }
    scoring->halvings += 2;
    TRY(score_range(scoring, from, from + (to - from) / 2, err));
    return score_range(scoring, from + (to - from) / 2, to, err);
}

/* No row is wrong when the model has no such address, method or content type. */
static bool is_of_form(int status)
{
    return status == 404 || status == 405 || status == 415;
}

/* As many rows from there on as one request takes. */
static enum err_code score_request(struct scoring *scoring, size_t from, size_t to, size_t *ret_to,
                                   struct err *err)
{
    AUTO(aws_reply_done) struct aws_reply reply = {0};
    struct remote *remote = scoring->remote;
    struct sagemaker_refusal refusal;
    const char *type;
    size_t count = to - from;
    enum err_code code;

    count = count < remote->options.rows_max ? count : remote->options.rows_max;
    str_clear(&remote->body);
    count = invocation_write(scoring->pairs, scoring->order + from, count, &remote->body, &type);
    ASSERT(count > 0); /* an entity is shorter than a request */
    *ret_to = from + count;
    code = ask(remote, type, &reply, &refusal, err);
    if (refusal.by_model && is_of_form(refusal.status))
        return takes_none(remote, refusal.reason, err);
    if (code == ERR_INVALID && refusal.by_model)
        return halve(scoring, from, from + count, &refusal, err);
    TRY(code);
    return take(scoring, &reply, from, from + count, err);
}

static enum err_code score_range(struct scoring *scoring, size_t from, size_t to, struct err *err)
{
    while (from < to) {
        if (should_stop(scoring->remote))
            return err_set(err, ERR_CANCELLED, "stopped while scoring");
        TRY(score_request(scoring, from, to, &from, err));
    }
    return ERR_NONE;
}

enum err_code remote_score(struct remote *remote, const struct model_pair *pairs, size_t count,
                           struct remote_result *ret, struct err *err)
{
    AUTO(own_freep) size_t *order = own_array(count + 1, sizeof *order);
    AUTO(own_freep) double *answers = NULL;
    struct scoring scoring = {.remote = remote, .pairs = pairs, .order = order, .ret = ret};
    size_t sent = 0;

    ret->refused = 0;
    ret->reason[0] = '\0';
    for (size_t i = 0; i < count; i++) {
        ret->dot_products[i] = NAN;
        ret->why[i] = REMOTE_IPV6;
        if (!remote->options.ipv6 && !ip_is_v4(&pairs[i].ip))
            continue;
        ret->why[i] = REMOTE_SCORED;
        order[sent++] = i;
    }
    answers = own_array(remote->options.rows_max + 1, sizeof *answers);
    scoring.answers = answers;
    TRY(score_range(&scoring, 0, sent, err));
    return sent > 0 && !remote->proven ? takes_none(remote, ret->reason, err) : ERR_NONE;
}
