#pragma once
/* What is worth another try, and when: full jitter (a random part of a doubling bound), within a
 * budget that all calls of the process share, so that a service in trouble is not flooded. */
#include "aws/client.h"

enum retry_class {
    RETRY_NO,
    RETRY_TRANSIENT,   /* 5xx, a broken connection, a timeout */
    RETRY_THROTTLED,   /* slow down */
    RETRY_CLOCK,       /* our clock is off: correct it first */
    RETRY_CREDENTIALS, /* they expired: get new ones first */
};
enum retry_class retry_class_of(int status, const char *code);
/* Of an exchange that gave no answer. */
enum retry_class retry_class_of_failure(enum err_code code);
/* Before the n-th retry, from 1; a Retry-After of after_ms (0 = none) is the least. */
int64_t retry_pause_ms(enum retry_class class_, int retry, int64_t after_ms);

struct retry_budget {
    atomic_int tokens;
};
void retry_budget_init(struct retry_budget *budget);
bool retry_budget_take(struct retry_budget *budget, enum retry_class class_);
void retry_budget_pay(struct retry_budget *budget); /* after a success */
