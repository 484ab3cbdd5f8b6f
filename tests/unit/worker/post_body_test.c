/* worker/post_body: how an object is cut into requests, and what each goes by. */
#include "worker/post_body.h"

#include <math.h>
#include <string.h>

#include "base/arena.h"
#include "base/json.h"
#include "check.h"
#include "store/ingest.h"
#include "worker/post.h"

enum { ROOM_BYTES = POST_BODY_BYTES_MAX + (1 << 20), PAIRS = 9 };

static struct str body;
static struct scored_pair pairs[PAIRS];
static struct ingest_object object;
static struct ingest_batch batch;

static int enter(UNUSED void **state)
{
    str_init(&body, ROOM_BYTES);
    for (size_t i = 0; i < PAIRS; i++)
        pairs[i] = (struct scored_pair){.spec = i < 5 ? "vpc-egress" : "vpc-ingress",
                                        .entity = "i-\"1\"",
                                        .ip = ip_from_v4(0xc0000201 + (uint32_t)i),
                                        .first_ms = 1000,
                                        .last_ms = i == 0 ? 1000 : 2000,
                                        .count = 1,
                                        .score = -0.1,
                                        .percentile = NAN,
                                        .entity_known = true,
                                        .known_bits = 8,
                                        .account = "",
                                        .region = "eu-west-1"};
    object = (struct ingest_object){.bucket = "lake",
                                    .key = "aws/a.parquet",
                                    .etag = "e1",
                                    .size_bytes = 7,
                                    .rows = 20,
                                    .pairs = 9,
                                    .scored = PAIRS,
                                    .unscored_json = "{\"no_ip\":3}"};
    batch =
        (struct ingest_batch){.object = &object, .model_id = "m1", .pairs = pairs, .count = PAIRS};
    return 0;
}

static int leave(UNUSED void **state)
{
    str_done(&body);
    return 0;
}

static struct post_part write_part(size_t from, size_t rows_max)
{
    str_clear(&body);
    return post_body_write(&batch, from, rows_max, &body);
}

static size_t lines(void)
{
    size_t count = 0;

    for (const char *at = body.text; *at != '\0'; at++)
        count += *at == '\n';
    return count;
}

TEST(a_part_ends_with_its_spec_and_with_its_rows)
{
    CHECK(write_part(0, 100).count == 5 && lines() == 6);
    CHECK(write_part(5, 100).count == 4);
    CHECK_HAS(body.text, "\"offset\":5");
    CHECK(write_part(3, 1).count == 1 && lines() == 2);
    CHECK(write_part(4, 100).count == 1);
}

TEST(a_line_says_all_there_is_and_no_more)
{
    static const char FIRST[] =
        "{\"object\":{\"bucket\":\"lake\",\"key\":\"aws/"
        "a.parquet\",\"etag\":\"e1\",\"size_bytes\":7,"
        "\"rows\":20,\"pairs\":9,\"scored\":9,\"offset\":0,\"unscored\":{\"no_ip\":3}}}\n"
        "{\"entity\":\"i-\\\"1\\\"\",\"ip\":\"192.0.2.1\",\"time\":\"1970-01-01T00:00:01.000Z\","
        "\"score\":-0.1,\"count\":1,\"region\":\"eu-west-1\",\"entity_known\":true,"
        "\"known_bits\":8}\n";

    (void)write_part(0, 1);
    CHECK_STR(body.text, FIRST);
    pairs[1].percentile = 99.5;
    pairs[1].account = "111122223333";
    pairs[1].explanation_json = "{\"a\":[1]}";
    (void)write_part(1, 1);
    CHECK_HAS(body.text, "\"last_time\":\"1970-01-01T00:00:02.000Z\"");
    CHECK_HAS(body.text, "\"percentile\":99.5");
    CHECK_HAS(body.text, "\"account\":\"111122223333\"");
    CHECK_HAS(body.text, "\"explanation\":{\"a\":[1]}}\n");
}

TEST(an_object_that_failed_has_no_pairs)
{
    object.error_code = "corrupt";
    object.error = "cut short";
    object.scored = 0;
    batch.count = 0;
    CHECK(write_part(0, 100).count == 0 && lines() == 1);
    CHECK_HAS(body.text, "\"error\":{\"code\":\"corrupt\",\"detail\":\"cut short\"}");
}

TEST(a_body_has_its_limit)
{
    static char entity[2048];
    static struct scored_pair many[POST_BODY_BYTES_MAX / 2048 + 10];
    struct post_part part;

    (void)memset(entity, 'e', sizeof entity - 1);
    for (size_t i = 0; i < ARRAY_LEN(many); i++) {
        many[i] = pairs[0];
        many[i].entity = entity;
    }
    batch.pairs = many;
    batch.count = ARRAY_LEN(many);
    part = write_part(0, POST_ROWS_MAX);
    CHECK(part.count > 0 && part.count < batch.count && !body.failed);
    CHECK(body.length >= POST_BODY_BYTES_MAX && body.length < POST_BODY_BYTES_MAX + 4096);
}

TEST(a_key_is_of_the_object_the_model_and_the_part)
{
    char keys[6][SHA256_HEX_BYTES];

    (void)write_part(0, 2);
    post_body_key(&batch, &body, keys[0]);
    (void)write_part(0, 3);
    post_body_key(&batch, &body, keys[1]);
    (void)write_part(0, 2);
    batch.model_id = "m2";
    post_body_key(&batch, &body, keys[2]);
    batch.model_id = "m1";
    object.etag = "e2";
    post_body_key(&batch, &body, keys[3]);
    object.etag = "e1";
    object.bucket = "lak"; /* the names do not run into each other */
    object.key = "eaws/a.parquet";
    post_body_key(&batch, &body, keys[4]);
    object.bucket = "lake";
    object.key = "aws/a.parquet";
    post_body_key(&batch, &body, keys[5]);
    CHECK_STR(keys[0], keys[5]);
    for (size_t i = 0; i < 5; i++)
        for (size_t k = i + 1; k < 5; k++)
            CHECK(strcmp(keys[i], keys[k]) != 0);
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, enter, leave)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(a_part_ends_with_its_spec_and_with_its_rows),
        CASE(a_line_says_all_there_is_and_no_more),
        CASE(an_object_that_failed_has_no_pairs),
        CASE(a_body_has_its_limit),
        CASE(a_key_is_of_the_object_the_model_and_the_part),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
