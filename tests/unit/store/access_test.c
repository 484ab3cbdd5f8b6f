/* Users, sessions and tokens. */
#include "fixture.h"

#include "base/crypto.h"
#include "store/session.h"
#include "store/token.h"
#include "store/user.h"

enum { READ = 2, TRIAGE = 3, ADMIN = 4 };

static enum err_code new_user(const char *name, int64_t role)
{
    struct user_create_job job = {.actor = "cli",
                                  .now_ms = T0,
                                  .name = name,
                                  .password_hash = "scrypt$of it",
                                  .role = role,
                                  .must_change_password = true};

    return run_job(user_create_job_run, &job);
}

static struct user user_now(const char *name)
{
    struct user user;

    CHECK_OK(user_by_name(store.reader, &store.arena, name, &user, &err));
    return user;
}

static struct user_update_job update_of(const char *name)
{
    return (struct user_update_job){
        .actor = "user:root", .now_ms = T0, .name = name, .role = -1, .disabled = -1};
}

static void digest_of(const char *secret, uint8_t ret[static 32])
{
    sha256_of(secret, strlen(secret), ret);
}

static void sign_in(const char *secret, const char *user, int64_t expires_ms)
{
    struct session_create_job job = {
        .user_id = user_now(user).id, .csrf = "csrf", .now_ms = T0, .expires_ms = expires_ms};

    digest_of(secret, job.digest);
    CHECK_OK(run_job(session_create_job_run, &job));
}

static enum err_code session_of(const char *secret, int64_t now_ms, struct session_row *ret)
{
    uint8_t digest[32];

    digest_of(secret, digest);
    return session_get(store.reader, &store.arena, digest, now_ms, ret, &err);
}

static struct change last_change(void)
{
    struct change_list list;
    int64_t seq;

    CHECK_OK(change_last_seq(store.reader, &seq, &err));
    CHECK_OK(change_list(store.reader, &store.arena, seq - 1, 1, &list, &err));
    return list.items[0];
}

TEST(a_user_is_made_once_and_it_is_told)
{
    struct user user;
    struct user_list list;
    int64_t count;

    CHECK_OK(new_user("bob", READ));
    CHECK_OK(new_user("ann", TRIAGE));
    user = user_now("ann");
    CHECK(user.role == TRIAGE && user.disabled == 0 && user.must_change_password == 1);
    CHECK(user.created == T0 && user.last_sign_in == FIELD_NULL_INT);
    CHECK_STR(user.password_hash, "scrypt$of it");
    CHECK(last_change().kind == CHANGE_USER_CREATED);
    CHECK_STR(last_change().body, "{\"name\":\"ann\",\"role\":\"triage\"}");
    CHECK_ERR(ERR_CONFLICT, new_user("ann", READ));
    CHECK_HAS(err.text, "\"ann\"");
    CHECK_ERR(ERR_NOT_FOUND, user_by_name(store.reader, &store.arena, "eve", &user, &err));
    CHECK_OK(user_list(store.reader, &store.arena, &list, &err));
    CHECK(list.count == 2);
    CHECK_STR(list.items[0].name, "ann");
    CHECK_OK(user_count(store.reader, &count, &err));
    CHECK(count == 2);
}

TEST(the_first_user_is_made_only_when_there_is_none)
{
    struct user_create_job job = {.actor = "serve",
                                  .now_ms = T0,
                                  .name = "admin",
                                  .password_hash = "x",
                                  .role = ADMIN,
                                  .only_first = true};

    CHECK_OK(run_job(user_create_job_run, &job));
    job.name = "admin2";
    CHECK_ERR(ERR_CONFLICT, run_job(user_create_job_run, &job));
}

TEST(no_change_tells_a_secret)
{
    struct user_update_job update = update_of("ann");
    struct token_create_job token = {.actor = "user:root",
                                     .now_ms = T0,
                                     .name = "soar",
                                     .role = READ,
                                     .prefix = "pw_abcd",
                                     .expires_ms = FIELD_NULL_INT};
    const char *const kinds = "SELECT COUNT(*) FROM change WHERE body LIKE '%scrypt%'"
                              " OR body LIKE '%pw_abcd%'";

    digest_of("secret", token.digest);
    CHECK_OK(new_user("ann", TRIAGE));
    update.password_hash = "scrypt$new";
    CHECK_OK(run_job(user_update_job_run, &update));
    CHECK_STR(last_change().body, "{\"name\":\"ann\",\"changed\":\"password\"}");
    CHECK_OK(run_job(token_create_job_run, &token));
    CHECK_STR(last_change().body, "{\"name\":\"soar\",\"role\":\"read\"}");
    CHECK(sql_int(kinds) == 0);
}

TEST(the_last_administrator_stays)
{
    struct user_update_job update = update_of("ann");

    CHECK_OK(new_user("ann", ADMIN));
    CHECK_OK(new_user("bob", READ));
    update.disabled = 1;
    CHECK_ERR(ERR_CONFLICT, run_job(user_update_job_run, &update));
    CHECK_HAS(err.text, "only administrator: make another one first");
    update = update_of("ann");
    update.role = READ;
    CHECK_ERR(ERR_CONFLICT, run_job(user_update_job_run, &update));
    CHECK_OK(new_user("eve", ADMIN));
    CHECK_OK(run_job(user_update_job_run, &update));
    CHECK(user_now("ann").role == READ);
    update = update_of("eve");
    update.disabled = 1;
    CHECK_ERR(ERR_CONFLICT, run_job(user_update_job_run, &update));
    update.name = "nobody";
    CHECK_ERR(ERR_NOT_FOUND, run_job(user_update_job_run, &update));
}

TEST(a_session_lasts_as_long_as_it_and_its_user)
{
    struct user_update_job update = update_of("ann");
    struct session_row row;

    CHECK_OK(new_user("ann", ADMIN));
    CHECK_OK(new_user("bob", ADMIN));
    sign_in("s1", "ann", T0 + 1000);
    CHECK(user_now("ann").last_sign_in == T0);
    CHECK_OK(session_of("s1", T0, &row));
    CHECK_STR(row.name, "ann");
    CHECK_STR(row.csrf, "csrf");
    CHECK(row.role == ADMIN && row.must_change_password == 1 && row.expires == T0 + 1000);
    CHECK_OK(session_of("s1", T0 + 999, &row));
    CHECK_ERR(ERR_NOT_FOUND, session_of("s1", T0 + 1000, &row));
    CHECK_ERR(ERR_NOT_FOUND, session_of("s2", T0, &row));
    update.disabled = 1;
    CHECK_OK(run_job(user_update_job_run, &update));
    CHECK_ERR(ERR_NOT_FOUND, session_of("s1", T0, &row));
    CHECK(sql_int("SELECT COUNT(*) FROM session") == 0);
    update.disabled = 0; /* what was ended stays ended */
    CHECK_OK(run_job(user_update_job_run, &update));
    CHECK_ERR(ERR_NOT_FOUND, session_of("s1", T0, &row));
}

TEST(a_session_ends_when_it_is_deleted_and_goes_when_it_is_old)
{
    struct session_delete_job job;
    struct session_row row;

    CHECK_OK(new_user("ann", ADMIN));
    sign_in("s1", "ann", T0 + 1000);
    sign_in("old", "ann", T0 - 1);
    digest_of("s1", job.digest);
    CHECK_OK(run_job(session_delete_job_run, &job));
    CHECK_ERR(ERR_NOT_FOUND, session_of("s1", T0, &row));
    CHECK_OK(run_job(session_delete_job_run, &job)); /* twice is once */
    sign_in("s3", "ann", T0 + 1000);                 /* purges */
    CHECK(sql_int("SELECT COUNT(*) FROM session") == 1);
}

TEST(a_new_password_ends_the_other_sessions)
{
    struct user_update_job update = update_of("ann");
    struct session_row row;
    uint8_t keep[32];

    CHECK_OK(new_user("ann", ADMIN));
    CHECK_OK(new_user("bob", READ));
    sign_in("here", "ann", T0 + 1000);
    sign_in("there", "ann", T0 + 1000);
    sign_in("bobs", "bob", T0 + 1000);
    digest_of("here", keep);
    update.password_hash = "scrypt$new";
    update.keep_session = keep;
    CHECK_OK(run_job(user_update_job_run, &update));
    CHECK_OK(session_of("here", T0, &row));
    CHECK(row.must_change_password == 0);
    CHECK_ERR(ERR_NOT_FOUND, session_of("there", T0, &row));
    CHECK_OK(session_of("bobs", T0, &row));
    update.keep_session = NULL;
    CHECK_OK(run_job(user_update_job_run, &update));
    CHECK_ERR(ERR_NOT_FOUND, session_of("here", T0, &row));
}

static struct token_create_job token_of(const char *name, const char *secret)
{
    struct token_create_job job = {.actor = "user:root",
                                   .now_ms = T0,
                                   .name = name,
                                   .role = READ,
                                   .prefix = "pw_abcd",
                                   .expires_ms = FIELD_NULL_INT};

    digest_of(secret, job.digest);
    return job;
}

static enum err_code token_for(const char *secret, int64_t now_ms, struct token *ret)
{
    uint8_t digest[32];

    digest_of(secret, digest);
    return token_by_digest(store.reader, &store.arena, digest, now_ms, ret, &err);
}

TEST(a_token_is_found_by_its_secret_alone)
{
    struct token_create_job job = token_of("soar", "secret");
    struct token token;

    CHECK_OK(run_job(token_create_job_run, &job));
    CHECK_OK(token_for("secret", T0, &token));
    CHECK_STR(token.name, "soar");
    CHECK_STR(token.prefix, "pw_abcd");
    CHECK(token.id == job.id && token.role == READ && token.revoked == 0);
    CHECK(token.expires == FIELD_NULL_INT && token.last_used == FIELD_NULL_INT);
    CHECK_ERR(ERR_NOT_FOUND, token_for("secret ", T0, &token));
    CHECK(sql_int("SELECT COUNT(*) FROM token WHERE instr(digest, 'secret') > 0") == 0);
    job = token_of("soar", "another");
    CHECK_ERR(ERR_CONFLICT, run_job(token_create_job_run, &job));
    CHECK_HAS(err.text, "names are used once");
}

TEST(a_token_expires_and_is_revoked)
{
    struct token_create_job job = token_of("soon", "a"), other = token_of("soar", "b");
    struct token_revoke_job revoke = {.actor = "user:root", .now_ms = T0, .name = "soar"};
    struct token_list list;
    struct token token;

    job.expires_ms = T0 + 1000;
    CHECK_OK(run_job(token_create_job_run, &job));
    CHECK_OK(run_job(token_create_job_run, &other));
    CHECK_OK(token_for("a", T0 + 999, &token));
    CHECK_ERR(ERR_NOT_FOUND, token_for("a", T0 + 1000, &token));
    CHECK_OK(run_job(token_revoke_job_run, &revoke));
    CHECK_STR(last_change().body, "{\"name\":\"soar\"}");
    CHECK_ERR(ERR_NOT_FOUND, token_for("b", T0, &token));
    CHECK_ERR(ERR_NOT_FOUND, run_job(token_revoke_job_run, &revoke));
    revoke = (struct token_revoke_job){.actor = "user:root", .now_ms = T0, .id = job.id};
    CHECK_OK(run_job(token_revoke_job_run, &revoke));
    CHECK_OK(token_list(store.reader, &store.arena, &list, &err));
    CHECK(list.count == 2 && list.items[0].id == other.id && list.items[0].revoked == 1);
}

TEST(a_use_is_noted_once_a_minute)
{
    struct token_create_job job = token_of("soar", "secret");
    struct token_used_job used;
    struct token token;
    static const struct {
        int64_t now_ms, noted_ms;
    } CASES[] = {
        {T0 + 1, T0 + 1},
        {T0 + TOKEN_USED_EVERY_MS, T0 + 1},
        {T0 + 2 + TOKEN_USED_EVERY_MS, T0 + 2 + TOKEN_USED_EVERY_MS},
        {T0, T0 + 2 + TOKEN_USED_EVERY_MS},
    };

    CHECK_OK(run_job(token_create_job_run, &job));
    for (size_t i = 0; i < ARRAY_LEN(CASES); i++) {
        used = (struct token_used_job){.id = job.id, .now_ms = CASES[i].now_ms};
        CHECK_OK(run_job(token_used_job_run, &used));
        CHECK_OK(token_for("secret", T0, &token));
        CHECK(token.last_used == CASES[i].noted_ms);
    }
    CHECK(sql_int("SELECT COUNT(*) FROM change") == 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        STORE_TEST(a_user_is_made_once_and_it_is_told),
        STORE_TEST(the_first_user_is_made_only_when_there_is_none),
        STORE_TEST(no_change_tells_a_secret),
        STORE_TEST(the_last_administrator_stays),
        STORE_TEST(a_session_lasts_as_long_as_it_and_its_user),
        STORE_TEST(a_session_ends_when_it_is_deleted_and_goes_when_it_is_old),
        STORE_TEST(a_new_password_ends_the_other_sessions),
        STORE_TEST(a_token_is_found_by_its_secret_alone),
        STORE_TEST(a_token_expires_and_is_revoked),
        STORE_TEST(a_use_is_noted_once_a_minute),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
