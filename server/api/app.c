/* What is made once for all requests, and once for each HTTP thread. */
#include "api/app.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/crypto.h"
#include "base/log.h"
#include "http/limiter.h"
#include "http/server.h"
#include "store/db.h"

_Static_assert(sizeof((struct app *)0)->dummy_hash == PASSWORD_HASH_BYTES, "room for a hash");

enum err_code app_init(struct app *app, const char *database_url, struct writer *writer,
                       struct err *err)
{
    uint8_t secret[16];
    char password[2 * sizeof secret + 1];

    *app = (struct app){
        .database_url = database_url,
        .version = PAIRWATCH_VERSION,
        .started_ms = clock_now_ms(),
        .writer = writer,
        .sign_ins = limiter_new(SIGN_IN_BURST, SIGN_IN_REFILL_MS),
    };
    random_bytes(secret, sizeof secret);
    hex_encode(secret, sizeof secret, password);
    return password_hash(password, app->dummy_hash, err);
}

void app_done(struct app *app)
{
    limiter_freep(&app->sign_ins);
}

void *app_thread_new(void *app_)
{
    const struct app *app = app_;
    struct db *db = NULL;
    struct err err = {0};

    if (db_open(app->database_url, DB_READ, &db, &err) != ERR_NONE)
        log_error("the database cannot be opened for reading", "error=%s", log_quote(err.text));
    return db;
}

void app_thread_free(void *context)
{
    db_close(context);
}

struct app *app_of(const struct request *req)
{
    return req->app;
}

enum err_code app_db(const struct request *req, struct db **ret, struct err *err)
{
    if (req->thread_context == NULL)
        return err_set(err, ERR_UNAVAILABLE, "the database cannot be read; the log says why");
    *ret = req->thread_context;
    db_deadline(*ret, clock_mono_ms() + QUERY_MS_MAX);
    return ERR_NONE;
}

void app_access_log(void *app, const struct http_access *access)
{
    bool failed = access->status >= 400 && access->error[0] != '\0';

    (void)app;
    log_line(access->status >= 500 ? LOG_LEVEL_WARN : LOG_LEVEL_INFO, "request",
             "method=%s route=%s status=%d ms=%" PRId64 " bytes=%" PRIu64
             " actor=%s remote=%s id=%s%s%s",
             access->method, access->route, access->status, access->ms, access->reply_bytes,
             log_quote(access->actor), log_quote(access->remote), access->id,
             failed ? " error=" : "", failed ? log_quote(access->error) : "");
}
