/* A rolling window: distinct pairs, a bounded sample that stands for them all, and the newest days.
 */
#include "fixture.h"

#include "base/hash.h"
#include "base/own.h"
#include "store/dictionary.h"
#include "store/window.h"

#define DAY0 (T0 - T0 % DAY_MS)

static int64_t model_id, spec_id;

static void given_names(void)
{
    given_model("m1");
    CHECK_OK(dictionary_model(store.db, "m1", &model_id, &err));
    CHECK_OK(dictionary_spec(store.db, "vpc-egress", &spec_id, &err));
}

struct addition {
    int64_t day;
    struct window_entry *entries;
    size_t count;
};

static enum err_code add_job(struct db *db, void *job, struct err *ret_err)
{
    const struct addition *addition = job;

    return window_add(db, model_id, spec_id, DAY0 + addition->day * DAY_MS, addition->entries,
                      addition->count, ret_err);
}

/* Pairs first..last-1 of a day; pair i scores i. */
static void add(int64_t day, uint64_t first, uint64_t last)
{
    AUTO(own_freep) struct window_entry *entries = own_array(last - first, sizeof *entries);

    for (uint64_t i = first; i < last; i++)
        entries[i - first] = (struct window_entry){hash_mix(i), (float)i};
    CHECK_OK(run_job(add_job, &(struct addition){day, entries, last - first}));
}

static struct window window_now(void)
{
    struct window window;

    CHECK_OK(window_read(store.reader, &store.arena, "m1", "vpc-egress", INT64_MAX, &window, &err));
    return window;
}

TEST(a_pair_counts_once)
{
    struct window window;

    given_names();
    window = window_now();
    CHECK(window.days == 0 && window.sample_size == 0);
    add(0, 0, 100);
    add(0, 50, 150);
    add(1, 0, 100);
    window = window_now();
    CHECK(window.days == 2 && window.sample_size == 150 && window.pairs == 150);
    CHECK(window.scores[0] == 0 && window.scores[149] == 149);
    CHECK(window.first_day_ms == DAY0 && window.last_day_ms == DAY0 + DAY_MS);
}

TEST(a_sample_is_bounded_and_stands_for_all)
{
    struct window window;

    given_names();
    add(0, 0, 50000);
    add(1, 25000, 75000);
    window = window_now();
    CHECK(window.sample_size >= WINDOW_DAY_PAIRS && window.sample_size < 2 * WINDOW_DAY_PAIRS);
    CHECK(fabs(window.pairs / 75000 - 1) < 0.05);
    CHECK(fabs((double)window.scores[window.sample_size / 2] / 37500 - 1) < 0.1);
    CHECK(fabs(window_threshold(&window, 750) / 74250 - 1) < 0.02);
    add(1, 25000, 75000); /* again: nothing changes */
    CHECK(window_now().sample_size == window.sample_size);
}

TEST(old_days_leave_it)
{
    struct window window;

    given_names();
    for (int64_t day = 0; day < 20; day++)
        add(day, (uint64_t)day * 10, (uint64_t)day * 10 + 10);
    window = window_now();
    CHECK(window.days == WINDOW_DAYS && window.sample_size == 70 && window.scores[0] == 130);
    add(3, 1000, 1010); /* too late to count */
    CHECK(window_now().sample_size == 70);
    add(40, 2000, 2010);
    window = window_now();
    CHECK(window.days == 1 && window.sample_size == 10);
}

TEST(nothing_finer_than_the_sample_is_claimed)
{
    struct window window;

    given_names();
    add(0, 0, 10);
    window = window_now();
    CHECK(isnan(window_percentile(&window, 1e6)) && isnan(window_threshold(&window, 9)));
    add(0, 0, 2000);
    window = window_now();
    CHECK(window_percentile(&window, 1e6) == 99.5);
    CHECK(window_percentile(&window, 1000) == 50);
    CHECK(window_percentile(&window, -1) == 0);
    CHECK(isnan(window_threshold(&window, 9)));
    CHECK(window_threshold(&window, 10) == 1989); /* ten are above */
    CHECK(isnan(window_threshold(&window, 2000)));
}

static double by_rule(const struct window *window, int64_t kind, double value, double least)
{
    return window_rule_threshold(window, &(struct window_rule){kind, value, least});
}

TEST(a_rule_gives_a_threshold_where_the_window_tells_enough)
{
    struct window window;

    given_names();
    add(0, 0, 900);
    window = window_now();
    CHECK(isnan(by_rule(&window, WINDOW_RULE_BUDGET, 40, NAN))); /* too few pairs */
    add(0, 0, 2000);
    window = window_now();
    CHECK(by_rule(&window, WINDOW_RULE_BUDGET, 15, NAN) == 1984);
    CHECK(by_rule(&window, WINDOW_RULE_BUDGET, 1e6, NAN) == 1979); /* one in a hundred at most */
    CHECK(by_rule(&window, WINDOW_RULE_BUDGET, 15, 1990) == 1990);
    CHECK(by_rule(&window, WINDOW_RULE_PERCENTILE, 99, NAN) == 1979);
    CHECK(isnan(by_rule(&window, WINDOW_RULE_PERCENTILE, 99.9, NAN))); /* finer than it tells */
    CHECK(isnan(by_rule(&window, WINDOW_RULE_SCORE, 3, NAN)));
    CHECK(isnan(by_rule(&window, WINDOW_RULE_NONE, 3, NAN)));
}

TEST(what_is_ingested_is_in_it)
{
    struct scored_pair pairs[] = {usual("i-1", "10.1.2.3"), usual("i-1", "10.1.2.4"),
                                  usual("i-1", "10.1.2.3"), usual("i-2", "10.1.2.3"),
                                  usual("i-3", "10.1.2.9")};
    struct window window;

    given_names();
    pairs[4].entity_known = false; /* says nothing of what is usual */
    pairs[1].score = 7;
    CHECK(ingest(pairs, ARRAY_LEN(pairs)).observations == 5);
    window = window_now();
    CHECK(window.sample_size == 3 && window.scores[2] == 7);
}

TEST(a_damaged_one_is_told)
{
    struct window window;

    given_names();
    add(0, 0, 10);
    sql_run("UPDATE score_window SET body = x'00'");
    CHECK_ERR(ERR_CORRUPT, window_read(store.reader, &store.arena, "m1", "vpc-egress", INT64_MAX,
                                       &window, &err));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        STORE_TEST(a_pair_counts_once),
        STORE_TEST(a_sample_is_bounded_and_stands_for_all),
        STORE_TEST(old_days_leave_it),
        STORE_TEST(nothing_finer_than_the_sample_is_claimed),
        STORE_TEST(a_rule_gives_a_threshold_where_the_window_tells_enough),
        STORE_TEST(what_is_ingested_is_in_it),
        STORE_TEST(a_damaged_one_is_told),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
