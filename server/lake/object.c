/* Opening, reading and naming local objects. */
#include "lake/object.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/crypto.h"
#include "base/own.h"

enum { READ_BYTES = 256 * 1024, ETAG_DIGEST_BYTES = 16 };

static const char *kind_of(mode_t mode)
{
    if (S_ISDIR(mode))
        return "a folder";
    if (S_ISFIFO(mode))
        return "a pipe";
    if (S_ISSOCK(mode))
        return "a socket";
    return "a device";
}

enum err_code object_open(const char *path, uint64_t bytes_max, int *ret_fd, uint64_t *ret_size,
                          struct err *err)
{
    AUTO(fd_closep) int fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    struct stat stat;

    *ret_size = 0;
    if (fd < 0)
        return err_errno(err, ERR_IO, "opening the object");
    if (fstat(fd, &stat) != 0)
        return err_errno(err, ERR_IO, "looking at the object");
    if (!S_ISREG(stat.st_mode))
        return err_set(err, ERR_INVALID, "the object is %s, not a file", kind_of(stat.st_mode));
    *ret_size = (uint64_t)stat.st_size;
    if (*ret_size > bytes_max)
        return err_set(err, ERR_TOO_LARGE,
                       "the object has %" PRIu64 " bytes, more than the limit of %" PRIu64
                       " (--object-bytes-max)",
                       *ret_size, bytes_max);
    *ret_fd = fd;
    fd = -1;
    return ERR_NONE;
}

enum err_code object_read(int fd, void *bytes, size_t size, size_t *ret_length, struct err *err)
{
    *ret_length = 0;
    while (*ret_length < size) {
        ssize_t count = read(fd, (char *)bytes + *ret_length, size - *ret_length);

        if (count < 0 && errno == EINTR)
            continue;
        if (count < 0)
            return err_errno(err, ERR_IO, "reading the object");
        if (count == 0)
            break;
        *ret_length += (size_t)count;
    }
    return ERR_NONE;
}

static void set_etag(struct sha256 *sha, struct object_info *info)
{
    uint8_t digest[SHA256_BYTES];

    sha256_end(sha, digest);
    hex_encode(digest, ETAG_DIGEST_BYTES, info->etag);
}

/* An object that is not read still needs a name in the ledger. */
static void set_etag_unread(const char *path, struct object_info *info)
{
    struct sha256 *sha = sha256_new();
    const char *slash = strrchr(path, '/');
    const char *name = slash != NULL ? slash + 1 : path;
    char size[32];
    int length = snprintf(size, sizeof size, "%" PRIu64 "/", info->size_bytes);

    sha256_add(sha, size, (size_t)length);
    sha256_add(sha, name, strlen(name));
    set_etag(sha, info);
}

enum err_code object_inspect(const char *path, uint64_t bytes_max, struct object_info *ret,
                             struct err *err)
{
    AUTO(fd_closep) int fd = -1;
    AUTO(own_freep) char *bytes = NULL;
    struct sha256 *sha;
    enum err_code code = object_open(path, bytes_max, &fd, &ret->size_bytes, err);
    size_t length = 0;

    if (code != ERR_NONE) {
        set_etag_unread(path, ret);
        return code;
    }
    bytes = own_alloc(READ_BYTES);
    sha = sha256_new();
    do {
        code = object_read(fd, bytes, READ_BYTES, &length, err);
        sha256_add(sha, bytes, length);
    } while (code == ERR_NONE && length == READ_BYTES);
    set_etag(sha, ret);
    return code;
}
