#pragma once
/* Every table of the store but schema_migration, for db_copy.c. Private to store/. */
#include <stdbool.h>
#include <stddef.h>

/* Keys put the rows in the same order in both engines. A table with a number is copied in slices of
 * it, which grows from row to row; any other as one. */
struct copied_table {
    const char *name, *key, *number;
    bool has_id; /* numbered by the engine: the numbering goes on behind the copied ones */
};
extern const struct copied_table COPIED_TABLES[]; /* parents before children */
extern const size_t COPIED_TABLE_COUNT;
