#pragma once
/* A table of autonomous systems from a text file, one network a line, in either of two forms:
 *
 *   network,asn[,name]                CSV; the network is a CIDR, IPv4 or IPv6
 *   low,high,asn[,name]               CSV; both ends of a range, included
 *   low TAB high TAB asn TAB country TAB name
 *
 * An asn is a number, with or without AS before it; 0 is a network that nobody routes. Of networks
 * within each other the smaller one counts. A first line that begins with a word is a header; empty
 * lines and lines that begin with # are passed over. */
#include "base/err.h"
#include "model/asn.h"

struct asn_file {
    struct asn_table table;
    uint32_t *numbers;
    char *names;
    uint64_t *lows[PREFIX_FAMILIES], *highs[PREFIX_FAMILIES];
    uint32_t *systems[PREFIX_FAMILIES];
};

/* ERR_INVALID with file and line. */
NODISCARD enum err_code asn_file_read(const char *path, struct asn_file *ret, struct err *err);
void asn_file_done(struct asn_file *file); /* accepts a zeroed one */
