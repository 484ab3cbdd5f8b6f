#pragma once
/* What this process has counted since it began, by name: "received", "aws_retries|sqs|timeout". The
 * parts of a name are divided by "|"; anything but letters, digits, dot, "_" and "-" in them
 * becomes
 * "_". One table for the process, with one lock: any thread. */
#include <stddef.h>
#include <stdint.h>

enum {
    TALLY_NAMES_MAX = 256, /* more names are not counted */
    TALLY_NAME_BYTES = 96, /* longer ones are cut */
};

struct tally {
    char name[TALLY_NAME_BYTES];
    uint64_t value;
};
/* label and label2 may be NULL. */
void tally_add(const char *name, const char *label, const char *label2, uint64_t value);
/* All of them, at most TALLY_NAMES_MAX, in the order in which they were first counted: an index
 * keeps its name. */
size_t tally_read(struct tally ret[static TALLY_NAMES_MAX]);
