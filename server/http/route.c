/* The table is short (tens of rows): one pass over it, no index. */
#include "http/route.h"

#include "base/arena.h"
#include "base/own.h"
#include "base/str.h"
#include "http/server.h"
#include "http/uri.h"

#include <string.h>

static bool segment_matches(const char *pattern, size_t length, const char *segment)
{
    if (pattern[0] == '{')
        return segment[0] != '\0';
    return strlen(segment) == length && memcmp(pattern, segment, length) == 0;
}

static bool path_matches(const char *pattern, const struct uri *uri)
{
    size_t i = 0;

    if (uri->segment_count > URI_SEGMENTS_MAX)
        return false;
    for (;;) {
        size_t length = strcspn(++pattern, "/");

        if (i == uri->segment_count || !segment_matches(pattern, length, uri->segments[i]))
            return false;
        i++;
        pattern += length;
        if (*pattern == '\0')
            return i == uri->segment_count;
    }
}

static void read_parameters(const char *pattern, const struct uri *uri, struct arena *arena,
                            struct route_match *ret)
{
    size_t count = 0;

    for (size_t i = 0; *pattern != '\0'; i++) {
        size_t length = strcspn(++pattern, "/");

        if (pattern[0] == '{') {
            ASSERT(count < PATH_PARAMETERS_MAX);
            ret->parameters[count].name = arena_strndup(arena, pattern + 1, length - 2);
            ret->parameters[count++].value = uri->segments[i];
        }
        pattern += length;
    }
}

static void allow(struct str *text, const char *method)
{
    str_addf(text, "%s%s", text->length > 0 ? ", " : "", method);
    if (strcmp(method, "GET") == 0)
        str_add(text, ", HEAD");
}

void route_find(const struct route *routes, size_t count, const char *method, const struct uri *uri,
                struct arena *arena, struct route_match *ret)
{
    AUTO(str_done) struct str text = {.bytes_max = ROUTE_ALLOW_BYTES - 1};
    const char *wanted = strcmp(method, "HEAD") == 0 ? "GET" : method;
    size_t i = 0;

    *ret = (struct route_match){.outcome = ROUTE_UNKNOWN};
    while (i < count && !path_matches(routes[i].path, uri))
        i++;
    if (i == count)
        return;
    ret->outcome = ROUTE_WRONG_METHOD;
    for (const char *path = routes[i].path; i < count && strcmp(routes[i].path, path) == 0; i++) {
        allow(&text, routes[i].method);
        if (strcmp(routes[i].method, wanted) == 0) {
            ret->outcome = ROUTE_FOUND;
            ret->index = i;
        }
    }
    allow(&text, "OPTIONS");
    ASSERT(!text.failed);
    (void)memcpy(ret->allow, text.text, text.length + 1);
    if (ret->outcome == ROUTE_FOUND)
        read_parameters(routes[ret->index].path, uri, arena, ret);
}
