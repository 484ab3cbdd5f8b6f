#pragma once
/* Objects: what a notice points at. A local file's etag is the first 32 hex digits of the SHA-256
 * of its bytes, so equal content is one object however often it is announced. Any thread. */
#include "base/err.h"
#include "base/file.h"
#include <stddef.h>
#include <stdint.h>

enum { OBJECT_ETAG_BYTES = 80 }; /* S3's of an object in parts has more than 32 digits */

struct object_info {
    uint64_t size_bytes;
    char etag[OBJECT_ETAG_BYTES];
};

/* Reads the file once. Over bytes_max: ERR_TOO_LARGE, and the etag is of size and name only. */
NODISCARD enum err_code object_inspect(const char *path, uint64_t bytes_max,
                                       struct object_info *ret, struct err *err);
/* Opens a regular file for reading, without waiting (a FIFO would hang) and without reading it.
 * ERR_INVALID when it is something else, ERR_TOO_LARGE, ERR_NOT_FOUND, ERR_IO. *ret_size is set
 * with ERR_TOO_LARGE as well. */
NODISCARD enum err_code object_open(const char *path, uint64_t bytes_max, int *ret_fd,
                                    uint64_t *ret_size, struct err *err);
/* Up to size bytes, as many as there are; interrupted reads go on. */
NODISCARD enum err_code object_read(int fd, void *bytes, size_t size, size_t *ret_length,
                                    struct err *err);
