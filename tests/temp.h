#pragma once
/* Folders of a test's own that are gone when its program ends, also after a test that failed. */
#include "check.h"

#include <ftw.h>
#include <stdlib.h>
#include <sys/stat.h>

enum { TEMP_FOLDERS_MAX = 256, TEMP_PATH_BYTES = 256, TEMP_DEPTH = 8 };

static struct {
    pid_t owner;                                   /* children that tests fork remove nothing */
    char paths[TEMP_FOLDERS_MAX][TEMP_PATH_BYTES]; /* "" = free */
} temp_folders;

static inline int temp_remove_one_(const char *path, UNUSED const struct stat *stat,
                                   UNUSED int type, UNUSED struct FTW *ftw)
{
    return remove(path);
}

static inline void temp_remove_all_(void)
{
    for (size_t i = 0; i < TEMP_FOLDERS_MAX && temp_folders.owner == getpid(); i++)
        if (temp_folders.paths[i][0] != '\0')
            (void)nftw(temp_folders.paths[i], temp_remove_one_, TEMP_DEPTH, FTW_DEPTH | FTW_PHYS);
}

/* path: ends in XXXXXX, as mkdtemp wants it, which becomes the folder's name. Returns path. */
static inline char *temp_folder(char *path)
{
    size_t i = 0;

    assert_non_null(mkdtemp(path));
    if (temp_folders.owner == 0) {
        temp_folders.owner = getpid();
        assert_int_equal(atexit(temp_remove_all_), 0);
    }
    while (i < TEMP_FOLDERS_MAX && temp_folders.paths[i][0] != '\0')
        i++;
    assert_true(i < TEMP_FOLDERS_MAX && strlen(path) < TEMP_PATH_BYTES);
    (void)snprintf(temp_folders.paths[i], TEMP_PATH_BYTES, "%s", path);
    return path;
}

/* With all that is in it. 0, or what went wrong. */
static inline int temp_folder_drop(const char *path)
{
    for (size_t i = 0; i < TEMP_FOLDERS_MAX; i++)
        if (strcmp(temp_folders.paths[i], path) == 0)
            temp_folders.paths[i][0] = '\0';
    return nftw(path, temp_remove_one_, TEMP_DEPTH, FTW_DEPTH | FTW_PHYS);
}
