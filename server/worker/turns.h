#pragma once
/* Who may compute: no more threads than there are processors for, while others wait for the store,
 * for S3 or for an endpoint. Any thread. */
#include <pthread.h>
#include <stdbool.h>

struct turns {
    pthread_mutex_t lock; /* guards free */
    pthread_cond_t given;
    int free;
};

/* count at a time, 1 at least. */
void turns_init(struct turns *turns, int count);
void turns_done(struct turns *turns);

struct turn { /* one thread's; starts as {turns}, where NULL never waits */
    struct turns *turns;
    bool taken;
};
/* Waits until it is the thread's. Nothing when it is already. */
void turn_take(struct turn *turn);
/* To be given before anything is waited for. Nothing when it is not taken. */
void turn_give(struct turn *turn);
