/* api/cursor: a cursor is good for its own list only. */
#include "api/cursor.h"

#include <string.h>

#include "base/arena.h"
#include "check.h"
#include "http/reply.h"

enum { ARENA_BYTES = 1 << 20 };

struct fixture {
    struct arena arena;
    struct request req;
    struct name_value query[4];
};

static void fixture_open(struct fixture *f)
{
    *f = (struct fixture){.query = {{"limit", "7"}, {"q", "a&b=\xc3\xa9 c"}}};
    arena_init(&f->arena, ARENA_BYTES);
    request_init(&f->req, &f->arena);
    f->req.path = "/api/v1/findings";
    f->req.query = f->query;
}

static void fixture_done(struct fixture *f)
{
    request_done(&f->req);
    arena_done(&f->arena);
}

static const struct cursor LAST = {.values = {1.5, -0.25}, .time_ms = 1764000000000, .id = 42};

static const char *cursor_of(const char *next)
{
    return strstr(next, "cursor=") + strlen("cursor=");
}

static bool reads(struct fixture *f, const char *text, struct cursor *ret)
{
    bool given;

    f->query[2] = (struct name_value){"cursor", text};
    f->req.query_read = 0;
    json_faults_init(&f->req.faults, &f->arena);
    cursor_read(&f->req, ret, &given);
    CHECK(given == (f->req.faults.total == 0));
    return given;
}

TEST(next_holds_the_other_parameters_escaped)
{
    AUTO(fixture_done) struct fixture f;

    fixture_open(&f);
    CHECK_HAS(cursor_next(&f.req, &LAST), "/api/v1/findings?limit=7&q=a%26b%3D%C3%A9%20c&cursor=");
}

TEST(what_was_written_is_read_again)
{
    AUTO(fixture_done) struct fixture f;
    struct cursor got = {.id = 0};

    fixture_open(&f);
    CHECK(reads(&f, cursor_of(cursor_next(&f.req, &LAST)), &got));
    CHECK(got.id == 42 && got.time_ms == LAST.time_ms);
    CHECK(memcmp(got.values, LAST.values, sizeof LAST.values) == 0);
    /* The next page's own next does not hold the cursor it came by. */
    CHECK(strstr(cursor_of(cursor_next(&f.req, &LAST)), "cursor=") == NULL);
}

TEST(another_list_refuses_it)
{
    AUTO(fixture_done) struct fixture f;
    struct cursor got;
    const char *text;

    fixture_open(&f);
    text = cursor_of(cursor_next(&f.req, &LAST));
    f.query[0].value = "8";
    CHECK(!reads(&f, text, &got));
    f.query[0] = (struct name_value){"limi", "t7"};
    CHECK(!reads(&f, text, &got));
    f.query[0] = (struct name_value){"limit", "7"};
    f.req.path = "/api/v1/objects";
    CHECK(!reads(&f, text, &got));
    f.req.path = "/api/v1/findings";
    CHECK(reads(&f, text, &got));
}

TEST(every_altered_character_is_noticed)
{
    AUTO(fixture_done) struct fixture f;
    struct cursor got;
    char *text;

    fixture_open(&f);
    text = arena_strdup(&f.arena, cursor_of(cursor_next(&f.req, &LAST)));
    for (size_t i = 0; text[i] != '\0'; i++) {
        char was = text[i];

        text[i] = was == 'A' ? 'B' : 'A';
        CHECK(!reads(&f, text, &got));
        text[i] = was;
    }
    text[strlen(text) - 1] = '\0';
    CHECK(!reads(&f, text, &got));
    CHECK(!reads(&f, "", &got));
    CHECK(!reads(&f, "%", &got));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(next_holds_the_other_parameters_escaped),
        cmocka_unit_test(what_was_written_is_read_again),
        cmocka_unit_test(another_list_refuses_it),
        cmocka_unit_test(every_altered_character_is_noticed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
