#pragma once
/* A line of CSV (RFC 4180, without line breaks in fields) as a pair: entity,ip[,time[,label]], and
 * of `simulate` labels with ,spec,story after it, of which the story is passed over. Time
 * is in seconds or milliseconds since 1970, or RFC 3339; label 1 = anomalous, 0 = not, -1 =
 * unknown. Blanks after a comma are passed over, as in SageMaker's own examples; other blanks
 * around unquoted fields are refused. Pure, any thread. */
#include "command/pairs_row.h"

enum { PAIRS_COLUMNS_BARE = 2, PAIRS_COLUMNS_ALL = 4, PAIRS_COLUMNS_LABELS = 6 };

/* line: without its line end and without NUL; it is changed. */
bool pairs_csv_parse(char *line, int columns_max, struct pairs_row *ret,
                     struct pairs_fault *ret_fault);
/* Whether the line, which did not parse, is a header: its second field is a name of an address. */
bool pairs_csv_is_header(const char *line);
