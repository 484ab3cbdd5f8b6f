#pragma once
/* One file in a tar archive (POSIX.1-1988 ustar): as much as SageMaker's model.tar.gz needs. Bytes
 * in memory, any thread. */
#include "base/err.h"
#include <stdbool.h>
#include <stddef.h>

struct str;

enum { TAR_ENTRIES_MAX = 10000 };

/* Appends an archive with this one file; name of at most 99 bytes. */
void tar_write(const char *name, const void *bytes, size_t length, struct str *ret);
/* The regular file of that name, in whatever folder; it lies within bytes. ERR_NOT_FOUND;
 * ERR_CORRUPT when it is no archive or is cut off. */
NODISCARD enum err_code tar_find(const char *bytes, size_t length, const char *name,
                                 const char **ret, size_t *ret_length, struct err *err);
