#include "base/tar.h"

#include <stdio.h>
#include <string.h>

#include "base/str.h"

enum {
    BLOCK_BYTES = 512,
    NAME_AT = 0,
    NAME_BYTES = 100,
    MODE_AT = 100,
    OWNER_AT = 108,
    GROUP_AT = 116,
    SIZE_AT = 124,
    SIZE_BYTES = 12,
    TIME_AT = 136,
    SUM_AT = 148,
    SUM_BYTES = 8,
    TYPE_AT = 156,
    MAGIC_AT = 257,
};

static unsigned sum_of(const char *block)
{
    unsigned sum = 0;

    for (int i = 0; i < BLOCK_BYTES; i++)
        sum += i >= SUM_AT && i < SUM_AT + SUM_BYTES ? ' ' : (unsigned char)block[i];
    return sum;
}

void tar_write(const char *name, const void *bytes, size_t length, struct str *ret)
{
    static const char NOTHING[BLOCK_BYTES] = "";
    char block[BLOCK_BYTES] = "";
    size_t rest = length % BLOCK_BYTES;

    ASSERT(strlen(name) < NAME_BYTES);
    (void)snprintf(block + NAME_AT, NAME_BYTES, "%s", name);
    (void)snprintf(block + MODE_AT, 8, "%07o", 0644U);
    (void)snprintf(block + OWNER_AT, 8, "%07o", 0U);
    (void)snprintf(block + GROUP_AT, 8, "%07o", 0U);
    (void)snprintf(block + SIZE_AT, SIZE_BYTES, "%011llo", (unsigned long long)length);
    (void)snprintf(block + TIME_AT, 12, "%011o", 0U);
    block[TYPE_AT] = '0';
    (void)memcpy(block + MAGIC_AT, "ustar\00000", 8);
    (void)snprintf(block + SUM_AT, SUM_BYTES, "%06o", sum_of(block));
    block[SUM_AT + SUM_BYTES - 1] = ' ';
    str_add_bytes(ret, block, BLOCK_BYTES);
    str_add_bytes(ret, bytes, length);
    if (rest > 0)
        str_add_bytes(ret, NOTHING, BLOCK_BYTES - rest);
    str_add_bytes(ret, NOTHING, BLOCK_BYTES); /* two empty blocks end it */
    str_add_bytes(ret, NOTHING, BLOCK_BYTES);
}

/* Octal digits between blanks and NULs; false on anything else. */
static bool read_octal(const char *field, size_t size, unsigned long long *ret)
{
    size_t i = 0;

    *ret = 0;
    while (i < size && field[i] == ' ')
        i++;
    for (; i < size && field[i] >= '0' && field[i] <= '7'; i++)
        *ret = *ret << 3 | (unsigned)(field[i] - '0');
    while (i < size && (field[i] == ' ' || field[i] == '\0'))
        i++;
    return i == size;
}

static bool is_empty(const char *block)
{
    for (int i = 0; i < BLOCK_BYTES; i++)
        if (block[i] != '\0')
            return false;
    return true;
}

static bool is_named(const char *block, const char *name)
{
    char found[NAME_BYTES + 1];
    const char *slash;

    (void)memcpy(found, block + NAME_AT, NAME_BYTES);
    found[NAME_BYTES] = '\0';
    slash = strrchr(found, '/');
    return strcmp(slash != NULL ? slash + 1 : found, name) == 0 &&
           (block[TYPE_AT] == '0' || block[TYPE_AT] == '\0');
}

enum err_code tar_find(const char *bytes, size_t length, const char *name, const char **ret,
                       size_t *ret_length, struct err *err)
{
    size_t at = 0;

    for (int entry = 0; entry < TAR_ENTRIES_MAX && length - at >= BLOCK_BYTES; entry++) {
        const char *block = bytes + at;
        unsigned long long size, sum;

        if (is_empty(block))
            return err_set(err, ERR_NOT_FOUND, "the archive has no file \"%s\"", name);
        if (!read_octal(block + SUM_AT, SUM_BYTES, &sum) || sum != sum_of(block) ||
            !read_octal(block + SIZE_AT, SIZE_BYTES, &size))
            return err_set(err, ERR_CORRUPT, "byte %zu is not the head of a file in an archive",
                           at);
        at += BLOCK_BYTES;
        if (size > length - at)
            return err_set(err, ERR_CORRUPT, "the archive is cut off");
        if (is_named(block, name)) {
            *ret = bytes + at;
            *ret_length = (size_t)size;
            return ERR_NONE;
        }
        size += (BLOCK_BYTES - size % BLOCK_BYTES) % BLOCK_BYTES;
        if (size > length - at)
            break;
        at += (size_t)size;
    }
    return length < BLOCK_BYTES
               ? err_set(err, ERR_CORRUPT, "this is no archive")
               : err_set(err, ERR_NOT_FOUND, "the archive has no file \"%s\"", name);
}
