/* Archives of one file, and what is none. */
#include "check.h"

#include <string.h>

#include "base/own.h"
#include "base/str.h"
#include "base/tar.h"

enum { ARCHIVE_BYTES = 1 << 16 };

static struct err err;

static void what_is_written_is_found(void **state)
{
    static const size_t SIZES[] = {0, 1, 511, 512, 513, 5000};
    char bytes[5000];

    (void)state;
    (void)memset(bytes, 'x', sizeof bytes);
    for (size_t i = 0; i < ARRAY_LEN(SIZES); i++) {
        AUTO(str_done) struct str archive = {0};
        const char *found;
        size_t length;

        str_init(&archive, ARCHIVE_BYTES);
        tar_write("pairwatch.model", bytes, SIZES[i], &archive);
        CHECK(archive.length % 512 == 0);
        CHECK_OK(tar_find(archive.text, archive.length, "pairwatch.model", &found, &length, &err));
        CHECK(length == SIZES[i] && memcmp(found, bytes, length) == 0);
        CHECK(tar_find(archive.text, archive.length, "model", &found, &length, &err) ==
              ERR_NOT_FOUND);
    }
}

static void the_second_file_in_a_folder(void **state)
{
    AUTO(str_done) struct str archive = {0};
    AUTO(str_done) struct str first = {0};
    const char *found;
    size_t length;

    (void)state;
    str_init(&archive, ARCHIVE_BYTES);
    str_init(&first, ARCHIVE_BYTES);
    tar_write("readme", "hello", 5, &first);
    str_add_bytes(&archive, first.text, first.length - 1024); /* without the end */
    tar_write("./code/pairwatch.model", "model", 5, &archive);
    CHECK_OK(tar_find(archive.text, archive.length, "pairwatch.model", &found, &length, &err));
    CHECK(length == 5 && memcmp(found, "model", 5) == 0);
}

static void every_cut_and_flip(void **state)
{
    AUTO(str_done) struct str archive = {0};
    const char *found;
    size_t length;

    (void)state;
    str_init(&archive, ARCHIVE_BYTES);
    tar_write("a", "0123456789", 10, &archive);
    for (size_t cut = 0; cut < 522; cut++)
        CHECK(tar_find(archive.text, cut, "a", &found, &length, &err) == ERR_CORRUPT);
    for (size_t i = 0; i < 512; i++) {
        char kept = archive.text[i];

        archive.text[i] = (char)(kept + 1);
        CHECK(tar_find(archive.text, archive.length, "a", &found, &length, &err) == ERR_CORRUPT);
        archive.text[i] = kept;
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_written_is_found),
        cmocka_unit_test(the_second_file_in_a_folder),
        cmocka_unit_test(every_cut_and_flip),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
