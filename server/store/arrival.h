#pragma once
/* What each object tells of its way here: how long it took, of which source it is, which hours it
 * covers; and from it what an operator asks: how late are we, what failed last, what is missing. */
#include "base/err.h"
#include "base/field.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct arena;
struct db;
struct scored_pair;

enum {
    ARRIVAL_LAG_BINS = 10,
    ARRIVAL_OBJECT_HOURS_MAX = 64, /* of one object; earlier ones are left out */
    ARRIVAL_HOURS_KEPT_DAYS = 35,
    ARRIVAL_PLACE_BYTES_MAX = 64, /* of a source, region or account */
};
/* Upper bounds of the bins but the last, which has none. Seconds. */
extern const int64_t ARRIVAL_LAG_BOUNDS_S[ARRIVAL_LAG_BINS - 1];
int arrival_lag_bin(int64_t lag_ms);

/* Of a key in Security Lake's layout, aws/SOURCE/… or ext/NAME/… with region= and accountId=
 * (Security Lake user guide, "Source partitioning"); "" where it has none. */
struct arrival_place {
    char source[ARRIVAL_PLACE_BYTES_MAX], region[ARRIVAL_PLACE_BYTES_MAX],
        account[ARRIVAL_PLACE_BYTES_MAX];
};
void arrival_place_of(const char *key, struct arrival_place *ret);

/* Event times of an object's pairs; FIELD_NULL_INT when there are none. */
struct arrival_span {
    int64_t first_ms, last_ms;
    uint64_t hours; /* bit i: events in the i-th hour before the last one */
};
struct arrival_span arrival_span_of(const struct scored_pair *pairs, size_t count);

struct arrival {
    const struct arrival_place *place;
    struct arrival_span span;
    int64_t object_id;
    int64_t made_ms; /* 0 = not known */
    int64_t now_ms;
    uint64_t rows, pairs, scored;
    const char *unscored_json;      /* {"no_entity": 3, …} */
    const char *error_code, *error; /* NULL when it was stored */
};
/* Inside a writer's job. */
NODISCARD enum err_code arrival_add(struct db *db, const struct arrival *arrival, struct err *err);
