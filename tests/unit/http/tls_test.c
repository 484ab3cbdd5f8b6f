/* HTTPS with a certificate made for the run. The openssl command makes it and is the client;
 * without that command there is nothing to test with. */
#include "live.h"

static char folder[] = "/tmp/pairwatch-tls-XXXXXX";
static char cert[64], key[64];

/* Exit status and output of a shell command. */
static int shell(const char *command, char *ret, size_t ret_bytes)
{
    FILE *pipe = popen(command, "r");
    size_t length;

    assert_non_null(pipe);
    length = fread(ret, 1, ret_bytes - 1, pipe);
    ret[length] = '\0';
    return pclose(pipe);
}

static int setup(UNUSED void **state)
{
    char command[512], said[1024];

    (void)temp_folder(folder);
    (void)snprintf(cert, sizeof cert, "%s/cert.pem", folder);
    (void)snprintf(key, sizeof key, "%s/key.pem", folder);
    (void)snprintf(command, sizeof command,
                   "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes "
                   "-days 2 -subj /CN=localhost -keyout %s -out %s 2>/dev/null",
                   key, cert);
    if (shell(command, said, sizeof said) != 0)
        cert[0] = '\0';
    return 0;
}

static int teardown(UNUSED void **state)
{
    return temp_folder_drop(folder);
}

static void ask(int port, const char *options, char *ret, size_t ret_bytes)
{
    char command[512];

    (void)snprintf(
        command, sizeof command,
        "printf 'GET /api/item/7 HTTP/1.1\\r\\nHost: t\\r\\nConnection: close\\r\\n\\r\\n'"
        " | timeout 10 openssl s_client -quiet -connect 127.0.0.1:%d %s 2>/dev/null",
        port, options);
    (void)shell(command, ret, ret_bytes);
}

TEST(answers_over_tls)
{
    struct live live;
    char said[4096];

    if (cert[0] == '\0')
        skip();
    live_start_with(&live, (struct http_options){.tls_cert_path = cert, .tls_key_path = key});
    ask(live.port, "-tls1_3", said, sizeof said);
    CHECK_HAS(said, "{\"id\":7}");
    ask(live.port, "-tls1_2", said, sizeof said);
    CHECK_HAS(said, "{\"id\":7}");
    ask(live.port, "-tls1_1 -cipher DEFAULT@SECLEVEL=0", said, sizeof said);
    CHECK_STR(said, "");
    live_stop(&live);
}

TEST(plain_http_is_not_answered_there)
{
    AUTO(answer_done) struct answer answer = {0};
    struct live live;

    if (cert[0] == '\0')
        skip();
    live_start_with(&live, (struct http_options){.tls_cert_path = cert, .tls_key_path = key});
    live_get(&live, "GET /api/item/7", "", &answer);
    CHECK(answer.status == 0);
    live_stop(&live);
}

TEST(a_key_of_another_certificate_is_refused)
{
    struct http_options options = {
        .listen = "127.0.0.1:0", .routes = LIVE_ROUTES, .route_count = 1};
    struct http_server *server = NULL;
    struct err err;

    if (cert[0] == '\0')
        skip();
    options.tls_cert_path = options.tls_key_path = cert;
    CHECK_ERR(ERR_INVALID, http_server_start(&options, &server, &err));
    CHECK_HAS(err.text, "with TLS");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers_over_tls),
        cmocka_unit_test(plain_http_is_not_answered_there),
        cmocka_unit_test(a_key_of_another_certificate_is_refused),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
