/* Finding libduckdb.so and its functions. */
#include "lake/duckdb_api.h"

#include <dlfcn.h>
#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/own.h"
#include "base/str.h"

#define SYMBOL(name)                                                                               \
    {                                                                                              \
        "duckdb_" #name, offsetof(struct duckdb_api, name)                                         \
    }
static const struct symbol {
    const char *name;
    size_t offset;
} SYMBOLS[] = {
    SYMBOL(open_ext),
    SYMBOL(close),
    SYMBOL(connect),
    SYMBOL(disconnect),
    SYMBOL(create_config),
    SYMBOL(set_config),
    SYMBOL(destroy_config),
    SYMBOL(query),
    SYMBOL(prepare),
    SYMBOL(prepare_error),
    SYMBOL(destroy_prepare),
    SYMBOL(pending_prepared_streaming),
    SYMBOL(pending_error),
    SYMBOL(execute_pending),
    SYMBOL(destroy_pending),
    SYMBOL(result_error),
    SYMBOL(destroy_result),
    SYMBOL(column_count),
    SYMBOL(column_name),
    SYMBOL(column_logical_type),
    SYMBOL(destroy_logical_type),
    SYMBOL(get_type_id),
    SYMBOL(struct_type_child_count),
    SYMBOL(struct_type_child_name),
    SYMBOL(struct_type_child_type),
    SYMBOL(list_type_child_type),
    SYMBOL(fetch_chunk),
    SYMBOL(destroy_data_chunk),
    SYMBOL(data_chunk_get_size),
    SYMBOL(data_chunk_get_vector),
    SYMBOL(vector_get_data),
    SYMBOL(vector_get_validity),
    SYMBOL(list_vector_get_child),
    SYMBOL(create_logical_type),
    SYMBOL(create_scalar_function),
    SYMBOL(destroy_scalar_function),
    SYMBOL(scalar_function_set_name),
    SYMBOL(scalar_function_add_parameter),
    SYMBOL(scalar_function_set_return_type),
    SYMBOL(scalar_function_set_special_handling),
    SYMBOL(scalar_function_set_extra_info),
    SYMBOL(scalar_function_set_function),
    SYMBOL(register_scalar_function),
    SYMBOL(scalar_function_get_extra_info),
    SYMBOL(free),
    SYMBOL(library_version),
};

static const char LIBRARY[] = "libduckdb.so";
static const char INSTALLED[] = "/lib/pairwatch/libduckdb.so";
enum { FOLDERS_UP_MAX = 6 };

static pthread_mutex_t LOCK = PTHREAD_MUTEX_INITIALIZER;
static struct duckdb_api API; /* complete once LOADED */
static bool LOADED;           /* both under LOCK */

/* The library stays open for the life of the process. NULL when there is none. */
static void *open_beside_program(void)
{
    char path[PATH_MAX + sizeof INSTALLED];
    ssize_t length = readlink("/proc/self/exe", path, PATH_MAX - 1);

    if (length <= 0)
        return NULL;
    path[length] = '\0';
    for (int up = 0; up < FOLDERS_UP_MAX; up++) {
        char *slash = strrchr(path, '/');
        void *library;

        if (slash == NULL)
            return NULL;
        (void)memcpy(slash, INSTALLED, sizeof INSTALLED);
        library = access(path, F_OK) == 0 ? dlopen(path, RTLD_NOW | RTLD_LOCAL) : NULL;
        if (library != NULL)
            return library;
        *slash = '\0';
    }
    return NULL;
}

static enum err_code open_library(void **ret, struct err *err)
{
    const char *named = getenv("PAIRWATCH_DUCKDB");

    if (named != NULL && named[0] != '\0') {
        *ret = dlopen(named, RTLD_NOW | RTLD_LOCAL);
        if (*ret == NULL)
            return err_set(err, ERR_UNAVAILABLE, "loading PAIRWATCH_DUCKDB: %s", dlerror());
        return ERR_NONE;
    }
    *ret = open_beside_program();
    if (*ret == NULL)
        *ret = dlopen(LIBRARY, RTLD_NOW | RTLD_LOCAL);
    if (*ret == NULL)
        return err_set(err, ERR_UNAVAILABLE,
                       "reading Parquet needs libduckdb.so (DuckDB 1.4 or newer): put it into "
                       "../lib/pairwatch beside the program's folder, as `make install` does, or "
                       "name it in PAIRWATCH_DUCKDB");
    return ERR_NONE;
}

static enum err_code find_symbols(void *library, struct err *err)
{
    for (size_t i = 0; i < ARRAY_LEN(SYMBOLS); i++) {
        void *address = dlsym(library, SYMBOLS[i].name);

        if (address == NULL)
            return err_set(err, ERR_UNAVAILABLE,
                           "libduckdb.so has no %s: DuckDB 1.4 or newer is needed",
                           SYMBOLS[i].name);
        (void)memcpy((char *)&API + SYMBOLS[i].offset, &address, sizeof address);
    }
    return ERR_NONE;
}

static enum err_code load_once(struct err *err)
{
    void *library;

    if (LOADED)
        return ERR_NONE;
    TRY(open_library(&library, err));
    TRY(find_symbols(library, err));
    LOADED = true;
    return ERR_NONE;
}

enum err_code duckdb_load(const struct duckdb_api **ret, struct err *err)
{
    enum err_code code;

    (void)pthread_mutex_lock(&LOCK);
    code = load_once(err);
    (void)pthread_mutex_unlock(&LOCK);
    *ret = &API;
    return code;
}

const struct duckdb_api *duckdb_loaded(void)
{
    return &API;
}
