#pragma once
/* More records than memory may hold: appended, put in order, read from the beginning. Spools of a
 * pool share its memory; one that would go beyond it moves to a nameless file. What is read is the
 * same either way. Records are of one size. One thread a pool; a spool that nobody changes may be
 * read by several. */
#include "base/err.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SPOOL_POOL_BYTES_MIN (UINT64_C(4) << 20)
enum {
    SPOOL_BUFFER_BYTES = 1 << 20, /* what a file is written and read by; beside the pool's memory */
    SPOOL_RECORD_BYTES_MAX = 256,
    SPOOL_RUNS_MAX = 1 << 16, /* that one sorting may merge: with the least pool 64 GiB */
};

/* Half of the memory holds records, the other half is for sorting. */
struct spool_pool {
    uint64_t bytes_max, bytes_held;
    const char *folder; /* for files; borrowed */
};

struct spool {
    struct spool_pool *pool;
    size_t size;    /* of a record */
    uint64_t count; /* records */
    uint8_t *records;
    size_t capacity; /* of the array, in records */
    bool filed;
    int file;
    uint64_t written; /* records in the file; the others are in the array */
};

/* bytes_max at least SPOOL_POOL_BYTES_MIN, or that is it. */
void spool_pool_init(struct spool_pool *pool, uint64_t bytes_max, const char *folder);
void spool_init(struct spool *spool, struct spool_pool *pool, size_t size);
void spool_done(struct spool *spool); /* accepts a zeroed one */
/* Errors are the file system's: ERR_IO, ERR_FULL, ERR_NOT_FOUND, … */
NODISCARD enum err_code spool_add(struct spool *spool, const void *record, struct err *err);

/* Both of the same order. Without digits the comparison sorts; with them it only merges. */
struct spool_order {
    /* A total order, as far as it matters to who reads them. */
    int (*compare)(const void *a, const void *b, void *context);
    void *context;
    const uint8_t *digits; /* bytes' places in the record, the least significant first; or NULL */
    size_t digit_count;
};
/* ERR_TOO_LARGE: more than SPOOL_RUNS_MAX. */
NODISCARD enum err_code spool_sort(struct spool *spool, const struct spool_order *order,
                                   struct err *err);

/* `count` records from number first on. */
NODISCARD enum err_code spool_read(struct spool *spool, uint64_t first, uint64_t count, void *ret,
                                   struct err *err);
/* Soon they will be read. */
void spool_expect(const struct spool *spool, uint64_t first, uint64_t count);

/* From a record to the end. */
struct spool_reader {
    struct spool *spool; /* does not change meanwhile */
    uint64_t at;
    uint8_t *buffer; /* owned; NULL when the records are in memory */
    size_t buffer_bytes;
    uint64_t first, end; /* records in the buffer */
};
void spool_reader_init(struct spool_reader *reader, struct spool *spool);
void spool_reader_done(struct spool_reader *reader); /* accepts a zeroed one */
/* *ret until the next call; NULL at the end. */
NODISCARD enum err_code spool_next(struct spool_reader *reader, const void **ret, struct err *err);
