#include "store/file_sync.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { FILE_PATH_BYTES = 4096, DIGEST_BYTES = 1 << 18 };

static enum err_code sync_path(const char *path, int flags, struct err *err)
{
    int file = open(path, flags | O_CLOEXEC);
    enum err_code code = ERR_NONE;

    if (file < 0 || fsync(file) != 0)
        code = err_errno(err, ERR_IO, "bringing %s to the disk", path);
    if (file >= 0)
        (void)close(file);
    return code;
}

enum err_code file_sync(const char *path, struct err *err)
{
    return sync_path(path, O_RDONLY, err);
}

enum err_code folder_sync(const char *path, struct err *err)
{
    const char *slash = strrchr(path, '/');
    char folder[FILE_PATH_BYTES];

    if (slash == NULL)
        return sync_path(".", O_RDONLY | O_DIRECTORY, err);
    (void)snprintf(folder, sizeof folder, "%.*s", slash == path ? 1 : (int)(slash - path), path);
    return sync_path(folder, O_RDONLY | O_DIRECTORY, err);
}

enum err_code file_digest(const char *path, char ret_hex[static SHA256_HEX_BYTES],
                          int64_t *ret_bytes, struct err *err)
{
    AUTO(own_freep) char *bytes = own_alloc(DIGEST_BYTES);
    uint8_t digest[SHA256_BYTES];
    struct sha256 *sha;
    ssize_t got;
    int file = open(path, O_RDONLY | O_CLOEXEC);

    if (file < 0)
        return err_errno(err, ERR_IO, "opening %s", path);
    sha = sha256_new();
    *ret_bytes = 0;
    while ((got = read(file, bytes, DIGEST_BYTES)) > 0) {
        sha256_add(sha, bytes, (size_t)got);
        *ret_bytes += got;
    }
    sha256_end(sha, digest);
    (void)close(file);
    hex_encode(digest, sizeof digest, ret_hex);
    return got < 0 ? err_errno(err, ERR_IO, "reading %s", path) : ERR_NONE;
}
