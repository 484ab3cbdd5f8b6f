#pragma once
/* File systems that reach over a network. SQLite's log is shared memory between the processes of
 * one machine, and their locks are not everybody's: a database there is corrupted sooner or later
 * (https://www.sqlite.org/wal.html: "All processes using a database must be on the same host").
 * Any thread. */
#include "base/err.h"

/* ERR_INVALID names the file system that the file, or the folder it will be in, is on. What cannot
 * be found out is let pass. */
NODISCARD enum err_code network_fs_refuse(const char *path, struct err *err);
