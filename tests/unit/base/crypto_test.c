/* Digests against the vectors of their standards; password hashes against values another program
 * made. */
#include "check.h"

#include "base/arena.h"
#include "base/crypto.h"

enum { ARENA_BYTES = 1 << 16 };

TEST(sha256_vectors)
{
    char hex[SHA256_HEX_BYTES], in_parts[SHA256_HEX_BYTES];
    uint8_t digest[SHA256_BYTES];
    struct sha256 *sha = sha256_new();

    sha256_hex("", 0, hex); /* FIPS 180-4 */
    CHECK_STR(hex, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    sha256_hex("abc", 3, hex);
    CHECK_STR(hex, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    sha256_add(sha, "a", 1);
    sha256_add(sha, "", 0);
    sha256_add(sha, "bc", 2);
    sha256_end(sha, digest);
    hex_encode(digest, sizeof digest, in_parts);
    CHECK_STR(in_parts, hex);
}

TEST(hmac_vectors)
{
    char hex[SHA256_HEX_BYTES];
    uint8_t digest[SHA256_BYTES], key[131];

    hmac_sha256("Jefe", 4, "what do ya want for nothing?", 28, digest); /* RFC 4231, case 2 */
    hex_encode(digest, sizeof digest, hex);
    CHECK_STR(hex, "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
    (void)memset(key, 0xaa, sizeof key); /* case 6: a key longer than a block */
    hmac_sha256(key, sizeof key, "Test Using Larger Than Block-Size Key - Hash Key First", 54,
                digest);
    hex_encode(digest, sizeof digest, hex);
    CHECK_STR(hex, "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
}

TEST(random_bytes_differ)
{
    uint8_t a[32] = {0}, b[32] = {0};

    random_bytes(a, sizeof a);
    random_bytes(b, sizeof b);
    CHECK(memcmp(a, b, sizeof a) != 0);
    CHECK(random_u64() != random_u64());
}

TEST(base64url_both_ways)
{
    static const struct {
        const char *bytes;
        size_t length;
        const char *text;
    } CASES[] = {
        {"", 0, ""},
        {"f", 1, "Zg"},
        {"fo", 2, "Zm8"},
        {"foo", 3, "Zm9v"},
        {"foob", 4, "Zm9vYg"},
        {"fooba", 5, "Zm9vYmE"},
        {"foobar", 6, "Zm9vYmFy"},
        {"\xfb\xff\xfe", 3, "-__-"},
        {"\0\0", 2, "AAA"},
    };
    static const char *const BAD[] = {"Z",    "Zg==",  "Zh", "Zm9",        "Zm9v\n", "+//+",
                                      "Zm 9", "Zm9vZ", "=",  "Z\xc3\xbcg", "AAB"};
    AUTO(arena_done) struct arena arena = {0};
    uint8_t *bytes;
    size_t length;

    arena_init(&arena, ARENA_BYTES);
    for (size_t i = 0; i < ARRAY_LEN(CASES); i++) {
        CHECK_STR(base64url_encode(&arena, CASES[i].bytes, CASES[i].length), CASES[i].text);
        CHECK_CASE(CASES[i].text, base64url_decode(&arena, CASES[i].text, &bytes, &length));
        CHECK_CASE(CASES[i].text,
                   length == CASES[i].length && memcmp(bytes, CASES[i].bytes, length) == 0);
    }
    for (size_t i = 0; i < ARRAY_LEN(BAD); i++)
        CHECK_CASE(BAD[i], !base64url_decode(&arena, BAD[i], &bytes, &length));
}

TEST(secret_comparison)
{
    CHECK(bytes_equal_secret("abc", "abc", 3) && !bytes_equal_secret("abc", "abd", 3) &&
          bytes_equal_secret("a", "b", 0));
}

TEST(passwords_match_only_themselves)
{
    char hash[PASSWORD_HASH_BYTES], again[PASSWORD_HASH_BYTES];
    struct err err = {0};

    CHECK_OK(password_hash("correct horse", hash, &err));
    CHECK_OK(password_hash("correct horse", again, &err));
    CHECK(strncmp(hash, "scrypt$15$8$1$", 14) == 0 && strcmp(hash, again) != 0);
    CHECK_OK(password_verify("correct horse", hash, &err));
    CHECK_ERR(ERR_UNAUTHORIZED, password_verify("correct horsf", hash, &err));
    CHECK_ERR(ERR_UNAUTHORIZED, password_verify("", hash, &err));
}

TEST(a_hash_made_elsewhere_matches)
{
    struct err err = {0};

    CHECK_OK(password_verify(
        "correct horse",
        "scrypt$15$8$1$AAECAwQFBgcICQoLDA0ODw$XGYmKKxOsQaKKH4qoqICriSOmNsE1h0zJ-c0LbbscJc", &err));
}

TEST(hashes_that_are_not_ours)
{
    static const char *const BAD[] = {
        "",
        "scrypt",
        "scrypt$15$8$1$AAECAwQFBgcICQoLDA0ODw",
        "scrypt$15$8$1$$XGYmKKxOsQaKKH4qoqICriSOmNsE1h0zJ-c0LbbscJc",
        "scrypt$15$8$1$AAECAwQFBgcICQoLDA0ODw$XGYm",
        "scrypt$15$8$1$AAECAwQFBgcICQoLDA0ODw$XGYmKKxOsQaKKH4qoqICriSOmNsE1h0zJ-c0LbbscJc$",
        "scrypt$15$8$1$AAECAwQFBgcICQoLDA0ODw$XGYmKKxOsQaKKH4qoqICriSOmNsE1h0zJ-c0LbbscJ!",
        "scrypt$40$8$1$AAECAwQFBgcICQoLDA0ODw$XGYmKKxOsQaKKH4qoqICriSOmNsE1h0zJ-c0LbbscJc",
        "scrypt$15$8$99$AAECAwQFBgcICQoLDA0ODw$XGYmKKxOsQaKKH4qoqICriSOmNsE1h0zJ-c0LbbscJc",
        "scrypt$0$8$1$AAECAwQFBgcICQoLDA0ODw$XGYmKKxOsQaKKH4qoqICriSOmNsE1h0zJ-c0LbbscJc",
        "bcrypt$15$8$1$AAECAwQFBgcICQoLDA0ODw$XGYmKKxOsQaKKH4qoqICriSOmNsE1h0zJ-c0LbbscJc",
    };
    struct err err = {0};
    char hash[PASSWORD_HASH_BYTES], longer[2000];

    for (size_t i = 0; i < ARRAY_LEN(BAD); i++)
        CHECK_CASE(BAD[i], password_verify("x", BAD[i], &err) == ERR_CORRUPT);
    (void)memset(longer, 'x', sizeof longer - 1);
    longer[sizeof longer - 1] = '\0';
    CHECK_ERR(ERR_CORRUPT, password_verify("x", longer, &err));
    CHECK_ERR(ERR_INVALID, password_hash(longer, hash, &err));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sha256_vectors),
        cmocka_unit_test(hmac_vectors),
        cmocka_unit_test(random_bytes_differ),
        cmocka_unit_test(base64url_both_ways),
        cmocka_unit_test(secret_comparison),
        cmocka_unit_test(passwords_match_only_themselves),
        cmocka_unit_test(a_hash_made_elsewhere_matches),
        cmocka_unit_test(hashes_that_are_not_ours),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
