/* The bound on password hashing. */
#include "api/passwords.h"

#include "api/app.h"
#include "base/crypto.h"

static enum err_code enter(struct app *app, struct err *err)
{
    if (atomic_fetch_add(&app->password_checks, 1) < PASSWORD_CHECKS_MAX)
        return ERR_NONE;
    atomic_fetch_sub(&app->password_checks, 1);
    return err_set(err, ERR_BUSY, "other passwords are being checked; try again in a moment");
}

static void leave(struct app *app)
{
    atomic_fetch_sub(&app->password_checks, 1);
}

enum err_code password_check(struct app *app, const char *password, const char *hash,
                             struct err *err)
{
    enum err_code code;

    TRY(enter(app, err));
    code = password_verify(password, hash != NULL ? hash : app->dummy_hash, err);
    leave(app);
    if (hash == NULL || code == ERR_UNAUTHORIZED)
        return err_set(err, ERR_UNAUTHORIZED, "name or password is wrong");
    return code;
}

enum err_code password_make(struct app *app, const char *password, char *ret, struct err *err)
{
    enum err_code code;

    TRY(enter(app, err));
    code = password_hash(password, ret, err);
    leave(app);
    return code;
}
