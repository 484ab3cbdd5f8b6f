/* Cookie text and the forgery check. */
#include "http/session.h"

#include "base/arena.h"
#include "base/crypto.h"
#include "http/reply.h"
#include "http/request.h"

#include <inttypes.h>
#include <string.h>

static const char CSRF_LABEL[] = "pairwatch csrf token";
static const char BASE64URL[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

const char *session_secret(struct request *req)
{
    const char *secret = request_cookie(req, SESSION_COOKIE);
    size_t length = secret != NULL ? strlen(secret) : 0;

    if (length == 0 || length > SESSION_SECRET_BYTES_MAX || strspn(secret, BASE64URL) != length)
        return NULL;
    return secret;
}

void session_set(const struct request *req, struct reply *reply, const char *secret,
                 int64_t max_age_s)
{
    ASSERT(strspn(secret, BASE64URL) == strlen(secret));
    reply_header(reply, "Set-Cookie",
                 "%s=%s; Path=/; Max-Age=%" PRId64 "; HttpOnly; SameSite=Strict%s", SESSION_COOKIE,
                 secret, max_age_s, req->tls ? "; Secure" : "");
}

void session_clear(const struct request *req, struct reply *reply)
{
    session_set(req, reply, "", 0);
}

const char *session_csrf_token(struct arena *arena, const char *secret)
{
    uint8_t digest[SHA256_BYTES];

    hmac_sha256(secret, strlen(secret), CSRF_LABEL, sizeof CSRF_LABEL - 1, digest);
    return base64url_encode(arena, digest, sizeof digest);
}

static bool is_safe(const char *method)
{
    return strcmp(method, "GET") == 0 || strcmp(method, "HEAD") == 0 ||
           strcmp(method, "OPTIONS") == 0;
}

enum err_code session_check_forgery(struct request *req, struct err *err)
{
    const char *site = request_header(req, "Sec-Fetch-Site");
    const char *token = request_header(req, "X-CSRF-Token");
    const char *secret, *wanted;

    if (is_safe(req->method))
        return ERR_NONE;
    if (site != NULL && strcmp(site, "same-origin") != 0 && strcmp(site, "none") != 0)
        return err_set(err, ERR_FORBIDDEN, "a page of another site sent this request");
    if (req->session_id == NULL)
        return ERR_NONE;
    secret = session_secret(req);
    if (secret == NULL || token == NULL)
        return err_set(err, ERR_FORBIDDEN, "a signed-in browser must send X-CSRF-Token");
    wanted = session_csrf_token(req->arena, secret);
    if (strlen(token) != strlen(wanted) || !bytes_equal_secret(token, wanted, strlen(wanted)))
        return err_set(err, ERR_FORBIDDEN, "X-CSRF-Token is not that of this session");
    return ERR_NONE;
}
