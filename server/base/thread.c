#include "base/thread.h"

#include <errno.h>
#include <sys/resource.h>
#include <unistd.h>

void thread_yield_to_others(int steps)
{
    id_t thread = (id_t)gettid();
    int own;

    errno = 0;
    own = getpriority(PRIO_PROCESS, thread);
    if (errno == 0)
        (void)setpriority(PRIO_PROCESS, thread, own + steps);
}
