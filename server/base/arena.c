/* Blocks are chained, newest first; a new one is as large as all before it together, so the number
 * of blocks grows with the logarithm of what is used. */
#include "base/arena.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#else
#define ASAN_POISON_MEMORY_REGION(address, size)   ((void)(address), (void)(size))
#define ASAN_UNPOISON_MEMORY_REGION(address, size) ((void)(address), (void)(size))
#endif

enum { ARENA_ALIGN = 16, ARENA_BLOCK_FIRST = 4096, ARENA_BLOCK_MAX = 1 << 26 };

struct arena_block {
    struct arena_block *older;
    size_t size, used;
    size_t unused_; /* keeps bytes aligned to ARENA_ALIGN */
    unsigned char bytes[];
};

void arena_init(struct arena *arena, size_t bytes_max)
{
    ASSERT(bytes_max > 0);
    *arena = (struct arena){.bytes_max = bytes_max};
}

static void block_free(struct arena_block *block)
{
    ASAN_UNPOISON_MEMORY_REGION(block->bytes, block->size);
    free(block);
}

void arena_done(struct arena *arena)
{
    while (arena->blocks != NULL) {
        struct arena_block *block = arena->blocks;

        arena->blocks = block->older;
        block_free(block);
    }
    arena->used_bytes = 0;
}

void arena_reset(struct arena *arena)
{
    struct arena_block *keep = arena->blocks;

    if (keep == NULL)
        return;
    arena->blocks = keep->older;
    arena_done(arena);
    keep->older = NULL;
    ASAN_UNPOISON_MEMORY_REGION(keep->bytes, keep->size);
    (void)memset(keep->bytes, 0, keep->used);
    ASAN_POISON_MEMORY_REGION(keep->bytes, keep->size);
    keep->used = 0;
    arena->blocks = keep;
}

static struct arena_block *block_new(struct arena *arena, size_t need)
{
    size_t size = arena->used_bytes > ARENA_BLOCK_FIRST ? arena->used_bytes : ARENA_BLOCK_FIRST;
    struct arena_block *block;

    if (size > ARENA_BLOCK_MAX)
        size = ARENA_BLOCK_MAX;
    if (size < need)
        size = need;
    block = own_alloc(sizeof *block + size);
    block->size = size;
    block->older = arena->blocks;
    ASAN_POISON_MEMORY_REGION(block->bytes, block->size);
    arena->blocks = block;
    return block;
}

void *arena_alloc(struct arena *arena, size_t size)
{
    struct arena_block *block = arena->blocks;
    size_t need = (size + ARENA_ALIGN - 1) & ~(size_t)(ARENA_ALIGN - 1);
    void *memory;

    ASSERT(need >= size && need <= arena->bytes_max &&
           arena->used_bytes <= arena->bytes_max - need);
    if (block == NULL || block->size - block->used < need)
        block = block_new(arena, need);
    memory = block->bytes + block->used;
    ASAN_UNPOISON_MEMORY_REGION(memory, size);
    block->used += need;
    arena->used_bytes += need;
    return memory;
}

void *arena_array(struct arena *arena, size_t count, size_t size)
{
    ASSERT(size == 0 || count <= SIZE_MAX / size);
    return arena_alloc(arena, count * size);
}

void *arena_memdup(struct arena *arena, const void *bytes, size_t length)
{
    void *copy = arena_alloc(arena, length);

    if (length > 0)
        (void)memcpy(copy, bytes, length);
    return copy;
}

char *arena_strndup(struct arena *arena, const char *text, size_t length)
{
    char *copy = arena_alloc(arena, length + 1);

    if (length > 0)
        (void)memcpy(copy, text, length);
    copy[length] = '\0';
    return copy;
}

char *arena_strdup(struct arena *arena, const char *text)
{
    return text != NULL ? arena_strndup(arena, text, strlen(text)) : NULL;
}

char *arena_printf(struct arena *arena, const char *format, ...)
{
    va_list args;
    char *text;
    int length;

    ASSERT(format != NULL); /* what UBSan's checks make gcc doubt */
    va_start(args, format);
    length = vsnprintf(NULL, 0, format, args);
    va_end(args);
    ASSERT(length >= 0);
    text = arena_alloc(arena, (size_t)length + 1);
    va_start(args, format);
    (void)vsnprintf(text, (size_t)length + 1, format, args);
    va_end(args);
    return text;
}
