/* Layout before base64url: one byte of version, the values, time and id in host order (a cursor
 * does not outlive a change of machine), DIGEST_BYTES of SHA-256 over them, the path and the other
 * parameters in the order of their names. */
#include "api/cursor.h"

#include <stdio.h>
#include <string.h>

#include "base/arena.h"
#include "base/crypto.h"
#include "base/str.h"
#include "http/reply.h"

enum {
    CURSOR_VERSION = 1,
    DIGEST_BYTES = 12,
    PAYLOAD_BYTES = 1 + CURSOR_VALUES * sizeof(double) + 2 * sizeof(int64_t),
    CURSOR_BYTES = PAYLOAD_BYTES + DIGEST_BYTES,
    /* Of a request's head of HTTP_HEAD_BYTES_MAX; escapes take three bytes for one. */
    NEXT_BYTES_MAX = 100 * 1024,
};

static void pack(const struct cursor *cursor, uint8_t ret[static PAYLOAD_BYTES])
{
    uint8_t *at = ret;

    *at++ = CURSOR_VERSION;
    (void)memcpy(at, cursor->values, sizeof cursor->values);
    at += sizeof cursor->values;
    (void)memcpy(at, &cursor->time_ms, sizeof cursor->time_ms);
    at += sizeof cursor->time_ms;
    (void)memcpy(at, &cursor->id, sizeof cursor->id);
}

static void unpack(const uint8_t *bytes, struct cursor *ret)
{
    const uint8_t *at = bytes + 1;

    (void)memcpy(ret->values, at, sizeof ret->values);
    at += sizeof ret->values;
    (void)memcpy(&ret->time_ms, at, sizeof ret->time_ms);
    at += sizeof ret->time_ms;
    (void)memcpy(&ret->id, at, sizeof ret->id);
}

static void add_text(struct sha256 *sha, const char *text)
{
    sha256_add(sha, text, strlen(text) + 1);
}

/* Names are unique (the HTTP layer refuses one given twice), so the order is by name. */
static const struct name_value *after(const struct request *req, const char *name)
{
    const struct name_value *found = NULL;

    for (const struct name_value *at = req->query; at->name != NULL; at++)
        if (strcmp(at->name, "cursor") != 0 && (name == NULL || strcmp(at->name, name) > 0) &&
            (found == NULL || strcmp(at->name, found->name) < 0))
            found = at;
    return found;
}

static void digest_of(const struct request *req, const uint8_t payload[static PAYLOAD_BYTES],
                      uint8_t ret[static SHA256_BYTES])
{
    struct sha256 *sha = sha256_new();

    sha256_add(sha, payload, PAYLOAD_BYTES);
    add_text(sha, req->path);
    for (const struct name_value *at = after(req, NULL); at != NULL; at = after(req, at->name)) {
        add_text(sha, at->name);
        add_text(sha, at->value);
    }
    sha256_end(sha, ret);
}

static bool decode(struct request *req, const char *text, struct cursor *ret)
{
    uint8_t digest[SHA256_BYTES];
    uint8_t *bytes;
    size_t length;

    if (!base64url_decode(req->arena, text, &bytes, &length) || length != CURSOR_BYTES ||
        bytes[0] != CURSOR_VERSION)
        return false;
    digest_of(req, bytes, digest);
    if (memcmp(digest, bytes + PAYLOAD_BYTES, DIGEST_BYTES) != 0)
        return false;
    unpack(bytes, ret);
    return true;
}

void cursor_read(struct request *req, struct cursor *ret, bool *ret_given)
{
    const char *text = NULL;

    *ret_given = false;
    query_text(req, "cursor", CURSOR_TEXT_MAX, &text);
    if (text == NULL)
        return;
    *ret_given = decode(req, text, ret);
    if (!*ret_given)
        json_fault(&req->faults, "?cursor",
                   "is not of this list: follow next, with the same other parameters");
}

static bool is_unreserved(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           (c != '\0' && strchr("-._~", c) != NULL);
}

static void add_escaped(struct str *out, const char *text)
{
    for (; *text != '\0'; text++)
        if (is_unreserved(*text))
            str_add_char(out, *text);
        else
            str_addf(out, "%%%02X", (unsigned char)*text);
}

const char *cursor_next(struct request *req, const struct cursor *last)
{
    AUTO(str_done) struct str out = {.bytes_max = NEXT_BYTES_MAX};
    uint8_t bytes[PAYLOAD_BYTES + SHA256_BYTES];

    pack(last, bytes);
    digest_of(req, bytes, bytes + PAYLOAD_BYTES);
    str_add(&out, req->path);
    str_add_char(&out, '?');
    for (const struct name_value *at = after(req, NULL); at != NULL; at = after(req, at->name)) {
        add_escaped(&out, at->name);
        str_add_char(&out, '=');
        add_escaped(&out, at->value);
        str_add_char(&out, '&');
    }
    str_addf(&out, "cursor=%s", base64url_encode(req->arena, bytes, CURSOR_BYTES));
    ASSERT(!out.failed);
    return arena_strdup(req->arena, out.text);
}

enum { LINK_BYTES_MAX = 4000 }; /* longer ones stand in the body only */

void cursor_write(struct reply *reply, const char *next)
{
    json_text(&reply->json, "next", next);
    if (next != NULL && strlen(next) < LINK_BYTES_MAX)
        reply_header(reply, "Link", "<%s>; rel=\"next\"", next);
}
