/* Counting bad rows, and when they are too many. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "command/pairs_reader.h"

enum { COUNTS_BYTES_MAX = 1024, PERCENT_BYTES_MAX = 32 };

enum err_code pairs_tally_init(struct pairs_tally *tally, const char *percent, struct err *err)
{
    char number[PERCENT_BYTES_MAX];
    size_t length = strlen(percent);

    *tally = (struct pairs_tally){.bad_percent_max = 0};
    if (length > 0 && percent[length - 1] == '%')
        length--;
    if (length >= sizeof number)
        length = 0;
    (void)memcpy(number, percent, length);
    number[length] = '\0';
    if (!str_to_double(number, &tally->bad_percent_max) || tally->bad_percent_max < 0 ||
        tally->bad_percent_max > 100)
        return err_set(err, ERR_USAGE, "--max-bad must be from 0%% to 100%%, not \"%.40s\"",
                       percent);
    return ERR_NONE;
}

enum err_code pairs_tally_check(const struct pairs_tally *tally, struct err *err)
{
    AUTO(str_done) struct str counts = {.bytes_max = COUNTS_BYTES_MAX};

    if (tally->bad == 0)
        return ERR_NONE;
    for (int i = 0; i < PAIRS_REASON__MAX; i++)
        if (tally->by_reason[i] > 0)
            str_addf(&counts, "%s%s %" PRIu64, counts.length > 0 ? ", " : "", PAIRS_REASON_WORDS[i],
                     tally->by_reason[i]);
    if ((double)tally->bad * 100 > tally->bad_percent_max * (double)tally->rows)
        return err_set(err, ERR_INVALID,
                       "%" PRIu64 " of %" PRIu64 " rows are bad, more than --max-bad %.10g%%: %s",
                       tally->bad, tally->rows, tally->bad_percent_max, counts.text);
    (void)fprintf(stderr, "pairwatch: skipped %" PRIu64 " of %" PRIu64 " rows: %s\n", tally->bad,
                  tally->rows, counts.text);
    return ERR_NONE;
}
