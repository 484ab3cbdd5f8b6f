#pragma once
/* What a row of pairs must be, whatever form it comes in: the only place with these rules. Pure,
 * any thread. */
#include "base/ip.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { PAIRS_ENTITY_BYTES_MAX = 2048, PAIRS_ROW_BYTES_MAX = 64 * 1024 };

struct pairs_row {
    const char *entity; /* until the next row */
    struct ip ip;
    int64_t time_ms;  /* 0 = none */
    int label;        /* 0 when there is none */
    const char *spec; /* NULL when there is none; until the next row */
    uint64_t count;   /* times it was observed; 0 = not said */
    bool rejected;    /* refused traffic: left out */
    bool one_way;     /* nobody answered: not to be learned */
};

/* Why a row is bad, by which skipped rows are counted. */
enum pairs_reason {
    PAIRS_COLUMNS,
    PAIRS_QUOTES,
    PAIRS_ENTITY,
    PAIRS_ADDRESS,
    PAIRS_ADDRESS_LIST,
    PAIRS_ADDRESS_PORT,
    PAIRS_ADDRESS_ZONE,
    PAIRS_LEADING_ZERO,
    PAIRS_BLANK,
    PAIRS_TIME,
    PAIRS_LABEL,
    PAIRS_NUL,
    PAIRS_TOO_LONG,
    PAIRS_FORM,
    PAIRS_REASON__MAX
};
extern const char *const PAIRS_REASON_WORDS[PAIRS_REASON__MAX + 1];

struct pairs_fault {
    enum pairs_reason reason;
    size_t offset; /* bytes from the row's start */
    char what[160];
};

/* Fills the fault and returns false, so that a reader can return it. */
bool pairs_fault_set(struct pairs_fault *fault, enum pairs_reason reason, size_t offset,
                     const char *what);
/* False fills the fault but for its offset: the entity's or the address's own place. */
bool pairs_entity_check(const char *text, size_t length, struct pairs_fault *ret);
bool pairs_address_read(const char *text, struct ip *ret, struct pairs_fault *ret_fault);
