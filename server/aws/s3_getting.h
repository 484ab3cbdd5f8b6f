#pragma once
/* One GetObject between its tries. Stays where it is once initialised. */
#include "aws/s3.h"
#include "base/str.h"

struct s3_getting {
    const struct s3_wanted *wanted; /* outlives it */
    struct aws_call call;
    struct str path;
    char etag[S3_ETAG_BYTES + 2], region[AWS_REGION_BYTES];
    const char *headers[3];
    bool moved; /* asked in the region that S3 named */
};
NODISCARD enum err_code s3_getting_init(struct s3_getting *getting, const struct s3_wanted *wanted,
                                        struct err *err);
void s3_getting_done(struct s3_getting *getting);
/* code: of the call when no more tries are worth it. *ret_again: to be called anew, elsewhere. */
NODISCARD enum err_code s3_getting_conclude(struct s3_getting *getting, enum err_code code,
                                            const struct aws_reply *reply, struct s3_object *ret,
                                            bool *ret_again, struct err *err);
