/* Retries, endpoints, profiles: the rules that need no network. */
#include "check.h"

#include <stdlib.h>

#include "aws/endpoint.h"
#include "aws/profile.h"
#include "aws/retry.h"
#include "aws/s3.h"
#include "aws/signed.h"
#include "base/arena.h"

TEST(what_is_tried_again)
{
    static const struct {
        int status;
        const char *code;
        enum retry_class wanted;
    } CASES[] = {
        {400, "ThrottlingException", RETRY_THROTTLED},
        {503, "SlowDown", RETRY_THROTTLED},
        {429, "", RETRY_THROTTLED},
        {500, "", RETRY_TRANSIENT},
        {530, "InternalDependencyException", RETRY_TRANSIENT},
        {501, "NotImplemented", RETRY_NO},
        {403, "RequestTimeTooSkewed", RETRY_CLOCK},
        {400, "ExpiredToken", RETRY_CREDENTIALS},
        {400, "ValidationError", RETRY_NO},
        {404, "NoSuchKey", RETRY_NO},
        {424, "ModelError", RETRY_NO},
    };

    for (size_t i = 0; i < ARRAY_LEN(CASES); i++)
        CHECK_CASE(CASES[i].code,
                   retry_class_of(CASES[i].status, CASES[i].code) == CASES[i].wanted);
    CHECK(retry_class_of_failure(ERR_TIMEOUT) == RETRY_TRANSIENT);
    CHECK(retry_class_of_failure(ERR_CANCELLED) == RETRY_NO);
}

TEST(pauses_are_random_bounded_and_at_least_what_was_asked)
{
    int64_t longest = 0, shortest = INT64_MAX;

    for (int i = 0; i < 1000; i++) {
        int64_t pause = retry_pause_ms(RETRY_TRANSIENT, 3, 0);

        longest = pause > longest ? pause : longest;
        shortest = pause < shortest ? pause : shortest;
        CHECK(retry_pause_ms(RETRY_THROTTLED, 40, 0) <= AWS_BACKOFF_LAST_MS);
    }
    CHECK(longest <= 4 * AWS_BACKOFF_FIRST_MS && longest > 2 * AWS_BACKOFF_FIRST_MS);
    CHECK(shortest < AWS_BACKOFF_FIRST_MS);
    CHECK(retry_pause_ms(RETRY_TRANSIENT, 1, 3000) == 3000);
    CHECK(retry_pause_ms(RETRY_TRANSIENT, 1, 999999) == AWS_BACKOFF_LAST_MS);
}

TEST(a_budget_ends_and_is_paid_back)
{
    struct retry_budget budget;
    int retries = 0;

    retry_budget_init(&budget);
    while (retry_budget_take(&budget, RETRY_TRANSIENT))
        retries++;
    CHECK(retries == AWS_RETRY_BUDGET / 10);
    for (int i = 0; i < 9; i++)
        retry_budget_pay(&budget);
    CHECK(!retry_budget_take(&budget, RETRY_TRANSIENT));
    retry_budget_pay(&budget);
    CHECK(retry_budget_take(&budget, RETRY_TRANSIENT));
}

TEST(hosts)
{
    static const struct {
        enum aws_service service;
        const char *region, *bucket;
        bool fips, dual_stack;
        const char *wanted;
        bool in_host;
    } CASES[] = {
        {AWS_SQS, "eu-west-1", NULL, false, false, "https://sqs.eu-west-1.amazonaws.com", false},
        {AWS_SQS, "us-east-1", NULL, true, false, "https://sqs-fips.us-east-1.amazonaws.com",
         false},
        {AWS_SQS, "eu-west-1", NULL, false, true, "https://sqs.eu-west-1.api.aws", false},
        {AWS_STS, "cn-north-1", NULL, false, false, "https://sts.cn-north-1.amazonaws.com.cn",
         false},
        {AWS_S3, "eu-west-1", "lake", false, false, "https://lake.s3.eu-west-1.amazonaws.com",
         true},
        {AWS_S3, "us-gov-west-1", "lake", true, true,
         "https://lake.s3-fips.dualstack.us-gov-west-1.amazonaws.com", true},
        {AWS_S3, "eu-west-1", "a.b", false, false, "https://s3.eu-west-1.amazonaws.com", false},
        {AWS_SAGEMAKER_RUNTIME, "eu-west-1", NULL, false, false,
         "https://runtime.sagemaker.eu-west-1.amazonaws.com", false},
    };
    AUTO(arena_done) struct arena arena = {0};
    bool in_host;

    arena_init(&arena, 1 << 16);
    for (size_t i = 0; i < ARRAY_LEN(CASES); i++) {
        struct endpoint_options options = {.fips = CASES[i].fips,
                                           .dual_stack = CASES[i].dual_stack};

        CHECK_STR(endpoint_url(&options, CASES[i].service, CASES[i].region, CASES[i].bucket, &arena,
                               &in_host),
                  CASES[i].wanted);
        CHECK_CASE(CASES[i].wanted, in_host == CASES[i].in_host);
    }
}

TEST(own_endpoints_go_before)
{
    struct endpoint_options options;
    AUTO(arena_done) struct arena arena = {0};
    bool in_host;

    arena_init(&arena, 1 << 16);
    (void)setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1/", 1);
    (void)setenv("AWS_ENDPOINT_URL_S3", "http://127.0.0.1:2", 1);
    endpoint_options_read(&options);
    CHECK_STR(endpoint_url(&options, AWS_SQS, "r", NULL, &arena, &in_host), "http://127.0.0.1:1");
    CHECK_STR(endpoint_url(&options, AWS_S3, "r", "b", &arena, &in_host), "http://127.0.0.1:2");
    CHECK(!in_host);
    (void)unsetenv("AWS_ENDPOINT_URL");
    (void)unsetenv("AWS_ENDPOINT_URL_S3");
}

static void write_file(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");

    CHECK(file != NULL && fputs(text, file) >= 0 && fclose(file) == 0);
}

TEST(profiles_of_both_files)
{
    AUTO(arena_done) struct arena arena = {0};
    char config[] = "/tmp/pairwatch-aws-XXXXXX", keys[] = "/tmp/pairwatch-aws-XXXXXX";
    struct profile profile;
    struct err err = {0};

    arena_init(&arena, 4 * PROFILE_FILE_BYTES_MAX);
    CHECK(close(mkstemp(config)) == 0 && close(mkstemp(keys)) == 0);
    (void)setenv("AWS_CONFIG_FILE", config, 1);
    (void)setenv("AWS_SHARED_CREDENTIALS_FILE", keys, 1);
    write_file(keys, "[x]\naws_access_key_id = A\naws_secret_access_key=B = C\n# no\n[y]\n");
    write_file(config,
               "[x]\nregion = wrong\n[profile x]\nrole_arn = arn\naws_access_key_id = late\n"
               "s3 =\n  region = nested\nregion=eu-west-1\n");
    CHECK_OK(profile_read("x", &arena, &profile, &err));
    CHECK_STR(profile.key_id, "A");
    CHECK_STR(profile.secret, "B = C");
    CHECK_STR(profile.role, "arn");
    CHECK_STR(profile.region, "eu-west-1");
    CHECK_OK(profile_read("z", &arena, &profile, &err));
    CHECK(!profile.found && profile.key_id == NULL);
    write_file(keys, "[x]\nnonsense\n");
    CHECK_ERR(ERR_INVALID, profile_read("x", &arena, &profile, &err));
    CHECK_HAS(err.text, "line 2");
    CHECK(unlink(config) == 0 && unlink(keys) == 0);
    (void)unsetenv("AWS_CONFIG_FILE");
    (void)unsetenv("AWS_SHARED_CREDENTIALS_FILE");
}

TEST(texts_of_xml)
{
    char text[8];

    CHECK(xml_text("<a><Code>x&amp;&lt;</Code></a>", "Code", text, sizeof text));
    CHECK_STR(text, "x&<");
    CHECK(!xml_text("<Code>12345678</Code>", "Code", text, sizeof text));
    CHECK(!xml_text("<Code>1", "Code", text, sizeof text));
}

TEST(names_that_s3_has)
{
    CHECK(s3_bucket_ok("aws-security-data-lake-eu-west-1-x") && s3_bucket_ok("a.b"));
    CHECK(!s3_bucket_ok("..") && !s3_bucket_ok("a/b") && !s3_bucket_ok("A-b") &&
          !s3_bucket_ok("-ab"));
    CHECK(s3_key_ok("../x") && s3_key_ok("\xc3\xa4"));
    CHECK(!s3_key_ok("") && !s3_key_ok("\xc3") && !s3_key_ok("a\nb"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_tried_again),
        cmocka_unit_test(pauses_are_random_bounded_and_at_least_what_was_asked),
        cmocka_unit_test(a_budget_ends_and_is_paid_back),
        cmocka_unit_test(hosts),
        cmocka_unit_test(own_endpoints_go_before),
        cmocka_unit_test(profiles_of_both_files),
        cmocka_unit_test(texts_of_xml),
        cmocka_unit_test(names_that_s3_has),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
