/* The table of subcommands, and nothing else. */
#include <stdio.h>
#include <string.h>

#include "base/conf.h"
#include "command/command.h"

static const struct command COMMANDS[] = {
    {"serve", "the REST API and the dashboard", cmd_serve},
    {"work", "read objects, score their pairs, store the results", cmd_work},
    {"train", "make a model from objects or a CSV file", cmd_train},
    {"pairs", "print the pairs a spec finds in objects", cmd_pairs},
    {"score", "score pairs from standard input", cmd_score},
    {"evaluate", "measure a model on labelled pairs", cmd_evaluate},
    {"simulate", "write a simulated company's Security Lake", cmd_simulate},
    {"migrate", "bring a database to this version", cmd_migrate},
    {"user", "add, list and change users", cmd_user},
    {"token", "make, list and revoke API tokens", cmd_token},
    {NULL, NULL, NULL},
};

/* Every command's settings, so that one file or environment serves all of them; and what is read
 * from the environment elsewhere. */
static const char *const KNOWN_SETTINGS[] = {
    "listen",
    "database",
    "model",
    "web-dir",
    "tls-cert",
    "tls-key",
    "threads",
    "connections",
    "queue",
    "scorer",
    "spec",
    "spec-dir",
    "temp-dir",
    "out",
    "seed",
    "detector",
    "object-bytes-max",
    "admin-password-file",
    "entities",
    "days",
    "accept",
    "train",
    "password-file",
    "role",
    "duckdb",
    "binary",
    "config",
    "expires",
    "reference-data",
    NULL,
};

static void print_commands(FILE *out)
{
    (void)fprintf(out, "pairwatch " PAIRWATCH_VERSION
                       ": finds machines and identities that talk to addresses that do not "
                       "belong to them\n\nusage: pairwatch COMMAND [--help]\n\n");
    for (const struct command *c = COMMANDS; c->name != NULL; c++)
        (void)fprintf(out, "  %-10s %s\n", c->name, c->summary);
}

static int run_help(void)
{
    print_commands(stdout);
    return 0;
}

int main(int argc, char **argv)
{
    const char *name = argc > 1 ? argv[1] : "";

    conf_set_known(KNOWN_SETTINGS);
    if (strcmp(name, "help") == 0 || strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0)
        return run_help();
    if (strcmp(name, "--version") == 0 || strcmp(name, "version") == 0) {
        (void)printf("pairwatch %s\n", PAIRWATCH_VERSION);
        return 0;
    }
    for (const struct command *c = COMMANDS; c->name != NULL; c++)
        if (strcmp(name, c->name) == 0)
            return c->run(argc - 1, argv + 1);

    if (*name != '\0')
        (void)fprintf(stderr, "pairwatch: there is no command \"%s\"\n", name);
    print_commands(stderr);
    return 2;
}
