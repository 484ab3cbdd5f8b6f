#pragma once
/* Findings and their triage. Texts of returned structs live in the arena given.
 * Recurrence: a new sighting of a finding that is resolved without verdict or as true_positive or
 * suspicious opens it again (status new); one resolved otherwise only counts on. */
#include "base/err.h"
#include "base/field.h"
#include "base/ip.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct arena;
struct db;

enum finding_status { FINDING_NEW, FINDING_IN_PROGRESS, FINDING_SUPPRESSED, FINDING_RESOLVED };
extern const char *const FINDING_STATUS_WORDS[];  /* OCSF's, NULL ends */
extern const char *const FINDING_VERDICT_WORDS[]; /* OCSF's, NULL ends */

/* Who gave the verdict. A person who looked at one finding is believed when models learn; what came
 * with many others at once, or from a machine, is not (store/training.h). */
/* By a person: one finding. In bulk: of many by one person. By a rule: of the server's own, whose
 * actor is "rule:NAME". All others are playbooks. */
enum finding_verdict_source {
    VERDICT_BY_PERSON,
    VERDICT_BY_PLAYBOOK,
    VERDICT_IN_BULK,
    VERDICT_BY_RULE
};
extern const char *const FINDING_VERDICT_SOURCE_WORDS[];
/* More verdicts than these of one person within VERDICT_BULK_MS are in bulk, one by one or not. */
enum { VERDICT_BULK_COUNT = 10, VERDICT_BULK_MS = 60 * 1000 };

struct finding {
    int64_t id;
    const char *uid, *spec, *entity;
    struct ip ip;
    int64_t status, verdict;  /* verdict -1 = none */
    int64_t verdict_source;   /* -1 = none */
    const char *assignee;     /* NULL = nobody */
    const char *tags;         /* JSON array, sorted */
    double score, percentile; /* of the highest sighting; percentile NAN = unknown */
    int64_t entity_known;
    int64_t first_seen, last_seen;
    int64_t sightings, observations;
    const char *account, *region;
    const char *model;
    int64_t version;
    int64_t created, updated, seq;
};
extern const struct field FINDING_FIELDS[];

enum finding_sort { FINDING_BY_TIME, FINDING_BY_SCORE };

struct finding_filter {
    uint64_t statuses; /* bit i = FINDING_STATUS_WORDS[i]; 0 = all */
    uint64_t verdicts; /* bit i = FINDING_VERDICT_WORDS[i] */
    bool verdict_none; /* those without one; with verdicts: or */
    const char *spec, *entity, *entity_prefix, *assignee, *tag, *q; /* NULL = any */
    bool assignee_none;
    bool has_ip;
    struct ip ip_low, ip_high;
    double min_score, min_percentile; /* NAN = any */
    int64_t since_ms, until_ms;       /* of the last sighting; FIELD_NULL_INT = any */
    enum finding_sort sort;
    size_t limit;
    bool after; /* go on behind the row these belong to */
    int64_t after_id, after_time_ms;
    double after_percentile, after_score;
};
struct finding_page {
    struct finding *items;
    size_t count;
    bool more;
};

/* What "by score" sorts by before the score: the whole percent, up to 95. How much of the rest a
 * percentile can tell depends on how large each spec's calibration sample was, so there the score
 * alone decides. -1 = unknown. */
double finding_rank(double percentile);

NODISCARD enum err_code finding_list(struct db *db, struct arena *arena,
                                     const struct finding_filter *filter, struct finding_page *ret,
                                     struct err *err);
/* ERR_NOT_FOUND says which. */
NODISCARD enum err_code finding_get(struct db *db, struct arena *arena, int64_t id,
                                    struct finding *ret, struct err *err);

/* ERR_NOT_FOUND says which. */
NODISCARD enum err_code finding_check(struct db *db, int64_t id, struct err *err);

struct finding_why {  /* beside the finding itself */
    double threshold; /* of its model and spec; NAN = unknown */
    const char *detector;
    const char *explanation; /* JSON object or NULL */
};
NODISCARD enum err_code finding_why(struct db *db, struct arena *arena, int64_t id,
                                    struct finding_why *ret, struct err *err);

struct finding_patch {
    bool has_status, has_verdict, has_assignee, has_tags;
    int64_t status, verdict; /* verdict -1 = none */
    const char *assignee;    /* NULL = nobody */
    const char *tags;        /* JSON array, sorted, checked by the caller */
};
enum finding_outcome {
    FINDING_CHANGED,
    FINDING_UNCHANGED,
    FINDING_LOST_RACE,
    FINDING_NOT_FOUND,
};
struct finding_patch_job { /* a writer_job: finding_patch_job_run */
    struct arena *arena;   /* for results */
    const char *actor;
    int64_t now_ms;
    struct finding_patch_item {
        int64_t id;
        int64_t version; /* expected */
        struct finding_patch patch;
        enum finding_outcome outcome; /* filled in */
        struct finding after;         /* filled in unless NOT_FOUND: the finding as it is now */
        struct finding before;        /* filled in when CHANGED */
    } * items;
    size_t count;
};
/* Each item on its own: a lost race is an outcome, not an error. A patch that changes nothing is
 * UNCHANGED and leaves version and history alone. */
enum err_code finding_patch_job_run(struct db *db, void *job, struct err *err);

struct finding_counts {
    int64_t by_status[4];
};
NODISCARD enum err_code finding_count(struct db *db, struct finding_counts *ret, struct err *err);
