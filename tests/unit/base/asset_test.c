/* The table as it was built into this program; server/tools/assets.awk has its own test in
 * tests/lint/assets. */
#include "check.h"

#include "base/asset.h"

TEST(the_table_is_sorted_and_found)
{
    for (size_t i = 0; i < ASSET_COUNT; i++) {
        CHECK_CASE(ASSETS[i].name, asset_find(ASSETS[i].name) == &ASSETS[i]);
        CHECK(i == 0 || strcmp(ASSETS[i - 1].name, ASSETS[i].name) < 0);
        CHECK(ASSETS[i].bytes != NULL);
    }
}

TEST(other_names_are_not_there)
{
    CHECK(asset_find("") == NULL && asset_find("no/such/file") == NULL &&
          asset_find("\x7f") == NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_table_is_sorted_and_found),
        cmocka_unit_test(other_names_are_not_there),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
