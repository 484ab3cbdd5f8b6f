/* Files without a name. */
#include "folder.h"

#include <string.h>
#include <unistd.h>

#include "base/file.h"

static struct err err;

static void leaves_nothing_behind_and_is_the_callers_alone(void **state)
{
    AUTO(fd_closep) int fd = -1;
    char back[6] = "";
    struct stat about;

    (void)state;
    CHECK_OK(file_nameless(FOLDER, &fd, &err));
    CHECK(write(fd, "hello", 5) == 5 && pread(fd, back, 5, 0) == 5 && strcmp(back, "hello") == 0);
    CHECK(fstat(fd, &about) == 0 && about.st_nlink == 0 && (about.st_mode & 0777) == 0600);
    CHECK(stat(FOLDER, &about) == 0 && about.st_nlink == 2);
    CHECK(rmdir(FOLDER) == 0 && mkdir(FOLDER, 0700) == 0); /* it was empty */
}

static void says_which_folder_it_cannot_use(void **state)
{
    AUTO(own_freep) char *folder = own_alloc(FILE_FOLDER_BYTES_MAX + 64);
    AUTO(fd_closep) int fd = -1;

    (void)state;
    CHECK(file_nameless("/nowhere", &fd, &err) == ERR_NOT_FOUND);
    CHECK(strstr(err.text, "/nowhere") != NULL);
    (void)memset(folder, 'a', FILE_FOLDER_BYTES_MAX + 63);
    folder[FILE_FOLDER_BYTES_MAX + 63] = '\0';
    CHECK(file_nameless(folder, &fd, &err) == ERR_TOO_LARGE && fd == -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(leaves_nothing_behind_and_is_the_callers_alone),
        cmocka_unit_test(says_which_folder_it_cannot_use),
    };
    return cmocka_run_group_tests(tests, folder_make, folder_drop);
}
