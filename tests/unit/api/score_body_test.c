/* api/score_body: the three shapes and where their faults point. */
#include "api/score_body.h"

#include <math.h>
#include <string.h>

#include "base/arena.h"
#include "check.h"
#include "http/request.h"

enum { BYTES = 1 << 20 };

struct fixture {
    struct arena arena;
    struct request req;
    struct name_value query[5];
    struct score_body body;
    struct err err;
};

static void fixture_open(struct fixture *f)
{
    *f = (struct fixture){.err = {0}};
    arena_init(&f->arena, SCORES_ARENA_BYTES_MAX);
    request_init(&f->req, &f->arena);
    f->req.query = f->query;
}

static void fixture_done(struct fixture *f)
{
    request_done(&f->req);
    arena_done(&f->arena);
}

static enum err_code read_text(struct fixture *f, const char *type, const char *text)
{
    request_done(&f->req);
    f->req.body_doc = NULL;
    json_faults_init(&f->req.faults, &f->arena);
    f->req.content_type = type;
    f->req.body = text;
    f->req.body_length = strlen(text);
    return score_body_read(&f->req, &f->arena, &f->body, &f->err);
}

static enum err_code read_json(struct fixture *f, const char *text)
{
    return read_text(f, "application/json", text);
}

#define ROW "{\"entity\":\"e\",\"ip\":\"10.0.0.1\",\"time\":\"2026-11-24T08:00:00Z\""

TEST(a_batch)
{
    AUTO(fixture_done) struct fixture f;
    struct err err = {0};

    fixture_open(&f);
    CHECK_OK(read_json(&f, "{\"model\":\"m\",\"spec\":\"s\",\"threshold\":-1.5,\"scores\":[" ROW
                           ",\"score\":2.5,\"count\":7,\"percentile\":99.9,\"account\":\"a\"}," ROW
                           ",\"dot_product\":0,\"spec\":\"t\",\"last_time\":"
                           "\"2026-11-24T08:00:01Z\"}]}"));
    CHECK(f.body.count == 2);
    CHECK(f.body.threshold == -1.5);
    CHECK_STR(f.body.rows[0].spec, "s");
    CHECK(f.body.rows[0].score == 2.5 && f.body.rows[0].count == 7);
    CHECK(f.body.rows[0].percentile == 99.9);
    CHECK_STR(f.body.rows[0].account, "a");
    CHECK_STR(f.body.rows[1].region, "");
    CHECK_STR(f.body.rows[1].spec, "t");
    CHECK(f.body.rows[1].score == 0 && !signbit(f.body.rows[1].score));
    CHECK(f.body.rows[1].last_ms == f.body.rows[1].time_ms + 1000);
    CHECK(f.body.rows[0].last_ms == f.body.rows[0].time_ms);
    CHECK(isnan(f.body.rows[1].percentile));
}

static const struct {
    const char *text, *pointer;
} FAULTS[] = {
    {"null", ""},
    {"{}", "/model"},
    {"{\"model\":\"m\",\"scores\":[]}", "/scores"},
    {"{\"model\":\"m\",\"scores\":[1]}", "/scores/0"},
    {"{\"model\":\"m\",\"spec\":\"s\",\"scores\":[" ROW "}]}", "/scores/0"},
    {"{\"model\":\"m\",\"scores\":[" ROW ",\"score\":1}]}", "/scores/0/spec"},
    {"{\"model\":\"m\",\"spec\":\"s\",\"scores\":[" ROW ",\"score\":1e999}]}", "/scores/0/score"},
    {"{\"model\":\"m\",\"spec\":\"s\",\"scores\":[" ROW ",\"score\":1,\"dot_product\":1}]}",
     "/scores/0"},
    {"{\"model\":\"m\",\"spec\":\"s\",\"scores\":[" ROW
     ",\"score\":1,\"last_time\":\"2020-01-01T00:00:00Z\"}]}",
     "/scores/0/last_time"},
    {"{\"model\":\"m\",\"spec\":\"s\",\"rows\":[[\"e\",\"10.0.0.1\"]],"
     "\"predictions\":[{\"dot_product\":1}]}",
     "/rows/0"},
    {"{\"model\":\"m\",\"spec\":\"s\",\"time\":\"2026-01-01T00:00:00Z\",\"rows\":[],"
     "\"predictions\":[]}",
     "/rows"},
    {"{\"model\":\"m\",\"spec\":\"s\",\"time\":\"2026-01-01T00:00:00Z\","
     "\"rows\":[[\"e\",\"10.0.0.1\"]],\"predictions\":[{\"dot_product\":1},{}]}",
     "/predictions"},
    {"{\"model\":\"m\",\"spec\":\"s\",\"time\":\"2026-01-01T00:00:00Z\","
     "\"rows\":[[\"e\",\"10.0.0.1\"]],\"predictions\":[7]}",
     "/predictions/0/dot_product"},
    {"{\"model\":\"m\",\"spec\":\"s\",\"time\":\"2026-01-01T00:00:00Z\","
     "\"rows\":[[\"e\",\"10.0.0.1\",\"no\"]],\"predictions\":[{\"dot_product\":1}]}",
     "/rows/0/2"},
    {"{\"model\":\"m\",\"spec\":\"s\",\"rows\":[null],\"predictions\":[null]}", "/rows/0"},
    {"{\"model\":\"m\",\"spec\":\"s\",\"rows\":[[]],\"predictions\":[[]]}", "/rows/0"},
    {"{\"model\":\"m\",\"spec\":\"s\",\"rows\":[[\"e\"]],\"predictions\":[{}]}", "/rows/0"},
    {"{\"model\":\"m\",\"spec\":\"s\",\"time\":\"2026-01-01T00:00:00Z\","
     "\"rows\":[{\"0\":\"e\",\"1\":\"10.0.0.1\"}],\"predictions\":[{\"dot_product\":1}]}",
     "/rows/0"},
};

TEST(every_fault_points_to_its_place)
{
    AUTO(fixture_done) struct fixture f;

    fixture_open(&f);
    for (size_t i = 0; i < ARRAY_LEN(FAULTS); i++) {
        bool found = false;

        CHECK_CASE(FAULTS[i].text, read_json(&f, FAULTS[i].text) == ERR_INVALID);
        for (size_t k = 0; k < f.req.faults.count; k++)
            found |= strcmp(f.req.faults.items[k].pointer, FAULTS[i].pointer) == 0;
        CHECK_CASE(FAULTS[i].text, found);
    }
}

TEST(lines_are_counted_with_the_blank_ones)
{
    AUTO(fixture_done) struct fixture f;
    struct err err = {0};

    fixture_open(&f);
    f.query[0] = (struct name_value){"model", "m"};
    f.query[1] = (struct name_value){"spec", "s"};
    CHECK_OK(read_text(&f, "application/x-ndjson",
                       ROW ",\"score\":1}\r\n\n" ROW ",\"score\":2}\n" ROW ",\"score\":3}"));
    CHECK(f.body.count == 3 && f.body.rows[2].score == 3);
    CHECK(read_text(&f, "application/x-ndjson",
                    ROW ",\"score\":1}\n\n{\n" ROW ",\"score\":\"x\"}\n") == ERR_INVALID);
    CHECK(f.req.faults.count == 2);
    CHECK_STR(f.req.faults.items[0].pointer, "/2");
    CHECK_STR(f.req.faults.items[1].pointer, "/3/score");
    CHECK(read_text(&f, "application/x-ndjson", "\n \n") == ERR_INVALID);
    f.query[0] = (struct name_value){NULL, NULL};
    CHECK(read_text(&f, "application/x-ndjson", ROW ",\"score\":1}\n") == ERR_INVALID);
    CHECK_STR(f.req.faults.items[0].pointer, "?model");
}

TEST(a_body_of_too_many_nodes_is_not_made_a_tree)
{
    AUTO(fixture_done) struct fixture f;
    AUTO(own_freep) char *text = own_alloc(3 * BYTES);

    fixture_open(&f);
    (void)memset(text, ',', 2 * BYTES);
    text[0] = '[';
    CHECK(read_json(&f, text) == ERR_TOO_LARGE);
    text[0] = text[1] = '"'; /* inside a text they are no nodes */
    text[1] = ',';
    text[2 * BYTES] = '"';
    CHECK(read_json(&f, text) == ERR_INVALID);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_batch),
        cmocka_unit_test(every_fault_points_to_its_place),
        cmocka_unit_test(lines_are_counted_with_the_blank_ones),
        cmocka_unit_test(a_body_of_too_many_nodes_is_not_made_a_tree),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
