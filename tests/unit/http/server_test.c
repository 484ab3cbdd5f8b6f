/* The running server: what a client sees of routes, limits, answers. */
#include "live.h"

#include "base/gzip.h"

TEST(answers_by_route_and_method)
{
    static const struct {
        const char *line;
        int status;
        const char *allow, *body;
    } CASES[] = {
        {"GET /api/item/7", 200, "", "{\"id\":7}"},
        {"GET /api/item/7?", 200, "", "{\"id\":7}"},
        {"GET http://t/api/item/7", 200, "", "{\"id\":7}"},
        {"GET /api/item/x", 404, "", "there is none with id x"},
        {"GET /api/item/", 404, "", "urn:pairwatch:problem:not_found"},
        {"GET /api/item", 404, "", "there is nothing at /api/item"},
        {"GET /api//item/7", 404, "", ""},
        {"GET /api/item/7/", 404, "", ""},
        {"GET /api/item/7/more", 404, "", ""},
        {"GET /API/item/7", 404, "", ""},
        {"POST /api/item/7", 405, "DELETE, GET, HEAD, PATCH, OPTIONS", "method_not_allowed"},
        {"BREW /api/item/7", 405, "DELETE, GET, HEAD, PATCH, OPTIONS", ""},
        {"GET /api/item/bulk", 405, "POST, OPTIONS", ""},
        {"OPTIONS /api/item/7", 204, "DELETE, GET, HEAD, PATCH, OPTIONS", ""},
        {"OPTIONS /api/nothing", 404, "", ""},
        {"GET /api/query?limit=10", 200, "", "{\"limit\":10}"},
        {"GET /api/query?limit=0", 400, "", "?limit"},
        {"GET /api/query?limt=1", 400, "", "?limt"},
        {"GET /api/query?limit=1&limit=2", 400, "", "given twice"},
        {"GET /api/query?limit=%00", 400, "", "bad escape"},
        {"GET /api/query?limit=%zz", 400, "", "bad escape"},
        {"GET /api/query?a=%ff", 400, "", "not clean UTF-8"},
        {"GET /api/item/%00", 400, "", ""},
        {"GET *", 400, "", ""},
    };
    struct live live;

    live_start(&live);
    for (size_t i = 0; i < ARRAY_LEN(CASES); i++) {
        AUTO(answer_done) struct answer answer;

        live_get(&live, CASES[i].line, "", &answer);
        CHECK_CASE(CASES[i].line, answer.status == CASES[i].status);
        CHECK_CASE(CASES[i].line, strcmp(answer_header(&answer, "Allow"), CASES[i].allow) == 0);
        CHECK_CASE(CASES[i].line, strstr(answer.body, CASES[i].body) != NULL);
        if (answer.status >= 400)
            CHECK_CASE(CASES[i].line, strcmp(answer_header(&answer, "Content-Type"),
                                             "application/problem+json") == 0);
    }
    live_stop(&live);
}

TEST(head_is_get_without_a_body)
{
    AUTO(answer_done) struct answer get, head;
    struct client client;
    struct live live;

    live_start(&live);
    live_get(&live, "GET /api/item/7", "", &get);
    client_open(&client, live.port);
    client_say(&client, "HEAD /api/item/7 HTTP/1.1\r\nHost: t\r\nConnection: close\r\n\r\n");
    client_take(&client, true, &head);
    CHECK(head.status == 200);
    CHECK_STR(answer_header(&head, "Content-Length"), answer_header(&get, "Content-Length"));
    CHECK_STR(answer_header(&head, "ETag"), "\"v7\"");
    CHECK(!client_more(&client) && client.in.length == 0);
    client_close(&client);
    live_stop(&live);
}

TEST(every_answer_is_guarded)
{
    static const char *const LINES[] = {"GET /api/item/7", "GET /api/nothing", "GET /",
                                        "OPTIONS /api/big"};
    struct live live;

    live_start(&live);
    for (size_t i = 0; i < ARRAY_LEN(LINES); i++) {
        AUTO(answer_done) struct answer answer;

        live_get(&live, LINES[i], "", &answer);
        CHECK_HAS(answer_header(&answer, "Content-Security-Policy"), "default-src 'self'");
        CHECK_STR(answer_header(&answer, "X-Content-Type-Options"), "nosniff");
        CHECK_STR(answer_header(&answer, "Referrer-Policy"), "same-origin");
        CHECK(strlen(answer_header(&answer, "X-Request-Id")) == 16);
        CHECK_HAS(answer_header(&answer, "Cache-Control"), "no-");
    }
    live_stop(&live);
}

TEST(what_accept_leaves_out_is_not_sent)
{
    static const struct {
        const char *line, *accept;
        int status;
    } CASES[] = {
        {"GET /api/item/7", "Accept: application/json\r\n", 200},
        {"GET /api/item/7", "Accept: text/html\r\nAccept: */*;q=0.1\r\n", 200},
        {"GET /api/item/7", "Accept: text/csv\r\n", 406},
        {"HEAD /api/item/7", "Accept: text/csv\r\n", 406},
        {"GET /api/item/x", "Accept: text/csv\r\n", 404},
        {"GET /", "Accept: text/csv\r\n", 200}, /* a page for people */
    };
    struct live live;

    live_start(&live);
    for (size_t i = 0; i < ARRAY_LEN(CASES); i++) {
        AUTO(answer_done) struct answer answer;

        live_get(&live, CASES[i].line, CASES[i].accept, &answer);
        CHECK_CASE(CASES[i].line, answer.status == CASES[i].status);
    }
    live_stop(&live);
}

TEST(failures_become_problems)
{
    AUTO(answer_done) struct answer io, busy, open, bare;
    struct live live;

    live_start(&live);
    live_get(&live, "GET /api/fail/io", "", &io);
    live_wait_logged(&live, 1);
    CHECK(io.status == 503);
    CHECK(strstr(io.body, "secret") == NULL && strstr(io.head, "X-Half-Made") == NULL);
    CHECK_HAS(io.body, answer_header(&io, "X-Request-Id"));
    CHECK_STR(live.last_error, "reading /secret/place: it broke");
    CHECK_STR(live.last_route, "/api/fail/{how}");
    live_get(&live, "GET /api/fail/busy", "", &busy);
    CHECK(busy.status == 503);
    CHECK_STR(answer_header(&busy, "Retry-After"), "7");
    CHECK_HAS(busy.body, "256 writes are waiting");
    live_get(&live, "GET /api/fail/open", "", &open);
    CHECK(open.status == 500);
    live_get(&live, "GET /api/fail/bare", "", &bare);
    CHECK(bare.status == 409);
    CHECK_HAS(bare.body, "\"detail\":\"conflict\"");
    live_stop(&live);
}

TEST(body_faults_are_400_or_422)
{
    static const struct {
        const char *type, *body;
        int status;
        const char *has;
    } CASES[] = {
        {"application/json", "{\"good\":1}", 200, ""},
        {"Application/JSON ; charset=utf-8", "{\"good\":1}", 200, ""},
        {"application/json", "{\"good\":1", 400, "detail"},
        {"application/json", "", 400, "detail"},
        {"application/json", "{}", 422, "{\"pointer\":\"/good\",\"detail\":\"is missing\"}"},
        {"text/plain", "{}", 415, "application/json"},
    };
    struct live live;

    live_start(&live);
    for (size_t i = 0; i < ARRAY_LEN(CASES); i++) {
        AUTO(answer_done) struct answer answer;
        char request[512];

        (void)snprintf(request, sizeof request,
                       "POST /api/body HTTP/1.1\r\nHost: t\r\nContent-Type: %s\r\n"
                       "Content-Length: %zu\r\n\r\n%s",
                       CASES[i].type, strlen(CASES[i].body), CASES[i].body);
        live_ask(&live, request, &answer);
        CHECK_CASE(CASES[i].body, answer.status == CASES[i].status);
        CHECK_CASE(CASES[i].body, strstr(answer.body, CASES[i].has) != NULL);
    }
    live_stop(&live);
}

TEST(keeps_connections_and_answers_in_order)
{
    struct client client;
    struct live live;

    live_start(&live);
    client_open(&client, live.port);
    for (int i = 0; i < 50; i++)
        client_say(&client, i % 2 == 0 ? "GET /api/item/7 HTTP/1.1\r\nHost: t\r\n\r\n"
                                       : "POST /api/echo HTTP/1.1\r\nHost: t\r\n"
                                         "Content-Length: 5\r\n\r\nhello");
    for (int i = 0; i < 50; i++) {
        AUTO(answer_done) struct answer answer;

        client_take(&client, false, &answer);
        CHECK(answer.status == 200);
        CHECK_HAS(answer.body, i % 2 == 0 ? "{\"id\":7}" : "\"start\":\"hello\"");
    }
    client_close(&client);
    live_stop(&live);
}

TEST(roles_are_held)
{
    static const struct {
        const char *line, *headers;
        int status;
    } CASES[] = {
        {"GET /api/name/x", "", 401},
        {"GET /api/name/x", "Authorization: Bearer wrong\r\n", 401},
        {"GET /api/name/x", "Authorization: Bearer read\r\n", 200},
        {"HEAD /api/name/x", "Authorization: Bearer read\r\n", 200},
        {"HEAD /api/name/x", "", 401},
        {"DELETE /api/item/7", "Authorization: Bearer read\r\n", 403},
        {"DELETE /api/item/7", "Authorization: Bearer triage\r\n", 200},
        {"DELETE /api/item/7", "Authorization: Bearer triage\r\nAuthorization: Bearer read\r\n",
         400},
        {"GET /api/item/7", "Authorization: Bearer wrong\r\n", 200},
        {"GET /api/name/x", "Cookie: a=b; pairwatch_session=c2VjcmV0\r\n", 200},
        {"DELETE /api/item/7", "Cookie: pairwatch_session=c2VjcmV0\r\n", 403},
        {"DELETE /api/item/7", "Cookie: pairwatch_session=c2VjcmV0\r\nX-CSRF-Token: x\r\n", 403},
        {"DELETE /api/item/7", "Authorization: Bearer triage\r\nSec-Fetch-Site: cross-site\r\n",
         403},
        {"DELETE /api/item/7", "Authorization: Bearer triage\r\nSec-Fetch-Site: same-origin\r\n",
         200},
    };
    struct live live;

    live_start(&live);
    for (size_t i = 0; i < ARRAY_LEN(CASES); i++) {
        AUTO(answer_done) struct answer answer;

        live_get(&live, CASES[i].line, CASES[i].headers, &answer);
        CHECK_CASE(CASES[i].headers, answer.status == CASES[i].status);
        if (answer.status == 401)
            CHECK_HAS(answer_header(&answer, "WWW-Authenticate"), "Bearer");
    }
    live_stop(&live);
}

TEST(a_session_changes_things_with_its_token)
{
    AUTO(answer_done) struct answer answer;
    struct arena arena;
    char headers[256];
    struct live live;

    arena_init(&arena, 4096);
    (void)snprintf(headers, sizeof headers,
                   "Cookie: pairwatch_session=c2VjcmV0\r\nX-CSRF-Token: %s\r\n",
                   session_csrf_token(&arena, "c2VjcmV0"));
    live_start(&live);
    live_get(&live, "DELETE /api/item/7", headers, &answer);
    CHECK(answer.status == 200);
    live_stop(&live);
    arena_done(&arena);
}

TEST(path_parameters_are_decoded)
{
    AUTO(answer_done) struct answer answer;
    struct live live;

    live_start(&live);
    live_get(&live, "GET /api/name/arn%3Aaws%3Arole%2Fadmin%20%c3%a4",
             "Authorization: Bearer read\r\n", &answer);
    CHECK(answer.status == 200);
    CHECK_HAS(answer.body, "\"name\":\"arn:aws:role/admin \xc3\xa4\"");
    live_stop(&live);
}

TEST(known_tags_are_304)
{
    AUTO(answer_done) struct answer known, other, unsafe;
    struct live live;

    live_start(&live);
    live_get(&live, "GET /api/item/7", "If-None-Match: \"v1\", W/\"v7\"\r\n", &known);
    CHECK(known.status == 304);
    CHECK_STR(answer_header(&known, "ETag"), "\"v7\"");
    CHECK_STR(answer_header(&known, "Content-Length"), "8"); /* of the 200 */
    live_get(&live, "GET /api/item/7", "If-None-Match: \"v8\"\r\n", &other);
    CHECK(other.status == 200);
    live_get(&live, "DELETE /api/item/7",
             "Authorization: Bearer triage\r\nIf-None-Match: \"v7\"\r\n", &unsafe);
    CHECK(unsafe.status == 200);
    live_stop(&live);
}

TEST(a_304_has_no_body)
{
    AUTO(answer_done) struct answer known, next;
    struct client client;
    struct live live;

    live_start(&live);
    client_open(&client, live.port);
    client_say(&client, "GET /api/item/7 HTTP/1.1\r\nHost: t\r\nIf-None-Match: *\r\n\r\n"
                        "GET /api/query HTTP/1.1\r\nHost: t\r\n\r\n");
    client_take(&client, false, &known);
    CHECK(known.status == 304);
    client_take(&client, false, &next);
    CHECK_STR(next.body, "{\"limit\":50}");
    client_close(&client);
    live_stop(&live);
}

TEST(large_json_is_compressed_when_asked)
{
    AUTO(answer_done) struct answer plain, packed;
    AUTO(str_done) struct str text = {.bytes_max = LIVE_BYTES_MAX};
    struct err err;
    struct live live;

    live_start(&live);
    live_get(&live, "GET /api/big", "", &plain);
    live_get(&live, "GET /api/big", "Accept-Encoding: br, gzip;q=0.5\r\n", &packed);
    CHECK_STR(answer_header(&plain, "Content-Encoding"), "");
    CHECK_STR(answer_header(&plain, "Vary"), "Accept-Encoding");
    CHECK_STR(answer_header(&packed, "Content-Encoding"), "gzip");
    CHECK(packed.body_length < plain.body_length / 10);
    CHECK_OK(gzip_inflate(packed.body, packed.body_length, &text, &err));
    CHECK_STR(text.text, plain.body);
    live_stop(&live);
}

TEST(exports_are_streamed)
{
    AUTO(answer_done) struct answer good, bad, head;
    struct client client;
    struct live live;

    live_start(&live);
    live_get(&live, "GET /api/export/good", "", &good);
    CHECK(good.status == 200 && !good.cut);
    CHECK_STR(answer_header(&good, "Transfer-Encoding"), "chunked");
    CHECK(str_starts(good.body, "line 0 of"));
    CHECK_HAS(good.body, "\nline 4999 of");
    live_get(&live, "GET /api/export/bad", "", &bad);
    CHECK(bad.status == 200 && bad.cut);
    CHECK_HAS(bad.body, "line 99 of");
    live_get(&live, "HEAD /api/export/good", "", &head);
    CHECK(head.status == 200);
    client_open(&client, live.port); /* goes away in the middle */
    client_say(&client, "GET /api/export/good HTTP/1.1\r\nHost: t\r\n\r\n");
    CHECK(client_more(&client));
    client_close(&client);
    live_stop(&live);
}

static void wait_for(struct client *client, const char *text)
{
    while (client->in.length == 0 || strstr(client->in.text, text) == NULL)
        CHECK(client_more(client));
}

TEST(a_feed_rests_until_it_is_woken)
{
    enum { FEEDS = 20 }; /* more than threads */
    AUTO(answer_done) struct answer other;
    struct client clients[FEEDS];
    struct live live;

    atomic_store(&live_feed_last, 1);
    live_start(&live);
    for (int i = 0; i < FEEDS; i++) {
        client_open(&clients[i], live.port);
        client_say(&clients[i], "GET /api/feed HTTP/1.1\r\nHost: t\r\n\r\n");
    }
    for (int i = 0; i < FEEDS; i++)
        wait_for(&clients[i], "number 1\n");
    live_get(&live, "GET /api/big", "", &other);
    CHECK(other.status == 200); /* feeds hold no thread */
    client_close(&clients[0]);  /* goes away while it rests */
    for (int number = 2; number < 5; number++) {
        char text[20];

        (void)snprintf(text, sizeof text, "number %d\n", number);
        atomic_store(&live_feed_last, number);
        http_server_wake(live.server);
        for (int i = 1; i < FEEDS; i++)
            wait_for(&clients[i], text);
    }
    atomic_store(&live_feed_last, -1);
    http_server_wake(live.server);
    wait_for(&clients[1], "\r\n0\r\n");
    atomic_store(&live_feed_last, 4);
    client_say(&clients[1], "GET /api/feed HTTP/1.1\r\nHost: t\r\n\r\n");
    wait_for(&clients[1], "number 4\n");
    live_stop(&live); /* ends those that rest */
    wait_for(&clients[2], "\r\n0\r\n");
    for (int i = 1; i < FEEDS; i++)
        client_close(&clients[i]);
}

TEST(counts_and_logs_every_request)
{
    AUTO(answer_done) struct answer answer = {0};
    struct http_metrics metrics;
    struct live live;

    live_start(&live);
    for (int i = 0; i < 3; i++) {
        answer_done(&answer);
        live_get(&live, "GET /api/query", "", &answer);
    }
    live_wait_logged(&live, 3);
    CHECK(live.last_status == 200);
    CHECK_STR(live.last_route, "/api/query");
    answer_done(&answer);
    live_get(&live, "GET /api/nothing", "", &answer);
    live_wait_logged(&live, 4);
    CHECK_STR(live.last_route, "-");
    http_server_metrics(live.server, &metrics);
    CHECK(metrics.requests[2] == 3 && metrics.requests[4] == 1);
    CHECK(metrics.by_route[13] == 3 && metrics.by_route[0] == 0);
    CHECK(metrics.reply_bytes == 3 * strlen("{\"limit\":50}") + answer.body_length);
    CHECK(metrics.in_flight == 0);
    live_stop(&live);
}

TEST(a_port_in_use_is_said)
{
    struct http_options options = {.routes = LIVE_ROUTES, .route_count = 1};
    struct http_server *second = NULL;
    char address[32];
    struct live live;
    struct err err;

    live_start(&live);
    (void)snprintf(address, sizeof address, "127.0.0.1:%d", live.port);
    options.listen = address;
    CHECK_ERR(ERR_CONFLICT, http_server_start(&options, &second, &err));
    CHECK_HAS(err.text, address);
    options.listen = "127.0.0.1";
    CHECK_ERR(ERR_INVALID, http_server_start(&options, &second, &err));
    options.listen = "::1:80";
    CHECK_ERR(ERR_INVALID, http_server_start(&options, &second, &err));
    options.listen = "127.0.0.1:0";
    options.tls_cert_path = "/nowhere/cert.pem";
    CHECK_ERR(ERR_INVALID, http_server_start(&options, &second, &err));
    options.tls_key_path = "/nowhere/key.pem";
    CHECK_ERR(ERR_NOT_FOUND, http_server_start(&options, &second, &err));
    options.tls_cert_path = options.tls_key_path = "/dev/null";
    CHECK_ERR(ERR_INVALID, http_server_start(&options, &second, &err));
    options.tls_cert_path = options.tls_key_path = NULL;
    options.web_dir = "/nowhere";
    CHECK_ERR(ERR_NOT_FOUND, http_server_start(&options, &second, &err));
    CHECK(second == NULL);
    live_stop(&live);
}

static void *stop_soon(void *live)
{
    clock_sleep_ms(50);
    http_server_stop(((struct live *)live)->server);
    return NULL;
}

TEST(a_proxy_is_believed_when_it_is_told_to_be)
{
    static const struct {
        const char *headers, *remote;
    } CASES[] = {
        {"", "127.0.0.1"},
        {"X-Forwarded-For: 192.0.2.9\r\n", "192.0.2.9"},
        {"X-Forwarded-For: 192.0.2.1, 192.0.2.2\r\nX-Forwarded-For: 192.0.2.3\r\n", "192.0.2.3"},
        {"X-Forwarded-For: 198.51.100.1,  [2001:DB8::1]:443\r\n", "2001:db8::1"},
        {"X-Forwarded-For: unknown\r\n", "127.0.0.1"},
    };

    for (int believed = 0; believed < 2; believed++) {
        struct live live;

        live_start_with(&live, (struct http_options){.behind_proxy = believed == 1});
        for (size_t i = 0; i < ARRAY_LEN(CASES); i++) {
            AUTO(answer_done) struct answer answer;

            live_get(&live, "GET /api/item/7", CASES[i].headers, &answer);
            live_wait_logged(&live, (int)i + 1);
            CHECK_CASE(CASES[i].headers,
                       strcmp(live.last_remote, believed == 1 ? CASES[i].remote : "127.0.0.1") ==
                           0);
        }
        live_stop(&live);
    }
}

/* As many as there are threads that read: each would be kept by one of these. */
TEST(large_bodies_hold_nobody_else)
{
    enum { HOLDERS = 2, BYTES = 80000 };
    static char body[BYTES + 1];
    struct client holders[HOLDERS];
    char head[128];
    struct live live;

    (void)memset(body, ' ', BYTES);
    live_start(&live);
    atomic_store(&live_held, 0);
    atomic_store(&live_released, 0);
    (void)snprintf(head, sizeof head,
                   "POST /api/hold HTTP/1.1\r\nHost: t\r\nContent-Length: %d\r\n\r\n", BYTES);
    for (int i = 0; i < HOLDERS; i++) {
        client_open(&holders[i], live.port);
        client_say(&holders[i], head);
        client_say(&holders[i], body);
    }
    while (atomic_load(&live_held) < HOLDERS)
        clock_sleep_ms(1);
    for (int i = 0; i < 20; i++) { /* over both threads */
        AUTO(answer_done) struct answer answer;

        live_get(&live, i < 19 ? "GET /api/item/7" : "GET /api/release", "", &answer);
        CHECK(answer.status == 200);
    }
    for (int i = 0; i < HOLDERS; i++) {
        AUTO(answer_done) struct answer answer;

        client_take(&holders[i], false, &answer);
        CHECK(answer.status == 200);
        CHECK_STR(answer.body, "{\"released\":true}");
        client_close(&holders[i]);
    }
    live_stop(&live);
}

TEST(stop_waits_for_what_runs)
{
    AUTO(answer_done) struct answer answer;
    pthread_t thread;
    struct live live;

    live_start(&live);
    assert_int_equal(pthread_create(&thread, NULL, stop_soon, &live), 0);
    live_get(&live, "GET /api/slow", "", &answer);
    CHECK(answer.status == 200);
    CHECK_STR(answer_header(&answer, "Connection"), "close");
    assert_int_equal(pthread_join(thread, NULL), 0);
    CHECK(live.logged == 1 && atomic_load(&live.contexts) == 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers_by_route_and_method),
        cmocka_unit_test(head_is_get_without_a_body),
        cmocka_unit_test(every_answer_is_guarded),
        cmocka_unit_test(what_accept_leaves_out_is_not_sent),
        cmocka_unit_test(failures_become_problems),
        cmocka_unit_test(body_faults_are_400_or_422),
        cmocka_unit_test(keeps_connections_and_answers_in_order),
        cmocka_unit_test(roles_are_held),
        cmocka_unit_test(a_session_changes_things_with_its_token),
        cmocka_unit_test(path_parameters_are_decoded),
        cmocka_unit_test(known_tags_are_304),
        cmocka_unit_test(a_304_has_no_body),
        cmocka_unit_test(large_json_is_compressed_when_asked),
        cmocka_unit_test(exports_are_streamed),
        cmocka_unit_test(a_feed_rests_until_it_is_woken),
        cmocka_unit_test(counts_and_logs_every_request),
        cmocka_unit_test(a_port_in_use_is_said),
        cmocka_unit_test(a_proxy_is_believed_when_it_is_told_to_be),
        cmocka_unit_test(large_bodies_hold_nobody_else),
        cmocka_unit_test(stop_waits_for_what_runs),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
