/* pairwatch restore: a database from a copy, verified. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/conf.h"
#include "base/str.h"
#include "command/command.h"
#include "store/backup.h"

enum { RESTORE_ARENA_BYTES = 1 << 20 };
static const char SQLITE[] = "sqlite:";

struct restore_options {
    const char *database;
};

static const struct conf_setting SETTINGS[] = {
    {"database", CONF_TEXT, offsetof(struct restore_options, database), 0, 0, 0, "URL",
     "sqlite:FILE: where the database is put; nothing may be there"},
    {NULL, 0, 0, 0, 0, 0, NULL, NULL},
};

const struct conf_command COMMAND_RESTORE = {
    .name = "restore",
    .summary = "put a copy made by backup in place of the store",
    .positional = "MANIFEST",
    .settings = SETTINGS,
    .more = "The copy's SHA-256, its chain of changes and the end of that are held against the "
            "manifest before the\ndatabase is there by its name. A database is never overwritten: "
            "stop what uses it and move it away\nfirst, with its -wal and -shm.\n",
};

static enum err_code run(const struct restore_options *options, const struct conf_args *args,
                         struct err *err)
{
    AUTO(arena_done) struct arena arena = {0};
    struct backup_manifest manifest;
    const char *path, *slash;
    char made[TIME_TEXT_BYTES];

    if (args->positional_count != 1)
        return err_set(err, ERR_USAGE, "name one manifest: pairwatch-TIME.json beside the copy");
    if (!str_starts(options->database, SQLITE))
        return err_set(err, ERR_INVALID, "this restores a SQLite file; PostgreSQL has pg_restore");
    arena_init(&arena, RESTORE_ARENA_BYTES);
    path = args->positional[0];
    slash = strrchr(path, '/');
    TRY(backup_manifest_read(path, &arena, &manifest, err));
    TRY(backup_restore(arena_printf(&arena, "%.*s%s", slash != NULL ? (int)(slash + 1 - path) : 0,
                                    path, manifest.file),
                       &manifest, options->database + strlen(SQLITE), err));
    (void)time_format(made, manifest.made_ms);
    (void)printf("%s is what it was at %s: %" PRId64 " bytes, changes %" PRId64 " to %" PRId64
                 " follow from each other\n",
                 options->database, made, manifest.bytes, manifest.first_seq, manifest.last_seq);
    return ERR_NONE;
}

int cmd_restore(int argc, char **argv)
{
    struct restore_options options = {.database = "sqlite:pairwatch.db"};
    struct conf_args args = {0};
    struct err err = {0};
    enum err_code code = conf_read(&COMMAND_RESTORE, argc, argv, &options, &args, &err);

    if (code != ERR_NONE || args.help)
        return command_exit(code, &err);
    return command_exit(run(&options, &args, &err), &err);
}
