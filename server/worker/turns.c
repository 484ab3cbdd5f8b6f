#include "worker/turns.h"

#include "base/own.h"

void turns_init(struct turns *turns, int count)
{
    ASSERT(count > 0);
    *turns = (struct turns){.free = count};
    (void)pthread_mutex_init(&turns->lock, NULL);
    (void)pthread_cond_init(&turns->given, NULL);
}

void turns_done(struct turns *turns)
{
    (void)pthread_cond_destroy(&turns->given);
    (void)pthread_mutex_destroy(&turns->lock);
}

void turn_take(struct turn *turn)
{
    struct turns *turns = turn->turns;

    if (turns == NULL || turn->taken)
        return;
    (void)pthread_mutex_lock(&turns->lock);
    while (turns->free == 0)
        (void)pthread_cond_wait(&turns->given, &turns->lock);
    turns->free--;
    (void)pthread_mutex_unlock(&turns->lock);
    turn->taken = true;
}

void turn_give(struct turn *turn)
{
    if (!turn->taken)
        return;
    (void)pthread_mutex_lock(&turn->turns->lock);
    turn->turns->free++;
    (void)pthread_cond_signal(&turn->turns->given);
    (void)pthread_mutex_unlock(&turn->turns->lock);
    turn->taken = false;
}
