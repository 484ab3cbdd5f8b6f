/* Two threads wait for each other. */
#include "model/meeting.h"

/* Some tens of microseconds. */
enum { LOOKS = 2000 };

void meeting_init(struct meeting *meeting)
{
    (void)pthread_mutex_init(&meeting->lock, NULL);
    (void)pthread_cond_init(&meeting->over, NULL);
    atomic_init(&meeting->waiting, 0);
    atomic_init(&meeting->number, 0);
}

void meeting_done(struct meeting *meeting)
{
    (void)pthread_cond_destroy(&meeting->over);
    (void)pthread_mutex_destroy(&meeting->lock);
}

static void relax(void)
{
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

void meeting_wait(struct meeting *meeting)
{
    unsigned number = atomic_load(&meeting->number);

    if (atomic_fetch_add(&meeting->waiting, 1) == 1) {
        atomic_store(&meeting->waiting, 0);
        (void)pthread_mutex_lock(&meeting->lock);
        atomic_store(&meeting->number, number + 1);
        (void)pthread_cond_signal(&meeting->over);
        (void)pthread_mutex_unlock(&meeting->lock);
        return;
    }
    for (int i = 0; i < LOOKS; i++) {
        if (atomic_load(&meeting->number) != number)
            return;
        relax();
    }
    (void)pthread_mutex_lock(&meeting->lock);
    while (atomic_load(&meeting->number) == number)
        (void)pthread_cond_wait(&meeting->over, &meeting->lock);
    (void)pthread_mutex_unlock(&meeting->lock);
}
