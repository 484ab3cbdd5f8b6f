#pragma once
/* OpenSSL ends here: digests, keyed digests, random bytes, password hashes, text encodings.
 * Any thread. */
#include "base/err.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct arena;

enum { SHA256_BYTES = 32, SHA256_HEX_BYTES = 65, MD5_HEX_BYTES = 33, PASSWORD_HASH_BYTES = 192 };

struct sha256; /* a running digest */
struct sha256 *sha256_new(void);
void sha256_add(struct sha256 *sha, const void *bytes, size_t length);
void sha256_end(struct sha256 *sha, uint8_t ret[static SHA256_BYTES]); /* frees sha */
void sha256_of(const void *bytes, size_t length, uint8_t ret[static SHA256_BYTES]);
void sha256_hex(const void *bytes, size_t length, char ret[static SHA256_HEX_BYTES]);
void hmac_sha256(const void *key, size_t key_length, const void *bytes, size_t length,
                 uint8_t ret[static SHA256_BYTES]);

/* Only where a protocol asks for it: the digest of a message's body in SQS. */
void md5_hex(const void *bytes, size_t length, char ret[static MD5_HEX_BYTES]);

void random_bytes(void *ret, size_t length); /* aborts when the system has no randomness */
uint64_t random_u64(void);

void hex_encode(const void *bytes, size_t length, char *ret); /* 2 * length + 1 bytes, lower case */
/* URL-safe base64 without padding (RFC 4648 section 5). */
char *base64url_encode(struct arena *arena, const void *bytes, size_t length);
/* False on any character or length that the encoder would not have produced. */
NODISCARD bool base64url_decode(struct arena *arena, const char *text, uint8_t **ret,
                                size_t *ret_length);

/* Equal in constant time for equal lengths. */
bool bytes_equal_secret(const void *a, const void *b, size_t length);

/* scrypt (RFC 7914), N=2^15 r=8 p=1, 16-byte salt: "scrypt$15$8$1$salt$hash" in base64url. */
NODISCARD enum err_code password_hash(const char *password, char ret[static PASSWORD_HASH_BYTES],
                                      struct err *err);
/* ERR_UNAUTHORIZED when it does not match, ERR_CORRUPT when hash is not one of ours. */
NODISCARD enum err_code password_verify(const char *password, const char *hash, struct err *err);
