/* Tries, pauses, the clock's correction, credentials renewed: one loop for every service. */
#include "aws/client.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "aws/attempt.h"
#include "aws/credentials.h"
#include "aws/endpoint.h"
#include "aws/profile.h"
#include "aws/retry.h"
#include "aws/signed.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/own.h"
#include "base/tally.h"

/* A try that has less time would only hide why the one before failed. */
enum { TRY_MS_MIN = 50 };
enum { SKEW_MIN_MS = 60 * 1000, PAUSE_SLICE_MS = 100, MESSAGE_BYTES = 400 };

struct aws {
    char region[AWS_REGION_BYTES];
    struct endpoint_options endpoints;
    struct credentials *credentials;
    const char *ca_bundle; /* environ's */
    struct retry_budget budget;
    _Atomic int64_t skew_ms; /* the service's clock minus ours */
    struct {
        _Atomic uint64_t calls, retries, throttles;
    } counts[AWS_SERVICE__MAX];
};

struct aws_link {
    struct aws *aws;
    struct http_link *http;
};

static enum err_code choose_region(const struct aws_options *options, struct aws *aws,
                                   struct err *err)
{
    const char *region = options->region;

    if (region == NULL || region[0] == '\0')
        region = getenv("AWS_REGION");
    if (region == NULL || region[0] == '\0')
        region = getenv("AWS_DEFAULT_REGION");
    if (region == NULL || region[0] == '\0')
        return profile_region(aws->region, err);
    if (strlen(region) >= sizeof aws->region ||
        strspn(region, "abcdefghijklmnopqrstuvwxyz0123456789-") != strlen(region))
        return err_set(err, ERR_INVALID, "\"%s\" is no AWS region", region);
    (void)snprintf(aws->region, sizeof aws->region, "%s", region);
    return ERR_NONE;
}

enum err_code aws_open(const struct aws_options *options, struct aws **ret, struct err *err)
{
    AUTO(aws_closep) struct aws *aws = own_alloc(sizeof *aws);
    struct credentials_options credentials = {
        .role = options->role,
        .external_id = options->external_id,
        .endpoints = &aws->endpoints,
    };

    TRY(choose_region(options, aws, err));
    endpoint_options_read(&aws->endpoints);
    aws->ca_bundle = getenv("AWS_CA_BUNDLE");
    retry_budget_init(&aws->budget);
    credentials.region = aws->region;
    credentials.ca_bundle = aws->ca_bundle;
    credentials_open(&credentials, &aws->credentials);
    *ret = TAKE(aws);
    return ERR_NONE;
}

void aws_close(struct aws *aws)
{
    if (aws == NULL)
        return;
    credentials_close(aws->credentials);
    free(aws);
}

void aws_closep(struct aws **aws)
{
    aws_close(*aws);
    *aws = NULL;
}

const char *aws_ca_bundle(const struct aws *aws)
{
    return aws->ca_bundle;
}

const char *aws_region(const struct aws *aws)
{
    return aws->region;
}

void aws_link_open(struct aws *aws, struct aws_link **ret)
{
    struct aws_link *link = own_alloc(sizeof *link);

    link->aws = aws;
    http_link_open(&(struct http_link_options){.ca_bundle = aws->ca_bundle}, &link->http);
    *ret = link;
}

void aws_link_close(struct aws_link *link)
{
    if (link == NULL)
        return;
    http_link_close(link->http);
    free(link);
}

void aws_link_closep(struct aws_link **link)
{
    aws_link_close(*link);
    *link = NULL;
}

void aws_reply_done(struct aws_reply *reply)
{
    http_reply_done(&reply->http);
}

void aws_counts(struct aws *aws, enum aws_service service, struct aws_counts *ret)
{
    ret->calls = atomic_load(&aws->counts[service].calls);
    ret->retries = atomic_load(&aws->counts[service].retries);
    ret->throttles = atomic_load(&aws->counts[service].throttles);
}

/* Every answer tells the service's time; the correction changes when it is off by a minute. True
 * when it did. */
static bool learn_skew(struct aws *aws, const struct aws_reply *reply)
{
    char text[64];
    int64_t theirs, skew;

    if (!http_reply_header(&reply->http, "date", text, sizeof text) ||
        !http_date_parse(text, &theirs))
        return false;
    skew = theirs - clock_now_ms();
    if (llabs(skew - atomic_load(&aws->skew_ms)) < SKEW_MIN_MS)
        return false;
    if (llabs(skew) < SKEW_MIN_MS)
        skew = 0;
    log_warn("the clock differs from the service's", "seconds=%" PRId64, skew / 1000);
    atomic_store(&aws->skew_ms, skew);
    return true;
}

static enum err_code code_of(const struct aws_reply *reply, enum retry_class class_)
{
    int status = reply->http.status;

    if (class_ == RETRY_THROTTLED)
        return ERR_RATE;
    if (class_ == RETRY_CREDENTIALS || class_ == RETRY_CLOCK || status == 401 ||
        strcmp(reply->code, "InvalidClientTokenId") == 0 ||
        strcmp(reply->code, "UnrecognizedClientException") == 0 ||
        strcmp(reply->code, "InvalidAccessKeyId") == 0)
        return ERR_UNAUTHORIZED;
    if (status == 404 || strcmp(reply->code, "QueueDoesNotExist") == 0 ||
        strcmp(reply->code, "AWS.SimpleQueueService.NonExistentQueue") == 0)
        return ERR_NOT_FOUND;
    /* AccessDenied, AccessDeniedException, KmsAccessDenied, KMS.AccessDeniedException */
    if (status == 403 || strstr(reply->code, "AccessDenied") != NULL)
        return ERR_FORBIDDEN;
    return class_ == RETRY_TRANSIENT || status >= 500 ? ERR_UNAVAILABLE : ERR_INVALID;
}

static enum err_code explain(const struct aws_call *call, const struct aws_reply *reply,
                             enum retry_class class_, struct err *err)
{
    char message[MESSAGE_BYTES];

    reply_message(reply, message, sizeof message);
    return err_set(err, code_of(reply, class_), "%s answered %d%s%s%s%s",
                   AWS_SERVICE_WORDS[call->service], reply->http.status,
                   reply->code[0] != '\0' ? " " : "", reply->code, message[0] != '\0' ? ": " : "",
                   message);
}

static int64_t asked_pause_ms(const struct aws_reply *reply)
{
    char text[16];
    int64_t seconds = 0;

    if (!http_reply_header(&reply->http, "retry-after", text, sizeof text) ||
        !str_to_i64(text, &seconds))
        return 0;
    return seconds > 0 && seconds < 3600 ? seconds * 1000 : 0;
}

enum err_code attempt_begin(struct aws *aws, const struct aws_call *call, struct attempt *ret,
                            struct err *err)
{
    ret->signing = (struct signing){
        .endpoints = &aws->endpoints,
        .region = call->region != NULL ? call->region : aws->region,
        .now_ms = clock_now_ms() + atomic_load(&aws->skew_ms),
    };
    if (ret->signing.region[0] == '\0')
        return err_set(err, ERR_INVALID, "no AWS region is known: set AWS_REGION");
    TRY(credentials_get(aws->credentials, &ret->keys, err));
    ret->signing.keys = ret->keys;
    (void)atomic_fetch_add(&aws->counts[call->service].calls, 1);
    tally_add("aws_calls", AWS_SERVICE_WORDS[call->service], NULL, 1);
    return ERR_NONE;
}

void attempt_done(struct attempt *attempt)
{
    keys_drop(attempt->keys);
    attempt->keys = NULL;
}

/* What the service called it, or we when it did not answer. */
static const char *code_text(const struct aws_reply *reply, const struct err *err)
{
    return reply->code[0] != '\0' ? reply->code : err_word(err->code);
}

static void count_throttle(struct aws *aws, const struct aws_call *call,
                           const struct aws_reply *reply, const struct err *err)
{
    (void)atomic_fetch_add(&aws->counts[call->service].throttles, 1);
    tally_add("aws_throttles", AWS_SERVICE_WORDS[call->service], code_text(reply, err), 1);
}

enum err_code attempt_conclude(struct aws *aws, const struct aws_call *call,
                               const struct attempt *attempt, enum err_code code,
                               struct aws_reply *reply, enum retry_class *ret_class,
                               struct err *err)
{
    bool clock_changed;

    *ret_class = RETRY_NO;
    if (code != ERR_NONE) {
        *ret_class = retry_class_of_failure(code);
        return err_prefix(err, "asking %s", AWS_SERVICE_WORDS[call->service]);
    }
    clock_changed = learn_skew(aws, reply);
    if (reply->http.status / 100 == 2)
        return ERR_NONE;
    *ret_class = retry_class_of(reply->http.status, reply->code);
    if (*ret_class == RETRY_NO && call->transient != NULL && call->transient(reply))
        *ret_class = RETRY_TRANSIENT;
    code = explain(call, reply, *ret_class, err);
    if (*ret_class == RETRY_THROTTLED)
        count_throttle(aws, call, reply, err);
    if (*ret_class == RETRY_CREDENTIALS)
        credentials_refuse(aws->credentials, attempt->keys);
    if (*ret_class == RETRY_CLOCK && !clock_changed)
        *ret_class = RETRY_NO;
    return code;
}

int64_t attempt_pause_ms(struct aws *aws, const struct aws_call *call,
                         const struct aws_reply *reply, enum retry_class class_, int64_t end_ms,
                         const struct err *err)
{
    int64_t pause_ms = retry_pause_ms(class_, reply->tries, asked_pause_ms(reply));

    if (class_ == RETRY_NO || reply->tries == AWS_TRIES_MAX ||
        clock_mono_ms() + pause_ms + TRY_MS_MIN >= end_ms ||
        !retry_budget_take(&aws->budget, class_))
        return -1;
    (void)atomic_fetch_add(&aws->counts[call->service].retries, 1);
    tally_add("aws_retries", AWS_SERVICE_WORDS[call->service], code_text(reply, err), 1);
    log_debug("asking again", "service=%s try=%d pause_ms=%" PRId64 " reason=%s",
              AWS_SERVICE_WORDS[call->service], reply->tries + 1, pause_ms, log_quote(err->text));
    return pause_ms;
}

void attempt_paid(struct aws *aws)
{
    retry_budget_pay(&aws->budget);
}

/* One try. *ret_class says whether another is worth it. */
static enum err_code try_once(struct aws_link *link, const struct aws_call *call,
                              struct aws_reply *reply, enum retry_class *ret_class, struct err *err)
{
    AUTO(attempt_done) struct attempt attempt = {0};
    enum err_code code;

    *ret_class = RETRY_NO;
    TRY(attempt_begin(link->aws, call, &attempt, err));
    code = signed_exchange(link->http, &attempt.signing, call, reply, err);
    return attempt_conclude(link->aws, call, &attempt, code, reply, ret_class, err);
}

static enum err_code pause_for(int64_t pause_ms, const struct aws_call *call, struct err *err)
{
    int64_t until_ms = clock_mono_ms() + pause_ms;

    for (int64_t left = pause_ms; left > 0; left = until_ms - clock_mono_ms()) {
        if (call->stop != NULL && atomic_load(call->stop))
            return err_set(err, ERR_CANCELLED, "a stop was asked for");
        clock_sleep_ms(left < PAUSE_SLICE_MS ? left : PAUSE_SLICE_MS);
    }
    return ERR_NONE;
}

enum err_code aws_call(struct aws_link *link, const struct aws_call *call, struct aws_reply *reply,
                       struct err *err)
{
    int64_t end_ms = clock_mono_ms() + call->deadline_ms;
    struct aws_call once = *call;

    ASSERT(call->try_timeout_ms > 0 && call->deadline_ms > 0);
    for (reply->tries = 1;; reply->tries++) {
        enum retry_class class_;
        int64_t left_ms = end_ms - clock_mono_ms(), pause_ms;
        enum err_code code;

        once.try_timeout_ms = left_ms < call->try_timeout_ms ? left_ms : call->try_timeout_ms;
        if (once.try_timeout_ms < 1)
            once.try_timeout_ms = 1;
        code = try_once(link, &once, reply, &class_, err);
        if (code == ERR_NONE) {
            attempt_paid(link->aws);
            return ERR_NONE;
        }
        pause_ms = attempt_pause_ms(link->aws, call, reply, class_, end_ms, err);
        if (pause_ms < 0)
            return code;
        TRY(pause_for(pause_ms, call, err));
    }
}
