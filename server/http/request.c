/* Readers of a request's path, headers, cookies and body. */
#include "http/request.h"

#include "base/arena.h"
#include "base/own.h"
#include "base/str.h"
#include "http/etag.h"

#include <stdint.h>
#include <string.h>
#include <strings.h>
#include <sys/mman.h>
#include <unistd.h>

const char *const ROLE_WORDS[ROLE__MAX + 1] = {"none",  "ingest", "read", "triage",
                                               "admin", "notify", NULL};

static const struct name_value NO_VALUES[1];

bool role_allows(enum role have, enum role need)
{
    switch (need) {
    case ROLE_NONE:
        return true;
    case ROLE_READ:
        return have == ROLE_READ || have == ROLE_TRIAGE || have == ROLE_ADMIN;
    case ROLE_NOTIFY:
        return have == ROLE_NOTIFY || have == ROLE_INGEST || have == ROLE_ADMIN;
    case ROLE_INGEST:
    case ROLE_TRIAGE:
    case ROLE_ADMIN:
        return have == need || have == ROLE_ADMIN;
    case ROLE__MAX:
        break;
    }
    return false;
}

void request_init(struct request *req, struct arena *arena)
{
    *req = (struct request){
        .arena = arena,
        .method = "GET",
        .path = "/",
        .path_parameters = NO_VALUES,
        .query = NO_VALUES,
        .headers = NO_VALUES,
        .body = "",
        .content_type = "",
        .remote = "",
        .id = "",
        .actor = "",
    };
    json_faults_init(&req->faults, arena);
}

void request_done(struct request *req)
{
    json_doc_freep(&req->body_doc);
}

void request_body_read(struct request *req, size_t bytes)
{
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
    uintptr_t start = ((uintptr_t)req->body + page - 1) / page * page;
    uintptr_t end = ((uintptr_t)req->body + bytes) / page * page;

    ASSERT(bytes <= req->body_length);
    /* Without it the memory is given back later. */
    if (req->body_store != NULL && end > start)
        (void)madvise((void *)start, end - start, MADV_DONTNEED);
}

void request_body_done(struct request *req)
{
    json_doc_freep(&req->body_doc);
    if (req->body_store == NULL)
        return;
    req->body = "";
    req->body_length = 0;
    str_done(req->body_store);
}

const char *request_header(const struct request *req, const char *name)
{
    for (const struct name_value *at = req->headers; at->name != NULL; at++)
        if (strcasecmp(at->name, name) == 0)
            return at->value;
    return NULL;
}

/* A copy of the cookie's value when text, up to length, is "name=value". */
static const char *cookie_value(struct request *req, const char *text, size_t length,
                                const char *name)
{
    size_t name_length = strlen(name);

    while (length > 0 && (text[length - 1] == ' ' || text[length - 1] == '\t'))
        length--;
    if (length <= name_length || strncmp(text, name, name_length) != 0 || text[name_length] != '=')
        return NULL;
    return arena_strndup(req->arena, text + name_length + 1, length - name_length - 1);
}

const char *request_cookie(struct request *req, const char *name)
{
    const char *found = NULL;

    for (const struct name_value *header = req->headers; header->name != NULL; header++) {
        if (strcasecmp(header->name, "Cookie") != 0)
            continue;
        for (const char *at = header->value; *at != '\0';) {
            size_t length = strcspn(at += strspn(at, " \t;"), ";");
            const char *value = cookie_value(req, at, length, name);

            if (value != NULL && found != NULL)
                return NULL;
            if (value != NULL)
                found = value;
            at += length;
        }
    }
    return found;
}

bool request_prefers_minimal(const struct request *req)
{
    for (const struct name_value *header = req->headers; header->name != NULL; header++) {
        if (strcasecmp(header->name, "Prefer") != 0)
            continue;
        for (const char *at = header->value; *at != '\0';) {
            size_t length = strcspn(at += strspn(at, " \t,"), ",;");

            while (length > 0 && (at[length - 1] == ' ' || at[length - 1] == '\t'))
                length--;
            if (length == strlen("return=minimal") &&
                strncasecmp(at, "return=minimal", length) == 0)
                return true;
            at += strcspn(at, ",");
        }
    }
    return false;
}

enum err_code request_if_match(const struct request *req, const char *etag, struct err *err)
{
    const char *header = request_header(req, "If-Match");

    if (header == NULL)
        return err_set(err, ERR_PRECONDITION_REQUIRED,
                       "this change needs If-Match with the ETag last seen");
    if (!etag_matches(header, etag))
        return err_set(err, ERR_PRECONDITION,
                       "it was changed meanwhile; its ETag is now \"%.100s\"", etag);
    return ERR_NONE;
}

const char *path_text(const struct request *req, const char *name)
{
    for (const struct name_value *at = req->path_parameters; at->name != NULL; at++)
        if (strcmp(at->name, name) == 0)
            return at->value;
    ASSERT(!"the route has a parameter of this name");
    return NULL;
}

enum err_code path_int(struct request *req, const char *name, int64_t *ret, struct err *err)
{
    const char *text = path_text(req, name);

    if (!str_to_i64(text, ret))
        return err_set(err, ERR_NOT_FOUND, "there is none with %s %.40s", name, text);
    return ERR_NONE;
}

enum err_code body_type(const struct request *req, const char *const *content_types,
                        struct err *err)
{
    const char *const *type = content_types;

    for (; *type != NULL; type++)
        if (strcmp(req->content_type, *type) == 0)
            return ERR_NONE;
    return err_set(err, ERR_MEDIA_TYPE, "the body must be %s%s%s, not %.80s", content_types[0],
                   type - content_types > 1 ? " or " : "",
                   type - content_types > 1 ? content_types[1] : "",
                   req->content_type[0] != '\0' ? req->content_type : "of no type");
}

enum err_code body_json(struct request *req, const char *const *content_types,
                        const struct json **ret, struct err *err)
{
    enum err_code code;

    TRY(body_type(req, content_types, err));
    ASSERT(req->body_doc == NULL);
    code = json_parse(req->body, req->body_length, &req->body_doc, err);
    if (code == ERR_INVALID)
        json_fault_syntax(&req->faults, "", req->body, req->body_length, err);
    if (code != ERR_NONE)
        return code;
    *ret = json_root(req->body_doc);
    return ERR_NONE;
}
