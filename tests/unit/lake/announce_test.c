/* What messages announce: every form, text or object, and what is refused. */
#include "check.h"

#include "base/arena.h"
#include "lake/announce.h"

#define KEY  "aws/VPC_FLOW/1.0/region=us-east-1/accountId=1/eventDay=20230726/a.gz.parquet"
#define ETAG "b68171d372a75300fe69a0cf327f33f3"
#define DETAIL                                                                                     \
    "\"detail\":{\"bucket\":{\"name\":\"bucket\"},\"object\":{\"key\":\"" KEY                      \
    "\",\"size\":7,\"etag\":\"" ETAG "\"}}"
#define RECORD                                                                                     \
    "{\"eventName\":\"ObjectCreated:Put\",\"awsRegion\":\"us-east-1\",\"s3\":{\"bucket\":{"        \
    "\"name\":\"bucket\"},\"object\":{\"key\":\"aws%2FVPC_FLOW/1.0/region%3Dus-east-1/"            \
    "accountId=1/eventDay=20230726/a.gz.parquet\",\"size\":\"7\",\"eTag\":\"" ETAG "\"}}}"

static struct arena ARENA;

static int set_up(void **state)
{
    (void)state;
    arena_init(&ARENA, 1 << 20);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    arena_done(&ARENA);
    return 0;
}

TEST(every_form_names_the_same_object)
{
    static const char *const FORMS[] = {
        "{\"source\":\"aws.s3\",\"region\":\"us-east-1\"," DETAIL "}",
        "{\"version\":\"0\",\"detail-type\":\"Object Created\",\"region\":\"us-east-1\"," DETAIL
        "}",
        "{\"Records\":[" RECORD "]}",
        "{\"Type\":\"Notification\",\"Message\":\"{\\\"region\\\":\\\"us-east-1\\\",\\\"detail\\\":"
        "{"
        "\\\"bucket\\\":{\\\"name\\\":\\\"bucket\\\"},\\\"object\\\":{\\\"key\\\":\\\"" KEY
        "\\\",\\\"size\\\":7,\\\"etag\\\":\\\"" ETAG "\\\"}}}\"}",
        "{\"messageId\":\"1\",\"body\":{\"Records\":[" RECORD "]}}",
    };
    struct announcement got;
    struct err err = {0};

    for (size_t i = 0; i < ARRAY_LEN(FORMS); i++) {
        CHECK_OK(announce_read(FORMS[i], strlen(FORMS[i]), &ARENA, &got, &err));
        CHECK_CASE(FORMS[i], got.count == 1);
        CHECK_STR(got.objects[0].bucket, "bucket");
        CHECK_STR(got.objects[0].key, KEY);
        CHECK_STR(got.objects[0].etag, ETAG);
        CHECK_STR(got.objects[0].region, "us-east-1");
        CHECK_CASE(FORMS[i], got.objects[0].size_bytes == 7 && got.objects[0].in_lake);
    }
}

TEST(a_plain_key_is_not_decoded_and_a_plus_is_a_blank_in_records)
{
    static const char PLAIN[] = "{\"detail\":{\"bucket\":{\"name\":\"bucket\"},\"object\":{\"key\":"
                                "\"ext/a+b%20c.json\"}}}";
    static const char CODED[] =
        "{\"Records\":[{\"eventName\":\"ObjectCreated:Copy\",\"s3\":{\"bucket\":{"
        "\"name\":\"bucket\"},\"object\":{\"key\":\"ext/a+b%20c.json\"}}}]}";
    struct announcement got;
    struct err err = {0};

    CHECK_OK(announce_read(PLAIN, strlen(PLAIN), &ARENA, &got, &err));
    CHECK_STR(got.objects[0].key, "ext/a+b%20c.json");
    CHECK(got.objects[0].etag == NULL && got.objects[0].region == NULL);
    CHECK_OK(announce_read(CODED, strlen(CODED), &ARENA, &got, &err));
    CHECK_STR(got.objects[0].key, "ext/a b c.json");
}

TEST(what_announces_nothing_new)
{
    static const char *const NOTHING[] = {
        "{\"Service\":\"Amazon S3\",\"Event\":\"s3:TestEvent\",\"Bucket\":\"b\"}",
        "{\"detail-type\":\"Object Deleted\"," DETAIL "}",
        "{\"Records\":[]}",
        "{\"Records\":[{\"eventName\":\"ObjectRemoved:Delete\",\"s3\":{}}]}",
    };
    static const char OTHER[] = "{\"detail\":{\"bucket\":{\"name\":\"bucket\"},\"object\":{\"key\":"
                                "\"logs/a.parquet\"}}}";
    struct announcement got;
    struct err err = {0};

    for (size_t i = 0; i < ARRAY_LEN(NOTHING); i++) {
        CHECK_OK(announce_read(NOTHING[i], strlen(NOTHING[i]), &ARENA, &got, &err));
        CHECK_CASE(NOTHING[i], got.count == 0);
    }
    CHECK_OK(announce_read(OTHER, strlen(OTHER), &ARENA, &got, &err));
    CHECK(got.count == 1 && !got.objects[0].in_lake);
}

TEST(what_is_no_notice)
{
    static const char *const BAD[] = {
        "",
        "x",
        "[]",
        "{}",
        "\"text\"",
        "{\"detail\":{}}",
        "{\"detail\":{\"bucket\":{\"name\":\"../x\"},\"object\":{\"key\":\"a\"}}}",
        "{\"detail\":{\"bucket\":{\"name\":\"bucket\"},\"object\":{\"key\":\"\"}}}",
        "{\"detail\":{\"bucket\":{\"name\":\"bucket\"},\"object\":{\"key\":\"a\\u0001\"}}}",
        "{\"detail\":{\"bucket\":{\"name\":\"bucket\"},\"object\":{\"key\":\"a\",\"size\":-1}}}",
        "{\"detail\":{\"bucket\":{\"name\":\"bucket\"},\"object\":{\"key\":\"a\",\"etag\":"
        "\"x\\\"\"}}}",
        "{\"region\":\"evil.example/#\"," DETAIL "}",
        "{\"region\":\"\"," DETAIL "}",
        "{\"Records\":[{}]}",
        "{\"Records\":[{\"eventName\":\"ObjectCreated:Put\",\"s3\":{\"bucket\":{\"name\":"
        "\"bucket\"},"
        "\"object\":{\"key\":\"a%zz\"}}}]}",
        "{\"Records\":[{\"eventName\":\"ObjectCreated:Put\",\"s3\":{\"bucket\":{\"name\":"
        "\"bucket\"},"
        "\"object\":{\"key\":\"a%00\"}}}]}",
        "{\"body\":{\"body\":{\"body\":{\"body\":{}}}}}",
        "{\"Type\":\"Notification\",\"Message\":5}",
    };
    struct announcement got;
    struct err err = {0};

    for (size_t i = 0; i < ARRAY_LEN(BAD); i++) {
        CHECK_CASE(BAD[i],
                   announce_read(BAD[i], strlen(BAD[i]), &ARENA, &got, &err) == ERR_INVALID);
        CHECK_CASE(BAD[i], err.text[0] != '\0');
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(every_form_names_the_same_object, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_plain_key_is_not_decoded_and_a_plus_is_a_blank_in_records,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_announces_nothing_new, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_no_notice, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
