/* Splitting first and decoding afterwards: what was encoded never becomes syntax. */
#include "http/uri.h"

#include "base/arena.h"
#include "base/str.h"

#include <string.h>
#include <strings.h>

/* One decoded piece, clean UTF-8. */
static enum err_code decode(struct arena *arena, const char *text, size_t length, bool form,
                            const char *what, const char **ret, struct err *err)
{
    char *decoded = arena_alloc(arena, length + 1);

    if (!str_percent_decode(text, length, form, decoded))
        return err_set(err, ERR_INVALID, "the %s has a bad escape: %.*s", what,
                       length < 80 ? (int)length : 80, text);
    if (!str_is_clean_utf8(decoded, strlen(decoded)))
        return err_set(err, ERR_INVALID, "the %s is not clean UTF-8: %.*s", what,
                       length < 80 ? (int)length : 80, text);
    *ret = decoded;
    return ERR_NONE;
}

static enum err_code parse_path(struct arena *arena, struct uri *uri, struct err *err)
{
    const char *at = uri->path + 1;

    for (;;) {
        size_t length = strcspn(at, "/");
        const char *segment = NULL;

        TRY(decode(arena, at, length, false, "path", &segment, err));
        if (uri->segment_count < URI_SEGMENTS_MAX)
            uri->segments[uri->segment_count] = segment;
        uri->segment_count++;
        if (at[length] == '\0')
            return ERR_NONE;
        at += length + 1;
    }
}

static enum err_code parse_parameter(struct arena *arena, const char *text, size_t length,
                                     struct name_value *ret, struct err *err)
{
    const char *equals = memchr(text, '=', length);
    size_t name_length = equals != NULL ? (size_t)(equals - text) : length;
    size_t value_at = equals != NULL ? name_length + 1 : length;

    if (name_length == 0)
        return err_set(err, ERR_INVALID, "the query has a parameter without a name");
    TRY(decode(arena, text, name_length, true, "query", &ret->name, err));
    return decode(arena, text + value_at, length - value_at, true, "query", &ret->value, err);
}

static enum err_code check_new(const struct name_value *items, size_t count, struct err *err)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(items[i].name, items[count].name) == 0)
            return err_set(err, ERR_INVALID, "the query parameter %.64s is given twice",
                           items[i].name);
    return ERR_NONE;
}

static enum err_code parse_query(struct arena *arena, const char *text, struct uri *uri,
                                 struct err *err)
{
    struct name_value *items = ARENA_ARRAY(arena, struct name_value, QUERY_PARAMETERS_MAX + 1);
    size_t count = 0;

    uri->query = items;
    while (*text != '\0') {
        size_t length = strcspn(text, "&");

        if (count == QUERY_PARAMETERS_MAX)
            return err_set(err, ERR_INVALID, "the query has more than %d parameters",
                           QUERY_PARAMETERS_MAX);
        TRY(parse_parameter(arena, text, length, &items[count], err));
        TRY(check_new(items, count, err));
        count++;
        text += length;
        if (*text == '&' && *++text == '\0')
            return err_set(err, ERR_INVALID, "the query ends with &");
    }
    return ERR_NONE;
}

/* "http://host/path" is as good as "/path" (RFC 9112 section 3.2.2). */
static const char *skip_authority(const char *target)
{
    const char *rest;

    if (strncasecmp(target, "http://", 7) == 0)
        rest = target + 7;
    else if (strncasecmp(target, "https://", 8) == 0)
        rest = target + 8;
    else
        return target;
    rest += strcspn(rest, "/?");
    return *rest == '/' ? rest : target;
}

enum err_code uri_parse(struct arena *arena, const char *target, struct uri *ret, struct err *err)
{
    const char *query;

    *ret = (struct uri){.path = ""};
    for (const char *c = target; *c != '\0'; c++)
        if (*c <= ' ' || *c > '~' || *c == '#')
            return err_set(err, ERR_INVALID, "the request target has a byte that may not be there");
    target = skip_authority(target);
    if (*target != '/')
        return err_set(err, ERR_INVALID, "the request target is no path: %.80s", target);
    query = strchr(target, '?');
    ret->path = query != NULL ? arena_strndup(arena, target, (size_t)(query - target)) : target;
    TRY(parse_path(arena, ret, err));
    return parse_query(arena, query != NULL ? query + 1 : "", ret, err);
}
