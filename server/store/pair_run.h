#pragma once
/* Which pairs were seen, for look-ups: without an index of pairs, which would cost ten times the
 * writing, and without reading every chunk of observations.
 *
 * A chunk of observations is first a source: listed with its entities and a filter. Of the sources
 * of PAIR_RUN_ROWS observations a run is made: every (entity, address, spec) of them once, with how
 * often it was seen, sorted, in chunks. PAIR_RUN_FAN runs of a level are merged into one of the
 * next level, in which a pair is once again. So a look-up reads one chunk of a few dozen runs,
 * however many observations there are (a log-structured merge: O'Neil et al. 1996), and what is
 * known of an entity is what lies side by side in each of them.
 *
 * With each step of such a run the same pairs are written as a run of their own in the order of
 * addresses, which is read from when the first is whole; they are merged like the others, and tell
 * what is known of an address. Both kinds hold the events of each entity, or address, by day, for
 * the last PAIR_DAYS days (store/pair_code.h).
 *
 * Runs are made in steps of a bounded number of rows, each a transaction; until one is whole its
 * sources are read instead. A run outlives the observations that it was made of by as long as it
 * holds younger ones, so pairs last seen before the counter pairs_since_ms are not told, and left
 * out when runs are merged.
 *
 * A source or run that is damaged would hold up the run that is made of it, and so all: it is set
 * apart (made into run -1). It stays where look-ups find it, which tell of the damage.
 *
 * The rows of a run's chunk are struct observation, of which object says how often the pair was
 * seen, and score, percentile and model are of the last time. */
#include "base/err.h"
#include "base/ip.h"
#include "store/pair_code.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct arena;
struct db;
struct observation;

#define PAIRS_SINCE "pairs_since_ms" /* the counter */

enum {
    PAIR_RUN_ROWS = 160000,
    PAIR_REST_ROWS = 16000, /* of a run that is made because nothing else is to do */
    PAIR_RUN_FAN = 8,
    PAIR_STEP_ROWS = 32000, /* of the sources or runs, read in one step */
    PAIR_CHUNK_ROWS = 128,  /* pairs; a page of SQLite holds three of these */
    PAIR_DAYS = 30,
    PAIR_SOURCES_MAX = 512, /* of one run */
};
/* The state of a run; 0: it is being made. */
enum { PAIR_RUN_WHOLE = 1, PAIR_RUN_GONE = 2, PAIR_RUN_BESIDE = 3 };

struct pair_sizes { /* tests have small ones */
    size_t run_rows, rest_rows, fan, step_rows, chunk_rows;
};
extern const struct pair_sizes PAIR_SIZES; /* those above */

/* Inside a writer's job, right after a chunk of observations was added: it is a source. */
NODISCARD enum err_code pair_source_add(struct db *db, const struct observation *const *rows,
                                        size_t count, int64_t day_ms, struct err *err);
/* Inside a writer's job: chunks are let go of, one, or those of days before one. */
NODISCARD enum err_code pair_source_delete(struct db *db, int64_t chunk_id, struct err *err);
NODISCARD enum err_code pair_drop(struct db *db, int64_t before_ms, struct err *err);

struct pair_damage {
    int64_t run_id;  /* that is being made; 0: no such damage */
    int64_t part_id; /* of it, a chunk of observations or a run; 0: all are sound */
    bool is_run;
};
struct pair_progress {
    bool more;                 /* something is left to do */
    struct pair_damage damage; /* with ERR_CORRUPT: for pair_set_apart, after a rollback */
};
/* Inside a writer's job: makes what is due a step further. rest: fewer sources than make a run are
 * due, too. */
NODISCARD enum err_code pair_step(struct db *db, const struct pair_sizes *sizes, bool rest,
                                  struct pair_progress *ret, struct err *err);
/* Inside a writer's job: the run that is being made is given up, and its parts are free again but
 * for the damaged one. */
NODISCARD enum err_code pair_set_apart(struct db *db, const struct pair_damage *damage,
                                       struct err *err);

/* Reads every run: what the first one that is wrong says. ret: "" before. */
NODISCARD enum err_code pair_check(struct db *db, char ret[static 256], struct err *err);

struct pair_place {     /* where a pair may be */
    int64_t id, day_ms; /* the last day of what is there */
    bool is_run;
};
struct pair_places {
    struct pair_place *items; /* newest day first */
    size_t count;
    int64_t cut_ms; /* sources of this day and earlier ones may lack; INT64_MIN: none does */
};
/* Of sources at most limit, which is not 0. */
NODISCARD enum err_code pair_places(struct db *db, struct arena *arena, int64_t entity_id,
                                    size_t limit, struct pair_places *ret, struct err *err);
/* The same of an address: every source, and the runs by address. */
NODISCARD enum err_code pair_places_of_address(struct db *db, struct arena *arena, size_t limit,
                                               struct pair_places *ret, struct err *err);
/* The rows of the pair, none when it is not there. Of a source each is a sighting; of a run see
 * above. */
NODISCARD enum err_code pair_read(struct db *db, struct arena *arena,
                                  const struct pair_place *place, int64_t entity_id,
                                  const struct ip *ip, const struct observation **ret,
                                  size_t *ret_count, struct err *err);

struct pair_key { /* an entity, or an address */
    enum pair_order order;
    int64_t entity_id; /* by entity */
    struct ip ip;      /* by address */
};
typedef void pair_visit(void *context, const struct observation *row, bool of_run);
/* Every row of it at a place, those of days too when it is a run. ERR_TIMEOUT at until_mono_ms, in
 * clock_mono_ms. */
NODISCARD enum err_code pair_each(struct db *db, const struct pair_place *place,
                                  const struct pair_key *key, int64_t until_mono_ms,
                                  pair_visit *visit, void *context, struct err *err);
