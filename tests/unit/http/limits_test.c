/* What a client may not do: bodies, heads and waits beyond their limits, and bytes that are no
 * HTTP. */
#include "live.h"

#include "base/gzip.h"
#include "base/hash.h"

enum { RUBBISH_REQUESTS = 2000, RUBBISH_WAIT_MS = 4 };

static void ask_bytes(const struct live *live, const char *head, const void *body, size_t length,
                      struct answer *ret)
{
    struct client client;

    client_open(&client, live->port);
    client_say(&client, head);
    client_send(&client, body, length);
    client_take(&client, false, ret);
    client_close(&client);
}

static void post(const struct live *live, const char *headers, const void *body, size_t length,
                 struct answer *ret)
{
    char head[1024];

    (void)snprintf(head, sizeof head,
                   "POST /api/echo HTTP/1.1\r\nHost: t\r\n%sContent-Length: %zu\r\n\r\n", headers,
                   length);
    ask_bytes(live, head, body, length, ret);
}

TEST(bodies_up_to_the_cap_are_taken)
{
    AUTO(own_freep) char *body = own_alloc(LIVE_ECHO_BYTES_MAX + 1);
    AUTO(answer_done) struct answer most, more;
    struct live live;

    (void)memset(body, 'x', LIVE_ECHO_BYTES_MAX + 1);
    live_start(&live);
    post(&live, "", body, LIVE_ECHO_BYTES_MAX, &most);
    CHECK(most.status == 200);
    CHECK_HAS(most.body, "\"length\":100000");
    post(&live, "", body, LIVE_ECHO_BYTES_MAX + 1, &more);
    CHECK(more.status == 413);
    CHECK_HAS(more.body, "larger than 100000 bytes");
    live_stop(&live);
}

TEST(a_refused_short_body_leaves_the_connection_good)
{
    AUTO(answer_done) struct answer refused, next;
    struct client client;
    struct live live;

    live_start(&live);
    client_open(&client, live.port);
    client_say(&client, "POST /api/body HTTP/1.1\r\nHost: t\r\nContent-Length: 2000\r\n\r\n");
    for (int i = 0; i < 200; i++)
        client_say(&client, "0123456789");
    client_say(&client, "GET /api/item/7 HTTP/1.1\r\nHost: t\r\n\r\n");
    client_take(&client, false, &refused);
    CHECK(refused.status == 413);
    client_take(&client, false, &next);
    CHECK(next.status == 200);
    client_close(&client);
    live_stop(&live);
}

TEST(a_long_body_is_refused_before_it_is_sent)
{
    static const char *const HEADS[] = {
        "POST /api/echo HTTP/1.1\r\nHost: t\r\nContent-Length: 99999999999\r\n\r\n",
        "PATCH /api/item/7 HTTP/1.1\r\nHost: t\r\nAuthorization: Bearer triage\r\n"
        "Content-Length: 99999999\r\n\r\n",
        "POST /api/echo HTTP/1.1\r\nHost: t\r\nContent-Length: 100001\r\n"
        "Expect: 100-continue\r\n\r\n",
    };
    struct live live;

    live_start(&live);
    for (size_t i = 0; i < ARRAY_LEN(HEADS); i++) {
        AUTO(answer_done) struct answer answer;
        struct client client;

        client_open(&client, live.port);
        client_say(&client, HEADS[i]);
        client_take(&client, false, &answer);
        CHECK_CASE(HEADS[i], answer.status == 413);
        CHECK_CASE(HEADS[i], strcmp(answer_header(&answer, "Connection"), "close") == 0);
        CHECK_CASE(HEADS[i], !client_more(&client));
        client_close(&client);
    }
    live_stop(&live);
}

TEST(strangers_upload_nothing)
{
    AUTO(answer_done) struct answer answer;
    struct live live;

    live_start(&live);
    ask_bytes(&live,
              "POST /api/name/x HTTP/1.1\r\nHost: t\r\nContent-Length: 4000000\r\n"
              "Expect: 100-continue\r\n\r\n",
              "", 0, &answer);
    CHECK(answer.status == 401);
    live_stop(&live);
}

TEST(an_expecting_client_is_told_to_go_on)
{
    AUTO(answer_done) struct answer interim, answer;
    struct client client;
    struct live live;

    live_start(&live);
    client_open(&client, live.port);
    client_say(&client, "POST /api/echo HTTP/1.1\r\nHost: t\r\nContent-Length: 5\r\n"
                        "Expect: 100-continue\r\n\r\n");
    client_take(&client, false, &interim);
    CHECK(interim.status == 100);
    client_say(&client, "hello");
    client_take(&client, false, &answer);
    CHECK(answer.status == 200);
    CHECK_HAS(answer.body, "hello");
    client_close(&client);
    live_stop(&live);
}

TEST(chunked_bodies_are_read_within_the_cap)
{
    AUTO(answer_done) struct answer good, long_, none;
    AUTO(str_done) struct str body = {.bytes_max = LIVE_BYTES_MAX};
    static const char HEAD[] =
        "POST /api/echo HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\n";
    struct live live;

    live_start(&live);
    ask_bytes(&live, HEAD, "5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n", 26, &good);
    CHECK(good.status == 200);
    CHECK_HAS(good.body, "\"length\":11");
    CHECK_HAS(good.body, "hello world");
    for (int i = 0; i < 150; i++) {
        str_add(&body, "3e8\r\n");
        for (int j = 0; j < 100; j++)
            str_add(&body, "0123456789");
        str_add(&body, "\r\n");
    }
    str_add(&body, "0\r\n\r\n");
    ask_bytes(&live, HEAD, body.text, body.length, &long_);
    CHECK(long_.status == 413);
    ask_bytes(&live,
              "GET /api/item/7 HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\n"
              "5\r\nhello\r\n0\r\n\r\n",
              "", 0, &none);
    CHECK(none.status == 413);
    live_stop(&live);
}

TEST(an_endless_chunked_body_ends_the_connection)
{
    struct client client;
    struct live live;
    char piece[4096 + 8];
    int sent = 0;

    live_start(&live);
    client_open(&client, live.port);
    client_say(&client, "POST /api/echo HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\n");
    (void)memset(piece, 'x', sizeof piece);
    (void)memcpy(piece, "1000\r\n", 6);
    (void)memcpy(piece + 6 + 4096, "\r\n", 2);
    while (sent < 10000 && send(client.fd, piece, sizeof piece, MSG_NOSIGNAL) > 0)
        sent++;
    CHECK(sent < 10000);
    client_close(&client);
    live_stop(&live);
}

TEST(gzip_bodies_are_inflated_within_the_cap)
{
    AUTO(answer_done) struct answer good, bomb, broken, other;
    AUTO(str_done) struct str packed = {.bytes_max = LIVE_BYTES_MAX};
    AUTO(own_freep) char *zeros = own_alloc(10 << 20);
    static const char GZIP[] = "Content-Encoding: gzip\r\nContent-Type: text/plain\r\n";
    struct err err;
    struct live live;

    live_start(&live);
    CHECK_OK(gzip_deflate("hello hello hello", 17, 6, &packed, &err));
    post(&live, GZIP, packed.text, packed.length, &good);
    CHECK(good.status == 200);
    CHECK_HAS(good.body, "{\"length\":17,\"type\":\"text/plain\",\"start\":\"hello hello hello\"}");
    post(&live, GZIP, packed.text, packed.length - 3, &broken);
    CHECK(broken.status == 400);
    post(&live, "Content-Encoding: br\r\n", packed.text, packed.length, &other);
    CHECK(other.status == 415);
    str_clear(&packed);
    CHECK_OK(gzip_deflate(zeros, 10 << 20, 6, &packed, &err));
    CHECK(packed.length < LIVE_ECHO_BYTES_MAX);
    post(&live, GZIP, packed.text, packed.length, &bomb);
    CHECK(bomb.status == 413);
    live_stop(&live);
}

TEST(all_bodies_together_are_bounded)
{
    AUTO(own_freep) char *body = own_alloc(LIVE_ECHO_BYTES_MAX);
    AUTO(answer_done) struct answer busy, fits;
    struct client slow;
    struct live live;

    live_start_with(&live, (struct http_options){.bodies_bytes_max = 150000});
    client_open(&slow, live.port);
    client_say(&slow, "POST /api/echo HTTP/1.1\r\nHost: t\r\nContent-Length: 90000\r\n\r\n");
    client_send(&slow, body, 89000);
    clock_sleep_ms(100);
    (void)memset(body, 'x', LIVE_ECHO_BYTES_MAX);
    post(&live, "", body, LIVE_ECHO_BYTES_MAX, &busy);
    CHECK(busy.status == 503);
    CHECK_STR(answer_header(&busy, "Retry-After"), "1");
    client_close(&slow);
    live_wait_logged(&live, 2);
    post(&live, "", body, LIVE_ECHO_BYTES_MAX, &fits);
    CHECK(fits.status == 200);
    live_stop(&live);
}

TEST(heads_that_could_be_read_in_two_ways_are_refused)
{
    static const char *const HEADERS[] = {
        "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
        "Content-Length: 5\r\nContent-Length: 6\r\n",
        "Content-Length: 5\r\nContent-Length: 5\r\n",
        "Content-Length: -5\r\n",
        "Content-Length: +5\r\n",
        "Content-Length: 5, 5\r\n",
        "Content-Length: 99999999999999999999999\r\n",
        "Transfer-Encoding: gzip, chunked\r\n",
        "Transfer-Encoding: identity\r\n",
        "Host: other\r\n",
        "Content-Length : 5\r\n",
        "X(y): 5\r\n",
        "X-Bad: a\x01\r\n",
    };
    struct live live;

    live_start(&live);
    for (size_t i = 0; i < ARRAY_LEN(HEADERS); i++) {
        AUTO(answer_done) struct answer answer;
        struct client client;
        char head[512];

        (void)snprintf(head, sizeof head, "POST /api/echo HTTP/1.1\r\nHost: t\r\n%s\r\n",
                       HEADERS[i]);
        client_open(&client, live.port);
        client_say(&client, head);
        client_say(&client, "5\r\nhello\r\n0\r\n\r\n");
        client_take(&client, false, &answer);
        CHECK_CASE(HEADERS[i], answer.status == 400 || answer.status == 413);
        CHECK_CASE(HEADERS[i], strcmp(answer_header(&answer, "Connection"), "close") == 0);
        client_close(&client);
    }
    live_stop(&live);
}

TEST(a_request_names_its_host)
{
    AUTO(answer_done) struct answer new_, old, chunked;
    struct live live;

    live_start(&live);
    live_ask(&live, "GET /api/item/7 HTTP/1.1\r\n\r\n", &new_);
    CHECK(new_.status == 400);
    CHECK_HAS(new_.body, "the Host header is missing");
    live_ask(&live, "GET /api/item/7 HTTP/1.0\r\n\r\n", &old);
    CHECK(old.status == 200);
    live_ask(&live, "POST /api/echo HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
             &chunked);
    CHECK(chunked.status == 400);
    CHECK_HAS(chunked.body, "in an HTTP/1.0 request");
    live_stop(&live);
}

/* A head with so many bytes of one letter in it. */
static void ask_padded(const struct live *live, const char *before, size_t length,
                       const char *after, struct answer *ret)
{
    AUTO(str_done) struct str head = {.bytes_max = LIVE_BYTES_MAX};

    str_add(&head, before);
    for (size_t i = 0; i < length; i++)
        str_add_char(&head, 'x');
    str_add(&head, after);
    live_ask(live, head.text, ret);
}

TEST(heads_are_bounded)
{
    static const char HEADER[] = "GET /api/item/7 HTTP/1.1\r\nHost: t\r\nX-Long: ";
    static const char TARGET[] = "GET /api/item/", REST[] = " HTTP/1.1\r\nHost: t\r\n\r\n";
    static const struct {
        const char *before, *after;
        size_t length;
        int status;
        const char *body; /* "": MHD's own page */
    } CASES[] = {
        {HEADER, "\r\n\r\n", HTTP_HEAD_BYTES_MAX - 100, 200, "\"id\":7"},
        {HEADER, "\r\n\r\n", HTTP_HEAD_BYTES_MAX, 431, "bytes of the head are more than"},
        {HEADER, "\r\n\r\n", 200000, 431, ""},
        {TARGET, REST, HTTP_HEAD_BYTES_MAX + 1, 414, "target_too_long"},
        {TARGET, REST, 200000, 414, ""},
    };
    AUTO(str_done) struct str head = {.bytes_max = LIVE_BYTES_MAX};
    AUTO(answer_done) struct answer many;
    struct live live;

    live_start(&live);
    for (size_t i = 0; i < ARRAY_LEN(CASES); i++) {
        AUTO(answer_done) struct answer answer;

        ask_padded(&live, CASES[i].before, CASES[i].length, CASES[i].after, &answer);
        CHECK_CASE(CASES[i].body, answer.status == CASES[i].status);
        CHECK_CASE(CASES[i].body, strstr(answer.body, CASES[i].body) != NULL);
    }
    str_add(&head, "GET /api/item/7 HTTP/1.1\r\nHost: t\r\n");
    for (int i = 0; i < 150; i++)
        str_addf(&head, "X-%d: y\r\n", i);
    str_add(&head, "\r\n");
    live_ask(&live, head.text, &many);
    CHECK(many.status == 431);
    CHECK_HAS(many.body, "head_too_large");
    live_stop(&live);
}

TEST(silent_clients_are_let_go)
{
    static const char *const STARTS[] = {
        "", "GET /api/it", "GET /api/item/7 HTTP/1.1\r\nHos",
        "POST /api/echo HTTP/1.1\r\nHost: t\r\nContent-Length: 100\r\n\r\nhalf"};
    struct client clients[ARRAY_LEN(STARTS)];
    struct live live;
    int64_t started_ms;

    live_start_with(&live, (struct http_options){.idle_s_max = 1});
    started_ms = clock_mono_ms();
    for (size_t i = 0; i < ARRAY_LEN(STARTS); i++) {
        client_open(&clients[i], live.port);
        client_say(&clients[i], STARTS[i]);
    }
    for (size_t i = 0; i < ARRAY_LEN(STARTS); i++) {
        while (client_more(&clients[i])) {
        }
        client_close(&clients[i]);
    }
    CHECK(clock_mono_ms() - started_ms < 8000);
    live_stop(&live);
}

/* A byte now and then, after some text: the connection is not kept for that. */
static void check_drops(const struct http_options *options, const char *before)
{
    struct client client;
    struct live live;
    int64_t started_ms;
    bool open = true;

    live_start_with(&live, *options);
    started_ms = clock_mono_ms();
    client_open(&client, live.port);
    client_say(&client, before);
    while (open && clock_mono_ms() - started_ms < 8000) {
        struct pollfd wait = {.fd = client.fd, .events = POLLIN};

        (void)send(client.fd, "x", 1, MSG_NOSIGNAL);
        open = poll(&wait, 1, 50) == 0;
    }
    CHECK(!open);
    client_close(&client);
    live_stop(&live);
}

TEST(an_upload_by_drops_is_let_go)
{
    check_drops(&(struct http_options){.upload_s_max = 1},
                "POST /api/echo HTTP/1.1\r\nHost: t\r\nContent-Length: 90000\r\n\r\n");
}

TEST(a_head_by_drops_is_let_go)
{
    check_drops(&(struct http_options){.head_s_max = 1}, "GET /api/item/7 HTTP/1.1\r\nX-Slow: ");
}

/* A head is timed anew after each answer. */
TEST(a_connection_that_asks_again_is_kept)
{
    struct client client;
    struct live live;
    int64_t until_ms;

    live_start_with(&live, (struct http_options){.head_s_max = 1});
    client_open(&client, live.port);
    for (until_ms = clock_mono_ms() + 3500; clock_mono_ms() < until_ms; clock_sleep_ms(200)) {
        client_say(&client, "GET /api/item/7 HTTP/1.1\r\nHost: t\r\n\r\n");
        CHECK(client_more(&client));
    }
    client_close(&client);
    live_stop(&live);
}

/* Half of them begin as a request does, so the damage is not always in the first line. */
static size_t make_rubbish(struct rng *rng, char *ret, size_t length_max)
{
    static const char *const STARTS[] = {
        "",
        "GET /api/item/7 HTTP/1.1\r\nHost: t\r\n",
        "POST /api/echo HTTP/1.1\r\nHost: t\r\n",
        "POST /api/echo HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\n",
        ("POST /api/body HTTP/1.1\r\nHost: t\r\nContent-Type: application/json\r\n"
         "Content-Length: 20\r\n\r\n"),
        "GET /",
        "GET /api/query?",
        "\r\n\r\n"};
    static const char BYTES[] = "\r\n :/%?&={}[]\"0aZ\0\xff\x80\t,;*";
    const char *start = STARTS[rng_below(rng, ARRAY_LEN(STARTS))];
    size_t length = strlen(start);
    size_t end = length + 1 + rng_below(rng, length_max - length - 1);
    bool any = rng_below(rng, 2) == 0;

    (void)memcpy(ret, start, length);
    for (; length < end; length++)
        ret[length] = (char)(any ? (char)rng_below(rng, 256) : BYTES[rng_below(rng, sizeof BYTES)]);
    for (size_t changes = rng_below(rng, 3); changes > 0; changes--)
        ret[rng_below(rng, length)] = (char)rng_below(rng, 256);
    return length;
}

/* Some answer, or the end, or nothing within a moment: MHD waits out its timeout for the rest of a
 * head. */
static void hear(struct client *client)
{
    struct pollfd wait = {.fd = client->fd, .events = POLLIN};

    if (poll(&wait, 1, RUBBISH_WAIT_MS) == 1)
        (void)client_more(client);
}

TEST(rubbish_is_survived)
{
    AUTO(answer_done) struct answer answer;
    struct http_metrics metrics;
    int64_t until_ms;
    struct live live;
    struct rng rng;

    rng_init(&rng, 7);
    live_start_with(&live, (struct http_options){.idle_s_max = 1});
    for (int i = 0; i < RUBBISH_REQUESTS; i++) {
        struct client client;
        char bytes[600];

        client_open(&client, live.port);
        client_send(&client, bytes, make_rubbish(&rng, bytes, sizeof bytes));
        hear(&client);
        client_close(&client);
    }
    live_get(&live, "GET /api/item/7", "", &answer);
    CHECK(answer.status == 200);
    until_ms = clock_mono_ms() + LIVE_WAIT_MS;
    do {
        clock_sleep_ms(10);
        http_server_metrics(live.server, &metrics);
    } while (metrics.in_flight > 0 && clock_mono_ms() < until_ms);
    CHECK(metrics.in_flight == 0);
    CHECK(metrics.requests[5] == 0);
    CHECK(metrics.requests[4] > RUBBISH_REQUESTS / 20);
    live_stop(&live);
}

TEST(connections_are_bounded)
{
    enum { MAX = 4 };
    AUTO(answer_done) struct answer answer;
    struct client clients[MAX + 1];
    struct live live;

    live_start_with(&live, (struct http_options){.connections_max = MAX});
    for (size_t i = 0; i <= MAX; i++)
        client_open(&clients[i], live.port);
    clock_sleep_ms(100);
    for (size_t i = 0; i < MAX; i++)
        client_close(&clients[i]);
    client_say(&clients[MAX], "GET /api/item/7 HTTP/1.1\r\nHost: t\r\n\r\n");
    client_take(&clients[MAX], false, &answer);
    CHECK(answer.status == 200 || answer.status == 0);
    client_close(&clients[MAX]);
    answer_done(&answer);
    live_get(&live, "GET /api/item/7", "", &answer);
    CHECK(answer.status == 200);
    live_stop(&live);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bodies_up_to_the_cap_are_taken),
        cmocka_unit_test(a_refused_short_body_leaves_the_connection_good),
        cmocka_unit_test(a_long_body_is_refused_before_it_is_sent),
        cmocka_unit_test(strangers_upload_nothing),
        cmocka_unit_test(an_expecting_client_is_told_to_go_on),
        cmocka_unit_test(chunked_bodies_are_read_within_the_cap),
        cmocka_unit_test(an_endless_chunked_body_ends_the_connection),
        cmocka_unit_test(gzip_bodies_are_inflated_within_the_cap),
        cmocka_unit_test(all_bodies_together_are_bounded),
        cmocka_unit_test(heads_that_could_be_read_in_two_ways_are_refused),
        cmocka_unit_test(a_request_names_its_host),
        cmocka_unit_test(heads_are_bounded),
        cmocka_unit_test(silent_clients_are_let_go),
        cmocka_unit_test(an_upload_by_drops_is_let_go),
        cmocka_unit_test(a_head_by_drops_is_let_go),
        cmocka_unit_test(a_connection_that_asks_again_is_kept),
        cmocka_unit_test(rubbish_is_survived),
        cmocka_unit_test(connections_are_bounded),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
