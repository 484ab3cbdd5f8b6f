#pragma once
/* Settings: one const table per command; flags over PAIRWATCH_* over the file (key = value lines;
 * --config FILE, PAIRWATCH_CONFIG or ./pairwatch.conf). An unknown key or flag is an error.
 * --help prints from the table. */
#include "base/err.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum conf_type {
    CONF_TEXT,     /* const char * */
    CONF_INT,      /* int64_t within min..max */
    CONF_REAL,     /* double within min..max */
    CONF_BOOL,     /* bool; as a flag it takes no value */
    CONF_DURATION, /* int64_t ms */
    CONF_BYTES,    /* int64_t, "64MiB" "1GiB" "4096" */
    CONF_TIME,     /* int64_t ms from RFC 3339 or a date */
    CONF_LIST,     /* struct conf_list: the flag may be repeated; in env and file comma-separated */
};
enum { CONF_LIST_MAX = 64, CONF_POSITIONAL_MAX = 100000 };
struct conf_list {
    const char *items[CONF_LIST_MAX];
    size_t count;
};

enum conf_flag {
    CONF_SECRET = 1, /* never on the command line (env or file), never echoed */
    CONF_REQUIRED = 2,
    CONF_FLAG_ONLY = 4, /* not taken from env or file, where it is an error unless another command
                           takes it from there: --once */
};

struct conf_setting {
    const char *name; /* "listen": flag --listen, env PAIRWATCH_LISTEN, file key listen; - becomes _
                         ; NULL ends */
    enum conf_type type;
    size_t offset; /* into the command's options struct, which holds the defaults beforehand */
    unsigned flags;
    double min, max;
    const char *value_word; /* "HOST:PORT" in --help */
    const char *help;
};

struct conf_command {
    const char *name;       /* "serve" */
    const char *summary;    /* one line */
    const char *positional; /* "PATH…" or NULL: no positional arguments */
    const struct conf_setting *settings;
    const char *more; /* further help text or NULL */
};

struct conf_args {
    const char **positional;
    size_t positional_count;
    bool help; /* --help was given and printed: exit 0 */
};

/* Names that some command takes from file or environment, NULL-terminated: there a name of another
 * command is passed over, a name of none is an error. Before conf_read; kept, not copied.
 */
void conf_set_known(const char *const *names);

/* argv[0] is the command's own name. Texts point into argv, environ and memory that lives as long
 * as the process. ERR_USAGE for the command line, ERR_INVALID for env and file. */
NODISCARD enum err_code conf_read(const struct conf_command *command, int argc, char **argv,
                                  void *options, struct conf_args *ret, struct err *err);
void conf_help(const struct conf_command *command, const void *options);
