#pragma once
/* A value of a row as a reader of objects hands it out: null, text, number or list of such.
 * Text is not NUL-terminated and lives until the reader goes to its next row. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum cell_kind { CELL_NULL, CELL_TEXT, CELL_INT, CELL_LIST };

struct cell {
    enum cell_kind kind;
    const char *text;
    size_t length; /* of the text, or of the list */
    int64_t number;
    const struct cell *items; /* in the order of the list; cells of one list run in parallel */
};

/* "-" and "" are how Security Lake writes a null. */
static inline bool cell_is_blank(const char *text, size_t length)
{
    return length == 0 || (length == 1 && text[0] == '-');
}

static inline struct cell cell_text(const char *text, size_t length)
{
    if (cell_is_blank(text, length))
        return (struct cell){.kind = CELL_NULL};
    return (struct cell){.kind = CELL_TEXT, .text = text, .length = length};
}

static inline struct cell cell_int(int64_t number)
{
    return (struct cell){.kind = CELL_INT, .number = number};
}
