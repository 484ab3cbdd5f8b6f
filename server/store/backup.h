#pragma once
/* A copy of a SQLite store while it is used, and what its manifest says of it. PostgreSQL has its
 * own tools. Any thread; blocks until it is done. */
#include "base/crypto.h"
#include "base/err.h"
#include <stdatomic.h>
#include <stdint.h>

struct arena;
struct progress;

struct backup_options {
    const char *database_url;
    const char *path;          /* of the copy, which must not be there */
    int64_t bytes_per_s;       /* read at most so fast; 0 = as fast as it goes */
    const atomic_bool *stop;   /* or NULL */
    struct progress *progress; /* in bytes, started by this; or NULL */
};

/* What a copy holds, whose file may not say otherwise. */
struct backup_manifest {
    const char *file;      /* beside the manifest: a name, no path */
    const char *version;   /* of pairwatch */
    const char *migration; /* the last one */
    int64_t made_ms, bytes;
    int64_t first_seq, last_seq; /* of the changes; 0 = there is none */
    const char *last_hash;       /* of the last change, in hex; NULL = there is none */
    const char *sha256;          /* of the whole file, in hex */
};
enum { BACKUP_MANIFEST_BYTES_MAX = 1 << 16 };

/* One snapshot: what is committed meanwhile is not in it, and stays in the log until it ends. The
 * file is whole and on the disk when this returns, otherwise it is not there. ERR_INVALID for
 * PostgreSQL, ERR_CONFLICT when there is such a file, ERR_CANCELLED. Fills the manifest but for
 * file. */
NODISCARD enum err_code backup_make(const struct backup_options *options, struct arena *arena,
                                    struct backup_manifest *ret, struct err *err);

/* Written whole or not at all, and on the disk. */
NODISCARD enum err_code
backup_manifest_write(const char *path, const struct backup_manifest *manifest, struct err *err);
/* ERR_INVALID: it is no manifest; says what is wrong with it. */
NODISCARD enum err_code backup_manifest_read(const char *path, struct arena *arena,
                                             struct backup_manifest *ret, struct err *err);

/* Puts the copy at from in the place of to, which may not be there: copies, compares the digest,
 * reads every page, verifies the chain of changes and its end against the manifest, and only then
 * gives it its name. ERR_CONFLICT: there is a database; ERR_CORRUPT says what differs. */
NODISCARD enum err_code backup_restore(const char *from, const struct backup_manifest *manifest,
                                       const char *to, struct err *err);
