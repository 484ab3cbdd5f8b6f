/* pairwatch backup: a copy of the store while it is used. */
#include <dirent.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/conf.h"
#include "base/log.h"
#include "base/str.h"
#include "command/command.h"
#include "store/backup.h"

enum { BACKUP_ARENA_BYTES = 1 << 22, BACKUPS_MAX = 10000, PATH_BYTES = 4096 };
static const char PREFIX[] = "pairwatch-", MANIFEST[] = ".json";

struct backup_command {
    const char *database, *to;
    int64_t rate, keep;
};

static const struct conf_setting SETTINGS[] = {
    {"database", CONF_TEXT, offsetof(struct backup_command, database), 0, 0, 0, "URL",
     "sqlite:FILE: the database"},
    {"backup-dir", CONF_TEXT, offsetof(struct backup_command, to), 0, 0, 0, "DIR",
     "folder of the copies; each is pairwatch-TIME.db with its manifest pairwatch-TIME.json"},
    {"backup-rate", CONF_BYTES, offsetof(struct backup_command, rate), 0, 1 << 16, 1e12, "BYTES",
     "copy at most so many bytes a second"},
    {"backup-keep", CONF_INT, offsetof(struct backup_command, keep), 0, 0, BACKUPS_MAX, "N",
     "keep the newest N and remove the others of the folder; 0 keeps all"},
    {NULL, 0, 0, 0, 0, 0, NULL, NULL},
};

const struct conf_command COMMAND_BACKUP = {
    .name = "backup",
    .summary = "copy the store while it is used",
    .settings = SETTINGS,
    .more = "The copy is one moment of the database: what is committed meanwhile is not in it, and "
            "stays in the\nlog until the copy is done. The manifest comes last and holds the "
            "file's SHA-256 and the end of the\nchain of changes; a copy without one is not "
            "whole. `pairwatch restore` takes the manifest.\nPostgreSQL: pg_dump, or "
            "pg_basebackup with an archive of its log (deploy/postgres/README.md).\n",
};

/* Not two of one second: the time is the name. */
static enum err_code name_copy(struct arena *arena, const struct backup_command *command,
                               const char **ret_name, struct err *err)
{
    char time[TIME_TEXT_BYTES], compact[TIME_TEXT_BYTES];
    size_t length = 0;

    if (command->to == NULL)
        return err_set(err, ERR_USAGE, "say with --backup-dir where the copies are kept");
    (void)time_format(time, clock_now_ms());
    for (const char *c = time; *c != '\0' && *c != '.'; c++)
        if (*c != '-' && *c != ':')
            compact[length++] = *c;
    compact[length] = '\0';
    *ret_name = arena_printf(arena, "%s%sZ", PREFIX, compact);
    return ERR_NONE;
}

static int newest_first(const void *a, const void *b)
{
    return -strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Of our own names only; the manifest goes first, so that no copy looks whole that is not. */
static enum err_code remove_old(struct arena *arena, const struct backup_command *command,
                                struct err *err)
{
    const char **names = ARENA_ARRAY(arena, const char *, BACKUPS_MAX);
    DIR *folder = opendir(command->to);
    struct dirent *entry;
    size_t count = 0;

    if (folder == NULL)
        return err_errno(err, ERR_IO, "reading the folder %s", command->to);
    while (count < BACKUPS_MAX && (entry = readdir(folder)) != NULL)
        if (str_starts(entry->d_name, PREFIX) && str_ends(entry->d_name, MANIFEST))
            names[count++] = arena_strdup(arena, entry->d_name);
    (void)closedir(folder);
    qsort(names, count, sizeof *names, newest_first);
    for (size_t i = (size_t)command->keep; i < count; i++) {
        int stem = (int)(strlen(names[i]) - strlen(MANIFEST));

        (void)unlink(arena_printf(arena, "%s/%s", command->to, names[i]));
        (void)unlink(arena_printf(arena, "%s/%.*s.db", command->to, stem, names[i]));
    }
    return ERR_NONE;
}

static enum err_code run(const struct backup_command *command, struct err *err)
{
    AUTO(arena_done) struct arena arena = {0};
    struct progress progress;
    struct backup_options options = {.database_url = command->database,
                                     .bytes_per_s = command->rate,
                                     .stop = &STOP_ASKED,
                                     .progress = &progress};
    struct backup_manifest manifest;
    const char *name = NULL, *path;

    arena_init(&arena, BACKUP_ARENA_BYTES);
    TRY(name_copy(&arena, command, &name, err));
    options.path = arena_printf(&arena, "%s/%s.db", command->to, name);
    path = arena_printf(&arena, "%s/%s%s", command->to, name, MANIFEST);
    TRY(backup_make(&options, &arena, &manifest, err));
    manifest.file = arena_printf(&arena, "%s.db", name);
    TRY(backup_manifest_write(path, &manifest, err));
    (void)printf("%s\n", path);
    return command->keep > 0 ? remove_old(&arena, command, err) : ERR_NONE;
}

int cmd_backup(int argc, char **argv)
{
    struct backup_command command = {.database = "sqlite:pairwatch.db", .rate = 64 << 20};
    struct conf_args args = {0};
    struct err err = {0};
    enum err_code code = conf_read(&COMMAND_BACKUP, argc, argv, &command, &args, &err);

    if (code != ERR_NONE || args.help)
        return command_exit(code, &err);
    stop_catch();
    return command_exit(run(&command, &err), &err);
}
