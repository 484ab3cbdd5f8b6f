#pragma once
/* One try of a call, in two halves: for a thread that waits in between (client.c) and for one that
 * has many under way (s3_many.c). */
#include "aws/client.h"
#include "aws/retry.h"
#include "aws/signed.h"

struct attempt {
    struct signing signing;
    struct keys *keys; /* held until attempt_done */
};
NODISCARD enum err_code attempt_begin(struct aws *aws, const struct aws_call *call,
                                      struct attempt *ret, struct err *err);
/* code: of the exchange. The whole's outcome, and whether another try is worth it. */
NODISCARD enum err_code attempt_conclude(struct aws *aws, const struct aws_call *call,
                                         const struct attempt *attempt, enum err_code code,
                                         struct aws_reply *reply, enum retry_class *ret_class,
                                         struct err *err);
void attempt_done(struct attempt *attempt);
/* Before the try after reply->tries of them, or -1: there is none. end_ms: of the call, on the
 * monotonic clock. */
NODISCARD int64_t attempt_pause_ms(struct aws *aws, const struct aws_call *call,
                                   const struct aws_reply *reply, enum retry_class class_,
                                   int64_t end_ms, const struct err *err);
void attempt_paid(struct aws *aws);               /* after a success */
const char *aws_ca_bundle(const struct aws *aws); /* NULL = the system's */
