/* What is JSON and what is not, and walking through it. */
#include "check.h"

#include <stdbool.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/str.h"

static struct err err;

static enum err_code parse(const char *text, struct json_doc **ret)
{
    return json_parse(text, strlen(text), ret, &err);
}

TEST(what_is_json)
{
    static const char *const GOOD[] = {
        "null",
        "true",
        "false",
        "0",
        "-0",
        "-1.5e+10",
        "1E5",
        "0.0001",
        "\"\"",
        "[]",
        "{}",
        " \t\r\n[ 1 , 2 ]\n",
        "{\"a\":{\"a\":1},\"b\":[{\"a\":1},{\"a\":2}]}",
        "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u00fc\\ud83d\\ude00\"",
        "\"\xc3\xbc\xf0\x9f\x98\x80\x7f\"",
        "{\"\":1}",
        "{\"a\":1,\"A\":2}",
        "123456789012345678901234567890123456789012345678901234567890123",
    };

    for (size_t i = 0; i < ARRAY_LEN(GOOD); i++) {
        AUTO(json_doc_freep) struct json_doc *doc = NULL;

        CHECK_CASE(GOOD[i], parse(GOOD[i], &doc) == ERR_NONE && doc != NULL);
    }
}

static const char *const NOT_JSON[] = {
    "",
    " ",
    "nul",
    "nulll",
    "True",
    "NaN",
    "Infinity",
    "-Infinity",
    "-",
    "+1",
    "01",
    "-01",
    "1.",
    ".5",
    "1e",
    "1e+",
    "0x10",
    "1 2",
    "[1,]",
    "[,1]",
    "[1 2]",
    "[",
    "]",
    "[1",
    "{",
    "{\"a\"}",
    "{\"a\":}",
    "{\"a\":1,}",
    "{,}",
    "{a:1}",
    "{'a':1}",
    "{\"a\":1 \"b\":2}",
    "{1:2}",
    "\"",
    "\"a",
    "\"\\\"",
    "\"\\x\"",
    "\"\\u12\"",
    "\"\\u12g4\"",
    "\"\\ud800\"",
    "\"\\udc00\"",
    "\"\\ud800\\u0041\"",
    "\"\\ud800x\"",
    "\"\\u0000\"",
    "\"a\nb\"",
    "\"a\tb\"",
    "\"\xff\"",
    "\"\xc0\xaf\"",
    "\"\xed\xa0\x80\"",
    "\"\xe2\x82\"",
    "\xef\xbb\xbf{}",
    "// c\n1",
    "/* c */1",
    "[1]x",
    "{}{}",
    "\"a\\",
    "[\"a\\\"]",
    "{\"a\":1,\"a\":2}",
    "{\"a\":1,\"\\u0061\":2}",
    "[{\"b\":{\"a\":1,\"c\":2,\"a\":3}}]",
    "1234567890123456789012345678901234567890123456789012345678901234",
    "\f1",
    "\v1",
};

TEST(what_is_not_json)
{
    for (size_t i = 0; i < ARRAY_LEN(NOT_JSON); i++) {
        AUTO(json_doc_freep) struct json_doc *doc = NULL;

        CHECK_CASE(NOT_JSON[i], parse(NOT_JSON[i], &doc) == ERR_INVALID && doc == NULL);
    }
}

TEST(a_nul_byte_is_refused_and_the_length_is_kept)
{
    AUTO(json_doc_freep) struct json_doc *doc = NULL;

    CHECK_ERR(ERR_INVALID, json_parse("\"a\0b\"", 5, &doc, &err));
    CHECK_ERR(ERR_INVALID, json_parse("1\0", 2, &doc, &err));
    CHECK_ERR(ERR_INVALID, json_parse("[1]", 2, &doc, &err));
    CHECK_OK(json_parse("12345", 2, &doc, &err));
    CHECK(json_type(json_root(doc)) == JSON_NUMBER);
}

TEST(faults_have_line_and_column)
{
    static const struct {
        const char *text, *wanted;
    } CASES[] = {
        {"[1,\n 2,\n  x]", "line 3, column 3: no JSON value"},
        {"{\"a\":1,}", "line 1, column 8: expected a member name"},
        {"{\"a\" 1}", "line 1, column 6: expected :"},
        {"[1 2]", "line 1, column 4: expected , or ]"},
        {"1 1", "line 1, column 3: something follows the value"},
        {"{\"a\":1,\"a\":2}", "\"a\" is there twice"},
    };

    for (size_t i = 0; i < ARRAY_LEN(CASES); i++) {
        AUTO(json_doc_freep) struct json_doc *doc = NULL;

        CHECK_ERR(ERR_INVALID, parse(CASES[i].text, &doc));
        CHECK_HAS(err.text, CASES[i].wanted);
    }
}

/* depth arrays, or objects, around nothing. */
static enum err_code parse_nested(const char *opener, const char *closer, int depth)
{
    AUTO(json_doc_freep) struct json_doc *doc = NULL;
    AUTO(str_done) struct str text = {0};

    str_init(&text, 1 << 24);
    for (int i = 1; i < depth; i++)
        str_add(&text, opener);
    str_add(&text, "[]");
    for (int i = 1; i < depth; i++)
        str_add(&text, closer);
    return json_parse(text.text, text.length, &doc, &err);
}

TEST(nesting_is_bounded)
{
    CHECK_OK(parse_nested("[", "]", JSON_DEPTH_MAX));
    CHECK_ERR(ERR_INVALID, parse_nested("[", "]", JSON_DEPTH_MAX + 1));
    CHECK_HAS(err.text, "nested too deeply");
    CHECK_OK(parse_nested("{\"a\":", "}", JSON_DEPTH_MAX));
    CHECK_ERR(ERR_INVALID, parse_nested("{\"a\":", "}", JSON_DEPTH_MAX + 1));
    CHECK_ERR(ERR_INVALID, parse_nested("[", "]", 1000000)); /* no stack is used up */
}

TEST(wide_objects_are_checked_and_fast)
{
    enum { WIDTH = 100000 };
    AUTO(json_doc_freep) struct json_doc *doc = NULL;
    AUTO(str_done) struct str text = {0};
    int64_t started_ms = clock_mono_ms();

    str_init(&text, 1 << 24);
    str_add(&text, "{\"last\":0");
    for (int i = 0; i < WIDTH; i++)
        str_addf(&text, ",\"m%d\":%d", i, i);
    str_add_char(&text, '}');
    CHECK_OK(json_parse(text.text, text.length, &doc, &err));
    CHECK(json_count(json_root(doc)) == WIDTH + 1);
    json_doc_freep(&doc);
    text.length--;
    str_add(&text, ",\"last\":1}");
    CHECK_ERR(ERR_INVALID, json_parse(text.text, text.length, &doc, &err));
    CHECK(clock_mono_ms() - started_ms < 5000); /* squared, it would be minutes */
}

TEST(walking)
{
    AUTO(json_doc_freep) struct json_doc *doc = NULL;
    const struct json *root, *child;

    CHECK_OK(parse("{\"a\":{\"b\":{\"c\":\"x\"}},\"list\":[1,true,null],\"B\":2}", &doc));
    root = json_root(doc);
    CHECK(json_type(root) == JSON_OBJECT && json_count(root) == 3);
    CHECK_STR(json_text_of(json_path(root, "a.b.c")), "x");
    CHECK(json_path(root, "a.x.c") == NULL && json_path(root, "list.b") == NULL);
    CHECK(json_member(root, "b") == NULL && json_member(root, "B") != NULL);
    CHECK(json_member(NULL, "a") == NULL && json_member(json_path(root, "list"), "a") == NULL);
    CHECK(json_type(NULL) == JSON_NULL && json_count(NULL) == 0 && json_first(NULL) == NULL);
    CHECK_STR(json_name(json_first(root)), "a");
    child = json_first(json_member(root, "list"));
    CHECK(json_type(child) == JSON_NUMBER);
    child = json_next(child);
    CHECK(json_type(child) == JSON_BOOL);
    child = json_next(child);
    CHECK(json_type(child) == JSON_NULL && json_next(child) == NULL);
}

TEST(numbers_are_exact_or_refused)
{
    static const struct {
        const char *text;
        bool number, whole;
        int64_t value;
    } CASES[] = {
        {"0", true, true, 0},
        {"-0", true, true, 0},
        {"1e3", true, true, 1000},
        {"1.0", true, true, 1},
        {"1.5", true, false, 0},
        {"9007199254740991", true, true, INT64_C(9007199254740991)},
        {"-9007199254740991", true, true, INT64_C(-9007199254740991)},
        {"9007199254740992", true, false, 0},
        {"9007199254740993", true, false, 0},
        {"1e300", true, false, 0},
        {"1e999", false, false, 0},
        {"\"1\"", false, false, 0},
        {"true", false, false, 0},
        {"null", false, false, 0},
    };

    for (size_t i = 0; i < ARRAY_LEN(CASES); i++) {
        AUTO(json_doc_freep) struct json_doc *doc = NULL;
        int64_t value = 77;
        double real;

        CHECK_OK(parse(CASES[i].text, &doc));
        CHECK_CASE(CASES[i].text, json_number_of(json_root(doc), &real) == CASES[i].number);
        CHECK_CASE(CASES[i].text, json_int_of(json_root(doc), &value) == CASES[i].whole);
        CHECK_CASE(CASES[i].text, value == (CASES[i].whole ? CASES[i].value : 77));
    }
}

TEST(texts_and_printing)
{
    AUTO(json_doc_freep) struct json_doc *doc = NULL;
    AUTO(str_done) struct str out = {0};
    bool value = false;

    str_init(&out, 1000);
    CHECK_OK(parse(" { \"a\" : [ 1 , \"\\u00fc\\ud83d\\ude00\" ] , \"b\" : true } ", &doc));
    json_print(json_root(doc), &out);
    CHECK_STR(out.text, "{\"a\":[1,\"\xc3\xbc\xf0\x9f\x98\x80\"],\"b\":true}");
    CHECK(json_bool_of(json_member(json_root(doc), "b"), &value) && value);
    CHECK(!json_bool_of(json_member(json_root(doc), "a"), &value));
    CHECK(!json_bool_of(NULL, &value));
    CHECK(json_text_of(NULL) == NULL && json_text_of(json_root(doc)) == NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_json),
        cmocka_unit_test(what_is_not_json),
        cmocka_unit_test(a_nul_byte_is_refused_and_the_length_is_kept),
        cmocka_unit_test(faults_have_line_and_column),
        cmocka_unit_test(nesting_is_bounded),
        cmocka_unit_test(wide_objects_are_checked_and_fast),
        cmocka_unit_test(walking),
        cmocka_unit_test(numbers_are_exact_or_refused),
        cmocka_unit_test(texts_and_printing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
