#pragma once
/* Keys to sign with, found by the usual chain, renewed ahead of their end:
 *  1. AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN (unless AWS_PROFILE is set)
 *  2. AWS_WEB_IDENTITY_TOKEN_FILE with AWS_ROLE_ARN
 *  3. the profile (AWS_PROFILE or "default") of AWS_SHARED_CREDENTIALS_FILE and AWS_CONFIG_FILE:
 *     role_arn with source_profile or credential_source, web identity, keys, credential_process
 *  4. AWS_CONTAINER_CREDENTIALS_FULL_URI or _RELATIVE_URI (ECS, EKS Pod Identity)
 *  5. the instance's metadata service, version 2 (unless AWS_EC2_METADATA_DISABLED)
 * and, when a role is asked for, that role assumed with them.
 *
 * Keys are immutable and counted: a call keeps the ones it signed with until it is through,
 * whatever is renewed meanwhile. No secret is ever logged or part of an error. Any thread. */
#include "base/err.h"
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct credentials;
struct http_link;
struct endpoint_options;

enum {
    KEY_ID_BYTES_MAX = 256,
    KEY_SECRET_BYTES_MAX = 512,
    KEY_TOKEN_BYTES_MAX = 32 * 1024,
    KEYS_RENEW_EARLY_MS = 15 * 60 * 1000, /* tried from here on; failing, the old ones serve */
    KEYS_RENEW_LATEST_MS = 5 * 60 * 1000, /* from here on a failure is one */
};

struct keys {
    atomic_int holders;
    int64_t expires_ms;        /* INT64_MAX = never */
    char *id, *secret, *token; /* token NULL = none */
};
struct keys *keys_new(const char *id, const char *secret, const char *token, int64_t expires_ms);
void keys_drop(struct keys *keys); /* the last holder wipes and frees */
void keys_dropp(struct keys **keys);

struct credentials_options {
    const char *region; /* for STS */
    const char *role, *external_id;
    const struct endpoint_options *endpoints; /* outlives the credentials */
    const char *ca_bundle;
};
void credentials_open(const struct credentials_options *options, struct credentials **ret);
void credentials_close(struct credentials *credentials);
/* Keys that last beyond the next minutes; the caller drops them. ERR_UNAUTHORIZED names the places
 * that were looked at. One thread renews while the others wait for it. */
NODISCARD enum err_code credentials_get(struct credentials *credentials, struct keys **ret,
                                        struct err *err);
/* The service says these have expired: the next get finds others. */
void credentials_refuse(struct credentials *credentials, const struct keys *keys);
/* Where the keys come from: "environment", "profile default", … "" before the first get. */
const char *credentials_source(struct credentials *credentials);
