#pragma once
/* Pair specs as a query of Amazon Athena: the values of the specs' paths with how often they came
 * in an hour, unloaded as counted events (flat.h). The specs themselves are applied when those are
 * read, so what a spec means is written down once. Pure text, any thread. */
#include "base/err.h"
#include "lake/spec.h"

struct str;

enum {
    ATHENA_COLUMNS_MAX = 2000,
    ATHENA_TYPE_BYTES_MAX = 64 * 1024,
    ATHENA_SQL_BYTES_MAX = 256 * 1024
};

struct athena_column {
    const char *name, *type; /* as Glue has them: "src_endpoint", "struct<ip:string,port:int>" */
};
struct athena_table {
    const char *database, *name;
    const struct athena_column *columns; /* partition keys among them */
    size_t column_count;
};
struct athena_span {
    int64_t since_ms, until_ms; /* [since, until); 0 = none */
};

/* A source of Security Lake: the middle of its tables' names, NULL ends; and the classes it has. */
struct athena_source {
    const char *name;
    int64_t classes[8]; /* 0 ends */
};
extern const struct athena_source ATHENA_SOURCES[];
bool athena_source_has(const struct athena_source *source, const struct lake_spec *spec);

/* "UNLOAD (SELECT …) TO 'location' WITH (…)" for every spec of the set. ERR_INVALID: the table has
 * no class_uid, a spec's time, or no column of a spec's entity or address; the sentence says which.
 */
NODISCARD enum err_code athena_query(const struct spec_set *set, const struct athena_table *table,
                                     const struct athena_span *span, const char *location,
                                     struct str *ret, struct err *err);
/* The same of one row of the span, to see that the table can be read. */
NODISCARD enum err_code athena_probe(const struct athena_table *table,
                                     const struct athena_span *span, const char *location,
                                     struct str *ret, struct err *err);
