#include "base/thread.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#define SLICE_NS UINT64_C(100000)

/* struct sched_attr of the kernel, which the C library does not declare. */
struct attributes {
    uint32_t size, policy;
    uint64_t flags;
    int32_t nice;
    uint32_t priority;
    uint64_t runtime_ns, deadline_ns, period_ns;
};
_Static_assert(sizeof(struct attributes) == 48, "the first version of the structure");

void thread_yield_to_others(int steps)
{
    id_t thread = (id_t)gettid();
    int own;

    errno = 0;
    own = getpriority(PRIO_PROCESS, thread);
    if (errno == 0)
        (void)setpriority(PRIO_PROCESS, thread, own + steps);
}

void thread_answers_soon(void)
{
    static _Thread_local bool asked;
    struct attributes wish = {.size = sizeof wish};

    if (asked)
        return;
    asked = true;
    if (syscall(SYS_sched_getattr, 0, &wish, sizeof wish, 0) != 0 || wish.policy != 0)
        return;
    wish.runtime_ns = SLICE_NS;
    (void)syscall(SYS_sched_setattr, 0, &wish, 0);
}
