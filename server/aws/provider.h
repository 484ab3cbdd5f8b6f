#pragma once
/* The places keys come from. Each function: ERR_NONE with *ret NULL = the place does not apply
 * here; a failure = it applies and did not give any. */
#include "aws/credentials.h"

struct arena;

struct provider {
    struct http_link *http;
    const struct credentials_options *options;
};
NODISCARD enum err_code provider_environment(const struct provider *, struct keys **ret,
                                             struct err *err);
NODISCARD enum err_code provider_web_identity(const struct provider *, struct keys **ret,
                                              struct err *err);
NODISCARD enum err_code provider_profile(const struct provider *, struct keys **ret,
                                         struct err *err);
NODISCARD enum err_code provider_container(const struct provider *, struct keys **ret,
                                           struct err *err);
NODISCARD enum err_code provider_instance(const struct provider *, struct keys **ret,
                                          struct err *err);

/* STS. */
struct assume {
    const char *role;
    const char *session; /* NULL = "pairwatch" */
    const char *external_id, *duration;
    const char *token_file; /* of a web identity: unsigned; NULL = with source */
    const struct keys *source;
};
NODISCARD enum err_code sts_assume(const struct provider *, const struct assume *assume,
                                   struct keys **ret, struct err *err);

/* {"AccessKeyId", "SecretAccessKey", token under token_name, "Expiration"}. what names the place.
 */
NODISCARD enum err_code keys_from_json(const char *text, size_t length, const char *token_name,
                                       const char *what, struct keys **ret, struct err *err);
/* A small file whole, without the line end; ERR_IO, ERR_TOO_LARGE. */
NODISCARD enum err_code token_file_read(const char *path, struct arena *arena, const char **ret,
                                        struct err *err);
