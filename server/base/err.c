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

enum err_code err_prefix(struct err *err, const char *format, ...)
{
    char old[ERR_TEXT_BYTES];
    va_list args;
    int length;

    if (err == NULL)
        return ERR_INTERNAL;
    (void)memcpy(old, err->text, sizeof old);
    va_start(args, format);
    length = vsnprintf(err->text, sizeof err->text, format, args);
    va_end(args);
    if (length >= 0 && (size_t)length < sizeof err->text)
        (void)snprintf(err->text + length, sizeof err->text - (size_t)length, ": %s", old);
    keep_to_one_line(err->text);
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
