#pragma once
/* Objects: what a notice points at. A local file's etag is the first 32 hex digits of the SHA-256
 * of its bytes, so equal content is one object however often it is announced. */
#include "base/err.h"
#include <stdint.h>

enum { OBJECT_ETAG_BYTES = 33 };

struct object_info {
    uint64_t size_bytes;
    char etag[OBJECT_ETAG_BYTES];
};

/* Reads the file once. Over bytes_max: ERR_TOO_LARGE, and the etag is of size and name only. */
NODISCARD enum err_code object_inspect(const char *path, uint64_t bytes_max,
                                       struct object_info *ret, struct err *err);
