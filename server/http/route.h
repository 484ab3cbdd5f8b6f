#pragma once
/* From method and path to a row of the route table. Segments match exactly; a row whose segment is
 * literal goes before one with a parameter there. A path that exists under other methods is told
 * from one that does not exist. Pure, any thread. */
#include "http/request.h"
#include <stddef.h>

struct arena;
struct route;
struct uri;

enum route_outcome { ROUTE_FOUND, ROUTE_WRONG_METHOD, ROUTE_UNKNOWN };
enum { ROUTE_ALLOW_BYTES = 64 };

struct route_match {
    enum route_outcome outcome;
    size_t index;                                          /* into the table, when found */
    struct name_value parameters[PATH_PARAMETERS_MAX + 1]; /* NULL name ends */
    char allow[ROUTE_ALLOW_BYTES]; /* "GET, HEAD, PATCH, OPTIONS", unless unknown */
};

/* routes is sorted by path in byte order. HEAD is found as GET. Names live in the arena. */
void route_find(const struct route *routes, size_t count, const char *method, const struct uri *uri,
                struct arena *arena, struct route_match *ret);
