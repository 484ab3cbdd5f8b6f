/* pairwatch retention: lets go of what is old once, or says what would go. */
#include <inttypes.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/conf.h"
#include "command/command.h"
#include "command/retain_settings.h"
#include "store/archive_unit.h"
#include "store/db.h"
#include "store/migrate.h"
#include "store/writer.h"

struct retention_options {
    struct retain_options retain;
    bool dry_run;
};

static const struct conf_setting SETTINGS[] = {
    {"database", CONF_TEXT, RETAIN_AT(struct retention_options, retain, database_url), 0, 0, 0,
     "URL", "sqlite:FILE or postgresql://USER@HOST/NAME: the database"},
    RETAIN_SETTINGS(struct retention_options, retain),
    {"dry-run", CONF_BOOL, offsetof(struct retention_options, dry_run), CONF_FLAG_ONLY, 0, 0, NULL,
     "say what would go, and let go of nothing"},
    {NULL, 0, 0, 0, 0, 0, NULL, NULL},
};

const struct conf_command COMMAND_RETENTION = {
    .name = "retention",
    .summary = "let go of what is old, or say what would go",
    .settings = SETTINGS,
    .more =
        "serve does this by itself when these settings are in its file or environment. Findings "
        "that are new or in\nprogress stay, with all that is theirs; so do counts of what "
        "went.\n",
};

static void say(const char *what, int64_t count, const char *unit, int64_t before_ms)
{
    char time[TIME_TEXT_BYTES];

    (void)time_format(time, before_ms);
    if (before_ms > 0)
        (void)printf("%-14s %14" PRId64 " %-10s before %s\n", what, count, unit, time);
    else
        (void)printf("%-14s %14s are kept for good\n", what, "all");
}

static enum err_code dry_run(const struct retention_options *options, struct err *err)
{
    AUTO(db_closep) struct db *db = NULL;
    struct retention_cutoffs cutoffs;
    struct retention_sums sums;
    struct archive_sums archive;

    TRY(db_open(options->retain.database_url, DB_READ, &db, err));
    TRY(retain_cutoffs(&options->retain, db, clock_now_ms(), &cutoffs, err));
    TRY(retention_sum(db, &cutoffs, &sums, err));
    TRY(archive_sum(db, &archive, err));
    say("observations", sums.observations, "rows", cutoffs.observations_ms);
    if (cutoffs.observations_ms > 0)
        (void)printf("%-14s %14" PRId64 " bytes\n", "", sums.observation_bytes);
    say("findings", sums.findings, "closed", cutoffs.findings_ms);
    if (cutoffs.findings_ms > 0)
        (void)printf("%-14s %14" PRId64 " sightings\n", "", sums.sightings);
    say("changes", sums.changes, "rows", cutoffs.changes_ms);
    say("objects", sums.objects, "rows", cutoffs.objects_ms);
    say("hours", sums.hours, "to days", cutoffs.hours_ms);
    say("rollups", sums.rollups, "rows", cutoffs.rollups_ms);
    (void)printf("%-14s %14" PRId64 " bytes in use of %" PRId64 "\n", "database", sums.used_bytes,
                 sums.file_bytes);
    (void)printf("%-14s %14" PRId64 " rows in %" PRId64 " objects, %" PRId64 " on their way\n",
                 "archive", archive.rows, archive.objects, archive.pending_rows);
    return ERR_NONE;
}

static enum err_code let_go(struct retention_options *options, struct err *err)
{
    struct retain_report report;
    enum err_code code;

    TRY(migrate_run(options->retain.database_url, err));
    TRY(writer_start(options->retain.database_url, &options->retain.writer, err));
    code = retain_pass(&options->retain, clock_now_ms(), &report, err);
    writer_stop(options->retain.writer);
    TRY(code);
    if (!report.led)
        return err_set(err, ERR_BUSY, "another process is at it");
    for (int i = 0; i < RETENTION__KINDS; i++)
        (void)printf("%-14s %14" PRId64 "%s\n", RETENTION_KIND_WORDS[i], report.gone[i],
                     i == RETENTION_SPACE ? " pages given back" : "");
    (void)printf("%-14s %14" PRId64 "\n", "archived", report.archived);
    return ERR_NONE;
}

int cmd_retention(int argc, char **argv)
{
    struct retention_options options = {.retain = {.database_url = "sqlite:pairwatch.db",
                                                   .archive = ARCHIVE_DEFAULT,
                                                   .stop = &STOP_ASKED}};
    struct conf_args args = {0};
    struct err err = {0};
    enum err_code code = conf_read(&COMMAND_RETENTION, argc, argv, &options, &args, &err);

    if (code != ERR_NONE || args.help)
        return command_exit(code, &err);
    stop_catch();
    return command_exit(options.dry_run ? dry_run(&options, &err) : let_go(&options, &err), &err);
}
