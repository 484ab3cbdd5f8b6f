#pragma once
/* Rows of pairs from a file, a pipe or memory, one after the other in constant memory, in every
 * form of SageMaker IP Insights' endpoint: CSV         entity,ip a line (pairs_csv.h) JSON
 * {"instances": [ instance, … ]} (pairs_json.h) JSON Lines  an instance a line What is wrong is
 * said with file, line and column; of a body in memory with the row's number. One thread. */
#include "base/err.h"
#include "base/str.h"
#include "command/pairs_row.h"

enum pairs_format { PAIRS_DETECT, PAIRS_CSV, PAIRS_JSON, PAIRS_JSON_LINES, PAIRS_FORMAT__MAX };
/* Content types, NULL for PAIRS_DETECT. */
extern const char *const PAIRS_FORMAT_TYPES[PAIRS_FORMAT__MAX];

/* Bad rows that are passed over, in one file or several: counted by reason, the first ones told on
 * stderr. */
struct pairs_tally {
    double bad_percent_max; /* 0: the first one ends the reading */
    uint64_t rows, bad, by_reason[PAIRS_REASON__MAX];
};
/* "5%" or "0.5", 0 to 100. */
NODISCARD enum err_code pairs_tally_init(struct pairs_tally *tally, const char *percent,
                                         struct err *err);
/* At the end: tells the counts on stderr when there are any; ERR_INVALID when there are too many.
 */
NODISCARD enum err_code pairs_tally_check(const struct pairs_tally *tally, struct err *err);

struct pairs_options {
    enum pairs_format format;
    int columns_max;           /* of CSV */
    bool header;               /* the first line of CSV may be one */
    struct pairs_tally *tally; /* NULL: a bad row ends the reading */
};

struct pairs_reader {
    struct pairs_options options;
    const char *name; /* of the file; NULL: memory */
    int file;
    bool close;
    char *buffer;      /* owned; NULL: memory */
    const char *bytes; /* the window: at..end is still to be read */
    size_t at, end;
    bool ended; /* nothing comes after the window */
    bool begun;
    struct str row;
    uint64_t number;   /* of the row, from 1 */
    uint64_t line;     /* being read, from 1 */
    size_t column;     /* of the next byte in it, from 0; JSON only */
    uint64_t row_line; /* where the row began */
    size_t row_column;
    int stage;            /* of JSON */
    struct json_doc *doc; /* of the last row */
};

/* path NULL: standard input. */
NODISCARD enum err_code pairs_reader_open(struct pairs_reader *reader, const char *path,
                                          const struct pairs_options *options, struct err *err);
/* The bytes are the caller's. */
void pairs_reader_memory(struct pairs_reader *reader, const char *bytes, size_t length,
                         const struct pairs_options *options);
void pairs_reader_close(struct pairs_reader *reader); /* accepts a zeroed one */
/* *ret_more false at the end. Empty lines and the header are passed over. */
NODISCARD enum err_code pairs_reader_next(struct pairs_reader *reader, struct pairs_row *ret,
                                          bool *ret_more, struct err *err);
