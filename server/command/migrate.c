/* pairwatch migrate: brings a database to this version, or copies it to PostgreSQL. */
#include <inttypes.h>
#include <stdio.h>

#include "base/conf.h"
#include "base/str.h"
#include "command/command.h"
#include "store/db_copy.h"
#include "store/migrate.h"

struct migrate_options {
    const char *database, *to;
};

static const struct conf_setting SETTINGS[] = {
    {"database", CONF_TEXT, offsetof(struct migrate_options, database), 0, 0, 0, "URL",
     "sqlite:FILE or postgresql://USER@HOST/NAME: the database"},
    {"to", CONF_TEXT, offsetof(struct migrate_options, to), CONF_FLAG_ONLY, 0, 0, "URL",
     "postgresql://USER@HOST/NAME: an empty database to copy the SQLite one to, whole and "
     "verified"},
    {NULL, 0, 0, 0, 0, 0, NULL, NULL},
};

const struct conf_command COMMAND_MIGRATE = {
    .name = "migrate",
    .summary = "bring a database to this version",
    .settings = SETTINGS,
    .more =
        "serve and work do this when they start. With --to, the database is copied and stays "
        "as it\n"
        "is; stop what writes to it first. An interrupted copy goes on when it is started again.\n",
};

static void tell(UNUSED void *context, const struct db_copied *copied)
{
    (void)printf("%-12s %12" PRIu64 " rows  sha256 %s\n", copied->table, copied->rows,
                 copied->sha256);
    (void)fflush(stdout);
}

static enum err_code run(const struct migrate_options *options, struct err *err)
{
    if (options->to != NULL) {
        TRY(db_copy(options->database, options->to, tell, NULL, err));
        (void)puts("copied and read back: the same rows in both");
        return ERR_NONE;
    }
    TRY(migrate_run(options->database, err));
    /* A PostgreSQL url may hold a password. */
    (void)printf("%s is at the version of pairwatch " PAIRWATCH_VERSION "\n",
                 str_starts(options->database, "sqlite:") ? options->database : "the database");
    return ERR_NONE;
}

int cmd_migrate(int argc, char **argv)
{
    struct migrate_options options = {.database = "sqlite:pairwatch.db"};
    struct conf_args args = {0};
    struct err err = {0};
    enum err_code code = conf_read(&COMMAND_MIGRATE, argc, argv, &options, &args, &err);

    if (code != ERR_NONE || args.help)
        return command_exit(code, &err);
    code = run(&options, &err);
    return command_exit(code, &err);
}
