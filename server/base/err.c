/* One sentence and a code. */
#include "base/err.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static const char *const WORDS[ERR__MAX] = {
    [ERR_NONE] = "none",
    [ERR_INVALID] = "invalid",
    [ERR_USAGE] = "usage",
    [ERR_NOT_FOUND] = "not_found",
    [ERR_UNAUTHORIZED] = "unauthorized",
    [ERR_FORBIDDEN] = "forbidden",
    [ERR_CONFLICT] = "conflict",
    [ERR_PRECONDITION] = "precondition",
    [ERR_PRECONDITION_REQUIRED] = "precondition_required",
    [ERR_TOO_LARGE] = "too_large",
    [ERR_MEDIA_TYPE] = "media_type",
    [ERR_NOT_ACCEPTABLE] = "not_acceptable",
    [ERR_BUSY] = "busy",
    [ERR_RATE] = "rate",
    [ERR_TIMEOUT] = "timeout",
    [ERR_UNAVAILABLE] = "unavailable",
    [ERR_IO] = "io",
    [ERR_FULL] = "full",
    [ERR_CORRUPT] = "corrupt",
    [ERR_INTERNAL] = "internal",
    [ERR_CANCELLED] = "cancelled",
};

const char *err_word(enum err_code code)
{
    return (unsigned)code < ERR__MAX ? WORDS[code] : "unknown";
}

/* A sentence is one line, whatever went into it. */
static void keep_to_one_line(char *text)
{
    for (; *text != '\0'; text++)
        if ((unsigned char)*text < ' ')
            *text = ' ';
}

enum err_code err_set(struct err *err, enum err_code code, const char *format, ...)
{
    char text[ERR_TEXT_BYTES]; /* the arguments may point into err->text */
    va_list args;

    if (err == NULL)
        return code;
    va_start(args, format);
    (void)vsnprintf(text, sizeof text, format, args);
    va_end(args);
    keep_to_one_line(text);
    *err = (struct err){.code = code};
    (void)memcpy(err->text, text, sizeof text);
    return code;
}

/* Appends what fits. */
static size_t append(char text[static ERR_TEXT_BYTES], size_t at, const char *more)
{
    size_t length = strlen(more);

    if (length > ERR_TEXT_BYTES - 1 - at)
        length = ERR_TEXT_BYTES - 1 - at;
    (void)memcpy(text + at, more, length);
    text[at + length] = '\0';
    return at + length;
}

enum err_code err_prefix(struct err *err, const char *format, ...)
{
    char text[ERR_TEXT_BYTES];
    va_list args;
    size_t length;

    if (err == NULL)
        return ERR_INTERNAL;
    va_start(args, format);
    (void)vsnprintf(text, sizeof text, format, args);
    va_end(args);
    length = append(text, strlen(text), ": ");
    (void)append(text, length, err->text);
    keep_to_one_line(text);
    (void)memcpy(err->text, text, sizeof text);
    return err->code;
}

static enum err_code code_of_errno(int number)
{
    switch (number) {
    case ENOENT:
    case ENOTDIR:
        return ERR_NOT_FOUND;
    case ENOSPC:
    case EROFS:
    case EDQUOT:
        return ERR_FULL;
    default:
        return ERR_IO;
    }
}

enum err_code err_errno(struct err *err, enum err_code code, const char *format, ...)
{
    int number = errno;
    char what[ERR_TEXT_BYTES];
    char reason[128];
    va_list args;

    va_start(args, format);
    (void)vsnprintf(what, sizeof what, format, args);
    va_end(args);
    return err_set(err, code == ERR_IO ? code_of_errno(number) : code, "%s: %s", what,
                   strerror_r(number, reason, sizeof reason));
}
