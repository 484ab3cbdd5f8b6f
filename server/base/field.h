#pragma once
/* Field tables: one description of a struct that reads a database row, writes its JSON and reads
 * it from JSON. The name is the column, and the JSON member.
 *
 * Members by type: INT int64_t · REAL double · TEXT const char * (NULL = null) · TIME int64_t ms ·
 * BOOL int64_t 0/1 · IP struct ip · ENUM int64_t index into words · JSON const char * of JSON
 * text (NULL = null) · BLOB struct blob.
 * FIELD_NULLABLE: INT and TIME use FIELD_NULL_INT, REAL uses NAN, ENUM uses -1 for null. */
#include <stddef.h>
#include <stdint.h>

enum field_type {
    FIELD_INT,
    FIELD_REAL,
    FIELD_TEXT,
    FIELD_TIME,
    FIELD_BOOL,
    FIELD_IP,
    FIELD_ENUM,
    FIELD_JSON,
    FIELD_BLOB,
};
enum field_flag {
    FIELD_NULLABLE = 1,
    FIELD_HIDDEN = 2, /* in the row, not in the JSON */
};
#define FIELD_NULL_INT INT64_MIN

struct blob {
    const void *bytes;
    size_t length;
};

struct field {
    const char *name; /* NULL ends a table */
    enum field_type type;
    size_t offset;
    unsigned flags;
    const char *const *words; /* ENUM: NULL-terminated, index = value */
};

#define FIELD(struct_, member, type_, ...)                                                         \
    {                                                                                              \
        .name = #member, .type = (type_), .offset = offsetof(struct_, member), __VA_ARGS__         \
    }
#define FIELD_END                                                                                  \
    {                                                                                              \
        .name = NULL                                                                               \
    }

/* Index of a word in a NULL-terminated list, or -1. */
int field_word_index(const char *const *words, const char *word);
