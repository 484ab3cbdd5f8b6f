/* Inflation with limits, deflation that comes back. */
#include "check.h"

#include <stdlib.h>

#include "base/gzip.h"
#include "base/hash.h"
#include "base/str.h"

/* "hello", by another program. */
static const unsigned char HELLO[] = {0x1f, 0x8b, 8,    0,    0,    0,    0, 0, 2,
                                      3,    0xcb, 0x48, 0xcd, 0xc9, 0xc9, 7, 0, 0x86,
                                      0xa6, 0x10, 0x36, 5,    0,    0,    0};
static struct err err;

TEST(the_magic)
{
    CHECK(gzip_is(HELLO, sizeof HELLO) && gzip_is("\x1f\x8b", 2));
    CHECK(!gzip_is("\x1f", 1) && !gzip_is("", 0) && !gzip_is("PK", 2) && !gzip_is(NULL, 0));
}

TEST(a_known_stream)
{
    AUTO(str_done) struct str out = {0};

    str_init(&out, 5);
    CHECK_OK(gzip_inflate(HELLO, sizeof HELLO, &out, &err));
    CHECK_STR(out.text, "hello");
}

TEST(every_cut_is_an_error)
{
    for (size_t length = 0; length < sizeof HELLO; length++) {
        AUTO(str_done) struct str out = {0};

        str_init(&out, 100);
        CHECK_ERR(ERR_INVALID, gzip_inflate(HELLO, length, &out, &err));
        CHECK_HAS(err.text, "it is cut off");
    }
}

/* The bits that fill up the last byte of the data mean nothing; all others are noticed. */
TEST(no_flipped_bit_changes_the_text_in_silence)
{
    int silent = 0;

    for (size_t bit = 8 * 10; bit < 8 * sizeof HELLO; bit++) {
        AUTO(str_done) struct str out = {0};
        unsigned char bytes[sizeof HELLO];

        (void)memcpy(bytes, HELLO, sizeof HELLO);
        bytes[bit / 8] ^= (unsigned char)(1U << bit % 8);
        str_init(&out, 100);
        if (gzip_inflate(bytes, sizeof bytes, &out, &err) == ERR_NONE) {
            CHECK_STR(out.text, "hello");
            silent++;
        }
    }
    CHECK(silent < 8);
}

TEST(rubbish_and_other_formats)
{
    static const unsigned char ZLIB[] = {0x78, 0x9c, 3, 0, 0, 0, 0, 1};
    unsigned char followed[sizeof HELLO + 1];
    AUTO(str_done) struct str out = {0};

    str_init(&out, 100);
    (void)memcpy(followed, HELLO, sizeof HELLO);
    followed[sizeof HELLO] = 'x';
    CHECK_ERR(ERR_INVALID, gzip_inflate(followed, sizeof followed, &out, &err));
    CHECK_ERR(ERR_INVALID, gzip_inflate("hello, world", 12, &out, &err));
    CHECK_ERR(ERR_INVALID, gzip_inflate(ZLIB, sizeof ZLIB, &out, &err));
}

TEST(members_are_one_stream)
{
    unsigned char twice[2 * sizeof HELLO];
    AUTO(str_done) struct str out = {0};

    (void)memcpy(twice, HELLO, sizeof HELLO);
    (void)memcpy(twice + sizeof HELLO, HELLO, sizeof HELLO);
    str_init(&out, 100);
    CHECK_OK(gzip_inflate(twice, sizeof twice, &out, &err));
    CHECK_STR(out.text, "hellohello");
    CHECK_ERR(ERR_INVALID, gzip_inflate(twice, sizeof twice - 1, &out, &err));
}

/* What comes out of deflate goes back, at sizes around the step of the buffers. */
TEST(there_and_back)
{
    static const size_t LENGTHS[] = {0, 1, 16383, 16384, 16385, 300000};

    for (size_t i = 0; i < ARRAY_LEN(LENGTHS); i++) {
        AUTO(str_done) struct str packed = {0}, out = {0};
        AUTO(own_freep) unsigned char *bytes = own_alloc(LENGTHS[i]);
        struct rng rng;

        rng_init(&rng, i);
        for (size_t at = 0; at < LENGTHS[i]; at++)
            bytes[at] = (unsigned char)rng_below(&rng, i % 2 == 0 ? 256 : 3);
        str_init(&packed, 1 << 20);
        str_init(&out, LENGTHS[i] > 0 ? LENGTHS[i] : 1);
        CHECK_OK(gzip_deflate(bytes, LENGTHS[i], 6, &packed, &err));
        CHECK(gzip_is(packed.text, packed.length));
        CHECK_OK(gzip_inflate(packed.text, packed.length, &out, &err));
        CHECK(out.length == LENGTHS[i] &&
              (out.length == 0 || memcmp(out.text, bytes, out.length) == 0));
    }
}

TEST(a_bomb_stops_at_the_limit)
{
    enum { ZEROS = 32 << 20, LIMIT = 1 << 20 };
    AUTO(own_freep) unsigned char *zeros = own_alloc(ZEROS);
    AUTO(str_done) struct str packed = {0}, out = {0};

    str_init(&packed, 1 << 20);
    CHECK_OK(gzip_deflate(zeros, ZEROS, 9, &packed, &err));
    CHECK(packed.length < 64 * 1024);
    str_init(&out, LIMIT);
    CHECK_ERR(ERR_TOO_LARGE, gzip_inflate(packed.text, packed.length, &out, &err));
    CHECK(out.length <= LIMIT && out.capacity <= 2 * LIMIT);
}

TEST(deflation_has_limits_too)
{
    AUTO(str_done) struct str out = {0};

    str_init(&out, 10);
    CHECK_ERR(ERR_TOO_LARGE, gzip_deflate("hello", 5, 6, &out, &err));
    CHECK_ERR(ERR_INTERNAL, gzip_deflate("hello", 5, 10, &out, &err));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_magic),
        cmocka_unit_test(a_known_stream),
        cmocka_unit_test(every_cut_is_an_error),
        cmocka_unit_test(no_flipped_bit_changes_the_text_in_silence),
        cmocka_unit_test(rubbish_and_other_formats),
        cmocka_unit_test(members_are_one_stream),
        cmocka_unit_test(there_and_back),
        cmocka_unit_test(a_bomb_stops_at_the_limit),
        cmocka_unit_test(deflation_has_limits_too),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
