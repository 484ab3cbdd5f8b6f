/* Web files from a folder and from the binary; what is no file of theirs is not served. */
#include "live.h"

#include "base/asset.h"
#include "http/static.h"
#include "http/uri.h"

#include <sys/stat.h>

static char folder[] = "/tmp/pairwatch-static-XXXXXX";

static void write_file(const char *name, const char *text)
{
    char path[256];
    FILE *file;

    (void)snprintf(path, sizeof path, "%s/%s", folder, name);
    file = fopen(path, "w");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

static void in_folder(char ret[static 256], const char *name)
{
    (void)snprintf(ret, 256, "%s/%s", folder, name);
}

static int setup(UNUSED void **state)
{
    char path[256];

    (void)temp_folder(folder);
    in_folder(path, "web");
    assert_int_equal(mkdir(path, 0700), 0);
    in_folder(path, "web/js");
    assert_int_equal(mkdir(path, 0700), 0);
    write_file("secret.txt", "secret");
    write_file("web/index.html", "<p>index</p>");
    write_file("web/js/main.js", "export {}");
    write_file("web/.hidden", "hidden");
    in_folder(path, "web/link.txt");
    assert_int_equal(symlink("../secret.txt", path), 0);
    in_folder(path, "web/up");
    assert_int_equal(symlink("..", path), 0);
    return 0;
}

static int teardown(UNUSED void **state)
{
    return temp_folder_drop(folder);
}

TEST(a_folder_serves_its_own_files_only)
{
    static const struct {
        const char *target, *body; /* NULL: none */
    } CASES[] = {
        {"/", "<p>index</p>"},
        {"/index.html", "<p>index</p>"},
        {"/js/main.js", "export {}"},
        {"/finding/12", "<p>index</p>"},
        {"/queue?status=new", "<p>index</p>"},
        {"/ips/203.0.113.7", "<p>index</p>"},
        {"/entities/arn%3Aaws%3Aiam%2Fx.js%2F", "<p>index</p>"},
        {"/js", "<p>index</p>"},
        {"/js/", NULL},
        {"/js//main.js", NULL},
        {"/js/other.js", NULL},
        {"/favicon.ico", NULL},
        {"/.hidden", NULL},
        {"/.git/config", NULL},
        {"/../secret.txt", NULL},
        {"/js/../../secret.txt", NULL},
        {"/%2e%2e/secret.txt", NULL},
        {"/..%2fsecret.txt", NULL},
        {"/js/%2e%2e/main.js", NULL},
        {"/link.txt", NULL},
        {"/up/secret.txt", NULL},
        {"/up/web/js/main.js", NULL},
        {"/api/x", NULL},
        {"/api", NULL},
    };
    struct static_files *files = NULL;
    AUTO(arena_done) struct arena arena;
    char web[256];
    struct err err;

    arena_init(&arena, 1 << 20);
    in_folder(web, "web");
    CHECK_OK(static_open(web, &files, &err));
    for (size_t i = 0; i < ARRAY_LEN(CASES); i++) {
        struct static_file file = {.bytes = NULL};
        struct uri uri;
        bool found;

        CHECK_OK(uri_parse(&arena, CASES[i].target, &uri, &err));
        found = static_find(files, &uri, &file);
        CHECK_CASE(CASES[i].target, found == (CASES[i].body != NULL));
        if (!found)
            continue;
        CHECK_CASE(CASES[i].target, file.length == strlen(CASES[i].body) &&
                                        memcmp(file.bytes, CASES[i].body, file.length) == 0);
        own_freep(&file.owned);
    }
    static_close(files);
}

TEST(a_folder_without_an_index_is_refused)
{
    struct static_files *files = NULL;
    struct err err;

    CHECK_ERR(ERR_NOT_FOUND, static_open(folder, &files, &err));
    CHECK_HAS(err.text, folder);
    CHECK(files == NULL);
}

TEST(edited_files_are_seen_at_once)
{
    AUTO(answer_done) struct answer first, same, edited, post, head;
    struct live live;
    char web[256], headers[128];

    in_folder(web, "web");
    live_start_with(&live, (struct http_options){.web_dir = web});
    live_get(&live, "GET /js/main.js", "", &first);
    CHECK(first.status == 200);
    CHECK_STR(answer_header(&first, "Content-Type"), "text/javascript; charset=utf-8");
    CHECK_STR(answer_header(&first, "Cache-Control"), "no-cache");
    (void)snprintf(headers, sizeof headers, "If-None-Match: %s\r\n", answer_header(&first, "ETag"));
    live_get(&live, "GET /js/main.js", headers, &same);
    CHECK(same.status == 304);
    write_file("web/js/main.js", "export { };");
    live_get(&live, "GET /js/main.js", headers, &edited);
    CHECK(edited.status == 200);
    CHECK_STR(edited.body, "export { };");
    live_get(&live, "POST /js/main.js", "Content-Length: 0\r\n", &post);
    CHECK(post.status == 405);
    CHECK_STR(answer_header(&post, "Allow"), "GET, HEAD, OPTIONS");
    live_get(&live, "HEAD /js/main.js", "", &head);
    CHECK(head.status == 200);
    CHECK_STR(answer_header(&head, "Content-Length"), "11");
    live_stop(&live);
    write_file("web/js/main.js", "export {}");
}

/* Each one as it is in the binary, whole and compressed. */
TEST(built_in_files_are_served)
{
    struct live live;

    live_start(&live);
    for (size_t i = 0; i < ASSET_COUNT; i++) {
        AUTO(answer_done) struct answer plain = {0}, packed = {0}, known = {0};
        char line[512], headers[512];

        if (!str_starts(ASSETS[i].name, "web/"))
            continue;
        (void)snprintf(line, sizeof line, "GET %s", ASSETS[i].name + 3);
        live_get(&live, line, "", &plain);
        CHECK_CASE(line, plain.status == 200 && plain.body_length == ASSETS[i].length);
        CHECK_CASE(line, memcmp(plain.body, ASSETS[i].bytes, ASSETS[i].length) == 0);
        live_get(&live, line, "Accept-Encoding: gzip\r\n", &packed);
        CHECK_CASE(line, packed.status == 200 && packed.body_length <= plain.body_length);
        (void)snprintf(headers, sizeof headers, "Accept-Encoding: gzip\r\nIf-None-Match: %s\r\n",
                       answer_header(&packed, "ETag"));
        live_get(&live, line, headers, &known);
        CHECK_CASE(line, known.status == 304);
        if (answer_header(&packed, "Content-Encoding")[0] != '\0')
            CHECK_CASE(line,
                       strcmp(answer_header(&packed, "ETag"), answer_header(&plain, "ETag")) != 0);
    }
    live_stop(&live);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_folder_serves_its_own_files_only),
        cmocka_unit_test(a_folder_without_an_index_is_refused),
        cmocka_unit_test(edited_files_are_seen_at_once),
        cmocka_unit_test(built_in_files_are_served),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
