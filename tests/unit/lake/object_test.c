/* Objects: equal bytes have equal etags, and what is no file is refused without waiting. */
#include "check.h"
#include "folder.h"

#include "lake/object.h"

TEST(etag_is_of_the_bytes)
{
    struct object_info a, b;
    struct err err = {0};

    CHECK_OK(object_inspect(folder_write("a", "abc"), 100, &a, &err));
    CHECK_OK(object_inspect(folder_write("b", "abc"), 3, &b, &err));
    CHECK(a.size_bytes == 3);
    CHECK_STR(a.etag, "ba7816bf8f01cfea414140de5dae2223"); /* FIPS 180-2, "abc", cut */
    CHECK_STR(b.etag, a.etag);
    CHECK_OK(object_inspect(folder_write("c", ""), 100, &a, &err));
    CHECK_STR(a.etag, "e3b0c44298fc1c149afbf4c8996fb924");
}

TEST(too_large_has_an_etag_of_size_and_name)
{
    struct object_info a, b;
    struct err err = {0};

    CHECK_ERR(ERR_TOO_LARGE, object_inspect(folder_write("a", "abcd"), 3, &a, &err));
    CHECK_HAS(err.text, "4 bytes, more than the limit of 3 (--object-bytes-max)");
    CHECK(a.size_bytes == 4 && strlen(a.etag) == 32);
    CHECK_ERR(ERR_TOO_LARGE, object_inspect(folder_write("x/a", "efgh"), 3, &b, &err));
    CHECK_STR(a.etag, b.etag);
    CHECK_ERR(ERR_TOO_LARGE, object_inspect(folder_write("b", "abcd"), 3, &b, &err));
    CHECK(strcmp(a.etag, b.etag) != 0);
}

TEST(what_is_no_file_is_refused)
{
    struct object_info info;
    struct err err = {0};

    CHECK_ERR(ERR_NOT_FOUND, object_inspect(folder_path("absent"), 100, &info, &err));
    CHECK_ERR(ERR_INVALID, object_inspect(FOLDER, 100, &info, &err));
    CHECK_HAS(err.text, "a folder, not a file");
    CHECK(mkfifo(folder_path("pipe"), 0600) == 0);
    CHECK_ERR(ERR_INVALID, object_inspect(folder_path("pipe"), 100, &info, &err));
    CHECK_HAS(err.text, "a pipe, not a file");
}

int main(void)
{
    static const struct CMUnitTest TESTS[] = {
        cmocka_unit_test_setup_teardown(etag_is_of_the_bytes, folder_make, folder_drop),
        cmocka_unit_test_setup_teardown(too_large_has_an_etag_of_size_and_name, folder_make,
                                        folder_drop),
        cmocka_unit_test_setup_teardown(what_is_no_file_is_refused, folder_make, folder_drop),
    };

    return cmocka_run_group_tests_name("object", TESTS, NULL, NULL);
}
