/* pairwatch migrate: brings a database to this version. */
#include <stdio.h>

#include "base/conf.h"
#include "command/command.h"
#include "store/migrate.h"

struct migrate_options {
    const char *database;
};

static const struct conf_setting SETTINGS[] = {
    {"database", CONF_TEXT, offsetof(struct migrate_options, database), 0, 0, 0, "URL",
     "sqlite:FILE or postgresql://USER@HOST/NAME: the database"},
    {NULL, 0, 0, 0, 0, 0, NULL, NULL},
};

const struct conf_command COMMAND_MIGRATE = {
    .name = "migrate",
    .summary = "bring a database to this version",
    .settings = SETTINGS,
    .more = "serve and work do this when they start.\n",
};

int cmd_migrate(int argc, char **argv)
{
    struct migrate_options options = {.database = "sqlite:pairwatch.db"};
    struct conf_args args = {0};
    struct err err = {0};
    enum err_code code = conf_read(&COMMAND_MIGRATE, argc, argv, &options, &args, &err);

    if (code != ERR_NONE || args.help)
        return command_exit(code, &err);
    code = migrate_run(options.database, &err);
    if (code == ERR_NONE)
        (void)printf("%s is at the version of pairwatch " PAIRWATCH_VERSION "\n", options.database);
    return command_exit(code, &err);
}
