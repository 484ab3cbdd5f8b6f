/* The cookie's attributes, and who may change things with it. */
#include "check.h"

#include "base/arena.h"
#include "http/reply.h"
#include "http/request.h"
#include "http/session.h"

static struct arena arena;
static struct request req;
static struct reply reply;

static int setup(UNUSED void **state)
{
    arena_init(&arena, 1 << 20);
    request_init(&req, &arena);
    reply_init(&reply, &arena);
    return 0;
}

static int teardown(UNUSED void **state)
{
    reply_done(&reply);
    request_done(&req);
    arena_done(&arena);
    return 0;
}

TEST(cookies_are_kept_from_scripts_and_other_sites)
{
    session_set(&req, &reply, "c2VjcmV0", 3600);
    CHECK_STR(reply.headers[0].name, "Set-Cookie");
    CHECK_STR(reply.headers[0].value, "pairwatch_session=c2VjcmV0; Path=/; Max-Age=3600; HttpOnly; "
                                      "SameSite=Strict");
    req.tls = true;
    session_clear(&req, &reply);
    CHECK_STR(reply.headers[1].value,
              "pairwatch_session=; Path=/; Max-Age=0; HttpOnly; SameSite=Strict; Secure");
    CHECK_ABORTS(session_set(&req, &reply, "a; Domain=evil", 1));
}

TEST(secrets_are_plain_text)
{
    static const struct {
        const char *cookie, *secret;
    } CASES[] = {
        {"pairwatch_session=c2VjcmV0", "c2VjcmV0"},
        {"x=1; pairwatch_session=A-_9", "A-_9"},
        {"pairwatch_session=", NULL},
        {"pairwatch_session=a b", NULL},
        {"pairwatch_session=\"a\"", NULL},
        {"pairwatch_session=a; pairwatch_session=b", NULL},
        {"PAIRWATCH_SESSION=a", NULL},
    };

    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        const struct name_value headers[] = {{"Cookie", CASES[i].cookie}, {NULL, NULL}};
        const char *secret;

        req.headers = headers;
        secret = session_secret(&req);
        CHECK_CASE(CASES[i].cookie, (secret == NULL) == (CASES[i].secret == NULL));
        if (secret != NULL)
            CHECK_STR(secret, CASES[i].secret);
    }
}

TEST(forged_changes_are_refused)
{
    const char *good = session_csrf_token(&arena, "c2VjcmV0");
    const char *other = session_csrf_token(&arena, "b3RoZXI");
    const struct {
        const char *name, *method, *session, *token, *site;
        enum err_code code;
    } cases[] = {
        {"a read", "GET", "1", NULL, "cross-site", ERR_NONE},
        {"a head", "HEAD", "1", NULL, NULL, ERR_NONE},
        {"a change with the token", "POST", "1", good, NULL, ERR_NONE},
        {"the same from the same origin", "PATCH", "1", good, "same-origin", ERR_NONE},
        {"no token", "POST", "1", NULL, NULL, ERR_FORBIDDEN},
        {"another session's token", "POST", "1", other, NULL, ERR_FORBIDDEN},
        {"an empty token", "DELETE", "1", "", NULL, ERR_FORBIDDEN},
        {"another site, with the token", "POST", "1", good, "cross-site", ERR_FORBIDDEN},
        {"a sibling site", "PUT", "1", good, "same-site", ERR_FORBIDDEN},
        {"signing in from another site", "POST", NULL, NULL, "cross-site", ERR_FORBIDDEN},
        {"signing in", "POST", NULL, NULL, "same-origin", ERR_NONE},
        {"a playbook", "POST", NULL, NULL, NULL, ERR_NONE},
    };
    struct err err = {.text = ""};

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct name_value headers[4] = {{"Cookie", "pairwatch_session=c2VjcmV0"}};
        size_t count = 1;

        if (cases[i].token != NULL)
            headers[count++] = (struct name_value){"X-CSRF-Token", cases[i].token};
        if (cases[i].site != NULL)
            headers[count++] = (struct name_value){"Sec-Fetch-Site", cases[i].site};
        req.headers = headers;
        req.method = cases[i].method;
        req.session_id = cases[i].session;
        CHECK_CASE(cases[i].name, session_check_forgery(&req, &err) == cases[i].code);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(cookies_are_kept_from_scripts_and_other_sites, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(secrets_are_plain_text, setup, teardown),
        cmocka_unit_test_setup_teardown(forged_changes_are_refused, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
