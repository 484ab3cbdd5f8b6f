/* The table of subcommands, and nothing else. */
#include <stdio.h>
#include <string.h>

#include "base/own.h"
#include "command/command.h"

static const struct command COMMANDS[] = {
    {&COMMAND_SERVE, cmd_serve},         {&COMMAND_WORK, cmd_work},
    {&COMMAND_TRAIN, cmd_train},         {&COMMAND_PAIRS, cmd_pairs},
    {&COMMAND_SCORE, cmd_score},         {&COMMAND_EVALUATE, cmd_evaluate},
    {&COMMAND_SIMULATE, cmd_simulate},   {&COMMAND_MIGRATE, cmd_migrate},
    {&COMMAND_USER, cmd_user},           {&COMMAND_TOKEN, cmd_token},
    {&COMMAND_MODEL, cmd_model},         {&COMMAND_CHECK, cmd_check},
    {&COMMAND_BACKUP, cmd_backup},       {&COMMAND_RESTORE, cmd_restore},
    {&COMMAND_RETENTION, cmd_retention}, {&COMMAND_IMPORT, cmd_import},
    {&COMMAND_LAMBDA, cmd_lambda},       {NULL, NULL},
};

/* In the environment beside the settings: the library that reads Parquet (lake/duckdb_api.h), and
 * what the tests are told. */
static const char *const OTHER_NAMES[] = {"config", "duckdb", "binary", "reference-data"};

enum { SETTING_NAMES_MAX = 256 };

/* One file or environment serves all commands, so each passes over the settings of the others. */
static void set_known_settings(void)
{
    static const char *names[SETTING_NAMES_MAX + ARRAY_LEN(OTHER_NAMES) + 1];
    size_t count = 0;

    for (const struct command *c = COMMANDS; c->conf != NULL; c++)
        for (const struct conf_setting *s = c->conf->settings;
             s->name != NULL && count < SETTING_NAMES_MAX; s++)
            if ((s->flags & CONF_FLAG_ONLY) == 0)
                names[count++] = s->name;
    for (size_t i = 0; i < ARRAY_LEN(OTHER_NAMES); i++)
        names[count++] = OTHER_NAMES[i];
    conf_set_known(names);
}

static const struct command *find_command(const char *name)
{
    for (const struct command *c = COMMANDS; c->conf != NULL; c++)
        if (strcmp(name, c->conf->name) == 0)
            return c;
    return NULL;
}

static void print_commands(FILE *out)
{
    (void)fprintf(out, "pairwatch " PAIRWATCH_VERSION
                       ": finds machines and identities that talk to addresses that do not "
                       "belong to them\n\nusage: pairwatch COMMAND [--help]\n\n");
    for (const struct command *c = COMMANDS; c->conf != NULL; c++)
        (void)fprintf(out, "  %-10s %s\n", c->conf->name, c->conf->summary);
}

/* help, help COMMAND */
static int run_help(const char *name)
{
    const struct command *command = find_command(name);
    char help[] = "--help", *argv[] = {help, help, NULL};

    if (command != NULL)
        return command->run(2, argv);
    print_commands(stdout);
    return 0;
}

int main(int argc, char **argv)
{
    const char *name = argc > 1 ? argv[1] : "";
    const struct command *command = find_command(name);

    set_known_settings();
    if (command != NULL)
        return command->run(argc - 1, argv + 1);
    if (strcmp(name, "help") == 0 || strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0)
        return run_help(argc > 2 ? argv[2] : "");
    if (strcmp(name, "--version") == 0 || strcmp(name, "version") == 0) {
        (void)printf("pairwatch %s\n", PAIRWATCH_VERSION);
        return 0;
    }
    if (*name != '\0')
        (void)fprintf(stderr, "pairwatch: there is no command \"%s\"\n", name);
    print_commands(stderr);
    return 2;
}
