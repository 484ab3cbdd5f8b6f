#pragma once
/* logfmt lines on stderr: time, level, message, then key=value pairs; with the journal's <N>
 * priority in front when JOURNAL_STREAM is set. Any thread; a line is written whole.
 * Never tokens, passwords or bodies. The format string holds the pairs, its text values quoted
 * by log_quote: log_info("object read", "key=%s rows=%" PRId64, LOG_QUOTE(key), rows). */
#include "base/own.h"
#include <stdbool.h>

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARN, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };

void log_set_level(enum log_level level); /* before threads start */
bool log_level_parse(const char *word, enum log_level *ret);
void log_line(enum log_level level, const char *message, const char *format, ...) PRINTF(3, 4);

#define log_error(message, ...) log_line(LOG_LEVEL_ERROR, message, __VA_ARGS__)
#define log_warn(message, ...)  log_line(LOG_LEVEL_WARN, message, __VA_ARGS__)
#define log_info(message, ...)  log_line(LOG_LEVEL_INFO, message, __VA_ARGS__)
#define log_debug(message, ...) log_line(LOG_LEVEL_DEBUG, message, __VA_ARGS__)

/* A quoted, escaped copy that lives in a per-thread ring of 8 buffers of 1 KiB (longer is cut). */
const char *log_quote(const char *text);

/* Progress of long work: on a terminal one line rewritten in place (rate, done, left), otherwise
 * a log line every ten seconds. total 0 = unknown. One thread. */
struct progress {
    const char *what, *unit;
    long long done, total;
    long long started_ms, shown_ms;
    bool terminal;
};
void progress_start(struct progress *progress, const char *what, const char *unit, long long total);
void progress_add(struct progress *progress, long long count);
void progress_end(struct progress *progress);
