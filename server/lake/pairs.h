#pragma once
/* From one object (Parquet or OCSF JSON) to its distinct pairs: the lake's product.
 * A pair is deduplicated per object, spec and time bucket (lake_options.bucket_ms) and carries how
 * often it was seen. Nothing is handed out before the object was read to its end without error,
 * so a broken object yields no pair at all. One struct lake per thread. */
#include "base/err.h"
#include "base/ip.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct arena;
struct lake;      /* a reader: DuckDB connection, specs, buffers; owned by one thread */
struct lake_spec; /* a parsed pair spec */

/* Why a row gave no pair; the words are in UNSCORED_WORDS. */
enum unscored_reason {
    UNSCORED_NO_ENTITY,  /* null or "-" */
    UNSCORED_NO_IP,      /* null or "-" */
    UNSCORED_BAD_IP,     /* present, no address */
    UNSCORED_BAD_ENTITY, /* longer than ENTITY_BYTES_MAX or not clean UTF-8 */
    UNSCORED_NO_TIME,    /* null or outside TIME_MS_MIN..TIME_MS_MAX */
    UNSCORED_FILTERED,   /* a row filter of the spec: NODATA, AWS service callers … */
    UNSCORED_REJECTED,   /* refused traffic, where the spec does not score it */
    UNSCORED__MAX
};
extern const char *const UNSCORED_WORDS[UNSCORED__MAX + 1]; /* "no_entity" …, NULL ends */
enum { ENTITY_BYTES_MAX = 2048 };

struct lake_pair {
    const char *spec; /* name, lives as long as the lake */
    const char *entity;
    struct ip ip;
    int64_t first_ms, last_ms;    /* event times seen within the bucket */
    uint64_t count;               /* rows of the object */
    const char *account, *region; /* "" when the object does not say */
    /* Never to be learned: every one of the rows was refused traffic, or they were but calls that
     * nothing in the object answers. */
    bool rejected, one_way;
};

struct lake_spec_count { /* per spec that applies to the object */
    const char *spec;
    uint64_t rows;  /* rows of the spec's classes */
    uint64_t pairs; /* distinct pairs handed out */
    uint64_t unscored[UNSCORED__MAX];
};

struct lake_result {
    struct lake_pair *pairs; /* ordered by spec, then first sighting in the object */
    size_t pair_count;
    struct lake_spec_count *specs;
    size_t spec_count;
    uint64_t rows;           /* of the object */
    uint64_t rows_unclaimed; /* of them, those of no spec: other classes, other products */
};

struct lake_options {
    const char *const *spec_names; /* NULL-terminated; NULL = every spec but `workshop` */
    const char *spec_dir;      /* more *.spec files, or NULL; a name already built in replaces it */
    const char *temp_dir;      /* for inflated or spilled objects; must exist */
    int64_t bucket_ms;         /* HOUR_MS unless set */
    uint64_t object_bytes_max; /* larger objects are refused before reading: 1 GiB unless set */
    uint64_t pairs_max;        /* distinct pairs of one object: 4 M unless set */
    bool keep_rejected;        /* hand refused rows out even where the spec does not score them */
};

/* ERR_INVALID names an unknown spec and lists the known ones; a damaged spec file says line and
 * column. Does not need libduckdb until the first Parquet object. */
NODISCARD enum err_code lake_open(const struct lake_options *options, struct lake **ret,
                                  struct err *err);
void lake_close(struct lake *lake);
void lake_closep(struct lake **lake);
size_t lake_spec_count_of(const struct lake *lake);
const char *lake_spec_name(const struct lake *lake, size_t index);

/* Reads one local file. The kind is told from its first bytes (PAR1, gzip magic, { or [), not from
 * its name. Results live in arena. ERR_CORRUPT (damaged), ERR_INVALID (no OCSF: says what it has
 * instead), ERR_TOO_LARGE, ERR_UNAVAILABLE (no libduckdb: says what to install), ERR_IO. An empty
 * file is ERR_CORRUPT; a valid one with no rows, or with events of classes that no spec asks for (a
 * folder holds many kinds), gives no pairs. */
NODISCARD enum err_code lake_read(struct lake *lake, const char *path, struct arena *arena,
                                  struct lake_result *ret, struct err *err);
