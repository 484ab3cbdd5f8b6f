#pragma once
/* Walking a folder for objects in key order. One thread. */
#include "base/err.h"
#include "lake/seen.h"
#include <stdint.h>

enum {
    SCAN_FILES_MAX = 100000, /* of one scan; the next one finds the rest */
    SCAN_DEPTH_MAX = 32,
};

struct found { /* one object that was not seen before */
    char *key; /* owned */
    uint64_t size_bytes;
    int64_t changed_ms;
    struct fingerprint print;
};

struct scan {
    const char *root;
    int64_t since_day_ms, until_day_ms; /* 0 = none */
    const struct seen *seen;
    struct found *items; /* owned */
    size_t count, capacity;
};

/* Objects below root that seen does not have, in the order of their keys. Names that start with "."
 * or end in ".tmp", and what is no object by its name, are passed over. */
NODISCARD enum err_code scan_run(struct scan *scan, struct err *err);
void scan_clear(struct scan *scan); /* drops the items */
/* "a/b.gz.parquet", "x.ndjson", "y.json.gz" … */
bool scan_is_object_name(const char *name);
/* The day of a key's "eventDay=YYYYMMDD" folder. False when there is none. */
bool scan_event_day(const char *key, int64_t *ret_ms);
