/* The language of pair specs: what it takes, what it refuses and where. */
#include "check.h"

#include "base/arena.h"
#include "lake/spec.h"
#include "lake/spec_load.h"

#define WHOLE "name = x\nclasses = 1\nentity = a.b\nip = c\ntime = t\n"

static struct arena ARENA;
static struct spec_set SET;

static int set_up(UNUSED void **state)
{
    arena_init(&ARENA, 64 << 20);
    spec_set_init(&SET, &ARENA);
    return 0;
}

static int tear_down(UNUSED void **state)
{
    arena_done(&ARENA);
    return 0;
}

static enum err_code parse(const char *text, struct err *err)
{
    return spec_parse(&SET, "s", text, strlen(text), err);
}

TEST(spec_reads_every_key)
{
    const struct lake_spec *spec;
    struct err err = {0};

    CHECK_OK(parse("# a comment\n\n"
                   "name = all\r\n"
                   "classes = 4001, 4003\n"
                   "entity = a.b , c\n"
                   "ip = answers[].rdata\n"
                   "each = answers[].type in A, AAAA\n"
                   "account = x\nregion = y\ntime = t, u\n"
                   "where = p not in q, r s\n"
                   "require = k not like *.amazonaws.com\n"
                   "require = k like in *\n"
                   "rejected = d in 2\n"
                   "score_rejected = yes\n"
                   "one_way = f in 2\none_way = g in 17\nno_answer = f in 4\n"
                   "answered_by = other\n"
                   "normaliser = strip_session",
                   &err));
    spec = spec_find(&SET, "all");
    CHECK(spec != NULL);
    CHECK(spec_has_class(spec, 4001) && spec_has_class(spec, 4003) && !spec_has_class(spec, 4002));
    CHECK(spec->roles[ROLE_ENTITY].count == 2 && spec->roles[ROLE_TIME].count == 2);
    CHECK_STR(SET.paths[spec->roles[ROLE_ENTITY].paths[0]], "a.b");
    CHECK_STR(SET.paths[spec->roles[ROLE_IP].paths[0]], "answers[].rdata");
    CHECK(spec->each.items[0].op == OP_IN && spec->each.items[0].value_count == 2);
    CHECK(spec->where.items[0].op == OP_NOT_IN);
    CHECK_STR(spec->where.items[0].values[1], "r s");
    CHECK(spec->require.count == 2 && spec->require.items[0].op == OP_NOT_LIKE);
    CHECK_STR(spec->require.items[1].values[0], "in *");
    CHECK(spec->rejected.count == 1 && spec->score_rejected);
    CHECK(spec->one_way.count == 2 && spec->no_answer.count == 1);
    CHECK_STR(spec->answered_by, "other");
    CHECK(spec->normaliser == NORMALISE_STRIP_SESSION);
}

static const struct fault {
    const char *text, *sentence;
} FAULTS[] = {
    {"name = x\n\n  clases = 1\n", "s:3:3: there is no key \"clases\""},
    {"name\n", "s:1:1: wanted key = value, not: \"name\""},
    {"name = x\nname = y\n", "s:2:1: given twice: \"name\""},
    {"name = X\n", "s:1:8: a name is 1 to 64"},
    {"name =\n", "a name is 1 to 64"},
    {"name = a_b\n", "a name is 1 to 64"}, /* the API takes none of these two either */
    {"name = -a\n", "a name is 1 to 64"},
    {"classes = 1, two\n", "s:1:14: not the number of an OCSF class: \"two\""},
    {"classes = -1\n", "not the number of an OCSF class"},
    {"entity = a..b\n", "s:1:10: not a path of names joined by dots: \"a..b\""},
    {"entity = a[].b\n", "not a path"},
    {"ip = a[].b[].c\n", "not a path"},
    {"ip = a b\n", "not a path"},
    {"ip = a'b\n", "not a path"},
    {"ip = \n", "not a path"},
    {"ip = a,\n", "not a path"},
    {"require = a = b\n", "wanted \"PATH in|not in|like|not like VALUE, …\""},
    {"require = a in b,,c\n", "an empty value"},
    {"require = a[].b in c\n", "not a path"},
    {"score_rejected = true\n", "wanted yes or no, not: \"true\""},
    {"normaliser = upper\n", "wanted none, lower or strip_session"},
    {"name = x\nclasses = 1\nentity = a\nip = b\n", "the spec has no time"},
    {WHOLE "one_way = a in 1\n", "one_way and answered_by go together"},
    {WHOLE "answered_by = y\n", "one_way and answered_by go together"},
    {WHOLE "answered_by = Y\n", "a name is 1 to 64"},
    {WHOLE "each = l[].t in A\n", "which is in no list that ip goes through"},
    {WHOLE "each = c in A\n", "which is in no list that ip goes through"},
};

TEST(spec_says_where_it_is_damaged)
{
    for (size_t i = 0; i < ARRAY_LEN(FAULTS); i++) {
        struct err err = {0};

        CHECK_ERR(ERR_INVALID, parse(FAULTS[i].text, &err));
        CHECK_HAS(err.text, FAULTS[i].sentence);
    }
    CHECK(SET.count == 0);
}

TEST(spec_refuses_what_is_too_much)
{
    static char text[SPEC_BYTES_MAX + 2];
    struct err err = {0};

    (void)memset(text, '#', sizeof text - 1);
    CHECK_ERR(ERR_TOO_LARGE, parse(text, &err));
    CHECK_ERR(ERR_INVALID, spec_parse(&SET, "s", "name\0= x", 8, &err));
    (void)snprintf(text, sizeof text, "classes = 1%0*d\n", 30, 0);
    CHECK_ERR(ERR_INVALID, parse(text, &err));
    (void)snprintf(text, sizeof text, "entity = a,a,a,a,a,a,a,a,a,a,a,a,a\n");
    CHECK_ERR(ERR_INVALID, parse(text, &err));
    CHECK_HAS(err.text, "too many paths");
}

TEST(spec_of_the_same_name_replaces)
{
    struct err err = {0};

    CHECK_OK(parse(WHOLE, &err));
    CHECK_OK(parse(WHOLE "score_rejected = yes\n", &err));
    CHECK(SET.count == 1 && spec_find(&SET, "x")->score_rejected);
}

TEST(built_in_specs_load_and_are_chosen)
{
    static const char *const ONE[] = {"dns-answer", NULL};
    static const char *const NONE[] = {"dns-answer", "nope", NULL};
    struct err err = {0};

    CHECK_OK(spec_load(&SET, NULL, &err));
    CHECK(SET.count == 7 && spec_find(&SET, "workshop") != NULL);
    CHECK_ERR(ERR_INVALID, spec_choose(&SET, NONE, &err));
    CHECK_HAS(err.text, "there is no spec \"nope\"; known are cloudtrail-principal, dns-answer, ");
    CHECK_OK(spec_choose(&SET, NULL, &err));
    CHECK(SET.count == 6 && spec_find(&SET, "workshop") == NULL);
    CHECK_OK(spec_choose(&SET, ONE, &err));
    CHECK(SET.count == 1);
    CHECK_STR(SET.paths[PLAN_CLASS_PATH], "class_uid");
    for (size_t i = 0; i < SET.path_count; i++)
        CHECK_CASE(SET.paths[i], strcmp(SET.paths[i], "dst_endpoint.ip") != 0);
}

int main(void)
{
    static const struct CMUnitTest TESTS[] = {
        cmocka_unit_test_setup_teardown(spec_reads_every_key, set_up, tear_down),
        cmocka_unit_test_setup_teardown(spec_says_where_it_is_damaged, set_up, tear_down),
        cmocka_unit_test_setup_teardown(spec_refuses_what_is_too_much, set_up, tear_down),
        cmocka_unit_test_setup_teardown(spec_of_the_same_name_replaces, set_up, tear_down),
        cmocka_unit_test_setup_teardown(built_in_specs_load_and_are_chosen, set_up, tear_down),
    };

    return cmocka_run_group_tests_name("spec", TESTS, NULL, NULL);
}
