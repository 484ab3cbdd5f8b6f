#include "store/retention.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/crypto.h"
#include "store/change.h"
#include "store/db.h"
#include "store/observation_chunk.h"
#include "store/retention_parts.h"

enum {
    STEP_ROWS = 1000, /* deleted in one step: some milliseconds */
    STEP_CHANGES = 1000,
    STEP_OBJECTS = 500,
    STEP_PAGES = 256,  /* a megabyte given back */
    SLACK_PAGES = 256, /* that need not go: they are used again soon */
    STEP_ARENA_BYTES = 1 << 22,
};
static const char ACTOR[] = "retention";

const char *const RETENTION_KIND_WORDS[] = {"observations", "findings", "changes", "objects",
                                            "hours",        "rollups",  "space",   NULL};

static int64_t before(int64_t now_ms, int64_t keep_ms)
{
    return keep_ms > 0 && keep_ms < now_ms ? now_ms - keep_ms : 0;
}

static int64_t day_of(int64_t ms)
{
    return ms - ms % DAY_MS;
}

struct retention_cutoffs retention_cutoffs(const struct retention_rules *rules, int64_t now_ms)
{
    struct retention_cutoffs cutoffs = {
        .observations_ms = day_of(before(now_ms, rules->observations_ms)),
        .hours_ms = day_of(before(now_ms, rules->hours_ms)),
        .rollups_ms = day_of(before(now_ms, rules->rollups_ms)),
        .findings_ms = before(now_ms, rules->findings_ms),
        .changes_ms = before(now_ms, rules->changes_ms),
        .objects_ms = before(now_ms, rules->objects_ms),
    };

    if (cutoffs.hours_ms > cutoffs.observations_ms)
        cutoffs.hours_ms = cutoffs.observations_ms;
    if (cutoffs.rollups_ms > cutoffs.observations_ms)
        cutoffs.rollups_ms = cutoffs.observations_ms;
    if (cutoffs.objects_ms > cutoffs.observations_ms - DAY_MS)
        cutoffs.objects_ms =
            cutoffs.observations_ms > DAY_MS ? cutoffs.observations_ms - DAY_MS : 0;
    return cutoffs;
}

enum err_code retention_oldest_day(struct db *db, int64_t *ret_ms, struct err *err)
{
    return db_int(db, SQL_RETAIN_OLDEST_DAY, NO_PARAMS, ret_ms, err);
}

static enum err_code run(struct db *db, enum sql_id sql, int64_t id, int64_t *ret_gone,
                         struct err *err)
{
    return db_exec(db, sql, PARAMS(P_INT(id)), ret_gone, err);
}

/* ---- findings ---- */

static enum err_code tell_finding(struct db *db, int64_t id, struct err *err)
{
    char body[64];

    (void)snprintf(body, sizeof body, "{\"finding\":%" PRId64 "}", id);
    return change_add(db, CHANGE_LET_GO, ACTOR, FIELD_NULL_INT, body, NULL, err);
}

/* Its sightings first, when they are many over several steps; the finding counts what it has. */
static enum err_code step_finding(struct db *db, struct retention_step *step, int64_t id,
                                  struct err *err)
{
    int64_t events, notes;

    TRY(db_int(db, SQL_RETAIN_SIGHTINGS_SUM, PARAMS(P_INT(id), P_INT(STEP_ROWS)), &events, err));
    TRY(db_exec(db, SQL_RETAIN_SIGHTINGS, PARAMS(P_INT(id), P_INT(STEP_ROWS)), &step->gone, err));
    if (step->gone == STEP_ROWS)
        return db_exec(db, SQL_RETAIN_FINDING_LESS,
                       PARAMS(P_INT(step->gone), P_INT(events), P_INT(id)), NULL, err);
    TRY(run(db, SQL_RETAIN_NOTES, id, &notes, err));
    TRY(run(db, SQL_RETAIN_EXPLANATION, id, NULL, err));
    TRY(run(db, SQL_RETAIN_FINDING_DELETE, id, NULL, err));
    step->gone = 1;
    return tell_finding(db, id, err);
}

static enum err_code step_findings(struct db *db, struct retention_step *step, struct err *err)
{
    int64_t id;
    enum err_code code =
        db_int(db, SQL_RETAIN_FINDING, PARAMS(P_INT(step->cutoffs.findings_ms)), &id, err);

    if (code == ERR_NOT_FOUND)
        return ERR_NONE;
    TRY(code);
    step->more = true;
    TRY(retention_whole_since(db, step->cutoffs.findings_ms + HOUR_MS, err));
    return step_finding(db, step, id, err);
}

/* ---- changes ---- */

struct link_row {
    int64_t seq;
    struct blob hash;
};
static const struct field LINK_FIELDS[] = {
    FIELD(struct link_row, seq, FIELD_INT, .flags = 0),
    FIELD(struct link_row, hash, FIELD_BLOB, .flags = 0),
    FIELD_END,
};

/* The change that says so is in the chain that goes on, so that what it began after is attested. */
static enum err_code cut_chain(struct db *db, int64_t seq, struct err *err)
{
    AUTO(arena_done) struct arena arena = {0};
    char hex[2 * SHA256_BYTES + 1], body[200];
    struct link_row last;

    arena_init(&arena, STEP_ARENA_BYTES);
    TRY(db_row(db, SQL_RETAIN_CHANGE, PARAMS(P_INT(seq)), LINK_FIELDS, &arena, &last, err));
    if (last.hash.length != SHA256_BYTES)
        return err_set(err, ERR_CORRUPT, "the hash of change %" PRId64 " is none", seq);
    hex_encode(last.hash.bytes, SHA256_BYTES, hex);
    (void)snprintf(body, sizeof body, "{\"changes_through\":%" PRId64 ",\"hash\":\"%s\"}", seq,
                   hex);
    TRY(change_add(db, CHANGE_LET_GO, ACTOR, FIELD_NULL_INT, body, NULL, err));
    TRY(db_exec(db, SQL_RETAIN_START_CLEAR, NO_PARAMS, NULL, err));
    return db_exec(db, SQL_RETAIN_START_SET,
                   PARAMS(P_INT(seq), P_BLOB(last.hash.bytes, last.hash.length)), NULL, err);
}

static enum err_code step_changes(struct db *db, struct retention_step *step, struct err *err)
{
    int64_t through, first;

    TRY(db_int(db, SQL_RETAIN_CHANGES_THROUGH,
               PARAMS(P_INT(step->cutoffs.changes_ms), P_INT(STEP_CHANGES)), &through, err));
    TRY(change_first_seq(db, &first, err));
    if (first == 0 || through < first)
        return ERR_NONE;
    TRY(cut_chain(db, through, err));
    TRY(run(db, SQL_RETAIN_CHANGES, through, &step->gone, err));
    step->more = step->gone == STEP_CHANGES;
    return ERR_NONE;
}

/* ---- the ledger ---- */

struct object_age {
    int64_t id, old;
};
static const struct field AGE_FIELDS[] = {
    FIELD(struct object_age, id, FIELD_INT, .flags = 0),
    FIELD(struct object_age, old, FIELD_BOOL, .flags = 0),
    FIELD_END,
};

static enum err_code step_objects(struct db *db, struct retention_step *step, struct err *err)
{
    struct object_age ages[STEP_OBJECTS];
    AUTO(query_done) struct query q = {0};
    size_t count = 0;

    TRY(db_query(db, SQL_RETAIN_OBJECTS,
                 PARAMS(P_INT(step->cutoffs.objects_ms), P_INT(step->cursor), P_INT(STEP_OBJECTS)),
                 &q, err));
    while (count < STEP_OBJECTS && query_next(&q, AGE_FIELDS, NULL, &ages[count]))
        count++;
    TRY(query_end(&q, err));
    for (size_t i = 0; i < count; i++)
        if (ages[i].old) {
            TRY(run(db, SQL_RETAIN_OBJECT, ages[i].id, NULL, err));
            step->gone++;
        }
    step->more = count == STEP_OBJECTS;
    step->cursor = count > 0 ? ages[count - 1].id : step->cursor;
    return step->gone > 0 ? db_exec(db, SQL_COUNTER_ADD,
                                    PARAMS(P_TEXT("objects_gone"), P_INT(step->gone)), NULL, err)
                          : ERR_NONE;
}

/* ---- rollups ---- */

static enum err_code step_hours(struct db *db, struct retention_step *step, struct err *err)
{
    int64_t hour_ms;
    enum err_code code =
        db_int(db, SQL_RETAIN_HOUR, PARAMS(P_INT(step->cutoffs.hours_ms)), &hour_ms, err);

    if (code == ERR_NOT_FOUND)
        return ERR_NONE;
    TRY(code);
    step->more = true;
    return retention_fold_day(db, day_of(hour_ms), &step->gone, err);
}

/* A day at a time, with what was counted of it. */
static enum err_code step_rollups(struct db *db, struct retention_step *step, struct err *err)
{
    struct retention_rollups sum;
    int64_t until_ms, differences;

    TRY(retention_rollups(db, step->cutoffs.rollups_ms, &sum, err));
    TRY(db_exec(db, SQL_RETAIN_COMPARISONS, PARAMS(P_INT(step->cutoffs.rollups_ms)), NULL, err));
    TRY(db_exec(db, SQL_RETAIN_DIFFERENCES,
                PARAMS(P_INT(step->cutoffs.rollups_ms), P_INT(STEP_ROWS)), &differences, err));
    step->more = sum.rows > 0 || differences == STEP_ROWS;
    if (sum.rows == 0)
        return ERR_NONE;
    until_ms = day_of(sum.first) + DAY_MS;
    TRY(retention_rollups(db, until_ms, &sum, err));
    TRY(db_exec(db, SQL_COUNTER_ADD, PARAMS(P_TEXT("observations_gone"), P_INT(sum.observations)),
                NULL, err));
    TRY(db_exec(db, SQL_COUNTER_ADD, PARAMS(P_TEXT("flagged_gone"), P_INT(sum.flagged)), NULL,
                err));
    return run(db, SQL_RETAIN_ROLLUPS, until_ms, &step->gone, err);
}

static enum err_code step_space(struct db *db, struct retention_step *step, struct err *err)
{
    struct db_space space;

    TRY(db_release(db, STEP_PAGES, &space, err));
    step->gone = space.released;
    step->more = space.released > 0 && space.free > SLACK_PAGES;
    return ERR_NONE;
}

static enum err_code step_observations(struct db *db, struct retention_step *step, struct err *err)
{
    return retention_step_observations(db, step, err);
}

static const struct {
    enum err_code (*run)(struct db *db, struct retention_step *step, struct err *err);
    size_t cutoff; /* of struct retention_cutoffs; SIZE_MAX = none */
} KINDS[RETENTION__KINDS] = {
    [RETENTION_OBSERVATIONS] = {step_observations,
                                offsetof(struct retention_cutoffs, observations_ms)},
    [RETENTION_FINDINGS] = {step_findings, offsetof(struct retention_cutoffs, findings_ms)},
    [RETENTION_CHANGES] = {step_changes, offsetof(struct retention_cutoffs, changes_ms)},
    [RETENTION_OBJECTS] = {step_objects, offsetof(struct retention_cutoffs, objects_ms)},
    [RETENTION_HOURS] = {step_hours, offsetof(struct retention_cutoffs, hours_ms)},
    [RETENTION_ROLLUPS] = {step_rollups, offsetof(struct retention_cutoffs, rollups_ms)},
    [RETENTION_SPACE] = {step_space, SIZE_MAX},
};

enum err_code retention_step_run(struct db *db, void *step_, struct err *err)
{
    struct retention_step *step = step_;
    size_t at = KINDS[step->kind].cutoff;

    step->gone = 0;
    step->more = false;
    if (at != SIZE_MAX && *(const int64_t *)(const void *)((const char *)&step->cutoffs + at) == 0)
        return ERR_NONE;
    return KINDS[step->kind].run(db, step, err);
}
