#pragma once
/* Reads OCSF JSON: one event, an array of events, or events one after the other (NDJSON). Records
 * are cut out of the stream one by one, so the file's size does not matter, a record's does. */
#include "base/err.h"
#include "lake/extract.h"
#include <stddef.h>

enum {
    JSON_RECORD_BYTES_MAX = 4 << 20,
    JSON_LIST_ITEMS_MAX = 4096, /* of a list that an address comes from; longer ones are cut */
};

struct ocsf_json;
struct ocsf_json *ocsf_json_new(struct extract *extract);
void ocsf_json_freep(struct ocsf_json **json);
/* The next bytes of the object. ERR_CORRUPT says in which record and, in it, line and column. */
NODISCARD enum err_code ocsf_json_add(struct ocsf_json *json, const char *bytes, size_t length,
                                      struct err *err);
/* The object ends here. ERR_CORRUPT when it is cut off, ERR_INVALID when no record of some had a
 * class_uid. */
NODISCARD enum err_code ocsf_json_end(struct ocsf_json *json, struct err *err);
