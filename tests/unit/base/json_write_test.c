/* The streaming writer. */
#include "check.h"

#include <math.h>
#include <stdbool.h>

#include "base/field.h"
#include "base/ip.h"
#include "base/json.h"
#include "base/str.h"

enum { OUT_BYTES = 1 << 16 };

static struct str out;
static struct json_writer w;

static int enter(UNUSED void **state)
{
    str_init(&out, OUT_BYTES);
    json_writer_init(&w, &out);
    return 0;
}

static int leave(UNUSED void **state)
{
    str_done(&out);
    return 0;
}

TEST(values_of_every_kind)
{
    struct ip ip = ip_from_v4(0xc0000201);

    json_object(&w, NULL);
    json_text(&w, "text", "a");
    json_text(&w, "none", NULL);
    json_int(&w, "int", INT64_MIN);
    json_real(&w, "real", 0.1);
    json_real(&w, "nan", NAN);
    json_real(&w, "inf", -INFINITY);
    json_bool(&w, "yes", true);
    json_null(&w, "null");
    json_time(&w, "time", INT64_C(1795507200000));
    json_time(&w, "never", FIELD_NULL_INT);
    json_ip(&w, "ip", &ip);
    json_raw(&w, "raw", "[1]");
    json_raw(&w, "no_raw", NULL);
    json_end(&w);
    CHECK_STR(out.text, "{\"text\":\"a\",\"none\":null,\"int\":-9223372036854775808,\"real\":0.1,"
                        "\"nan\":null,\"inf\":null,\"yes\":true,\"null\":null,"
                        "\"time\":\"2026-11-24T08:00:00.000Z\",\"never\":null,"
                        "\"ip\":\"192.0.2.1\",\"raw\":[1],\"no_raw\":null}");
}

TEST(nesting_and_commas)
{
    json_array(&w, NULL);
    json_array(&w, NULL);
    json_end(&w);
    json_object(&w, NULL);
    json_object(&w, "a");
    json_end(&w);
    json_array(&w, "b");
    json_int(&w, NULL, 1);
    json_int(&w, NULL, 2);
    json_end(&w);
    json_end(&w);
    json_int(&w, NULL, 3);
    json_end(&w);
    CHECK_STR(out.text, "[[],{\"a\":{},\"b\":[1,2]},3]");
}

TEST(text_is_escaped_and_repaired)
{
    static const struct {
        const char *text, *wanted;
    } CASES[] = {
        {"", "\"\""},
        {"a\"b\\c/", "\"a\\\"b\\\\c/\""},
        {"\n\r\t\b\x01\x1f", "\"\\n\\r\\t\\u0008\\u0001\\u001f\""},
        {"\x7f", "\"\\u007f\""},
        {"\xc3\xbc\xe2\x82\xac\xf0\x9f\x98\x80", "\"\xc3\xbc\xe2\x82\xac\xf0\x9f\x98\x80\""},
        {"a\xff\x62", "\"a\xef\xbf\xbd\x62\""},
        {"\xe2\x82", "\"\xef\xbf\xbd\xef\xbf\xbd\""},
        {"\xed\xa0\x80x", "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbdx\""},
        {"</script>", "\"</script>\""},
    };

    for (size_t i = 0; i < ARRAY_LEN(CASES); i++) {
        str_clear(&out);
        json_writer_init(&w, &out);
        json_text(&w, NULL, CASES[i].text);
        CHECK_STR(out.text, CASES[i].wanted);
    }
}

TEST(keys_are_escaped_too)
{
    json_object(&w, NULL);
    json_int(&w, "a\"b", 1);
    json_end(&w);
    CHECK_STR(out.text, "{\"a\\\"b\":1}");
}

TEST(mistakes_of_the_caller_abort)
{
    CHECK_ABORTS(json_end(&w));
    CHECK_ABORTS(json_int(&w, "key", 1));
    json_object(&w, NULL);
    CHECK_ABORTS(json_int(&w, NULL, 1));
    for (int i = 1; i < JSON_DEPTH_MAX; i++)
        json_object(&w, "a");
    CHECK_ABORTS(json_object(&w, "a"));
}

TEST(a_full_buffer_is_sticky)
{
    str_done(&out);
    str_init(&out, 10);
    json_array(&w, NULL);
    json_text(&w, NULL, "longer than that");
    json_end(&w);
    CHECK(out.failed);
}

struct row {
    int64_t id, seen_ms, open, state, maybe;
    double score;
    const char *name, *tags, *hidden;
    struct ip ip;
};
static const char *const STATES[] = {"new", "done", NULL};
static const struct field FIELDS[] = {
    FIELD(struct row, id, FIELD_INT, 0),
    FIELD(struct row, maybe, FIELD_INT, FIELD_NULLABLE),
    FIELD(struct row, seen_ms, FIELD_TIME, FIELD_NULLABLE),
    FIELD(struct row, open, FIELD_BOOL, 0),
    FIELD(struct row, state, FIELD_ENUM, FIELD_NULLABLE, STATES),
    FIELD(struct row, score, FIELD_REAL, FIELD_NULLABLE),
    FIELD(struct row, name, FIELD_TEXT, 0),
    FIELD(struct row, tags, FIELD_JSON, 0),
    FIELD(struct row, hidden, FIELD_TEXT, FIELD_HIDDEN),
    FIELD(struct row, ip, FIELD_IP, 0),
    FIELD_END,
};

TEST(a_row_by_its_table)
{
    struct row row = {.id = 7,
                      .maybe = FIELD_NULL_INT,
                      .seen_ms = 0,
                      .open = 1,
                      .state = 1,
                      .score = 2.5,
                      .name = "a",
                      .tags = "[\"x\"]",
                      .hidden = "secret",
                      .ip = ip_from_v4(1)};

    json_row(&w, NULL, FIELDS, &row);
    CHECK_STR(out.text, "{\"id\":7,\"maybe\":null,\"seen_ms\":\"1970-01-01T00:00:00.000Z\","
                        "\"open\":true,\"state\":\"done\",\"score\":2.5,\"name\":\"a\","
                        "\"tags\":[\"x\"],\"ip\":\"0.0.0.1\"}");
}

TEST(nulls_of_a_row)
{
    struct row row = {.maybe = 5, .seen_ms = FIELD_NULL_INT, .state = -1, .score = NAN};

    json_row(&w, NULL, FIELDS, &row);
    CHECK_HAS(out.text, "\"maybe\":5,\"seen_ms\":null,\"open\":false,\"state\":null,\"score\":null,"
                        "\"name\":null,\"tags\":null,");
    row.state = 2; /* beyond the words */
    str_clear(&out);
    json_writer_init(&w, &out);
    json_row(&w, NULL, FIELDS, &row);
    CHECK_HAS(out.text, "\"state\":null");
}

TEST(words_have_indexes)
{
    CHECK(field_word_index(STATES, "new") == 0 && field_word_index(STATES, "done") == 1);
    CHECK(field_word_index(STATES, "Done") == -1 && field_word_index(STATES, "") == -1);
}

TEST(a_node_is_written_as_it_was_read)
{
    static const char TEXT[] = "{\"a\":[1,-0.73648726923125461,0.1,1e+300,9007199254740991,true,"
                               "null],\"b\":{\"c\":\"x\\\"y\"},\"d\":[]}";
    AUTO(json_doc_freep) struct json_doc *doc = NULL;
    struct err err;

    CHECK_OK(json_parse(TEXT, sizeof TEXT - 1, &doc, &err));
    json_node(&w, NULL, json_root(doc));
    CHECK_STR(out.text, "{\"a\":[1,-0.7364872692312546,0.1,1e+300,9007199254740991,true,null],"
                        "\"b\":{\"c\":\"x\\\"y\"},\"d\":[]}");
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, enter, leave)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(values_of_every_kind),         CASE(nesting_and_commas),
        CASE(text_is_escaped_and_repaired), CASE(keys_are_escaped_too),
        CASE(mistakes_of_the_caller_abort), CASE(a_full_buffer_is_sticky),
        CASE(a_row_by_its_table),           CASE(nulls_of_a_row),
        CASE(words_have_indexes),           CASE(a_node_is_written_as_it_was_read),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
