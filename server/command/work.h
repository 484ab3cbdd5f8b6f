#pragma once
/* What `work` shares with `lambda`, which is the same work fed by another queue. */
#include "base/conf.h"
#include <stdbool.h>

struct worker_totals;

enum { WORK_ALONE = 6 /* of WORK_SETTINGS, the first are for work only */ };
extern const struct conf_setting WORK_SETTINGS[];

/* Reads the settings of the command and works until it is done or stopped. queue: what the command
 * does not ask for, or NULL. *ret_help: help was asked for and printed, and nothing else done. */
NODISCARD enum err_code work_with(const struct conf_command *command, int argc, char **argv,
                                  const char *queue, struct worker_totals *ret, bool *ret_help,
                                  struct err *err);
