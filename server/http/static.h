#pragma once
/* The web files: the built-in ones, listed and compressed once at start, or (for development) those
 * of a folder, read anew at every request. Only listed names are served, so there is no path to
 * clean and nothing to climb out of. Constant after the start, any thread. */
#include "base/err.h"
#include <stdbool.h>
#include <stddef.h>

struct uri;
struct static_files;

enum { STATIC_FILE_BYTES_MAX = 16 << 20 };

struct static_file {
    const char *type; /* content type */
    const void *bytes;
    size_t length;
    const void *gzip_bytes; /* NULL: it does not compress */
    size_t gzip_length;
    char etag[33];
    char *owned; /* bytes, when they were read for this request: the caller frees */
};

/* web_dir NULL: the built-in files. ERR_NOT_FOUND when there is no such folder or no index.html in
 * it. */
NODISCARD enum err_code static_open(const char *web_dir, struct static_files **ret,
                                    struct err *err);
void static_close(struct static_files *files);
/* The file of a path; of a path the browser's own router may know (not below /api, no file's name)
 * index.html. False when there is none. */
bool static_find(const struct static_files *files, const struct uri *uri, struct static_file *ret);
