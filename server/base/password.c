/* Password hashes: "scrypt$LOG2N$R$P$SALT$HASH", parameters beside the hash so that they can be
 * raised later. About 0.2 s and 32 MiB each: callers bound how many run at once. */
#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>

#include "base/arena.h"
#include "base/crypto.h"
#include "base/str.h"

enum {
    SCRYPT_LOG2_N = 15,
    SCRYPT_R = 8,
    SCRYPT_P = 1,
    SCRYPT_LOG2_N_MAX = 18, /* with r = 16 a stored hash asks for 512 MiB at most */
    SCRYPT_R_MAX = 16,
    SCRYPT_P_MAX = 4,
    SALT_BYTES = 16,
    HASH_BYTES = 32,
    PASSWORD_BYTES_MAX = 1024,
    PASSWORD_ARENA_BYTES = 4096,
};

struct scrypt {
    int64_t log2_n, r, p;
    uint8_t *salt, *hash;
    size_t salt_length, hash_length;
};

static enum err_code derive(const char *password, const struct scrypt *s,
                            uint8_t ret[static HASH_BYTES], struct err *err)
{
    uint64_t memory_max = (UINT64_C(1) << s->log2_n) * (uint64_t)s->r * 128 * 2 + (1 << 20);

    if (strlen(password) > PASSWORD_BYTES_MAX)
        return err_set(err, ERR_INVALID, "the password is longer than %d bytes",
                       PASSWORD_BYTES_MAX);
    if (EVP_PBE_scrypt(password, strlen(password), s->salt, s->salt_length,
                       UINT64_C(1) << s->log2_n, (uint64_t)s->r, (uint64_t)s->p, memory_max, ret,
                       HASH_BYTES) != 1)
        return err_set(err, ERR_INTERNAL, "hashing a password: scrypt failed");
    return ERR_NONE;
}

enum err_code password_hash(const char *password, char ret[static PASSWORD_HASH_BYTES],
                            struct err *err)
{
    AUTO(arena_done) struct arena arena = {0};
    uint8_t salt[SALT_BYTES], hash[HASH_BYTES];
    struct scrypt s = {SCRYPT_LOG2_N, SCRYPT_R, SCRYPT_P, salt, hash, SALT_BYTES, HASH_BYTES};

    arena_init(&arena, PASSWORD_ARENA_BYTES);
    random_bytes(salt, sizeof salt);
    TRY(derive(password, &s, hash, err));
    (void)snprintf(ret, PASSWORD_HASH_BYTES, "scrypt$%d$%d$%d$%s$%s", SCRYPT_LOG2_N, SCRYPT_R,
                   SCRYPT_P, base64url_encode(&arena, salt, sizeof salt),
                   base64url_encode(&arena, hash, sizeof hash));
    return ERR_NONE;
}

/* The text up to the next '$' or the end; moves past it. NULL when there is nothing. */
static const char *next_part(struct arena *arena, const char **at)
{
    size_t length = strcspn(*at, "$");
    const char *part = length > 0 ? arena_strndup(arena, *at, length) : NULL;

    *at += length;
    if (**at == '$')
        (*at)++;
    return part;
}

static bool read_number(const char *part, int64_t max, int64_t *ret)
{
    return part != NULL && str_to_i64(part, ret) && *ret >= 1 && *ret <= max;
}

static bool read_hash(struct arena *arena, const char *text, struct scrypt *ret)
{
    const char *salt, *hash;

    if (str_ends(text, "$") || !str_equal(next_part(arena, &text), "scrypt") ||
        !read_number(next_part(arena, &text), SCRYPT_LOG2_N_MAX, &ret->log2_n) ||
        !read_number(next_part(arena, &text), SCRYPT_R_MAX, &ret->r) ||
        !read_number(next_part(arena, &text), SCRYPT_P_MAX, &ret->p))
        return false;
    salt = next_part(arena, &text);
    hash = next_part(arena, &text);
    return salt != NULL && hash != NULL && *text == '\0' &&
           base64url_decode(arena, salt, &ret->salt, &ret->salt_length) &&
           base64url_decode(arena, hash, &ret->hash, &ret->hash_length) &&
           ret->hash_length == HASH_BYTES;
}

enum err_code password_verify(const char *password, const char *hash, struct err *err)
{
    AUTO(arena_done) struct arena arena = {0};
    struct scrypt s = {0};
    uint8_t derived[HASH_BYTES];

    if (strlen(hash) >= PASSWORD_HASH_BYTES)
        return err_set(err, ERR_CORRUPT, "the stored password hash is not one of ours");
    arena_init(&arena, PASSWORD_ARENA_BYTES);
    if (!read_hash(&arena, hash, &s))
        return err_set(err, ERR_CORRUPT, "the stored password hash is not one of ours");
    TRY(derive(password, &s, derived, err));
    if (!bytes_equal_secret(derived, s.hash, HASH_BYTES))
        return err_set(err, ERR_UNAUTHORIZED, "the password does not match");
    return ERR_NONE;
}
