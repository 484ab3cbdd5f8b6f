#include "worker/retain.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/log.h"
#include "store/db.h"
#include "store/writer.h"

enum {
    /* The writer is left to others for three times as long as a step took. */
    YIELD = 3,
    YIELD_MS_MIN = 2,
    YIELD_MS_MAX = 1000,
    BUSY_PAUSE_MS = 20, /* while others wait for the writer */
    BUSY_PAUSES_MAX = 50,
    NAP_MS = 200,
    DAYS_MAX = 4000,  /* of one pass, for size */
    STEP_ROWS = 5000, /* as much to write as so many rows are */
};
#define UNIT_ARENA_BYTES ((size_t)512 << 20)

struct retaining {
    const struct retain_options *options;
    struct db *db; /* reads, and holds the lock */
    struct archive *archive;
    struct retain_report *report;
    int64_t now_ms;
};

static void retaining_done(struct retaining *retaining)
{
    archive_close(retaining->archive);
    db_close(retaining->db);
}

bool retain_is_wanted(const struct retain_options *options)
{
    const struct retention_rules *rules = &options->rules;

    return rules->observations_ms > 0 || rules->hours_ms > 0 || rules->rollups_ms > 0 ||
           rules->findings_ms > 0 || rules->changes_ms > 0 || rules->objects_ms > 0 ||
           rules->bytes_max > 0 || options->archive.target != NULL;
}

static enum err_code check_stop(const struct retaining *retaining, struct err *err)
{
    return atomic_load(retaining->options->stop)
               ? err_set(err, ERR_CANCELLED, "stopped while letting go of old rows")
               : ERR_NONE;
}

static void yield_writer(const struct retaining *retaining, int64_t took_ms)
{
    int64_t pause_ms = took_ms * YIELD;

    pause_ms = pause_ms < YIELD_MS_MIN ? YIELD_MS_MIN : pause_ms;
    clock_sleep_ms(pause_ms > YIELD_MS_MAX ? YIELD_MS_MAX : pause_ms);
    for (int i = 0; i < BUSY_PAUSES_MAX && writer_queue_depth(retaining->options->writer) > 0; i++)
        clock_sleep_ms(BUSY_PAUSE_MS);
}

/* A full queue is somebody else's turn. */
static enum err_code run_job(const struct retaining *retaining, writer_job *job, void *argument,
                             struct err *err)
{
    enum err_code code = ERR_BUSY;

    for (int i = 0; code == ERR_BUSY && i < BUSY_PAUSES_MAX; i++) {
        int64_t started_ms;

        TRY(check_stop(retaining, err));
        started_ms = clock_mono_ms();
        code = writer_run_bulk(retaining->options->writer, job, argument, STEP_ROWS, err);
        yield_writer(retaining, clock_mono_ms() - started_ms);
    }
    return code;
}

/* ---- the archive ---- */

static enum err_code write_unit(struct retaining *retaining, bool *ret_more, struct err *err)
{
    AUTO(arena_done) struct arena arena = {0};
    char path[ARCHIVE_PATH_BYTES], sha256[ARCHIVE_SHA256_BYTES];
    struct archive_done_job done = {.path = path, .sha256 = sha256};
    struct archive_unit unit;

    arena_init(&arena, UNIT_ARENA_BYTES);
    TRY(archive_unit_next(retaining->db, &arena, &unit, err));
    *ret_more = unit.id != 0;
    if (unit.id == 0)
        return ERR_NONE;
    TRY(archive_write(retaining->archive, retaining->db, &unit, path, sha256, err));
    done.id = unit.id;
    TRY(run_job(retaining, archive_done_job_run, &done, err));
    retaining->report->archived += (int64_t)unit.count;
    return ERR_NONE;
}

static enum err_code write_units(struct retaining *retaining, struct err *err)
{
    bool more = retaining->archive != NULL;

    while (more) {
        TRY(check_stop(retaining, err));
        TRY(write_unit(retaining, &more, err));
    }
    return ERR_NONE;
}

static enum err_code open_archive(struct retaining *retaining, struct err *err)
{
    struct archive_options options = retaining->options->archive;

    options.stop = retaining->options->stop;
    return options.target == NULL ? ERR_NONE : archive_open(&options, &retaining->archive, err);
}

/* ---- steps ---- */

static enum err_code run_kind(struct retaining *retaining, enum retention_kind kind,
                              const struct retention_cutoffs *cutoffs, struct err *err)
{
    struct retention_step step = {
        .kind = kind, .cutoffs = *cutoffs, .archive = retaining->archive != NULL};

    do {
        TRY(run_job(retaining, retention_step_run, &step, err));
        retaining->report->gone[kind] += step.gone;
        /* What has left is written out before more leaves. */
        if (kind == RETENTION_OBSERVATIONS)
            TRY(write_units(retaining, err));
    } while (step.more);
    return ERR_NONE;
}

static enum err_code is_too_large(const struct retain_options *options, struct db *db, bool *ret,
                                  struct err *err)
{
    struct db_space space;

    *ret = false;
    if (options->rules.bytes_max == 0)
        return ERR_NONE;
    TRY(db_space(db, &space, err));
    *ret = space.used_bytes > options->rules.bytes_max;
    return ERR_NONE;
}

/* The oldest day goes as well, unless it is today. */
static enum err_code cut_a_day(struct db *db, int64_t now_ms, struct retention_cutoffs *cutoffs,
                               bool *ret_cut, struct err *err)
{
    int64_t day_ms;

    *ret_cut = false;
    TRY(retention_oldest_day(db, &day_ms, err));
    if (day_ms < 0 || day_ms + DAY_MS > now_ms)
        return ERR_NONE;
    if (day_ms + DAY_MS > cutoffs->observations_ms)
        cutoffs->observations_ms = day_ms + DAY_MS;
    *ret_cut = true;
    return ERR_NONE;
}

enum err_code retain_cutoffs(const struct retain_options *options, struct db *db, int64_t now_ms,
                             struct retention_cutoffs *ret, struct err *err)
{
    bool too_large, cut;

    *ret = retention_cutoffs(&options->rules, now_ms);
    TRY(is_too_large(options, db, &too_large, err));
    return too_large ? cut_a_day(db, now_ms, ret, &cut, err) : ERR_NONE;
}

/* Day by day until it is small enough. PostgreSQL tells its new size at once only of days that were
 * whole partitions; a day that made it no smaller ends the pass, and the next one looks again. */
static enum err_code cut_to_size(struct retaining *retaining, struct retention_cutoffs *cutoffs,
                                 struct err *err)
{
    struct db_space before, after;
    bool too_large, cut = true;

    TRY(is_too_large(retaining->options, retaining->db, &too_large, err));
    for (int i = 0; too_large && cut && i < DAYS_MAX; i++) {
        TRY(db_space(retaining->db, &before, err));
        TRY(cut_a_day(retaining->db, retaining->now_ms, cutoffs, &cut, err));
        if (cut)
            TRY(run_kind(retaining, RETENTION_OBSERVATIONS, cutoffs, err));
        TRY(db_space(retaining->db, &after, err));
        if (cut && after.used_bytes >= before.used_bytes)
            return ERR_NONE;
        TRY(is_too_large(retaining->options, retaining->db, &too_large, err));
    }
    if (too_large && !cut)
        log_warn("the database stays larger than it may be", "bytes=%" PRId64 " max=%" PRId64,
                 after.used_bytes, retaining->options->rules.bytes_max);
    return ERR_NONE;
}

static enum err_code run_all(struct retaining *retaining, struct err *err)
{
    struct retention_cutoffs cutoffs =
        retention_cutoffs(&retaining->options->rules, retaining->now_ms);

    TRY(write_units(retaining, err)); /* of a pass that was broken off */
    for (int kind = 0; kind < RETENTION_SPACE; kind++) {
        TRY(run_kind(retaining, (enum retention_kind)kind, &cutoffs, err));
        if (kind == RETENTION_OBSERVATIONS)
            TRY(cut_to_size(retaining, &cutoffs, err));
    }
    return run_kind(retaining, RETENTION_SPACE, &cutoffs, err);
}

enum err_code retain_pass(const struct retain_options *options, int64_t now_ms,
                          struct retain_report *ret, struct err *err)
{
    AUTO(retaining_done)
    struct retaining retaining = {.options = options, .report = ret, .now_ms = now_ms};

    *ret = (struct retain_report){.led = false};
    TRY(db_open(options->database_url, DB_READ, &retaining.db, err));
    TRY(db_lead(retaining.db, DB_TASK_RETENTION, &ret->led, err));
    if (!ret->led)
        return ERR_NONE;
    TRY(open_archive(&retaining, err));
    return run_all(&retaining, err);
}

static void log_report(const struct retain_report *report)
{
    int64_t sum = report->archived;

    for (int i = 0; i < RETENTION__KINDS; i++)
        sum += report->gone[i];
    if (sum > 0)
        log_info("let go of what is old",
                 "observations=%" PRId64 " archived=%" PRId64 " findings=%" PRId64
                 " changes=%" PRId64 " objects=%" PRId64 " hours=%" PRId64 " rollups=%" PRId64
                 " pages=%" PRId64,
                 report->gone[RETENTION_OBSERVATIONS], report->archived,
                 report->gone[RETENTION_FINDINGS], report->gone[RETENTION_CHANGES],
                 report->gone[RETENTION_OBJECTS], report->gone[RETENTION_HOURS],
                 report->gone[RETENTION_ROLLUPS], report->gone[RETENTION_SPACE]);
}

void retain_loop(const struct retain_options *options)
{
    int64_t next_mono_ms = 0;

    while (!atomic_load(options->stop)) {
        struct retain_report report;
        struct err err = {0};

        if (clock_mono_ms() >= next_mono_ms) {
            enum err_code code = retain_pass(options, clock_now_ms(), &report, &err);

            log_report(&report);
            if (code != ERR_NONE && code != ERR_CANCELLED)
                log_warn("retention did not end", "reason=%s", log_quote(err.text));
            next_mono_ms = clock_mono_ms() + options->every_ms;
        }
        clock_sleep_ms(NAP_MS);
    }
}
