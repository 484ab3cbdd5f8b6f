/* lake/event: what a function is invoked with, and what it answers. */
#include "lake/event.h"

#include <string.h>

#include "base/arena.h"
#include "check.h"

enum { BYTES = 16 << 20 };

static struct arena arena;
static struct event event;
static struct err err;

static int enter(UNUSED void **state)
{
    arena_init(&arena, BYTES);
    return 0;
}

static int leave(UNUSED void **state)
{
    arena_done(&arena);
    return 0;
}

static enum err_code read_event(const char *text)
{
    return event_read(text, strlen(text), &arena, &event, &err);
}

#define OBJECT(key) "{\"bucket\":{\"name\":\"lake\"},\"object\":{\"key\":\"" key "\",\"size\":9}}"
#define OBJECT_IN_TEXT(key)                                                                        \
    "{\\\"bucket\\\":{\\\"name\\\":\\\"lake\\\"},\\\"object\\\":{\\\"key\\\":\\\"" key "\\\"}}"
#define MESSAGE(id, body) "{\"messageId\":\"" id "\",\"body\":" body "}"

static size_t failed_count(void)
{
    size_t failed;

    (void)event_answer(&event, &arena, &failed);
    return failed;
}

/* The bodies of messages a, b, c … */
static const char *const BODIES[] = {
    "{\"detail\":" OBJECT("aws/a.parquet") "}",
    "\"{\\\"detail\\\":" OBJECT_IN_TEXT("aws/b.parquet") "}\"",
    "{\"detail\":" OBJECT("logs/c.txt") "}",
    "\"nonsense\"",
    "{}",
    "null",
};

static const char *event_of_bodies(void)
{
    static char text[4096];
    size_t length = (size_t)snprintf(text, sizeof text, "{\"Records\":[");

    for (size_t i = 0; i < ARRAY_LEN(BODIES); i++)
        length += (size_t)snprintf(text + length, sizeof text - length,
                                   "%s{\"messageId\":\"%c\",\"body\":%s}", i > 0 ? "," : "",
                                   (int)('a' + i), BODIES[i]);
    (void)snprintf(text + length, sizeof text - length, "]}");
    return text;
}

TEST(bodies_are_text_or_objects)
{
    size_t failed;

    CHECK_OK(read_event(event_of_bodies()));
    CHECK(event.count == 6);
    CHECK_STR(event.messages[0].announcement.objects[0].key, "aws/a.parquet");
    CHECK_STR(event.messages[1].announcement.objects[0].key, "aws/b.parquet");
    CHECK(event.messages[2].announcement.count == 0 && !event.messages[2].failed);
    CHECK(event.messages[3].failed && event.messages[4].failed && event.messages[5].failed);
    event.messages[0].settled = 1; /* b is not through */
    CHECK_STR(event_answer(&event, &arena, &failed),
              "{\"batchItemFailures\":[{\"itemIdentifier\":\"b\"},{\"itemIdentifier\":\"d\"},"
              "{\"itemIdentifier\":\"e\"},{\"itemIdentifier\":\"f\"}]}");
    CHECK(failed == 4);
}

TEST(an_event_that_somebody_made_may_have_another_digest)
{
    CHECK_OK(read_event("{\"Records\":[{\"messageId\":\"a\",\"md5OfBody\":\"0\",\"body\":"
                        "\"{\\\"Event\\\":\\\"s3:TestEvent\\\"}\"}]}"));
    CHECK(failed_count() == 0);
    CHECK_OK(read_event("{\"Records\":[{\"messageId\":\"a\",\"md5OfBody\":\"0\",\"body\":"
                        "\"{\\\"Event\\\":\\\"s3:TestEve\"}]}"));
    CHECK(failed_count() == 1);
}

TEST(an_event_that_is_a_notice)
{
    size_t failed;

    CHECK_OK(read_event("{\"detail\":" OBJECT("aws/a.parquet") "}"));
    CHECK(event.count == 1 && event.messages[0].id == NULL);
    CHECK_STR(event_answer(&event, &arena, &failed), "{\"batchItemFailures\":[]}");
    CHECK(failed == 1);
}

TEST(what_is_no_event)
{
    static const char *const TEXTS[] = {
        "",
        "null",
        "[]",
        "7",
        "{\"key1\":\"value1\"}",
        "{\"Records\":7}",
        "{\"Records\":[" MESSAGE("a", "{}") ",{\"messageId\":\"b\"}]}",
        "{\"Records\":[" MESSAGE("", "{}") "]}",
        "{\"Records\":[{\"messageId\":7,\"body\":\"\"}]}",
    };

    for (size_t i = 0; i < ARRAY_LEN(TEXTS); i++)
        CHECK_CASE(TEXTS[i], read_event(TEXTS[i]) != ERR_NONE);
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, enter, leave)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(bodies_are_text_or_objects),
        CASE(an_event_that_somebody_made_may_have_another_digest),
        CASE(an_event_that_is_a_notice),
        CASE(what_is_no_event),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
