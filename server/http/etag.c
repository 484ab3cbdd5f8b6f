/* One scan of the list; every member is looked at, so a malformed tail voids the whole. */
#include "http/etag.h"

#include <stddef.h>
#include <string.h>

static const char *skip_blanks(const char *at)
{
    return at + strspn(at, " \t");
}

/* etagc of RFC 9110: visible ASCII but the quote, and bytes over 0x7f. */
static size_t tag_length(const char *at)
{
    size_t length = 0;

    while ((unsigned char)at[length] > ' ' && at[length] != '"' && at[length] != 0x7f)
        length++;
    return length;
}

static bool list_has(const char *at, const char *etag, bool weak_too)
{
    size_t wanted = strlen(etag);
    bool found = false;

    for (;;) {
        bool weak;
        size_t length;

        at = skip_blanks(at);
        weak = strncmp(at, "W/", 2) == 0;
        at += weak ? 2 : 0;
        if (*at++ != '"')
            return false;
        length = tag_length(at);
        if (at[length] != '"')
            return false;
        if ((!weak || weak_too) && length == wanted && memcmp(at, etag, length) == 0)
            found = true;
        at = skip_blanks(at + length + 1);
        if (*at == '\0')
            return found;
        if (*at++ != ',')
            return false;
    }
}

static bool matches(const char *header, const char *etag, bool weak_too)
{
    header = skip_blanks(header);
    if (*header == '*')
        return *skip_blanks(header + 1) == '\0';
    return list_has(header, etag, weak_too);
}

bool etag_matches(const char *header, const char *etag)
{
    return matches(header, etag, false);
}

bool etag_matches_weak(const char *header, const char *etag)
{
    return matches(header, etag, true);
}
