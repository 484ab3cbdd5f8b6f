/* Requests to an endpoint and its answers, as text. */
#include "check.h"

#include <math.h>
#include <string.h>

#include "base/own.h"
#include "base/str.h"
#include "worker/invocation.h"

enum { ROWS = 3, BODY_BYTES = 4096 };

static struct err err;

static struct model_pair pair_of(const char *entity, const char *ip)
{
    struct model_pair pair = {.spec = "", .entity = entity};

    CHECK(ip_parse(ip, &pair.ip));
    return pair;
}

static void csv_when_every_entity_is_plain(void **state)
{
    const struct model_pair pairs[] = {pair_of("i-1", "192.0.2.1"),
                                       pair_of("arn:aws:x", "2001:db8::1"),
                                       pair_of("c", "192.0.2.3")};
    const size_t order[] = {0, 2, 1};
    AUTO(str_done) struct str body = {0};
    const char *type;

    (void)state;
    str_init(&body, BODY_BYTES);
    CHECK(invocation_write(pairs, order, ROWS, &body, &type) == ROWS);
    CHECK_STR(type, "text/csv");
    CHECK_STR(body.text, "i-1,192.0.2.1\nc,192.0.2.3\narn:aws:x,2001:db8::1\n");
}

static void json_lines_when_one_is_not(void **state)
{
    static const char *const ODD[] = {"a,b", "a\"b", " a", "a ", "a'b", "a\\b"};
    const size_t order[] = {0, 1};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(ODD); i++) {
        const struct model_pair pairs[] = {pair_of("i-1", "192.0.2.1"),
                                           pair_of(ODD[i], "192.0.2.2")};
        AUTO(str_done) struct str body = {0};
        const char *type;

        str_init(&body, BODY_BYTES);
        CHECK(invocation_write(pairs, order, 2, &body, &type) == 2);
        CHECK_STR(type, "application/jsonlines");
        CHECK(str_starts(body.text, "{\"features\":[\"i-1\",\"192.0.2.1\"]}\n{\"features\":["));
    }
}

static void as_many_as_fit(void **state)
{
    const struct model_pair pairs[] = {pair_of("i-1", "192.0.2.1"), pair_of("i-2", "192.0.2.2"),
                                       pair_of("i-3", "192.0.2.3")};
    const size_t order[] = {0, 1, 2};
    static const char TWO[] = "i-1,192.0.2.1\ni-2,192.0.2.2\n";

    (void)state;
    for (size_t room = sizeof TWO - 1; room < sizeof TWO - 1 + 14; room++) {
        AUTO(str_done) struct str body = {0};
        const char *type;

        str_init(&body, room);
        CHECK(invocation_write(pairs, order, ROWS, &body, &type) == 2);
        CHECK_STR(body.text, TWO);
        CHECK(body.length == sizeof TWO - 1 && !body.failed);
    }
}

static enum err_code answer(const char *type, const char *text, double ret[static ROWS])
{
    return invocation_read(type, text, strlen(text), ROWS, ret, &err);
}

static void answers_in_both_forms(void **state)
{
    double found[ROWS];

    (void)state;
    CHECK_OK(answer(
        "application/jsonlines",
        "{\"dot_product\": 1.5}\n{\"dot_product\":null}\n\n{\"dot_product\":-2,\"x\":[1]}", found));
    CHECK(found[0] == 1.5 && isnan(found[1]) && found[2] == -2);
    CHECK_OK(answer("application/json; charset=utf-8",
                    "{\"predictions\": [{\"dot_product\": 0}, {\"dot_product\": -1e-3}, "
                    "{\"dot_product\": null}]}",
                    found));
    CHECK(found[0] == 0 && found[1] == -1e-3 && isnan(found[2]));
}

static void what_is_no_answer(void **state)
{
    static const struct {
        const char *type, *text, *sentence;
    } CASES[] = {
        {"application/jsonlines", "", "0 predictions came for 3 pairs"},
        {"application/jsonlines", "{\"dot_product\":1}\n{\"dot_product\":1}\n",
         "2 predictions came for 3 pairs"},
        {"application/jsonlines",
         "{\"dot_product\":1}\n{\"dot_product\":1}\n{\"dot_product\":1}\n{\"dot_product\":1}\n",
         "more than 3 predictions came for 3 pairs"},
        {"application/jsonlines", "{\"dot_product\":1}\n{\"dot_product\":NaN}\n",
         "line 2 of the answer is not JSON"},
        {"application/jsonlines", "{\"dot_product\":1}\n{\"dot\":1}\n",
         "prediction 2 has no number \"dot_product\""},
        {"application/jsonlines", "{\"dot_product\":1}\n[1]\n",
         "prediction 2 has no number \"dot_product\""},
        {"application/json", "", "the answer is not JSON"},
        {"", "{}", "the answer has no list \"predictions\""},
        {"application/json", "{\"predictions\": {}}", "the answer has no list \"predictions\""},
        {"application/json", "{\"predictions\": [{\"dot_product\": 1}]}",
         "1 predictions came for 3 pairs"},
        {"application/json", "{\"predictions\": [1, 2, 3]}",
         "prediction 1 has no number \"dot_product\""},
    };
    double found[ROWS];

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(CASES); i++) {
        err = (struct err){0};
        CHECK(answer(CASES[i].type, CASES[i].text, found) == ERR_CORRUPT);
        CHECK_STR(err.text, CASES[i].sentence);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(csv_when_every_entity_is_plain),
        cmocka_unit_test(json_lines_when_one_is_not),
        cmocka_unit_test(as_many_as_fit),
        cmocka_unit_test(answers_in_both_forms),
        cmocka_unit_test(what_is_no_answer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
