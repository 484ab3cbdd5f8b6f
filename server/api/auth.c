/* Who is asking: an API token, a browser's session, or nobody.
 * A secret is compared by its SHA-256, looked up in the database: what is stored cannot be used to
 * sign in, and the time of a look-up tells nothing of the secret. */
#include <string.h>
#include <strings.h>

#include "api/app.h"
#include "api/auth.h"
#include "base/arena.h"
#include "base/clock.h"
#include "base/crypto.h"
#include "base/log.h"
#include "base/str.h"
#include "http/session.h"
#include "store/session.h"
#include "store/token.h"
#include "store/writer.h"

enum { BEARER_BYTES_MAX = 256 };
/* Who has to choose a password may sign in and out, see the session and do it; nothing else. */
static const char SESSION_PATH[] = "/api/v1/session";

static enum err_code refuse(struct err *err)
{
    return err_set(err, ERR_UNAUTHORIZED, "the token is not known, has expired or was revoked");
}

/* Best effort: a token works also when the writer is busy. */
static void note_use(const struct request *req, const struct token *token, int64_t now_ms)
{
    struct token_used_job job = {.id = token->id, .now_ms = now_ms};
    struct err err = {0};

    if (token->last_used != FIELD_NULL_INT && token->last_used > now_ms - TOKEN_USED_EVERY_MS)
        return;
    if (writer_run(app_of(req)->writer, token_used_job_run, &job, &err) != ERR_NONE)
        log_debug("a token's use was not noted", "error=%s", log_quote(err.text));
}

static enum err_code check_token(struct request *req, const char *secret, struct err *err)
{
    uint8_t digest[SHA256_BYTES];
    struct token token;
    struct db *db;
    int64_t now_ms = clock_now_ms();
    enum err_code code;

    if (!str_starts(secret, TOKEN_PREFIX) || strlen(secret) > BEARER_BYTES_MAX)
        return refuse(err);
    sha256_of(secret, strlen(secret), digest);
    TRY(app_db(req, &db, err));
    code = token_by_digest(db, req->arena, digest, now_ms, &token, err);
    if (code == ERR_NOT_FOUND)
        return refuse(err);
    TRY(code);
    req->role = (enum role)token.role;
    req->actor = arena_printf(req->arena, "token:%s", token.name);
    note_use(req, &token, now_ms);
    return ERR_NONE;
}

/* A session that is over makes a caller nobody, so that a browser can still sign in. */
static enum err_code check_session(struct request *req, const char *secret, struct err *err)
{
    uint8_t digest[SHA256_BYTES];
    struct session_row session;
    struct db *db;
    enum err_code code;

    sha256_of(secret, strlen(secret), digest);
    TRY(app_db(req, &db, err));
    code = session_get(db, req->arena, digest, clock_now_ms(), &session, err);
    if (code == ERR_NOT_FOUND)
        return ERR_NONE;
    TRY(code);
    req->role = (enum role)session.role;
    req->user_id = session.user_id;
    req->actor = arena_printf(req->arena, "user:%s", session.name);
    req->session_id = secret;
    if (session.must_change_password != 0 && !str_starts(req->path, SESSION_PATH))
        return err_set(err, ERR_FORBIDDEN,
                       "the password was made for one sign-in: choose your own first, by PUT "
                       "/api/v1/session/password");
    return ERR_NONE;
}

enum err_code app_authenticate(struct request *req, struct err *err)
{
    static const char BEARER[] = "Bearer ";
    const char *header = request_header(req, "Authorization");
    const char *key = request_header(req, "X-Api-Key");
    const char *secret;

    if (header != NULL) {
        if (strncasecmp(header, BEARER, sizeof BEARER - 1) != 0) /* RFC 9110 section 11.1 */
            return err_set(err, ERR_UNAUTHORIZED, "Authorization must be Bearer and an API token");
        return check_token(req, header + sizeof BEARER - 1, err);
    }
    if (key != NULL) /* what EventBridge sends: it knows no other way to show a token */
        return check_token(req, key, err);
    secret = session_secret(req);
    return secret != NULL ? check_session(req, secret, err) : ERR_NONE;
}

const char *auth_secret_new(struct arena *arena, const char *prefix, uint8_t ret_digest[static 32])
{
    uint8_t bytes[SECRET_BYTES];
    const char *secret;

    random_bytes(bytes, sizeof bytes);
    secret = arena_printf(arena, "%s%s", prefix, base64url_encode(arena, bytes, sizeof bytes));
    sha256_of(secret, strlen(secret), ret_digest);
    return secret;
}
