/* Canonical request → string to sign → signature. */
#include "aws/sigv4.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/crypto.h"
#include "base/own.h"
#include "base/str.h"

#define ALGORITHM "AWS4-HMAC-SHA256"
enum {
    DATE_DAY_BYTES = 8,
    SCOPE_BYTES_MAX = 512,
    SECRET_BYTES_MAX = 512,
    SEGMENTS_MAX = 256,
    PARAMETER_BYTES = 16,
};

void sigv4_date(int64_t time_ms, char ret[static SIGV4_DATE_BYTES])
{
    char text[TIME_TEXT_BYTES];
    size_t length = 0;

    (void)time_format(text, time_ms);
    for (const char *at = text; *at != '\0' && *at != '.' && length < SIGV4_DATE_BYTES - 2; at++)
        if (*at != '-' && *at != ':')
            ret[length++] = *at;
    ret[length++] = 'Z';
    ret[length] = '\0';
}

static bool is_unreserved(char c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_' || c == '.' || c == '~';
}

void sigv4_encode(struct str *out, const char *text, size_t length, bool keep_slash)
{
    static const char DIGITS[] = "0123456789ABCDEF";

    for (size_t i = 0; i < length; i++) {
        unsigned char c = (unsigned char)text[i];

        if (is_unreserved(text[i]) || (keep_slash && text[i] == '/')) {
            str_add_char(out, text[i]);
            continue;
        }
        str_add_char(out, '%');
        str_add_char(out, DIGITS[c >> 4]);
        str_add_char(out, DIGITS[c & 15]);
    }
}

/* RFC 3986 section 5.2.4, and no empty segments. */
static enum err_code add_normalized(struct str *out, const char *path, struct err *err)
{
    struct {
        const char *at;
        size_t length;
    } segments[SEGMENTS_MAX];
    size_t count = 0, length = 0;
    bool folder = true;

    for (const char *at = path; *at != '\0'; at += length) {
        at += strspn(at, "/");
        length = strcspn(at, "/");
        folder = length == 0 || (length == 1 && at[0] == '.') ||
                 (length == 2 && at[0] == '.' && at[1] == '.') || at[length] == '/';
        if (length == 0 || (length == 1 && at[0] == '.'))
            continue;
        if (length == 2 && at[0] == '.' && at[1] == '.') {
            count -= count > 0;
            continue;
        }
        if (count == SEGMENTS_MAX)
            return err_set(err, ERR_INVALID, "signing: the path has more than %d segments",
                           SEGMENTS_MAX);
        segments[count].at = at;
        segments[count++].length = length;
    }
    for (size_t i = 0; i < count; i++) {
        str_add_char(out, '/');
        sigv4_encode(out, segments[i].at, segments[i].length, false);
    }
    if (count == 0 || folder)
        str_add_char(out, '/');
    return ERR_NONE;
}

static enum err_code add_path(struct str *out, const struct sigv4_scope *scope, const char *path,
                              struct err *err)
{
    if (scope->path_as_is)
        str_add(out, path);
    else if (scope->path_keep_dots)
        sigv4_encode(out, path, strlen(path), true);
    else
        TRY(add_normalized(out, path, err));
    str_add_char(out, '\n');
    return ERR_NONE;
}

struct parameter {
    const char *name, *value; /* encoded anew */
};

static int parameter_order(const void *a, const void *b)
{
    const struct parameter *left = a, *right = b;
    int order = strcmp(left->name, right->name);

    return order != 0 ? order : strcmp(left->value, right->value);
}

static enum err_code encode_part(struct arena *arena, const char *text, size_t length,
                                 const char **ret, struct err *err)
{
    AUTO(str_done) struct str out = {0};
    char *plain = arena_alloc(arena, length + 1);

    str_init(&out, SIGV4_CANONICAL_BYTES_MAX);
    if (!str_percent_decode(text, length, false, plain))
        return err_set(err, ERR_INVALID, "signing: the query is badly encoded");
    sigv4_encode(&out, plain, strlen(plain), false);
    TRY(str_check(&out, "the query", err));
    *ret = out.length > 0 ? arena_strndup(arena, out.text, out.length) : "";
    return ERR_NONE;
}

static enum err_code add_query(struct str *out, struct arena *arena, const char *query,
                               struct err *err)
{
    struct parameter parameters[SIGV4_QUERY_MAX];
    size_t count = 0, length = 0;

    for (const char *at = query != NULL ? query : ""; *at != '\0'; at += length) {
        const char *equals;
        size_t name_length;

        at += *at == '&';
        length = strcspn(at, "&");
        if (length == 0)
            continue;
        if (count == SIGV4_QUERY_MAX)
            return err_set(err, ERR_INVALID, "signing: more than %d query parameters",
                           SIGV4_QUERY_MAX);
        equals = memchr(at, '=', length);
        name_length = equals != NULL ? (size_t)(equals - at) : length;
        parameters[count] = (struct parameter){"", ""};
        TRY(encode_part(arena, at, name_length, &parameters[count].name, err));
        if (equals != NULL)
            TRY(encode_part(arena, equals + 1, length - name_length - 1, &parameters[count].value,
                            err));
        count++;
    }
    qsort(parameters, count, sizeof parameters[0], parameter_order);
    for (size_t i = 0; i < count; i++)
        str_addf(out, "%s%s=%s", i > 0 ? "&" : "", parameters[i].name, parameters[i].value);
    str_add_char(out, '\n');
    return ERR_NONE;
}

struct line {
    const char *name; /* lower case */
    const char *value;
    size_t place; /* keeps repeated headers in their order */
};

static int line_order(const void *a, const void *b)
{
    const struct line *left = a, *right = b;
    int order = strcmp(left->name, right->name);

    return order != 0 ? order : (left->place > right->place) - (left->place < right->place);
}

static const char *lower(struct arena *arena, const char *name)
{
    char *text = arena_strdup(arena, name);

    for (char *at = text; *at != '\0'; at++)
        if (*at >= 'A' && *at <= 'Z')
            *at = (char)(*at - 'A' + 'a');
    return text;
}

/* Without blanks at the ends, and runs of them within as one; where a value of old was folded
 * (RFC 9112 section 5.2) the line's end is a blank, too. */
static void add_squeezed(struct str *out, const char *value)
{
    bool started = false, blank = false;

    for (; *value != '\0'; value++) {
        if (strchr(" \t\r\n", *value) != NULL) {
            blank = started;
            continue;
        }
        if (blank)
            str_add_char(out, ' ');
        str_add_char(out, *value);
        started = true;
        blank = false;
    }
}

static enum err_code add_headers(struct str *out, struct arena *arena,
                                 const struct sigv4_request *request, struct str *names,
                                 struct err *err)
{
    struct line lines[SIGV4_HEADERS_MAX];
    size_t count = request->header_count;

    if (count > SIGV4_HEADERS_MAX)
        return err_set(err, ERR_INVALID, "signing: more than %d headers", SIGV4_HEADERS_MAX);
    for (size_t i = 0; i < count; i++)
        lines[i] =
            (struct line){lower(arena, request->headers[i].name), request->headers[i].value, i};
    qsort(lines, count, sizeof lines[0], line_order);
    for (size_t i = 0; i < count; i++) {
        if (i > 0 && strcmp(lines[i].name, lines[i - 1].name) == 0) {
            str_add_char(out, ',');
        } else {
            str_addf(out, "%s%s:", i > 0 ? "\n" : "", lines[i].name);
            str_addf(names, "%s%s", i > 0 ? ";" : "", lines[i].name);
        }
        add_squeezed(out, lines[i].value);
    }
    str_add(out, "\n\n");
    return ERR_NONE;
}

enum err_code sigv4_canonical(const struct sigv4_scope *scope, const struct sigv4_request *request,
                              struct str *ret, struct str *ret_signed_headers, struct err *err)
{
    AUTO(arena_done) struct arena arena = {0};

    arena_init(&arena, 16 * SIGV4_CANONICAL_BYTES_MAX);
    if (strlen(request->path) > SIGV4_CANONICAL_BYTES_MAX ||
        (request->query != NULL && strlen(request->query) > SIGV4_CANONICAL_BYTES_MAX))
        return err_set(err, ERR_INVALID, "signing: the path or query is too long");
    str_addf(ret, "%s\n", request->method);
    TRY(add_path(ret, scope, request->path, err));
    TRY(add_query(ret, &arena, request->query, err));
    TRY(add_headers(ret, &arena, request, ret_signed_headers, err));
    str_addf(ret, "%s\n%s", ret_signed_headers->text != NULL ? ret_signed_headers->text : "",
             request->payload_hash);
    return str_check(ret, "the canonical request", err);
}

static void sign(const struct sigv4_scope *scope, const char *secret, const struct str *text,
                 char ret[static SHA256_HEX_BYTES])
{
    char first[SECRET_BYTES_MAX + 8] = "AWS4";
    uint8_t key[SHA256_BYTES];
    size_t length = strlen(secret);

    ASSERT(length <= SECRET_BYTES_MAX);
    (void)memcpy(first + 4, secret, length);
    hmac_sha256(first, 4 + length, scope->date, DATE_DAY_BYTES, key);
    hmac_sha256(key, sizeof key, scope->region, strlen(scope->region), key);
    hmac_sha256(key, sizeof key, scope->service, strlen(scope->service), key);
    hmac_sha256(key, sizeof key, "aws4_request", strlen("aws4_request"), key);
    hmac_sha256(key, sizeof key, text->text, text->length, key);
    hex_encode(key, sizeof key, ret);
    explicit_bzero(first, sizeof first);
}

/* Of the canonical request of these; place: the scope's, in full. */
static enum err_code sign_request(const struct sigv4_scope *scope,
                                  const struct sigv4_request *request, const char *place,
                                  const char *secret, struct str *ret_names,
                                  char ret[static SHA256_HEX_BYTES], struct err *err)
{
    AUTO(str_done) struct str canonical = {0}, text = {0};
    char digest[SHA256_HEX_BYTES];

    str_init(&canonical, SIGV4_CANONICAL_BYTES_MAX);
    str_init(&text, SIGV4_CANONICAL_BYTES_MAX);
    if (strlen(secret) > SECRET_BYTES_MAX)
        return err_set(err, ERR_INVALID, "signing: the secret key is too long");
    TRY(sigv4_canonical(scope, request, &canonical, ret_names, err));
    sha256_hex(canonical.text, canonical.length, digest);
    str_addf(&text, ALGORITHM "\n%s\n%s\n%s", scope->date, place, digest);
    sign(scope, secret, &text, ret);
    return ERR_NONE;
}

static enum err_code set_place(const struct sigv4_scope *scope, struct str *ret, struct err *err)
{
    str_init(ret, SCOPE_BYTES_MAX);
    str_addf(ret, "%.*s/%s/%s/aws4_request", DATE_DAY_BYTES, scope->date, scope->region,
             scope->service);
    return str_check(ret, "the signing scope", err);
}

enum err_code sigv4_authorization(const struct sigv4_scope *scope,
                                  const struct sigv4_request *request, const char *key_id,
                                  const char *secret, struct arena *arena, const char **ret,
                                  struct err *err)
{
    AUTO(str_done) struct str names = {0}, place = {0};
    char signature[SHA256_HEX_BYTES];

    str_init(&names, SIGV4_CANONICAL_BYTES_MAX);
    TRY(set_place(scope, &place, err));
    TRY(sign_request(scope, request, place.text, secret, &names, signature, err));
    *ret = arena_printf(arena, ALGORITHM " Credential=%s/%s, SignedHeaders=%s, Signature=%s",
                        key_id, place.text, names.text != NULL ? names.text : "", signature);
    return ERR_NONE;
}

static void add_parameter(struct str *query, const char *name, const char *value)
{
    str_addf(query, "%sX-Amz-%s=", query->length > 0 ? "&" : "", name);
    sigv4_encode(query, value, strlen(value), false);
}

/* What is signed in the query: all but the signature. */
static enum err_code add_parameters(const struct sigv4_scope *scope,
                                    const struct sigv4_request *request, const char *place,
                                    const struct sigv4_query *with, struct str *ret,
                                    struct err *err)
{
    AUTO(arena_done) struct arena arena = {0};
    AUTO(str_done) struct str names = {0}, lines = {0}, credential = {0};
    char expires[PARAMETER_BYTES];

    arena_init(&arena, SIGV4_CANONICAL_BYTES_MAX);
    str_init(&names, SIGV4_CANONICAL_BYTES_MAX);
    str_init(&lines, SIGV4_CANONICAL_BYTES_MAX);
    str_init(&credential, SCOPE_BYTES_MAX);
    TRY(add_headers(&lines, &arena, request, &names, err));
    str_addf(&credential, "%s/%s", with->key_id, place);
    TRY(str_check(&names, "the names of headers", err));
    TRY(str_check(&credential, "the credential", err));
    (void)snprintf(expires, sizeof expires, "%d", with->expires_s);
    str_add(ret, request->query != NULL ? request->query : "");
    add_parameter(ret, "Algorithm", ALGORITHM);
    add_parameter(ret, "Credential", credential.text);
    add_parameter(ret, "Date", scope->date);
    add_parameter(ret, "SignedHeaders", names.text != NULL ? names.text : "");
    add_parameter(ret, "Expires", expires);
    if (with->token != NULL)
        add_parameter(ret, "Security-Token", with->token);
    return str_check(ret, "the query", err);
}

enum err_code sigv4_query(const struct sigv4_scope *scope, const struct sigv4_request *request,
                          const struct sigv4_query *with, struct arena *arena, const char **ret,
                          struct err *err)
{
    AUTO(str_done) struct str query = {0}, names = {0}, place = {0};
    struct sigv4_request whole = *request;
    char signature[SHA256_HEX_BYTES];

    str_init(&query, SIGV4_CANONICAL_BYTES_MAX);
    str_init(&names, SIGV4_CANONICAL_BYTES_MAX);
    TRY(set_place(scope, &place, err));
    TRY(add_parameters(scope, request, place.text, with, &query, err));
    whole.query = query.text;
    TRY(sign_request(scope, &whole, place.text, with->secret, &names, signature, err));
    add_parameter(&query, "Signature", signature);
    TRY(str_check(&query, "the query", err));
    *ret = arena_strndup(arena, query.text, query.length);
    return ERR_NONE;
}
