/* The tables of retryable answers and the budget (as the SDKs' "standard" mode has them). */
#include "aws/retry.h"

#include <string.h>

#include "base/crypto.h"
#include "base/own.h"

enum { COST_TRANSIENT = 10, COST_THROTTLED = 5, DOUBLINGS_MAX = 10 };

static const struct {
    const char *code;
    enum retry_class class_;
} CODES[] = {
    {"Throttling", RETRY_THROTTLED},
    {"ThrottlingException", RETRY_THROTTLED},
    {"ThrottledException", RETRY_THROTTLED},
    {"RequestThrottled", RETRY_THROTTLED},
    {"RequestThrottledException", RETRY_THROTTLED},
    {"TooManyRequestsException", RETRY_THROTTLED},
    {"ProvisionedThroughputExceededException", RETRY_THROTTLED},
    {"RequestLimitExceeded", RETRY_THROTTLED},
    {"BandwidthLimitExceeded", RETRY_THROTTLED},
    {"LimitExceededException", RETRY_THROTTLED},
    {"PriorRequestNotComplete", RETRY_THROTTLED},
    {"KmsThrottled", RETRY_THROTTLED},
    {"SlowDown", RETRY_THROTTLED},
    {"OverLimit", RETRY_THROTTLED},
    {"ModelNotReadyException", RETRY_THROTTLED},
    {"RequestTimeout", RETRY_TRANSIENT},
    {"RequestTimeoutException", RETRY_TRANSIENT},
    {"InternalError", RETRY_TRANSIENT},
    {"InternalFailure", RETRY_TRANSIENT},
    {"ServiceUnavailable", RETRY_TRANSIENT},
    {"InternalDependencyException", RETRY_TRANSIENT},
    {"IDPCommunicationError", RETRY_TRANSIENT},
    {"RequestTimeTooSkewed", RETRY_CLOCK},
    {"RequestExpired", RETRY_CLOCK},
    {"RequestInTheFuture", RETRY_CLOCK},
    {"SignatureDoesNotMatch", RETRY_CLOCK},
    {"InvalidSignatureException", RETRY_CLOCK},
    {"AuthFailure", RETRY_CLOCK},
    {"ExpiredToken", RETRY_CREDENTIALS},
    {"ExpiredTokenException", RETRY_CREDENTIALS},
};

enum retry_class retry_class_of(int status, const char *code)
{
    for (size_t i = 0; i < ARRAY_LEN(CODES); i++)
        if (strcmp(code, CODES[i].code) == 0)
            return CODES[i].class_;
    if (status == 429)
        return RETRY_THROTTLED;
    return status >= 500 && status != 501 ? RETRY_TRANSIENT : RETRY_NO;
}

enum retry_class retry_class_of_failure(enum err_code code)
{
    return code == ERR_UNAVAILABLE || code == ERR_TIMEOUT ? RETRY_TRANSIENT : RETRY_NO;
}

int64_t retry_pause_ms(enum retry_class class_, int retry, int64_t after_ms)
{
    int64_t bound = class_ == RETRY_THROTTLED ? AWS_BACKOFF_THROTTLED_MS : AWS_BACKOFF_FIRST_MS;
    int64_t pause;

    for (int i = 1; i < retry && i < DOUBLINGS_MAX && bound < AWS_BACKOFF_LAST_MS; i++)
        bound *= 2;
    bound = bound < AWS_BACKOFF_LAST_MS ? bound : AWS_BACKOFF_LAST_MS;
    pause = (int64_t)(random_u64() % (uint64_t)(bound + 1));
    after_ms = after_ms < AWS_BACKOFF_LAST_MS ? after_ms : AWS_BACKOFF_LAST_MS;
    return pause > after_ms ? pause : after_ms;
}

void retry_budget_init(struct retry_budget *budget)
{
    atomic_init(&budget->tokens, AWS_RETRY_BUDGET);
}

bool retry_budget_take(struct retry_budget *budget, enum retry_class class_)
{
    int cost = class_ == RETRY_TRANSIENT ? COST_TRANSIENT : COST_THROTTLED;
    int tokens = atomic_load(&budget->tokens);

    do {
        if (tokens < cost)
            return false;
    } while (!atomic_compare_exchange_weak(&budget->tokens, &tokens, tokens - cost));
    return true;
}

void retry_budget_pay(struct retry_budget *budget)
{
    int tokens = atomic_load(&budget->tokens);

    while (tokens < AWS_RETRY_BUDGET &&
           !atomic_compare_exchange_weak(&budget->tokens, &tokens, tokens + 1))
        continue;
}
