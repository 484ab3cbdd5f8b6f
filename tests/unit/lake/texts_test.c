/* Numbers of texts: one for each, whatever its length, until there is no room. */
#include "check.h"

#include <stdio.h>
#include <string.h>

#include "base/own.h"
#include "lake/texts.h"

static union duckdb_text text_of(const char *bytes, size_t length)
{
    union duckdb_text text = {.near = {.length = (uint32_t)length}};

    if (length <= DUCKDB_TEXT_NEAR_MAX) {
        (void)memcpy(text.near.bytes, bytes, length);
        return text;
    }
    (void)memcpy(text.far.prefix, bytes, sizeof text.far.prefix);
    text.far.bytes = bytes;
    return text;
}

static uint32_t number_of(struct texts *texts, const char *bytes, size_t length)
{
    union duckdb_text text = text_of(bytes, length);

    return texts_number(texts, &text);
}

TEST(nulls_have_none)
{
    AUTO(texts_done) struct texts texts;
    struct cell cell;

    texts_init(&texts);
    CHECK(number_of(&texts, "", 0) == 0 && number_of(&texts, "-", 1) == 0);
    CHECK(number_of(&texts, "--", 2) == 1);
    texts_cell(&texts, 0, &cell);
    CHECK(cell.kind == CELL_NULL);
}

/* Texts that share all but one byte, of every length around those that are read differently. */
TEST(each_has_its_own)
{
    enum { LENGTH_MAX = 70 };
    AUTO(texts_done) struct texts texts;
    char bytes[LENGTH_MAX + 1], again[LENGTH_MAX + 1];
    uint32_t expected = 1;
    struct cell cell;

    texts_init(&texts);
    for (size_t length = 2; length <= LENGTH_MAX; length++)
        for (size_t at = 0; at < length; at++) {
            (void)memset(bytes, 'a', sizeof bytes);
            bytes[at] = 'b';
            CHECK(number_of(&texts, bytes, length) == expected);
            (void)memcpy(again, bytes, sizeof again);
            CHECK(number_of(&texts, again, length) == expected);
            texts_cell(&texts, expected, &cell);
            CHECK(cell.kind == CELL_TEXT && cell.length == length &&
                  memcmp(cell.text, bytes, length) == 0);
            expected++;
        }
    CHECK(!texts.full && texts.count == expected);
}

TEST(bytes_are_compared_and_not_characters)
{
    AUTO(texts_done) struct texts texts;

    texts_init(&texts);
    CHECK(number_of(&texts, "a\0b", 3) == 1 && number_of(&texts, "a\0c", 3) == 2);
    CHECK(number_of(&texts, "a", 1) == 3 && number_of(&texts, "a\0", 2) == 4);
    CHECK(number_of(&texts, "aaaaaaaaaaaaaaaa\0b", 18) == 5);
    CHECK(number_of(&texts, "aaaaaaaaaaaaaaaa\0c", 18) == 6);
}

TEST(what_does_not_fit_has_none_and_says_so)
{
    AUTO(texts_done) struct texts texts;
    AUTO(own_freep) char *large = own_alloc(TEXTS_BYTES_MAX + 1);

    texts_init(&texts);
    CHECK(number_of(&texts, "i-1", 3) == 1);
    CHECK(number_of(&texts, large, TEXTS_BYTES_MAX + 1) == 0 && texts.full);
    CHECK(number_of(&texts, "i-1", 3) == 1 && number_of(&texts, "i-2", 3) == 0);
}

TEST(many_short_texts_fill_it_too)
{
    AUTO(texts_done) struct texts texts;
    char bytes[16];

    texts_init(&texts);
    for (uint32_t i = 1; !texts.full; i++) {
        int length = snprintf(bytes, sizeof bytes, "i-%u", (unsigned)i);
        uint32_t number = number_of(&texts, bytes, (size_t)length);

        CHECK(number == (texts.full ? 0 : i) && i < TEXTS_BYTES_MAX / 16);
    }
    CHECK(texts.count > 100000 && number_of(&texts, "i-77", 4) == 77);
}

int main(void)
{
    static const struct CMUnitTest TESTS[] = {
        cmocka_unit_test(nulls_have_none),
        cmocka_unit_test(each_has_its_own),
        cmocka_unit_test(bytes_are_compared_and_not_characters),
        cmocka_unit_test(what_does_not_fit_has_none_and_says_so),
        cmocka_unit_test(many_short_texts_fill_it_too),
    };

    return cmocka_run_group_tests(TESTS, NULL, NULL);
}
