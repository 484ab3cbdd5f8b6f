/* Every code has a status, and only sentences for clients are sent to them. */
#include "check.h"

#include "base/arena.h"
#include "base/json.h"
#include "http/problem.h"
#include "http/reply.h"

static struct arena arena;
static struct reply reply;

static int setup(UNUSED void **state)
{
    arena_init(&arena, 1 << 20);
    reply_init(&reply, &arena);
    return 0;
}

static int teardown(UNUSED void **state)
{
    reply_done(&reply);
    arena_done(&arena);
    return 0;
}

TEST(codes_have_a_status)
{
    static const struct {
        enum err_code code;
        int status;
        bool told;
    } CASES[] = {
        {ERR_INVALID, 400, true},
        {ERR_NOT_FOUND, 404, true},
        {ERR_UNAUTHORIZED, 401, true},
        {ERR_FORBIDDEN, 403, true},
        {ERR_CONFLICT, 409, true},
        {ERR_PRECONDITION, 412, true},
        {ERR_PRECONDITION_REQUIRED, 428, true},
        {ERR_TOO_LARGE, 413, true},
        {ERR_MEDIA_TYPE, 415, true},
        {ERR_NOT_ACCEPTABLE, 406, true},
        {ERR_BUSY, 503, true},
        {ERR_RATE, 429, true},
        {ERR_TIMEOUT, 503, true},
        {ERR_UNAVAILABLE, 503, true},
        {ERR_FULL, 503, false},
        {ERR_IO, 503, false},
        {ERR_CORRUPT, 500, false},
        {ERR_INTERNAL, 500, false},
        {ERR_USAGE, 500, false},
        {ERR_CANCELLED, 503, false},
        {ERR__MAX, 500, false},
    };

    assert_int_equal(sizeof CASES / sizeof CASES[0], ERR__MAX);
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        CHECK_CASE(err_word(CASES[i].code), problem_status(CASES[i].code, NULL) == CASES[i].status);
        CHECK_CASE(err_word(CASES[i].code), problem_is_for_client(CASES[i].code) == CASES[i].told);
    }
}

TEST(faults_choose_400_or_422)
{
    struct json_faults faults;

    json_faults_init(&faults, &arena);
    assert_int_equal(problem_status(ERR_INVALID, &faults), 400);
    json_fault(&faults, "/a", "is wrong");
    assert_int_equal(problem_status(ERR_INVALID, &faults), 422);
    assert_int_equal(problem_status(ERR_CONFLICT, &faults), 409);
    faults.unreadable = true;
    assert_int_equal(problem_status(ERR_INVALID, &faults), 400);
    faults.unreadable = false;
    json_fault(&faults, "?b", "is wrong");
    assert_int_equal(problem_status(ERR_INVALID, &faults), 400);
}

TEST(faults_are_listed_up_to_twenty)
{
    struct json_faults faults;
    struct json_doc *doc = NULL;
    struct err err;

    json_faults_init(&faults, &arena);
    for (int i = 0; i < 30; i++)
        json_fault(&faults, "/scores/3/ip", "is \"no\" address");
    CHECK_ERR(ERR_INVALID, json_faults_check(&faults, &err));
    problem_write(&reply, &err, &faults, "id");
    CHECK_STR(reply.content_type, "application/problem+json");
    CHECK(reply.status == 422 && reply.json.depth == 0);
    CHECK_OK(json_parse(reply.body.text, reply.body.length, &doc, &err));
    assert_int_equal(json_count(json_member(json_root(doc), "errors")), 20);
    assert_int_equal(json_count(json_root(doc)), 5);
    CHECK_STR(json_text_of(json_member(json_root(doc), "type")), "urn:pairwatch:problem:invalid");
    CHECK_HAS(json_text_of(json_member(json_root(doc), "detail")), "30 faults");
    json_doc_free(doc);
}

TEST(what_was_written_is_dropped)
{
    struct err err;

    json_object(&reply.json, NULL);
    json_text(&reply.json, "half", "made");
    reply_etag(&reply, "5");
    reply_retry_after(&reply, 9);
    reply_header(&reply, "Set-Cookie", "a=b");
    reply.status = 201;
    (void)err_set(&err, ERR_IO, "writing /var/lib/x: disk on fire");
    problem_write(&reply, &err, NULL, "00c0ffee");
    CHECK(reply.status == 503 && reply.header_count == 1);
    CHECK_STR(reply.headers[0].name, "Retry-After");
    CHECK(strstr(reply.body.text, "half") == NULL && strstr(reply.body.text, "fire") == NULL);
    CHECK_HAS(reply.body.text, "00c0ffee");
}

TEST(header_values_stay_on_one_line)
{
    CHECK_ABORTS(reply_header(&reply, "X", "a\r\nSet-Cookie: b"));
    CHECK_ABORTS(reply_header(&reply, "X: a\n", "b"));
    CHECK_ABORTS(reply_etag(&reply, "a\"b"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(codes_have_a_status),
        cmocka_unit_test_setup_teardown(faults_choose_400_or_422, setup, teardown),
        cmocka_unit_test_setup_teardown(faults_are_listed_up_to_twenty, setup, teardown),
        cmocka_unit_test_setup_teardown(what_was_written_is_dropped, setup, teardown),
        cmocka_unit_test_setup_teardown(header_values_stay_on_one_line, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
