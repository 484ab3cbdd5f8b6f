#pragma once
/* The few compiler extensions the tree uses, under names that say what they are for. */
#include <stddef.h>

/* Runs fn(&variable) when the variable leaves scope. Destructors accept zeroed objects. */
#define AUTO(fn) __attribute__((cleanup(fn)))

#define NODISCARD                  __attribute__((warn_unused_result))
#define PRINTF(format_at, args_at) __attribute__((format(printf, format_at, args_at)))
#define NORETURN                   __attribute__((noreturn))
#define UNUSED                     __attribute__((unused))

/* The only macro that returns: passes a failure on to the caller and does nothing else. */
#define TRY(call)                                                                                  \
    do {                                                                                           \
        enum err_code try_code_ = (call);                                                          \
        if (try_code_ != ERR_NONE)                                                                 \
            return try_code_;                                                                      \
    } while (0)

/* Yields the pointer and nulls it: ownership moves to whoever receives the value. */
#define TAKE(pointer)                                                                              \
    __extension__({                                                                                \
        __typeof__(pointer) *take_at_ = &(pointer);                                                \
        __typeof__(pointer) take_value_ = *take_at_;                                               \
        *take_at_ = NULL;                                                                          \
        take_value_;                                                                               \
    })

#define ARRAY_LEN(array) (sizeof(array) / sizeof((array)[0]))

/* Programmer errors only, kept in release builds; never for input. */
#define ASSERT(condition)                                                                          \
    ((condition) ? (void)0 : own_assert_failed(#condition, __FILE__, __LINE__))
NORETURN void own_assert_failed(const char *condition, const char *file, int line);

/* Allocation that aborts with a log line when memory is out: the service manager restarts us.
 * Sizes that come from input are bounded by their readers before they get here. */
void *own_alloc(size_t size);               /* zeroed */
void *own_array(size_t count, size_t size); /* zeroed; aborts when count * size overflows */
void *own_resize(void *old, size_t count, size_t size); /* new bytes are not zeroed */
/* Zeroed, on the boundary of a line of the cache; large ones in huge pages where the system has
 * them: what is looked up all over needs not be found first. own_resize keeps neither. */
void *own_aligned(size_t count, size_t size);
char *own_strdup(const char *text);
/* Cleanup for pointers from own_alloc and malloc: AUTO(own_freep) char *text = NULL; */
void own_freep(void *pointer_to_pointer);
