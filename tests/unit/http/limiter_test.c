/* Token buckets of sign-in attempts. */
#include "check.h"

#include "base/clock.h"
#include "http/limiter.h"

#include <pthread.h>
#include <stdatomic.h>

static enum err_code attempt(struct limiter *limiter, const char *remote, const char *name)
{
    int64_t wait_s = 0;
    struct err err;

    return limiter_take(limiter, remote, name, &wait_s, &err);
}

TEST(a_burst_then_a_wait)
{
    AUTO(limiter_freep) struct limiter *limiter = limiter_new(3, 30 * 1000);
    int64_t wait_s = 0;
    struct err err;

    for (int i = 0; i < 3; i++)
        CHECK_OK(limiter_take(limiter, "192.0.2.1", "ana", &wait_s, &err));
    CHECK_ERR(ERR_RATE, limiter_take(limiter, "192.0.2.1", "ana", &wait_s, &err));
    CHECK(wait_s > 25 && wait_s <= 30);
    CHECK_HAS(err.text, "try again in");
    CHECK(attempt(limiter, "192.0.2.1", "bob") == ERR_NONE);
    CHECK(attempt(limiter, "192.0.2.2", "ana") == ERR_NONE);
    limiter_forgive(limiter, "192.0.2.1", "ana");
    CHECK(attempt(limiter, "192.0.2.1", "ana") == ERR_NONE);
}

TEST(attempts_come_back)
{
    AUTO(limiter_freep) struct limiter *limiter = limiter_new(1, 100);

    CHECK(attempt(limiter, "r", "n") == ERR_NONE);
    CHECK(attempt(limiter, "r", "n") == ERR_RATE);
    clock_sleep_ms(150);
    CHECK(attempt(limiter, "r", "n") == ERR_NONE);
}

TEST(one_remote_cannot_try_many_names)
{
    AUTO(limiter_freep) struct limiter *limiter = limiter_new(5, 60 * 1000);
    int allowed = 0;

    for (int i = 0; i < 1000; i++) {
        char name[16];

        (void)snprintf(name, sizeof name, "n%d", i);
        allowed += attempt(limiter, "192.0.2.1", name) == ERR_NONE;
    }
    assert_int_equal(allowed, 5 * LIMITER_REMOTE_FACTOR);
}

TEST(good_attempts_cost_a_remote_nothing)
{
    AUTO(limiter_freep) struct limiter *limiter = limiter_new(2, 60 * 1000);

    for (int i = 0; i < 10 * LIMITER_REMOTE_FACTOR; i++) {
        char name[16];

        (void)snprintf(name, sizeof name, "n%d", i);
        CHECK_CASE(name, attempt(limiter, "192.0.2.1", name) == ERR_NONE);
        limiter_forgive(limiter, "192.0.2.1", name);
    }
}

TEST(many_remotes_are_forgotten_not_stored)
{
    AUTO(limiter_freep) struct limiter *limiter = limiter_new(2, 60 * 1000);

    for (int i = 0; i < 3 * LIMITER_BUCKETS; i++) {
        char remote[24];

        (void)snprintf(remote, sizeof remote, "10.0.%d.%d", i >> 8, i & 255);
        CHECK(attempt(limiter, remote, "ana") == ERR_NONE);
    }
}

static void *try_many(void *context)
{
    static atomic_int allowed;

    for (int i = 0; i < 200; i++)
        if (attempt(context, "r", "n") == ERR_NONE)
            (void)atomic_fetch_add(&allowed, 1);
    return &allowed;
}

TEST(threads_share_one_count)
{
    AUTO(limiter_freep) struct limiter *limiter = limiter_new(50, 60 * 1000);
    pthread_t threads[4];
    void *allowed = NULL;

    for (size_t i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, try_many, limiter), 0);
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(pthread_join(threads[i], &allowed), 0);
    assert_int_equal(atomic_load((atomic_int *)allowed), 50);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_burst_then_a_wait),
        cmocka_unit_test(attempts_come_back),
        cmocka_unit_test(one_remote_cannot_try_many_names),
        cmocka_unit_test(good_attempts_cost_a_remote_nothing),
        cmocka_unit_test(many_remotes_are_forgotten_not_stored),
        cmocka_unit_test(threads_share_one_count),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
