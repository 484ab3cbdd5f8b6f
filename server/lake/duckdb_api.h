#pragma once
/* DuckDB's C API as far as it is used, looked up at run time: the program starts without the
 * library and asks for it at the first Parquet object. Types and names follow duckdb.h of 1.4;
 * handles are pointers to nothing we know. Loaded once per process; any thread. */
#include "base/err.h"
#include <stdbool.h>
#include <stdint.h>

struct duckdb; /* every handle of DuckDB's points to one, whatever it is */

enum duckdb_type_id {
    DUCKDB_BOOLEAN = 1,
    DUCKDB_TINYINT = 2,
    DUCKDB_BIGINT = 5,
    DUCKDB_UINTEGER = 8,
    DUCKDB_UBIGINT = 9,
    DUCKDB_FLOAT = 10,
    DUCKDB_DOUBLE = 11,
    DUCKDB_TIMESTAMP = 12,
    DUCKDB_DATE = 13,
    DUCKDB_HUGEINT = 16,
    DUCKDB_VARCHAR = 17,
    DUCKDB_BLOB = 18,
    DUCKDB_DECIMAL = 19,
    DUCKDB_TIMESTAMP_S = 20,
    DUCKDB_TIMESTAMP_MS = 21,
    DUCKDB_TIMESTAMP_NS = 22,
    DUCKDB_ENUM = 23,
    DUCKDB_LIST = 24,
    DUCKDB_STRUCT = 25,
    DUCKDB_MAP = 26,
    DUCKDB_UUID = 27,
    DUCKDB_TIMESTAMP_TZ = 31,
};

struct duckdb_answer { /* duckdb_result */
    uint64_t unused_counts[3];
    void *unused_columns;
    char *unused_message;
    void *internal;
};

union duckdb_text { /* duckdb_string_t: up to 12 bytes lie inside */
    struct {
        uint32_t length;
        char prefix[4];
        const char *bytes;
    } far;
    struct {
        uint32_t length;
        char bytes[12];
    } near;
};
enum { DUCKDB_TEXT_NEAR_MAX = 12 };

struct duckdb_list_entry {
    uint64_t offset, length;
};

/* State results: 0 is success. */
struct duckdb_api {
    int (*open_ext)(const char *path, struct duckdb **ret, struct duckdb *config, char **ret_error);
    void (*close)(struct duckdb **database);
    int (*connect)(struct duckdb *database, struct duckdb **ret);
    void (*disconnect)(struct duckdb **connection);
    int (*create_config)(struct duckdb **ret);
    int (*set_config)(struct duckdb *config, const char *name, const char *value);
    void (*destroy_config)(struct duckdb **config);
    int (*query)(struct duckdb *connection, const char *sql, struct duckdb_answer *ret);
    int (*prepare)(struct duckdb *connection, const char *sql, struct duckdb **ret);
    const char *(*prepare_error)(struct duckdb *statement);
    void (*destroy_prepare)(struct duckdb **statement);
    int (*pending_prepared_streaming)(struct duckdb *statement, struct duckdb **ret);
    const char *(*pending_error)(struct duckdb *pending);
    int (*execute_pending)(struct duckdb *pending, struct duckdb_answer *ret);
    void (*destroy_pending)(struct duckdb **pending);
    const char *(*result_error)(struct duckdb_answer *answer);
    void (*destroy_result)(struct duckdb_answer *answer);
    uint64_t (*column_count)(struct duckdb_answer *answer);
    const char *(*column_name)(struct duckdb_answer *answer, uint64_t column);
    struct duckdb *(*column_logical_type)(struct duckdb_answer *answer, uint64_t column);
    void (*destroy_logical_type)(struct duckdb **type);
    int (*get_type_id)(struct duckdb *type);
    uint64_t (*struct_type_child_count)(struct duckdb *type);
    char *(*struct_type_child_name)(struct duckdb *type, uint64_t index);
    struct duckdb *(*struct_type_child_type)(struct duckdb *type, uint64_t index);
    struct duckdb *(*list_type_child_type)(struct duckdb *type);
    struct duckdb *(*fetch_chunk)(struct duckdb_answer answer);
    void (*destroy_data_chunk)(struct duckdb **chunk);
    uint64_t (*data_chunk_get_size)(struct duckdb *chunk);
    struct duckdb *(*data_chunk_get_vector)(struct duckdb *chunk, uint64_t column);
    void *(*vector_get_data)(struct duckdb *vector);
    uint64_t *(*vector_get_validity)(struct duckdb *vector); /* NULL: all are valid */
    struct duckdb *(*list_vector_get_child)(struct duckdb *vector);
    struct duckdb *(*create_logical_type)(int type_id);
    /* A function of ours in SQL: run meets chunks of arguments, of rows, or of the values of a
     * dictionary where the file has one. */
    struct duckdb *(*create_scalar_function)(void);
    void (*destroy_scalar_function)(struct duckdb **function);
    void (*scalar_function_set_name)(struct duckdb *function, const char *name);
    void (*scalar_function_add_parameter)(struct duckdb *function, struct duckdb *type);
    void (*scalar_function_set_return_type)(struct duckdb *function, struct duckdb *type);
    void (*scalar_function_set_special_handling)(struct duckdb *function); /* it meets nulls, too */
    void (*scalar_function_set_extra_info)(struct duckdb *function, void *extra,
                                           void (*drop)(void *extra));
    void (*scalar_function_set_function)(struct duckdb *function,
                                         void (*run)(struct duckdb *info, struct duckdb *chunk,
                                                     struct duckdb *ret_vector));
    int (*register_scalar_function)(struct duckdb *connection, struct duckdb *function);
    void *(*scalar_function_get_extra_info)(struct duckdb *info);
    void (*free)(void *memory);
    const char *(*library_version)(void);
};

/* Looks at PAIRWATCH_DUCKDB (and then nowhere else), at lib/pairwatch/libduckdb.so in each folder
 * from the program's own up, then at the system's library path. ERR_UNAVAILABLE says what to
 * install. */
NODISCARD enum err_code duckdb_load(const struct duckdb_api **ret, struct err *err);
/* What duckdb_load gave, for functions that DuckDB calls. */
const struct duckdb_api *duckdb_loaded(void);
