#pragma once
/* gzip (zlib ends here): bounded inflation of bodies and files, deflation of replies. */
#include "base/err.h"
#include <stdbool.h>
#include <stddef.h>

struct str;

bool gzip_is(const void *bytes, size_t length); /* has the magic */
/* Appends the inflated bytes to ret; ERR_TOO_LARGE when they would pass ret->bytes_max,
 * ERR_INVALID when the stream is damaged, cut off or followed by rubbish. Concatenated members
 * are one stream (RFC 1952). */
NODISCARD enum err_code gzip_inflate(const void *bytes, size_t length, struct str *ret,
                                     struct err *err);
NODISCARD enum err_code gzip_deflate(const void *bytes, size_t length, int level, struct str *ret,
                                     struct err *err);
