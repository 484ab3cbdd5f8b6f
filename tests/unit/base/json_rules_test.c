/* Reading objects by table: values, faults, pointers. */
#include "check.h"

#include <math.h>
#include <stdbool.h>

#include "base/arena.h"
#include "base/ip.h"
#include "base/json.h"
#include "base/str.h"

enum { ARENA_BYTES = 1 << 16 };

static const char *const STATES[] = {"new", "done", NULL};
struct target {
    int64_t count, seen_ms, open, state;
    double score;
    const char *name;
    struct ip ip;
    const struct json *extra;
    bool has_name, has_state;
};
static const struct json_rule RULES[] = {
    {"count", FIELD_INT, offsetof(struct target, count), JSON_NULLABLE, 1, 10, 0, NULL, 0},
    {"score", FIELD_REAL, offsetof(struct target, score), JSON_NULLABLE, -1, 1, 0, NULL, 0},
    {"name", FIELD_TEXT, offsetof(struct target, name), JSON_REQUIRED | JSON_NULLABLE, 0, 0, 8,
     NULL, offsetof(struct target, has_name)},
    {"seen", FIELD_TIME, offsetof(struct target, seen_ms), JSON_NULLABLE, 0, 0, 0, NULL, 0},
    {"open", FIELD_BOOL, offsetof(struct target, open), 0, 0, 0, 0, NULL, 0},
    {"ip", FIELD_IP, offsetof(struct target, ip), 0, 0, 0, 0, NULL, 0},
    {"state", FIELD_ENUM, offsetof(struct target, state), JSON_NULLABLE, 0, 0, 0, STATES,
     offsetof(struct target, has_state)},
    {"extra", FIELD_JSON, offsetof(struct target, extra), 0, 0, 0, 0, NULL, 0},
    {NULL, 0, 0, 0, 0, 0, 0, NULL, 0},
};

static struct arena arena;
static struct json_doc *doc;
static struct json_faults faults;
static struct target target;
static struct err err;

static int enter(UNUSED void **state)
{
    arena_init(&arena, ARENA_BYTES);
    json_faults_init(&faults, &arena);
    target = (struct target){.count = 77, .state = 77};
    return 0;
}

static int leave(UNUSED void **state)
{
    json_doc_freep(&doc);
    arena_done(&arena);
    return 0;
}

static void read_text(const char *text)
{
    json_doc_freep(&doc);
    CHECK_OK(json_parse(text, strlen(text), &doc, &err));
    json_read_object(json_root(doc), RULES, &target, &arena, "/rows/3", &faults);
}

TEST(every_type_is_read)
{
    read_text("{\"count\":10,\"score\":-0.5,\"name\":\"abc\",\"seen\":\"2026-11-24T08:00:00Z\","
              "\"open\":true,\"ip\":\"::1\",\"state\":\"done\",\"extra\":{\"x\":[1]}}");
    CHECK_OK(json_faults_check(&faults, &err));
    CHECK(target.count == 10 && target.score == -0.5 && target.open == 1 && target.state == 1);
    CHECK(target.seen_ms == INT64_C(1795507200000) && target.ip.bytes[15] == 1);
    CHECK_STR(target.name, "abc");
    CHECK(json_member(target.extra, "x") != NULL && target.has_name && target.has_state);
}

TEST(absent_members_leave_the_struct_alone)
{
    read_text("{\"name\":\"a\"}");
    CHECK_OK(json_faults_check(&faults, &err));
    CHECK(target.count == 77 && target.state == 77 && target.has_name && !target.has_state);
}

TEST(nulls_are_the_null_of_the_type)
{
    read_text("{\"count\":null,\"score\":null,\"name\":null,\"seen\":null,\"state\":null}");
    CHECK_OK(json_faults_check(&faults, &err));
    CHECK(target.count == FIELD_NULL_INT && isnan(target.score) && target.name == NULL &&
          target.seen_ms == FIELD_NULL_INT && target.state == -1 && target.has_state);
}

TEST(each_fault_has_its_pointer)
{
    static const struct {
        const char *text, *pointer, *detail;
    } CASES[] = {
        {"[]", "/rows/3", "is not an object"},
        {"null", "/rows/3", "is not an object"},
        {"{}", "/rows/3/name", "is missing"},
        {"{\"name\":\"a\",\"nome\":1}", "/rows/3/nome", "is not known here"},
        {"{\"name\":\"a\",\"a/b~c\":1}", "/rows/3/a~1b~0c", "is not known here"},
        {"{\"name\":\"a\",\"count\":0}", "/rows/3/count", "must be between 1 and 10"},
        {"{\"name\":\"a\",\"count\":11}", "/rows/3/count", "must be between 1 and 10"},
        {"{\"name\":\"a\",\"count\":1.5}", "/rows/3/count", "is not a whole number"},
        {"{\"name\":\"a\",\"count\":\"1\"}", "/rows/3/count", "is not a whole number"},
        {"{\"name\":\"a\",\"score\":1.01}", "/rows/3/score", "must be between -1 and 1"},
        {"{\"name\":\"a\",\"score\":1e999}", "/rows/3/score", "is not a finite number"},
        {"{\"name\":\"a\",\"score\":\"x\"}", "/rows/3/score", "is not a finite number"},
        {"{\"name\":5}", "/rows/3/name", "is not text"},
        {"{\"name\":\"\"}", "/rows/3/name", "is empty"},
        {"{\"name\":\"123456789\"}", "/rows/3/name", "is longer than 8 bytes"},
        {"{\"name\":\"a\\u0001\"}", "/rows/3/name", "contains control characters"},
        {"{\"name\":\"a\\u007f\"}", "/rows/3/name", "contains control characters"},
        {"{\"name\":\"a\",\"seen\":5}", "/rows/3/seen", "is not text"},
        {"{\"name\":\"a\",\"seen\":\"9999-01-01T00:00:00Z\"}", "/rows/3/seen",
         "is not an RFC 3339"},
        {"{\"name\":\"a\",\"open\":1}", "/rows/3/open", "is not true or false"},
        {"{\"name\":\"a\",\"open\":null}", "/rows/3/open", "must not be null"},
        {"{\"name\":\"a\",\"ip\":\"1.2.3\"}", "/rows/3/ip", "is not an IP address"},
        {"{\"name\":\"a\",\"ip\":null}", "/rows/3/ip", "must not be null"},
        {"{\"name\":\"a\",\"state\":\"New\"}", "/rows/3/state", "is not one of new, done"},
        {"{\"name\":\"a\",\"state\":0}", "/rows/3/state", "is not one of new, done"},
    };

    for (size_t i = 0; i < ARRAY_LEN(CASES); i++) {
        json_faults_init(&faults, &arena);
        read_text(CASES[i].text);
        CHECK_CASE(CASES[i].text, faults.count == 1 && faults.total == 1);
        CHECK_STR(faults.items[0].pointer, CASES[i].pointer);
        CHECK_HAS(faults.items[0].detail, CASES[i].detail);
        CHECK_ERR(ERR_INVALID, json_faults_check(&faults, &err));
        CHECK_HAS(err.text, "1 fault, the first at /rows/3");
    }
    CHECK(target.count == 77 && target.state == 77); /* wrong values are not stored */
}

TEST(the_first_twenty_are_kept_and_all_counted)
{
    AUTO(str_done) struct str text = {0};

    str_init(&text, ARENA_BYTES);
    str_add(&text, "{\"name\":\"a\"");
    for (int i = 0; i < 50; i++)
        str_addf(&text, ",\"x%d\":0", i);
    str_add_char(&text, '}');
    read_text(text.text);
    CHECK(faults.count == JSON_FAULTS_MAX && faults.total == 50);
    CHECK_STR(faults.items[0].pointer, "/rows/3/x0");
    CHECK_STR(faults.items[JSON_FAULTS_MAX - 1].pointer, "/rows/3/x19");
    CHECK_ERR(ERR_INVALID, json_faults_check(&faults, &err));
    CHECK_HAS(err.text, "50 faults");
}

/* A body cannot fill the arena with names. */
TEST(long_names_are_cut_between_characters)
{
    AUTO(str_done) struct str text = {0};

    str_init(&text, 4 * ARENA_BYTES);
    str_add(&text, "{\"name\":\"a\"");
    for (int i = 0; i < 20; i++) {
        str_addf(&text, ",\"x%d", i);
        for (int j = 0; j < 5000; j++)
            str_add(&text, "\xc3\xbc");
        str_add(&text, "\":0");
    }
    str_add_char(&text, '}');
    read_text(text.text);
    CHECK(faults.total == 20 && arena.used_bytes < 20000);
    for (size_t i = 0; i < faults.count; i++) {
        CHECK(strlen(faults.items[i].pointer) < 150);
        CHECK(str_is_clean_utf8(faults.items[i].pointer, strlen(faults.items[i].pointer)));
    }
}

TEST(every_fault_of_an_object_is_found)
{
    read_text("{\"count\":0,\"score\":5,\"ip\":\"x\",\"zz\":1}");
    CHECK(faults.total == 5);
}

static const struct {
    const char *text, *pointer;
} UNREADABLE[] = {
    {"", "#"},
    {"{\"a\":1} x", "#"},
    {"{\"scores\":[{\"score\":1},{\"score\":NaN}]}", "#/scores/1/score"},
    {"{\"scores\":[{\"score\":-Infinity}]}", "#/scores/0/score"},
    {"[1,[2,", "#/1/1"},
    {"[{\"a\":[1]},{b:1}]", "#/1"},
    {"{\"a\":[],\"b\":{}, \"c~/d\":\"\xff\"}", "#/c~0~1d"},
    {"{\"a\":{\"a\":1,\"a\":2}}", "#"},
};

TEST(what_is_not_json_points_to_where_reading_stopped)
{
    for (size_t i = 0; i < ARRAY_LEN(UNREADABLE); i++) {
        const char *text = UNREADABLE[i].text;
        AUTO(json_doc_freep) struct json_doc *none = NULL;

        json_faults_init(&faults, &arena);
        CHECK_CASE(text, json_parse(text, strlen(text), &none, &err) == ERR_INVALID);
        json_fault_syntax(&faults, "#", text, strlen(text), &err);
        CHECK_CASE(text, faults.total == 1 && faults.unreadable);
        CHECK_STR(faults.items[0].pointer, UNREADABLE[i].pointer);
        CHECK_STR(faults.items[0].detail, err.text);
    }
    json_faults_init(&faults, &arena);
    json_fault(&faults, "", "is wrong");
    CHECK_ERR(ERR_INVALID, json_faults_check(&faults, &err));
    CHECK_HAS(err.text, "the first at the whole body: is wrong");
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, enter, leave)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(every_type_is_read),
        CASE(absent_members_leave_the_struct_alone),
        CASE(nulls_are_the_null_of_the_type),
        CASE(each_fault_has_its_pointer),
        CASE(the_first_twenty_are_kept_and_all_counted),
        CASE(long_names_are_cut_between_characters),
        CASE(every_fault_of_an_object_is_found),
        CASE(what_is_not_json_points_to_where_reading_stopped),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
