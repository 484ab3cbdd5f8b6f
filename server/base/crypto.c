/* OpenSSL 3. A failure of the library itself (out of memory, no provider) is no input's fault and
 * ends the program; what depends on input returns. */
#include "base/crypto.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>
#include <string.h>

#include "base/arena.h"
#include "base/str.h"

void sha256_of(const void *bytes, size_t length, uint8_t ret[static SHA256_BYTES])
{
    ASSERT(EVP_Digest(bytes, length, ret, NULL, EVP_sha256(), NULL) == 1);
}

/* An EVP_MD_CTX under another name, so that the library's header stays here. */
struct sha256 *sha256_new(void)
{
    EVP_MD_CTX *context = EVP_MD_CTX_new();

    ASSERT(context != NULL && EVP_DigestInit_ex(context, EVP_sha256(), NULL) == 1);
    return (struct sha256 *)context;
}

void sha256_add(struct sha256 *sha, const void *bytes, size_t length)
{
    ASSERT(EVP_DigestUpdate((EVP_MD_CTX *)sha, bytes, length) == 1);
}

void sha256_end(struct sha256 *sha, uint8_t ret[static SHA256_BYTES])
{
    ASSERT(EVP_DigestFinal_ex((EVP_MD_CTX *)sha, ret, NULL) == 1);
    EVP_MD_CTX_free((EVP_MD_CTX *)sha);
}

void sha256_hex(const void *bytes, size_t length, char ret[static SHA256_HEX_BYTES])
{
    uint8_t digest[SHA256_BYTES];

    sha256_of(bytes, length, digest);
    hex_encode(digest, sizeof digest, ret);
}

void hmac_sha256(const void *key, size_t key_length, const void *bytes, size_t length,
                 uint8_t ret[static SHA256_BYTES])
{
    ASSERT(key_length <= INT32_MAX);
    ASSERT(HMAC(EVP_sha256(), key, (int)key_length, bytes, length, ret, NULL) != NULL);
}

void md5_hex(const void *bytes, size_t length, char ret[static MD5_HEX_BYTES])
{
    uint8_t digest[(MD5_HEX_BYTES - 1) / 2];

    ASSERT(EVP_Digest(bytes, length, digest, NULL, EVP_md5(), NULL) == 1);
    hex_encode(digest, sizeof digest, ret);
}

void random_bytes(void *ret, size_t length)
{
    ASSERT(length <= INT32_MAX && RAND_bytes(ret, (int)length) == 1);
}

uint64_t random_u64(void)
{
    uint64_t value;

    random_bytes(&value, sizeof value);
    return value;
}

void hex_encode(const void *bytes, size_t length, char *ret)
{
    static const char DIGITS[] = "0123456789abcdef";
    const uint8_t *at = bytes;

    for (size_t i = 0; i < length; i++) {
        ret[2 * i] = DIGITS[at[i] >> 4];
        ret[2 * i + 1] = DIGITS[at[i] & 15];
    }
    ret[2 * length] = '\0';
}

static const char BASE64URL[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

char *base64url_encode(struct arena *arena, const void *bytes, size_t length)
{
    const uint8_t *at = bytes;
    char *text = arena_alloc(arena, length / 3 * 4 + 5);
    size_t to = 0;

    for (size_t i = 0; i < length; i += 3) {
        size_t left = length - i < 3 ? length - i : 3;
        uint32_t group = (uint32_t)at[i] << 16;

        if (left > 1)
            group |= (uint32_t)at[i + 1] << 8;
        if (left > 2)
            group |= at[i + 2];
        for (size_t c = 0; c <= left; c++)
            text[to++] = BASE64URL[group >> (18 - 6 * c) & 63];
    }
    text[to] = '\0';
    return text;
}

bool base64url_decode(struct arena *arena, const char *text, uint8_t **ret, size_t *ret_length)
{
    size_t length = strlen(text), to = 0;
    uint8_t *bytes = arena_alloc(arena, length / 4 * 3 + 3);
    uint32_t group = 0;
    int bits = 0;

    if (length % 4 == 1)
        return false;
    for (; *text != '\0'; text++) {
        const char *digit = strchr(BASE64URL, *text);

        if (digit == NULL)
            return false;
        group = (group << 6 | (uint32_t)(digit - BASE64URL)) & 0xffffff;
        bits += 6;
        if (bits >= 8) {
            bits -= 8;
            bytes[to++] = (uint8_t)(group >> bits);
        }
    }
    if ((group & ((1U << bits) - 1)) != 0)
        return false;
    *ret = bytes;
    *ret_length = to;
    return true;
}

bool bytes_equal_secret(const void *a, const void *b, size_t length)
{
    return CRYPTO_memcmp(a, b, length) == 0;
}
