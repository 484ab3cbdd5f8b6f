#pragma once
/* The subcommands. Each lives in a file of its name and takes argv from its own name on.
 * Exit status: 0 done, 1 failed, 2 the command line is wrong. */
#include "base/conf.h"
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct command {
    const struct conf_command *conf; /* its name, summary and settings; NULL ends the table */
    int (*run)(int argc, char **argv);
};

extern const struct conf_command COMMAND_SERVE, COMMAND_WORK, COMMAND_TRAIN, COMMAND_PAIRS,
    COMMAND_SCORE, COMMAND_EVALUATE, COMMAND_SIMULATE, COMMAND_MIGRATE, COMMAND_USER, COMMAND_TOKEN,
    COMMAND_MODEL, COMMAND_CHECK, COMMAND_BACKUP, COMMAND_RESTORE, COMMAND_RETENTION,
    COMMAND_IMPORT, COMMAND_LAMBDA;
int cmd_serve(int argc, char **argv);
int cmd_work(int argc, char **argv);
int cmd_lambda(int argc, char **argv);
int cmd_train(int argc, char **argv);
int cmd_pairs(int argc, char **argv);
int cmd_score(int argc, char **argv);
int cmd_evaluate(int argc, char **argv);
int cmd_simulate(int argc, char **argv);
int cmd_migrate(int argc, char **argv);
int cmd_user(int argc, char **argv);
int cmd_token(int argc, char **argv);
int cmd_model(int argc, char **argv);
int cmd_check(int argc, char **argv);
int cmd_backup(int argc, char **argv);
int cmd_restore(int argc, char **argv);
int cmd_retention(int argc, char **argv);
int cmd_import(int argc, char **argv);

/* Says the sentence on stderr ("pairwatch: …") when there is a failure; gives the exit status. */
int command_exit(enum err_code code, const struct err *err);

/* SIGINT and SIGTERM from now on only set the flag; a second one ends the process at once.
 * SIGPIPE is ignored. Call before threads start. */
void stop_catch(void);
extern atomic_bool STOP_ASKED;
/* Sleeps until a stop is asked for. */
void stop_wait(void);
