#pragma once
/* The browser's session cookie and the guard against requests forged by other sites. The secret in
 * the cookie is the program's: it makes it, stores its digest and ends it. Any thread. */
#include "base/err.h"
#include <stdint.h>

struct arena;
struct reply;
struct request;

#define SESSION_COOKIE "pairwatch_session"
enum { SESSION_SECRET_BYTES_MAX = 128 };

/* The secret of the request's cookie; NULL without one, or when it is not base64url text. */
const char *session_secret(struct request *req);
/* HttpOnly, SameSite=Strict, and Secure when the request came over TLS. */
void session_set(const struct request *req, struct reply *reply, const char *secret,
                 int64_t max_age_s);
void session_clear(const struct request *req, struct reply *reply);

/* What the session's own pages send as X-CSRF-Token: a digest keyed with the secret, so nothing is
 * stored and another site, which cannot read the cookie, cannot make it. */
const char *session_csrf_token(struct arena *arena, const char *secret);
/* The HTTP layer calls this for every request, after the authenticator. ERR_FORBIDDEN for an unsafe
 * method that another site's page sent (Sec-Fetch-Site), or that a session (req->session_id) sent
 * without its token. */
NODISCARD enum err_code session_check_forgery(struct request *req, struct err *err);
