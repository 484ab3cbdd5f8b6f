#pragma once
/* A folder of its own for a test, and files in it. */
#include "temp.h"

#include "base/own.h"

enum { FOLDER_PATH_BYTES = 256 };

static char FOLDER[FOLDER_PATH_BYTES];

static inline const char *folder_path(const char *name)
{
    static char paths[4][FOLDER_PATH_BYTES * 2];
    static unsigned next;
    char *path = paths[next++ % ARRAY_LEN(paths)];

    (void)snprintf(path, sizeof paths[0], "%s/%s", FOLDER, name);
    return path;
}

static inline int folder_make(UNUSED void **state)
{
    (void)snprintf(FOLDER, sizeof FOLDER, "/tmp/pairwatch-lake-XXXXXX");
    return temp_folder(FOLDER) == NULL;
}

static inline int folder_drop(UNUSED void **state)
{
    return temp_folder_drop(FOLDER);
}

/* Makes the folders of the name as well. */
static inline const char *folder_write(const char *name, const char *text)
{
    const char *path = folder_path(name);
    char folder[FOLDER_PATH_BYTES * 2];
    FILE *file;

    for (const char *slash = path + strlen(FOLDER) + 1; (slash = strchr(slash, '/')) != NULL;
         slash++) {
        (void)snprintf(folder, sizeof folder, "%.*s", (int)(slash - path), path);
        (void)mkdir(folder, 0700);
    }
    file = fopen(path, "w");
    assert_non_null(file);
    assert_int_equal(fwrite(text, 1, strlen(text), file), strlen(text));
    assert_int_equal(fclose(file), 0);
    return path;
}
