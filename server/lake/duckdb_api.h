#pragma once
/* DuckDB's C API as far as it is used, looked up at run time: the program starts without the
 * library and asks for it at the first Parquet object. Types and names follow duckdb.h of 1.4;
 * handles are pointers to nothing we know. Loaded once per process; any thread. */
#include "base/err.h"
#include <stdbool.h>
#include <stdint.h>

struct duckdb_opaque;
typedef struct duckdb_opaque *duckdb_handle; /* a type of DuckDB's: every handle is such a one */

enum duckdb_type_id {
    DUCKDB_BOOLEAN = 1,
    DUCKDB_TINYINT = 2,
    DUCKDB_BIGINT = 5,
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
    int (*open_ext)(const char *path, duckdb_handle *ret, duckdb_handle config, char **ret_error);
    void (*close)(duckdb_handle *database);
    int (*connect)(duckdb_handle database, duckdb_handle *ret);
    void (*disconnect)(duckdb_handle *connection);
    int (*create_config)(duckdb_handle *ret);
    int (*set_config)(duckdb_handle config, const char *name, const char *value);
    void (*destroy_config)(duckdb_handle *config);
    int (*query)(duckdb_handle connection, const char *sql, struct duckdb_answer *ret);
    int (*prepare)(duckdb_handle connection, const char *sql, duckdb_handle *ret);
    const char *(*prepare_error)(duckdb_handle statement);
    void (*destroy_prepare)(duckdb_handle *statement);
    int (*pending_prepared_streaming)(duckdb_handle statement, duckdb_handle *ret);
    const char *(*pending_error)(duckdb_handle pending);
    int (*execute_pending)(duckdb_handle pending, struct duckdb_answer *ret);
    void (*destroy_pending)(duckdb_handle *pending);
    const char *(*result_error)(struct duckdb_answer *answer);
    void (*destroy_result)(struct duckdb_answer *answer);
    uint64_t (*column_count)(struct duckdb_answer *answer);
    const char *(*column_name)(struct duckdb_answer *answer, uint64_t column);
    duckdb_handle (*column_logical_type)(struct duckdb_answer *answer, uint64_t column);
    void (*destroy_logical_type)(duckdb_handle *type);
    int (*get_type_id)(duckdb_handle type);
    uint64_t (*struct_type_child_count)(duckdb_handle type);
    char *(*struct_type_child_name)(duckdb_handle type, uint64_t index);
    duckdb_handle (*struct_type_child_type)(duckdb_handle type, uint64_t index);
    duckdb_handle (*list_type_child_type)(duckdb_handle type);
    duckdb_handle (*fetch_chunk)(struct duckdb_answer answer);
    void (*destroy_data_chunk)(duckdb_handle *chunk);
    uint64_t (*data_chunk_get_size)(duckdb_handle chunk);
    duckdb_handle (*data_chunk_get_vector)(duckdb_handle chunk, uint64_t column);
    void *(*vector_get_data)(duckdb_handle vector);
    uint64_t *(*vector_get_validity)(duckdb_handle vector); /* NULL: all are valid */
    duckdb_handle (*list_vector_get_child)(duckdb_handle vector);
    void (*free)(void *memory);
    const char *(*library_version)(void);
};

/* Looks at PAIRWATCH_DUCKDB (and then nowhere else), at lib/pairwatch/libduckdb.so in each folder
 * from the program's own up, then at the system's library path. ERR_UNAVAILABLE says what to
 * install. */
NODISCARD enum err_code duckdb_load(const struct duckdb_api **ret, struct err *err);
