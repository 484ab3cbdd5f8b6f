/* One pass over all ranges of all Accept headers, keeping the most specific that fits. */
#include "http/accept.h"

#include "http/request.h"

#include <string.h>
#include <strings.h>

enum fit { FIT_NONE, FIT_ANY, FIT_KIND, FIT_EXACT };

/* How well a range ("text/csv", "text" "/" "*") fits a type; both without parameters. */
static enum fit fit_of(const char *range, size_t range_length, const char *type, size_t type_length)
{
    const char *slash = memchr(type, '/', type_length);
    size_t kind = slash != NULL ? (size_t)(slash - type) + 1 : type_length;

    if (range_length == type_length && strncasecmp(range, type, type_length) == 0)
        return FIT_EXACT;
    if (range_length == 3 && memcmp(range, "*/*", 3) == 0)
        return FIT_ANY;
    if (range_length == kind + 1 && range[kind] == '*' && strncasecmp(range, type, kind) == 0)
        return FIT_KIND;
    return FIT_NONE;
}

/* ";q=0" and "; q=0.000" among the parameters. */
static bool is_refused(const char *parameters, size_t length)
{
    const char *end = parameters + length;

    for (const char *at = parameters; at < end; at++) {
        if (*at != ';')
            continue;
        at += 1 + strspn(at + 1, " \t");
        if (end - at < 3 || (*at != 'q' && *at != 'Q') || at[1] != '=')
            continue;
        at += 2;
        return *at == '0' && strspn(at, "0.") >= strcspn(at, " \t;,");
    }
    return false;
}

struct judged {
    enum fit fit;
    bool refused;
    bool any; /* some range was there */
};

static void judge(const char *text, const char *type, size_t type_length, struct judged *ret)
{
    while (*text != '\0') {
        size_t length, name;
        enum fit fit;

        text += strspn(text, " \t,");
        length = strcspn(text, ",");
        name = strcspn(text, " \t;,");
        fit = name > 0 ? fit_of(text, name, type, type_length) : FIT_NONE;
        ret->any |= name > 0;
        if (fit > ret->fit) {
            ret->fit = fit;
            ret->refused = is_refused(text + name, length - name);
        }
        text += length;
    }
}

bool accept_allows(const struct name_value *headers, const char *content_type)
{
    size_t type_length = strcspn(content_type, "; \t");
    struct judged judged = {.fit = FIT_NONE};

    for (; headers->name != NULL; headers++)
        if (strcasecmp(headers->name, "Accept") == 0)
            judge(headers->value, content_type, type_length, &judged);
    return !judged.any || (judged.fit != FIT_NONE && !judged.refused);
}
