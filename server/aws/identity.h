#pragma once
/* Who the keys belong to. */
#include "aws/client.h"

enum { AWS_ARN_BYTES = 256 };

/* sts:GetCallerIdentity, which needs no permission. As aws_call. */
NODISCARD enum err_code aws_identity(struct aws_link *link, char ret[static AWS_ARN_BYTES],
                                     struct err *err);
