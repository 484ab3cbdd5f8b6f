#pragma once
/* Pair specs: which events of which OCSF classes become pairs, and how. Data files of
 * `key = value` lines with # comments; server/lake/specs/ has the built-in ones, README.md there
 * the language. A parsed spec is constant and owned by its set; any thread may read it. */
#include "base/err.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    SPEC_BYTES_MAX = 64 * 1024, /* of a spec file */
    SPEC_NAME_BYTES_MAX = 64,
    SPEC_CLASSES_MAX = 32,
    SPEC_PATHS_MAX = 12, /* candidates of one role */
    SPEC_CONDITIONS_MAX = 12,
    SPEC_VALUES_MAX = 32, /* of one condition */
    SPEC_PATH_BYTES_MAX = 256,
    SPEC_COUNT_MAX = 64,   /* of a set */
    PLAN_PATHS_MAX = 1024, /* distinct paths of a set */
};

enum spec_role { ROLE_ENTITY, ROLE_IP, ROLE_ACCOUNT, ROLE_REGION, ROLE_TIME, ROLE__MAX };

/* Ordered candidates, as indices into the set's paths: the first that is not null counts. */
struct spec_paths {
    size_t count;
    size_t paths[SPEC_PATHS_MAX];
};

enum spec_op { OP_IN, OP_NOT_IN, OP_LIKE, OP_NOT_LIKE };

struct spec_condition {
    size_t path;
    enum spec_op op;
    size_t value_count;
    const char *values[SPEC_VALUES_MAX];
};

struct spec_conditions {
    size_t count;
    struct spec_condition items[SPEC_CONDITIONS_MAX];
};

enum spec_normaliser { NORMALISE_NONE, NORMALISE_LOWER, NORMALISE_STRIP_SESSION };

struct lake_spec {
    const char *name;
    size_t class_count;
    int64_t classes[SPEC_CLASSES_MAX];
    struct spec_paths roles[ROLE__MAX];
    struct spec_conditions where;    /* which rows are the spec's at all; a null is not in a list */
    struct spec_conditions require;  /* rows that fail are counted as filtered; null passes */
    struct spec_conditions each;     /* on the items of the list that ip goes through */
    struct spec_conditions rejected; /* one of them holds: refused traffic */
    bool score_rejected;
    /* One of them holds: a call, as far as the row tells. It is answered by a row of the other spec
     * with the same entity and address, unless one of that spec's no_answer holds of it. */
    struct spec_conditions one_way;
    struct spec_conditions no_answer;
    const char *answered_by; /* name of the other spec; NULL = whether it is cannot be told */
    bool silent;             /* not asked for: it only answers */
    enum spec_normaliser normaliser;
};

struct arena;
struct spec_set {
    struct arena *arena; /* all texts */
    size_t count;        /* the silent ones are the last */
    struct lake_spec *specs[SPEC_COUNT_MAX];
    size_t path_count;
    const char *paths[PLAN_PATHS_MAX]; /* "src_endpoint.ip", "answers[].rdata"; distinct */
};

/* The path class_uid is always the first. */
enum { PLAN_CLASS_PATH = 0 };

void spec_set_init(struct spec_set *set, struct arena *arena);
/* Parses one file into the set; one of the same name is replaced. origin is for the sentence:
 * "ORIGIN:LINE:COLUMN: …". */
NODISCARD enum err_code spec_parse(struct spec_set *set, const char *origin, const char *text,
                                   size_t length, struct err *err);
const struct lake_spec *spec_find(const struct spec_set *set, const char *name);
bool spec_has_class(const struct lake_spec *spec, int64_t class_uid);
/* Whether a spec of the class wants the path; 0: of any class. */
bool spec_set_uses(const struct spec_set *set, size_t path, int64_t class_uid);
/* Whether the path is read as the time of some spec. */
bool spec_set_is_time(const struct spec_set *set, size_t path);
/* Whether all specs have the same times, and want those paths for nothing else. */
bool spec_set_times_apart(const struct spec_set *set);
