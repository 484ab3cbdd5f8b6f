#pragma once
/* Files that were handed out already, as 128-bit fingerprints of path, size and time of change.
 * Bounded: a full set forgets everything, and the ledger of objects then recognises what comes
 * again. Not thread-safe. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { SEEN_MAX = 1 << 22 }; /* 128 MiB when full */

struct fingerprint {
    uint64_t low, high; /* 0, 0 is none; low 0 with high 1 a removed one */
};

struct seen {
    struct fingerprint *slots; /* slot_count is a power of two */
    size_t slot_count, used;   /* used: with the removed ones */
};

struct fingerprint fingerprint_of(const char *path, uint64_t size_bytes, int64_t changed_ns);
bool seen_has(const struct seen *seen, struct fingerprint print);
void seen_add(struct seen *seen, struct fingerprint print);
void seen_remove(struct seen *seen, struct fingerprint print);
void seen_done(struct seen *seen);
