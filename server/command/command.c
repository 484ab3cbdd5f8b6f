/* What the subcommands share: exit status and the stop flag. */
#include "command/command.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include "base/own.h"

atomic_bool STOP_ASKED;

int command_exit(enum err_code code, const struct err *err)
{
    if (code == ERR_NONE)
        return 0;
    (void)fprintf(stderr, "pairwatch: %s\n", err->text);
    return code == ERR_USAGE ? 2 : 1;
}

static void stop_on_signal(int number)
{
    if (atomic_exchange(&STOP_ASKED, true))
        _exit(128 + number);
}

void stop_catch(void)
{
    struct sigaction stop = {.sa_handler = stop_on_signal};
    struct sigaction ignore = {.sa_handler = SIG_IGN};

    (void)sigaction(SIGINT, &stop, NULL);
    (void)sigaction(SIGTERM, &stop, NULL);
    (void)sigaction(SIGPIPE, &ignore, NULL);
}

/* The signal may reach any thread, so a slice bounds how late the waiting one notices. */
enum { STOP_SLICE_MS = 100 };

void stop_wait(void)
{
    while (!atomic_load(&STOP_ASKED))
        (void)poll(NULL, 0, STOP_SLICE_MS);
}
