#pragma once
/* Files without a name: for what is too large for memory and nobody else is to see. */
#include "base/err.h"

enum { FILE_FOLDER_BYTES_MAX = 4000 };

/* AUTO(fd_closep) int fd = -1; */
void fd_closep(int *fd);
/* A file in that folder, to read and write, only the caller's and gone when it is closed. Any
 * thread. ERR_IO, ERR_NOT_FOUND, ERR_FULL, …: what the system says. */
NODISCARD enum err_code file_nameless(const char *folder, int *ret_fd, struct err *err);
