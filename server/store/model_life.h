#pragma once
/* The life of a model: registered as a candidate, perhaps heard as a shadow beside the active one,
 * active, retired. At most one is active and at most one a shadow; every move is one transaction
 * and a row of the feed of changes, so workers that look see the old one or the new one whole. */
#include "base/err.h"
#include "base/ip.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct arena;
struct db;

enum model_state { MODEL_CANDIDATE, MODEL_SHADOW, MODEL_ACTIVE, MODEL_RETIRED };
extern const char *const MODEL_STATE_WORDS[]; /* NULL ends */

struct model_seat {
    /* path: a file, or sagemaker:ENDPOINT; NULL = scored elsewhere. */
    const char *id, *path;
    int64_t state, activated;
};
struct model_seat_list {
    struct model_seat *items;
    size_t count;
};
enum { MODEL_SEATS_MAX = 1000 };

/* The active model or the shadow. ERR_NOT_FOUND when nobody sits there. */
NODISCARD enum err_code model_seat(struct db *db, struct arena *arena, enum model_state state,
                                   struct model_seat *ret, struct err *err);
/* The newest model that is scored by this path. ERR_NOT_FOUND when there is none. */
NODISCARD enum err_code model_of_path(struct db *db, struct arena *arena, const char *path,
                                      struct model_seat *ret, struct err *err);
/* Newest first. */
NODISCARD enum err_code model_seats(struct db *db, struct arena *arena, struct model_seat_list *ret,
                                    struct err *err);

enum { MODEL_TAG_BYTES = 17 };
/* Another one whenever the model's state, the active one or the shadow is another: what a person
 * who moves a model has seen. ERR_NOT_FOUND: not registered. */
NODISCARD enum err_code model_tag(struct db *db, const char *id, char ret[static MODEL_TAG_BYTES],
                                  struct err *err);

/* A writer_job: model_move_job_run. Active: the active one so far is retired. Shadow: the shadow so
 * far is a candidate again. ERR_NOT_FOUND: not registered. ERR_INVALID: it has no file to score by.
 */
struct model_move_job {
    const char *actor, *id;
    const char *path; /* its file from now on; NULL = as it is */
    const char *tag;  /* of model_tag: ERR_PRECONDITION when it is another; NULL = whatever it is */
    enum model_state state;
    int64_t now_ms;
};
enum err_code model_move_job_run(struct db *db, void *job, struct err *err);

/* A writer_job: the model that was active before the active one is active again. ERR_NOT_FOUND when
 * there is none. */
struct model_rollback_job {
    const char *actor;
    int64_t now_ms;
    char id[64]; /* filled in: of the one that is active now */
};
enum err_code model_rollback_job_run(struct db *db, void *job, struct err *err);

/* What a shadow made of pairs that the active model scored: of one spec in one batch. */
struct comparison_row {
    const char *spec;
    int64_t pairs, by_both, only_active, only_shadow;
};
/* A pair that one of them flagged. */
struct difference_row {
    const char *spec, *entity;
    struct ip ip;
    int64_t time;
    const char *active; /* filled in by difference_list: the model that was */
    double active_score, shadow_score;
    double active_threshold, shadow_threshold; /* held against these; NAN = not known */
    int64_t shadow_flagged;                    /* or the active one */
};
struct comparison {
    const char *shadow_id;
    const struct comparison_row *rows;
    size_t count;
    const struct difference_row *differences;
    size_t difference_count;
};
enum { DIFFERENCES_MAX = 10000 }; /* kept of an active and a shadow */
/* Inside ingest's transaction. */
NODISCARD enum err_code comparison_add(struct db *db, const char *active_id,
                                       const struct comparison *comparison, int64_t time_ms,
                                       struct err *err);

struct comparison_sum {
    const char *spec, *active, *shadow;
    int64_t first_day, last_day, pairs, by_both, only_active, only_shadow;
};
struct comparison_list {
    struct comparison_sum *items;
    size_t count;
};
struct difference_list {
    struct difference_row *items;
    size_t count;
};
enum { COMPARISONS_MAX = 1000, DIFFERENCE_LIST_MAX = 500 };
/* By spec, of the model as active or as shadow, since a time. */
NODISCARD enum err_code comparison_list(struct db *db, struct arena *arena, const char *model_id,
                                        int64_t since_ms, struct comparison_list *ret,
                                        struct err *err);
/* The furthest apart first; at most limit. */
NODISCARD enum err_code difference_list(struct db *db, struct arena *arena, const char *model_id,
                                        int64_t limit, struct difference_list *ret,
                                        struct err *err);
