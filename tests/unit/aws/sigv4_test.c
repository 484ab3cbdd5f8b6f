/* The signer: the documented example, written-out canonical forms, and AWS's suite when it lies
 * beside the checkout. */
#include "check.h"

#include <dirent.h>
#include <stdlib.h>

#include "aws/sigv4.h"
#include "base/arena.h"
#include "base/clock.h"
#include "base/crypto.h"
#include "base/json.h"
#include "base/str.h"

#define DATA_FOLDER "../shared/data" /* unless PAIRWATCH_REFERENCE_DATA names another */
#define EMPTY_HASH  "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
enum { FILE_BYTES_MAX = 16 * 1024, SUITE_CASES_MIN = 20 };

static const char KEY_ID[] = "AKIDEXAMPLE";
static const char SECRET[] = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";

static const char *suite_folder(void)
{
    static char path[512];
    const char *data = getenv("PAIRWATCH_REFERENCE_DATA");

    (void)snprintf(path, sizeof path, "%s/sigv4", data != NULL ? data : DATA_FOLDER);
    return path;
}

static const char *file_text(struct arena *arena, const char *folder, const char *name)
{
    char path[1024], *text = arena_alloc(arena, FILE_BYTES_MAX);
    FILE *file;
    size_t length;

    (void)snprintf(path, sizeof path, "%s/%s/%s", suite_folder(), folder, name);
    file = fopen(path, "rb");
    if (file == NULL)
        return NULL;
    length = fread(text, 1, FILE_BYTES_MAX - 1, file);
    (void)fclose(file);
    text[length] = '\0';
    return text;
}

/* The next line of *at, without its end, NULL after the last. */
static char *next_line(char **at)
{
    char *line = *at, *end;

    if (line == NULL || *line == '\0')
        return NULL;
    end = strchr(line, '\n');
    *at = end != NULL ? end + 1 : line + strlen(line);
    if (end != NULL) {
        *end = '\0';
        if (end > line && end[-1] == '\r')
            end[-1] = '\0';
    }
    return line;
}

struct suite_case {
    struct sigv4_header headers[SIGV4_HEADERS_MAX];
    struct sigv4_request request;
    struct sigv4_scope scope;
    char hash[SHA256_HEX_BYTES], date[SIGV4_DATE_BYTES];
};

static void read_request(struct suite_case *one, char *text)
{
    char *line = next_line(&text), *path, *end, *query;
    size_t count = 0;

    one->request.method = line;
    path = strchr(line, ' ');
    *path++ = '\0';
    end = strrchr(path, ' ');
    *end = '\0';
    query = strchr(path, '?');
    if (query != NULL)
        *query++ = '\0';
    one->request.path = path;
    one->request.query = query;
    while ((line = next_line(&text)) != NULL && *line != '\0') {
        char *colon = strchr(line, ':');

        if (*line == ' ' || *line == '\t') { /* folded: the line before goes on */
            char *end_before = line - 1;

            while (*end_before == '\0')
                *end_before-- = '\n';
            continue;
        }
        *colon = '\0';
        one->headers[count++] = (struct sigv4_header){line, colon + 1};
    }
    sha256_hex(text, strlen(text), one->hash);
    one->request.headers = one->headers;
    one->request.header_count = count;
    one->request.payload_hash = one->hash;
}

static void add_header(struct suite_case *one, const char *name, const char *value)
{
    one->headers[one->request.header_count++] = (struct sigv4_header){name, value};
}

static bool flag_of(const struct json *root, const char *name)
{
    bool flag = false;

    return json_bool_of(json_member(root, name), &flag) && flag;
}

static void check_header(const char *name, struct suite_case *one, const struct json *root,
                         struct arena *arena)
{
    AUTO(str_done) struct str canonical = {0}, names = {0};
    const char *token = json_text_of(json_path(root, "credentials.token"));
    const char *wanted, *authorization = NULL;
    struct err err = {0};

    add_header(one, "X-Amz-Date", one->scope.date);
    if (token != NULL && !flag_of(root, "omit_session_token"))
        add_header(one, "X-Amz-Security-Token", token);
    if (flag_of(root, "sign_body"))
        add_header(one, "x-amz-content-sha256", one->hash);
    str_init(&canonical, SIGV4_CANONICAL_BYTES_MAX);
    str_init(&names, SIGV4_CANONICAL_BYTES_MAX);
    CHECK_OK(sigv4_canonical(&one->scope, &one->request, &canonical, &names, &err));
    wanted = file_text(arena, name, "header-canonical-request.txt");
    if (strcmp(canonical.text, wanted) != 0)
        print_error("case %s\n", name);
    CHECK_STR(canonical.text, wanted);
    CHECK_OK(sigv4_authorization(&one->scope, &one->request, KEY_ID, SECRET, arena, &authorization,
                                 &err));
    CHECK_CASE(name, strcmp(strstr(authorization, "Signature=") + strlen("Signature="),
                            file_text(arena, name, "header-signature.txt")) == 0);
}

static void check_query(const char *name, struct suite_case *one, const struct json *root,
                        struct arena *arena)
{
    static const char SIGNATURE[] = "&X-Amz-Signature=";
    const char *signature = file_text(arena, name, "query-signature.txt"), *query = NULL;
    struct sigv4_query with = {.key_id = KEY_ID, .secret = SECRET, .expires_s = 3600};
    AUTO(str_done) struct str canonical = {0}, names = {0};
    struct sigv4_request whole = one->request;
    int64_t expires_s;
    struct err err = {0};
    char *end;

    if (signature == NULL)
        return;
    if (json_int_of(json_member(root, "expiration_in_seconds"), &expires_s))
        with.expires_s = (int)expires_s;
    if (!flag_of(root, "omit_session_token"))
        with.token = json_text_of(json_path(root, "credentials.token"));
    CHECK_OK(sigv4_query(&one->scope, &one->request, &with, arena, &query, &err));
    whole.query = arena_strdup(arena, query);
    end = strstr((char *)(uintptr_t)whole.query, SIGNATURE);
    CHECK(end != NULL);
    *end = '\0';
    str_init(&canonical, SIGV4_CANONICAL_BYTES_MAX);
    str_init(&names, SIGV4_CANONICAL_BYTES_MAX);
    CHECK_OK(sigv4_canonical(&one->scope, &whole, &canonical, &names, &err));
    CHECK_STR(canonical.text, file_text(arena, name, "query-canonical-request.txt"));
    CHECK_CASE(name, strcmp(strstr(query, SIGNATURE) + sizeof SIGNATURE - 1, signature) == 0);
}

/* "2015-08-30T12:36:00Z" */
static void set_scope(struct suite_case *one, const struct json *root)
{
    const char *region = json_text_of(json_member(root, "region"));
    const char *service = json_text_of(json_member(root, "service"));
    const char *timestamp = json_text_of(json_member(root, "timestamp"));
    bool normalize = true;
    int64_t time_ms = 0;

    one->scope.region = region != NULL ? region : "us-east-1";
    one->scope.service = service != NULL ? service : "service";
    CHECK(timestamp != NULL && time_parse(timestamp, &time_ms));
    sigv4_date(time_ms, one->date);
    one->scope.date = one->date;
    one->scope.path_keep_dots =
        json_bool_of(json_member(root, "normalize"), &normalize) && !normalize;
}

static void run_case(const char *name)
{
    AUTO(arena_done) struct arena arena = {0};
    AUTO(json_doc_freep) struct json_doc *doc = NULL;
    struct suite_case one = {.scope = {.path_as_is = false}};
    const char *context;
    struct err err = {0};

    arena_init(&arena, 1 << 20);
    context = file_text(&arena, name, "context.json");
    CHECK_OK(json_parse(context, strlen(context), &doc, &err));
    set_scope(&one, json_root(doc));
    read_request(&one, (char *)(uintptr_t)file_text(&arena, name, "request.txt"));
    check_query(name, &one, json_root(doc), &arena);
    check_header(name, &one, json_root(doc), &arena);
}

TEST(the_suite_of_aws)
{
    DIR *folder = opendir(suite_folder());
    struct dirent *entry;
    int count = 0;

    if (folder == NULL)
        skip();
    while ((entry = readdir(folder)) != NULL) {
        if (entry->d_name[0] == '.' || strchr(entry->d_name, '.') != NULL)
            continue;
        run_case(entry->d_name);
        count++;
    }
    (void)closedir(folder);
    CHECK(count >= SUITE_CASES_MIN);
}

TEST(a_date_is_compact)
{
    char date[SIGV4_DATE_BYTES];

    sigv4_date(INT64_C(1440938160000), date);
    CHECK_STR(date, "20150830T123600Z");
}

TEST(the_documented_get_of_an_object)
{
    /* S3 API reference, "Signature Calculations: Example: GET Object". */
    static const struct sigv4_header HEADERS[] = {
        {"Host", "examplebucket.s3.amazonaws.com"},
        {"Range", "bytes=0-9"},
        {"x-amz-content-sha256", EMPTY_HASH},
        {"x-amz-date", "20130524T000000Z"},
    };
    struct sigv4_scope scope = {"us-east-1", "s3", "20130524T000000Z", true, false};
    struct sigv4_request request = {"GET",   "/test.txt",        NULL,
                                    HEADERS, ARRAY_LEN(HEADERS), EMPTY_HASH};
    AUTO(arena_done) struct arena arena = {0};
    const char *got = NULL;
    struct err err = {0};

    arena_init(&arena, 1 << 16);
    CHECK_OK(sigv4_authorization(&scope, &request, "AKIAIOSFODNN7EXAMPLE",
                                 "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", &arena, &got, &err));
    CHECK_STR(
        got, "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request, "
             "SignedHeaders=host;range;x-amz-content-sha256;x-amz-date, "
             "Signature=f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41");
}

/* The rest of what the suite asks, written out: repeated, folded and sorted headers. */
TEST(headers_as_they_are_signed)
{
    static const struct sigv4_header HEADERS[] = {
        {"My-Header2", " \t\"a   b\"  "},
        {"HOST", "example.amazonaws.com"},
        {"my-header1", "value1\n  value2\r\n     value3"},
        {"My-Header2", "second"},
        {"Zoo", "z"},
        {"my-header2", ""},
        {"ABC", "ünïcode"},
    };
    struct sigv4_scope scope = {"us-east-1", "service", "20150830T123600Z", false, false};
    struct sigv4_request request = {
        "POST", "/", NULL, HEADERS, ARRAY_LEN(HEADERS), SIGV4_UNSIGNED_PAYLOAD};
    AUTO(str_done) struct str canonical = {0}, names = {0};
    struct err err = {0};

    str_init(&canonical, SIGV4_CANONICAL_BYTES_MAX);
    str_init(&names, SIGV4_CANONICAL_BYTES_MAX);
    CHECK_OK(sigv4_canonical(&scope, &request, &canonical, &names, &err));
    CHECK_STR(canonical.text, "POST\n/\n\n"
                              "abc:ünïcode\n"
                              "host:example.amazonaws.com\n"
                              "my-header1:value1 value2 value3\n"
                              "my-header2:\"a b\",second,\n"
                              "zoo:z\n\n"
                              "abc;host;my-header1;my-header2;zoo\nUNSIGNED-PAYLOAD");
}

static const char *canonical_of(const struct sigv4_scope *scope, const char *path,
                                const char *query, struct arena *arena)
{
    static const struct sigv4_header HOST = {"host", "h"};
    struct sigv4_request request = {"GET", path, query, &HOST, 1, EMPTY_HASH};
    AUTO(str_done) struct str canonical = {0}, names = {0};
    struct err err = {0};

    str_init(&canonical, SIGV4_CANONICAL_BYTES_MAX);
    str_init(&names, SIGV4_CANONICAL_BYTES_MAX);
    CHECK_OK(sigv4_canonical(scope, &request, &canonical, &names, &err));
    return arena_strdup(arena, canonical.text);
}

TEST(paths_and_queries)
{
    static const struct {
        bool as_is;
        const char *path, *query, *wanted;
    } CASES[] = {
        {true, "/b/region%3Dus-east-1//a", "", "GET\n/b/region%3Dus-east-1//a\n\n"},
        {false, "/a%2Fb", "", "GET\n/a%252Fb\n\n"},
        {false, "/a/./b/../c//d/", "", "GET\n/a/c/d/\n\n"},
        {false, "/../..", "", "GET\n/\n\n"},
        {true, "/", "versioning", "GET\n/\nversioning=\n"},
        {true, "/", "b=2&a=%2f&a=1&&", "GET\n/\na=%2F&a=1&b=2\n"},
        {true, "/", "a=1&A=2&a-=3", "GET\n/\nA=2&a=1&a-=3\n"},
        {false, "/ሴ", "ሴ=bar", "GET\n/%E1%88%B4\n%E1%88%B4=bar\n"},
        {false, "/-._~0123456789AZaz", "-._~=%7E", "GET\n/-._~0123456789AZaz\n-._~=~\n"},
        {false, "/example space/", "p aram1=val ue1",
         "GET\n/example%20space/\np%20aram1=val%20ue1\n"},
        {false, "//example//", "Param1=value2&Param1=Value1",
         "GET\n/example/\nParam1=Value1&Param1=value2\n"},
        {false, "/example/..", "b=&=a&b", "GET\n/\n=a&b=&b=\n"},
        {false, "/a%20b", "a=+&a=%20", "GET\n/a%2520b\na=%20&a=%2B\n"},
    };
    AUTO(arena_done) struct arena arena = {0};

    arena_init(&arena, 1 << 20);
    for (size_t i = 0; i < ARRAY_LEN(CASES); i++) {
        struct sigv4_scope scope = {"r", "s", "20150830T123600Z", CASES[i].as_is, false};
        const char *got = canonical_of(&scope, CASES[i].path, CASES[i].query, &arena);

        CHECK_CASE(got, str_starts(got, CASES[i].wanted));
    }
}

TEST(limits_and_bad_encoding_are_refused)
{
    static const struct sigv4_header HOST = {"host", "h"};
    struct sigv4_scope scope = {"r", "s", "20150830T123600Z", false, false};
    struct sigv4_request request = {"GET", "/", "a=%zz", &HOST, 1, EMPTY_HASH};
    AUTO(arena_done) struct arena arena = {0};
    char query[4 * SIGV4_QUERY_MAX], secret[1024];
    const char *got = NULL;
    struct err err = {0};

    arena_init(&arena, 1 << 20);
    CHECK_ERR(ERR_INVALID, sigv4_authorization(&scope, &request, "k", "s", &arena, &got, &err));
    for (size_t i = 0; i < sizeof query - 1; i++)
        query[i] = i % 2 == 0 ? 'a' : '&';
    query[sizeof query - 1] = '\0';
    request.query = query;
    CHECK_ERR(ERR_INVALID, sigv4_authorization(&scope, &request, "k", "s", &arena, &got, &err));
    request.query = NULL;
    request.header_count = SIGV4_HEADERS_MAX + 1;
    CHECK_ERR(ERR_INVALID, sigv4_authorization(&scope, &request, "k", "s", &arena, &got, &err));
    request.header_count = 1;
    (void)memset(secret, 's', sizeof secret);
    secret[sizeof secret - 1] = '\0';
    CHECK_ERR(ERR_INVALID, sigv4_authorization(&scope, &request, "k", secret, &arena, &got, &err));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_suite_of_aws),
        cmocka_unit_test(a_date_is_compact),
        cmocka_unit_test(the_documented_get_of_an_object),
        cmocka_unit_test(headers_as_they_are_signed),
        cmocka_unit_test(paths_and_queries),
        cmocka_unit_test(limits_and_bad_encoding_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
