/* api/names: the contract's patterns, at their bounds. */
#include "api/names.h"

#include <string.h>

#include "check.h"

static char LONG[200];

static const char *of_length(size_t length)
{
    (void)memset(LONG, 'a', length);
    LONG[length] = '\0';
    return LONG;
}

TEST(names_are_matched_whole)
{
    CHECK(name_is_valid("ana"));
    CHECK(name_is_valid("0"));
    CHECK(name_is_valid("a.b_c-d"));
    CHECK(name_is_valid(of_length(64)));
    CHECK(!name_is_valid(of_length(65)));
    CHECK(!name_is_valid(""));
    CHECK(!name_is_valid("-a"));
    CHECK(!name_is_valid("Ana"));
    CHECK(!name_is_valid("ana\n"));
    CHECK(!name_is_valid("an\xc3\xa4"));
    CHECK(!name_is_valid("a:b"));
}

TEST(specs_models_and_tags_differ_in_their_signs)
{
    CHECK(spec_name_is_valid("vpc-egress"));
    CHECK(!spec_name_is_valid("vpc.egress"));
    CHECK(!spec_name_is_valid(of_length(65)));
    CHECK(model_id_is_valid("A9:b.c_d-e"));
    CHECK(model_id_is_valid(of_length(128)));
    CHECK(!model_id_is_valid(of_length(129)));
    CHECK(!model_id_is_valid("a/b"));
    CHECK(tag_is_valid("team:red-1.0_x"));
    CHECK(tag_is_valid(of_length(50)));
    CHECK(!tag_is_valid(of_length(51)));
    CHECK(!tag_is_valid("Team"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_are_matched_whole),
        cmocka_unit_test(specs_models_and_tags_differ_in_their_signs),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
