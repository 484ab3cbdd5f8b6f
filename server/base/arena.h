#pragma once
/* A bump allocator: memory that lives and dies together (a request, a batch, a process).
 * Not thread-safe; one owner. Memory is zeroed. Freed blocks are poisoned under ASan.
 * bytes_max is the arena's limit: callers bound their input so that reaching it is a bug, and
 * reaching it aborts. */
#include "base/own.h"
#include <stdarg.h>
#include <stddef.h>

struct arena_block;
struct arena {
    struct arena_block *blocks; /* newest first */
    size_t used_bytes;
    size_t bytes_max;
};

void arena_init(struct arena *arena, size_t bytes_max);
void arena_done(struct arena *arena);  /* frees everything; accepts a zeroed arena */
void arena_reset(struct arena *arena); /* frees everything but one block, to be used again */

void *arena_alloc(struct arena *arena, size_t size);               /* 16-byte aligned, zeroed */
void *arena_array(struct arena *arena, size_t count, size_t size); /* aborts on overflow */
char *arena_strdup(struct arena *arena, const char *text);         /* NULL gives NULL */
char *arena_strndup(struct arena *arena, const char *text, size_t length); /* adds the NUL */
void *arena_memdup(struct arena *arena, const void *bytes, size_t length);
char *arena_printf(struct arena *arena, const char *format, ...) PRINTF(2, 3);

#define ARENA_NEW(arena, type)          ((type *)arena_alloc((arena), sizeof(type)))
#define ARENA_ARRAY(arena, type, count) ((type *)arena_array((arena), (count), sizeof(type)))
