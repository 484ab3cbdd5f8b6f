/* Allocation that cannot fail, and the end of the program when an invariant is broken. */
#include "base/own.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/log.h"

void own_assert_failed(const char *condition, const char *file, int line)
{
    log_error("broken invariant", "condition=%s file=%s line=%d", log_quote(condition), file, line);
    abort();
}

static NORETURN void out_of_memory(size_t size)
{
    log_error("out of memory", "bytes=%zu", size);
    abort();
}

void *own_alloc(size_t size)
{
    void *memory = calloc(1, size > 0 ? size : 1);

    if (memory == NULL)
        out_of_memory(size);
    return memory;
}

void *own_array(size_t count, size_t size)
{
    ASSERT(size == 0 || count <= SIZE_MAX / size);
    return own_alloc(count * size);
}

void *own_resize(void *old, size_t count, size_t size)
{
    void *memory;

    ASSERT(size == 0 || count <= SIZE_MAX / size);
    memory = realloc(old, count * size > 0 ? count * size : 1);
    if (memory == NULL)
        out_of_memory(count * size);
    return memory;
}

enum { CACHE_LINE = 64, HUGE_PAGE = 2 << 20, HUGE_FROM = 2 * HUGE_PAGE };

void *own_aligned(size_t count, size_t size)
{
    size_t bytes, boundary;
    void *memory;

    ASSERT(size == 0 || count <= (SIZE_MAX - HUGE_PAGE) / size);
    boundary = count * size < HUGE_FROM ? CACHE_LINE : HUGE_PAGE;
    bytes = (count * size + boundary - 1) / boundary * boundary;
    memory = aligned_alloc(boundary, bytes > 0 ? bytes : boundary);
    if (memory == NULL)
        out_of_memory(bytes);
    if (boundary == HUGE_PAGE)
        (void)madvise(memory, bytes, MADV_HUGEPAGE);
    return memset(memory, 0, bytes);
}

char *own_strdup(const char *text)
{
    size_t bytes = strlen(text) + 1;

    return memcpy(own_alloc(bytes), text, bytes);
}

void own_freep(void *pointer_to_pointer)
{
    void **pointer = pointer_to_pointer;

    free(*pointer);
    *pointer = NULL;
}
