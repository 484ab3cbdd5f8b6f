#include "check.h"

#include "base/tally.h"

static uint64_t value_of(const char *name)
{
    struct tally all[TALLY_NAMES_MAX];
    size_t count = tally_read(all);

    for (size_t i = 0; i < count; i++)
        if (strcmp(all[i].name, name) == 0)
            return all[i].value;
    return UINT64_MAX;
}

TEST(names_are_counted_apart)
{
    tally_add("received", NULL, NULL, 2);
    tally_add("received", NULL, NULL, 3);
    tally_add("aws_retries", "sqs", "Slow Down\n\"|", 1);
    tally_add("aws_retries", "sqs", "", 4);
    CHECK(value_of("received") == 5);
    CHECK(value_of("aws_retries|sqs|Slow_Down___") == 1);
    CHECK(value_of("aws_retries|sqs|") == 4);
    CHECK(value_of("aws_retries") == UINT64_MAX);
}

TEST(long_and_many_names_have_an_end)
{
    char name[300];
    struct tally all[TALLY_NAMES_MAX];

    (void)memset(name, 'x', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    tally_add(name, name, name, 7);
    name[TALLY_NAME_BYTES - 1] = '\0';
    CHECK(value_of(name) == 7);
    for (int i = 0; i < 2 * TALLY_NAMES_MAX; i++) {
        (void)snprintf(name, sizeof name, "n%d", i);
        tally_add(name, NULL, NULL, 1);
    }
    CHECK(tally_read(all) == TALLY_NAMES_MAX);
    CHECK(value_of("n0") == 1 && value_of("n511") == UINT64_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_are_counted_apart),
        cmocka_unit_test(long_and_many_names_have_an_end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
