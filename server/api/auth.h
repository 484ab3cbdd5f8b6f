#pragma once
/* Secrets of callers. app_authenticate itself is declared in app.h. */
#include <stdint.h>

struct arena;

#define TOKEN_PREFIX "pw_"
enum {
    SECRET_BYTES = 32,      /* random ones: 43 letters */
    TOKEN_SHOWN_LENGTH = 9, /* of a secret, to tell tokens apart: 36 of 256 bits */
};

/* A new secret in base64url, prefix and all, and its digest. */
const char *auth_secret_new(struct arena *arena, const char *prefix, uint8_t ret_digest[static 32]);
