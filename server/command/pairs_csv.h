#pragma once
/* Reading pairs from CSV, RFC 4180: entity,ip[,time[,label]], a header or none. Time is in seconds
 * or milliseconds since 1970, or RFC 3339; label 1 = anomalous, 0 = not, -1 = unknown. What is
 * wrong is said with file, line and column. One thread. */
#include "base/err.h"
#include "base/ip.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

struct pairs_csv {
    const char *name; /* of the file, for messages */
    FILE *file;
    char *line; /* of getline */
    size_t capacity;
    long line_number;
};

struct pairs_row {
    const char *entity; /* until the next row */
    struct ip ip;
    int64_t time_ms; /* 0 = none */
    int label;       /* 0 when there is none */
};

NODISCARD enum err_code pairs_csv_open(struct pairs_csv *csv, const char *path, struct err *err);
void pairs_csv_close(struct pairs_csv *csv); /* accepts a zeroed one */
/* *ret_more false at the end. Empty lines and the header are passed over. */
NODISCARD enum err_code pairs_csv_next(struct pairs_csv *csv, struct pairs_row *ret, bool *ret_more,
                                       struct err *err);
/* One line without its line feed, which is changed. */
NODISCARD enum err_code pairs_csv_parse(char *line, const char *name, long line_number,
                                        struct pairs_row *ret, bool *ret_header, struct err *err);
