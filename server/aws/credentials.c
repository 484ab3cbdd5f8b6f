/* The chain, and keys renewed ahead of their end. */
#include "aws/credentials.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "aws/http.h"
#include "aws/provider.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/own.h"

/* After a renewal failed while the keys still serve. */
enum { RENEW_AGAIN_MS = 60 * 1000 };

struct credentials {
    pthread_mutex_t lock; /* guards what follows; held while keys are fetched */
    struct credentials_options options;
    char *role, *external_id;
    struct http_link *http;
    struct keys *keys; /* NULL before the first get */
    int64_t renew_not_before_ms;
    const char *source;
};

static const struct {
    const char *name;
    enum err_code (*get)(const struct provider *, struct keys **, struct err *);
} PROVIDERS[] = {
    {"environment", provider_environment}, {"web identity", provider_web_identity},
    {"profile", provider_profile},         {"container", provider_container},
    {"instance", provider_instance},
};

struct keys *keys_new(const char *id, const char *secret, const char *token, int64_t expires_ms)
{
    struct keys *keys = own_alloc(sizeof *keys);

    atomic_init(&keys->holders, 1);
    keys->id = own_strdup(id);
    keys->secret = own_strdup(secret);
    keys->token = token != NULL && token[0] != '\0' ? own_strdup(token) : NULL;
    keys->expires_ms = expires_ms;
    return keys;
}

static void wipe(char *text)
{
    if (text != NULL)
        explicit_bzero(text, strlen(text));
    free(text);
}

void keys_drop(struct keys *keys)
{
    if (keys == NULL || atomic_fetch_sub(&keys->holders, 1) > 1)
        return;
    free(keys->id);
    wipe(keys->secret);
    wipe(keys->token);
    free(keys);
}

void keys_dropp(struct keys **keys)
{
    keys_drop(*keys);
    *keys = NULL;
}

void credentials_open(const struct credentials_options *options, struct credentials **ret)
{
    struct credentials *credentials = own_alloc(sizeof *credentials);

    (void)pthread_mutex_init(&credentials->lock, NULL);
    credentials->options = *options;
    if (options->role != NULL)
        credentials->options.role = credentials->role = own_strdup(options->role);
    if (options->external_id != NULL)
        credentials->options.external_id = credentials->external_id =
            own_strdup(options->external_id);
    credentials->source = "";
    http_link_open(&(struct http_link_options){.ca_bundle = options->ca_bundle},
                   &credentials->http);
    *ret = credentials;
}

void credentials_close(struct credentials *credentials)
{
    if (credentials == NULL)
        return;
    keys_drop(credentials->keys);
    http_link_close(credentials->http);
    (void)pthread_mutex_destroy(&credentials->lock);
    free(credentials->role);
    free(credentials->external_id);
    free(credentials);
}

static enum err_code find(struct credentials *credentials, struct keys **ret, struct err *err)
{
    struct provider provider = {credentials->http, &credentials->options};

    for (size_t i = 0; i < ARRAY_LEN(PROVIDERS); i++) {
        enum err_code code = PROVIDERS[i].get(&provider, ret, err);

        if (code != ERR_NONE)
            return err_prefix(err, "AWS credentials (%s)", PROVIDERS[i].name);
        if (*ret == NULL)
            continue;
        credentials->source = PROVIDERS[i].name;
        return ERR_NONE;
    }
    return err_set(err, ERR_UNAUTHORIZED,
                   "no AWS credentials: none in the environment, no web identity, no profile, no "
                   "container and no instance role");
}

static enum err_code fetch(struct credentials *credentials, struct keys **ret, struct err *err)
{
    struct provider provider = {credentials->http, &credentials->options};
    AUTO(keys_dropp) struct keys *own = NULL;

    TRY(find(credentials, &own, err));
    if (credentials->role == NULL) {
        *ret = TAKE(own);
        return ERR_NONE;
    }
    return sts_assume(&provider,
                      &(struct assume){.role = credentials->role,
                                       .external_id = credentials->external_id,
                                       .source = own},
                      ret, err);
}

/* Under the lock. Keys that still serve do so while their renewal fails. */
static enum err_code renew(struct credentials *credentials, struct err *err)
{
    int64_t now_ms = clock_now_ms();
    int64_t left_ms = credentials->keys != NULL && credentials->keys->expires_ms != INT64_MAX
                          ? credentials->keys->expires_ms - now_ms
                          : INT64_MAX;
    struct keys *fresh = NULL;
    enum err_code code;

    if (credentials->keys != NULL &&
        (left_ms > KEYS_RENEW_EARLY_MS ||
         (left_ms > KEYS_RENEW_LATEST_MS && now_ms < credentials->renew_not_before_ms)))
        return ERR_NONE;
    code = fetch(credentials, &fresh, err);
    credentials->renew_not_before_ms = now_ms + RENEW_AGAIN_MS;
    if (code != ERR_NONE && credentials->keys != NULL && left_ms > KEYS_RENEW_LATEST_MS) {
        log_warn("AWS credentials could not be renewed yet", "left_s=%" PRId64 " reason=%s",
                 left_ms / 1000, log_quote(err->text));
        return ERR_NONE;
    }
    if (code != ERR_NONE)
        return code;
    keys_drop(credentials->keys);
    credentials->keys = fresh;
    return ERR_NONE;
}

enum err_code credentials_get(struct credentials *credentials, struct keys **ret, struct err *err)
{
    enum err_code code;

    (void)pthread_mutex_lock(&credentials->lock);
    code = renew(credentials, err);
    if (code == ERR_NONE) {
        (void)atomic_fetch_add(&credentials->keys->holders, 1);
        *ret = credentials->keys;
    }
    (void)pthread_mutex_unlock(&credentials->lock);
    return code;
}

void credentials_refuse(struct credentials *credentials, const struct keys *keys)
{
    (void)pthread_mutex_lock(&credentials->lock);
    if (credentials->keys == keys) {
        keys_drop(credentials->keys);
        credentials->keys = NULL;
    }
    (void)pthread_mutex_unlock(&credentials->lock);
}

const char *credentials_source(struct credentials *credentials)
{
    const char *source;

    (void)pthread_mutex_lock(&credentials->lock);
    source = credentials->source;
    (void)pthread_mutex_unlock(&credentials->lock);
    return source;
}
