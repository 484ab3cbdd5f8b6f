#pragma once
/* Where two threads wait for each other, many thousand times a second: each watches for the other
 * for as long as putting it to sleep and waking it would take, and only then sleeps. Everything one
 * did before it came is seen by the other when both go on. Private to this folder. */
#include <pthread.h>
#include <stdatomic.h>

struct meeting {
    pthread_mutex_t lock;
    pthread_cond_t over;
    atomic_uint waiting; /* 0 or 1 */
    atomic_uint number;  /* of the meetings held */
};

void meeting_init(struct meeting *meeting);
void meeting_done(struct meeting *meeting);
void meeting_wait(struct meeting *meeting); /* for the other one of the two */
