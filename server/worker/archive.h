#pragma once
/* Observations that retention let go of, as Parquet objects of a Security Lake custom source:
 *
 *   TARGET/ext/SOURCE/region=REGION/accountId=ACCOUNT/eventDay=YYYYMMDD/observations-….zst.parquet
 *
 * TARGET is a folder or s3://BUCKET[/PREFIX]. A row is an OCSF 1.1.0 Network Activity (4001): the
 * address is the source endpoint's (of vpc-egress and dns-answer the destination's) and the entity
 * the name of the other; unmapped holds what `pairwatch import` needs to bring the observation
 * back: spec, entity, ip, model, score, percentile, object. Rows are in the order of their time.
 * Names are made from the unit, so an object that is written again replaces itself.
 *
 * One thread. */
#include "base/err.h"
#include "store/archive_unit.h"
#include <stdatomic.h>

struct archive;

enum { ARCHIVE_PATH_BYTES = 2048, ARCHIVE_SHA256_BYTES = 65 };

struct archive_options {
    const char *target; /* NULL = observations go for good */
    const char *source, *region, *account;
    const atomic_bool *stop;
};
#define ARCHIVE_DEFAULT                                                                            \
    {                                                                                              \
        .source = "pairwatch", .account = "external"                                               \
    }

/* ERR_UNAVAILABLE without libduckdb.so; ERR_INVALID for a target, source, region or account that
 * has no place in a path. */
NODISCARD enum err_code archive_open(const struct archive_options *options, struct archive **ret,
                                     struct err *err);
void archive_close(struct archive *archive);
void archive_closep(struct archive **archive);

/* Writes the unit's object. When this returns it is durable: synced with its folders, or kept by S3
 * with the digest it was signed with. db is for the names, on a reading connection. */
NODISCARD enum err_code archive_write(struct archive *archive, struct db *db,
                                      const struct archive_unit *unit,
                                      char ret_path[static ARCHIVE_PATH_BYTES],
                                      char ret_sha256[static ARCHIVE_SHA256_BYTES],
                                      struct err *err);
