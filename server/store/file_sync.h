#pragma once
/* Files that are on the disk, and digests of them. Any thread. */
#include "base/crypto.h"
#include "base/err.h"
#include <stdint.h>

/* The file's content. */
NODISCARD enum err_code file_sync(const char *path, struct err *err);
/* That the folder of the path has the file by its name. */
NODISCARD enum err_code folder_sync(const char *path, struct err *err);
NODISCARD enum err_code file_digest(const char *path, char ret_hex[static SHA256_HEX_BYTES],
                                    int64_t *ret_bytes, struct err *err);
