/* One line is one write, so lines of several threads never mix. */
#include "base/log.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"

enum { LOG_LINE_BYTES_MAX = 8192, LOG_QUOTES = 8, LOG_QUOTE_BYTES = 1024 };

static const char *const LEVEL_WORDS[] = {"error", "warn", "info", "debug"};
static const int JOURNAL_PRIORITIES[] = {3, 4, 6, 7}; /* sd-daemon(3) */
static _Atomic int log_level = LOG_LEVEL_INFO;

void log_set_level(enum log_level level)
{
    atomic_store(&log_level, (int)level);
}

bool log_level_parse(const char *word, enum log_level *ret)
{
    for (size_t i = 0; i < ARRAY_LEN(LEVEL_WORDS); i++) {
        if (strcmp(word, LEVEL_WORDS[i]) == 0) {
            *ret = (enum log_level)i;
            return true;
        }
    }
    return false;
}

static size_t line_start(char *line, size_t size, enum log_level level, const char *message)
{
    char now[TIME_TEXT_BYTES];
    int length;

    (void)time_format(now, clock_now_ms());
    if (getenv("JOURNAL_STREAM") != NULL) /* the journal keeps its own time */
        length = snprintf(line, size, "<%d>level=%s msg=%s", JOURNAL_PRIORITIES[level],
                          LEVEL_WORDS[level], log_quote(message));
    else
        length = snprintf(line, size, "time=%s level=%s msg=%s", now, LEVEL_WORDS[level],
                          log_quote(message));
    return (size_t)length < size ? (size_t)length : size - 1;
}

/* What was not quoted cannot start a line of its own. */
static void keep_to_one_line(char *line, size_t length)
{
    for (size_t i = 0; i < length; i++)
        if ((unsigned char)line[i] < 0x20)
            line[i] = ' ';
}

void log_line(enum log_level level, const char *message, const char *format, ...)
{
    char line[LOG_LINE_BYTES_MAX];
    size_t length;
    va_list args;

    if ((int)level > atomic_load(&log_level))
        return;
    length = line_start(line, sizeof line - 2, level, message);
    if (format[0] != '\0') {
        int added;

        line[length++] = ' ';
        va_start(args, format);
        added = vsnprintf(line + length, sizeof line - 1 - length, format, args);
        va_end(args);
        if (added > 0)
            length +=
                (size_t)added < sizeof line - 1 - length ? (size_t)added : sizeof line - 2 - length;
    }
    keep_to_one_line(line, length);
    line[length++] = '\n';
    if (write(STDERR_FILENO, line, length) < 0)
        return; /* nowhere to say it */
}

const char *log_quote(const char *text)
{
    static _Thread_local char ring[LOG_QUOTES][LOG_QUOTE_BYTES];
    static _Thread_local unsigned next;
    char *quoted = ring[next++ % LOG_QUOTES];
    size_t to = 0;

    quoted[to++] = '"';
    for (; text != NULL && *text != '\0' && to < LOG_QUOTE_BYTES - 6; text++) {
        unsigned char c = (unsigned char)*text;

        if (c == '"' || c == '\\') {
            quoted[to++] = '\\';
            quoted[to++] = (char)c;
        } else if (c < 0x20 || c == 0x7f) {
            to += (size_t)snprintf(quoted + to, 5, "\\x%02x", c);
        } else {
            quoted[to++] = (char)c;
        }
    }
    quoted[to++] = '"';
    quoted[to] = '\0';
    return quoted;
}
