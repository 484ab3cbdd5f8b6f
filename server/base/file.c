/* Made with a name that is taken away at once: O_TMPFILE, which would do without, is refused by
 * overlayfs before Linux 6.1, and that is what /tmp is in a container. */
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

void fd_closep(int *fd)
{
    if (*fd >= 0)
        (void)close(*fd);
    *fd = -1;
}

enum err_code file_nameless(const char *folder, int *ret_fd, struct err *err)
{
    char path[FILE_FOLDER_BYTES_MAX + 32];
    AUTO(fd_closep) int fd = -1;
    int length = snprintf(path, sizeof path, "%s/pairwatch-XXXXXX", folder);

    if (length < 0 || (size_t)length >= sizeof path)
        return err_set(err, ERR_TOO_LARGE, "a folder's name of more than %d bytes",
                       FILE_FOLDER_BYTES_MAX);
    fd = mkostemp(path, O_CLOEXEC);
    if (fd < 0 || unlink(path) != 0)
        return err_errno(err, ERR_IO, "making a file in \"%.256s\"", folder);
    *ret_fd = fd;
    fd = -1;
    return ERR_NONE;
}
