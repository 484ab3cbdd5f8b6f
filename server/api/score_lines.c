/* The NDJSON shape of POST /api/v1/scores: a line at a time, so no tree is larger than a line. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "api/names.h"
#include "api/score_body.h"
#include "api/score_object.h"
#include "api/score_scan.h"
#include "base/arena.h"
#include "base/json.h"
#include "base/str.h"
#include "http/request.h"
#include "store/ingest.h"

enum { LINE_POINTER_BYTES = 32 };
enum { READ_BYTES = 1 << 20 }; /* of a body, until they are given back */
#define OBJECT_POINTER "/0/object"

/* One place for each line that may be one. */
struct rows {
    struct arena *arena;
    struct score_row *items;
    size_t count;
    struct score_scan_order order;
};

static size_t lines_of(const char *text, size_t length)
{
    size_t lines = 1;

    for (const char *at = text, *end = text + length;
         (at = memchr(at, '\n', (size_t)(end - at))) != NULL && lines < SCORES_ROWS_MAX; at++)
        lines++;
    return lines;
}

/* The first line may say which object the scores come from. */
static bool read_object(const struct json *root, struct arena *arena, struct json_faults *faults,
                        struct score_body *body)
{
    const struct json *node = json_member(root, "object");

    if (node == NULL || json_count(root) != 1)
        return false;
    body->object = ARENA_NEW(arena, struct ingest_object);
    score_object_read(node, arena, OBJECT_POINTER, faults, body->object);
    return true;
}

static void read_line(const char *line, size_t length, size_t index, struct score_body *body,
                      struct rows *rows, struct json_faults *faults)
{
    AUTO(json_doc_freep) struct json_doc *doc = NULL;
    char pointer[LINE_POINTER_BYTES];
    struct err err = {0};

    if (length <= SCORES_LINE_BYTES_MAX &&
        score_scan(line, length, body, &rows->order, rows->arena, &rows->items[rows->count])) {
        rows->count++;
        return;
    }
    (void)snprintf(pointer, sizeof pointer, "/%zu", index);
    if (length > SCORES_LINE_BYTES_MAX)
        json_fault(faults, pointer, "is longer than %d bytes", SCORES_LINE_BYTES_MAX);
    else if (json_parse(line, length, &doc, &err) != ERR_NONE)
        json_fault_syntax(faults, pointer, line, length, &err);
    else if (index > 0 || !read_object(json_root(doc), rows->arena, faults, body))
        score_row_read(json_root(doc), body, rows->arena, pointer, faults,
                       &rows->items[rows->count++]);
}

static bool is_blank(const char *line, size_t length)
{
    for (size_t i = 0; i < length; i++)
        if (line[i] != ' ' && line[i] != '\t' && line[i] != '\r')
            return false;
    return true;
}

static enum err_code read_lines(struct request *req, struct arena *arena, struct score_body *body,
                                struct err *err)
{
    struct rows rows = {
        .arena = arena,
        .items = ARENA_ARRAY(arena, struct score_row, lines_of(req->body, req->body_length)),
    };
    const char *at = req->body, *end = req->body + req->body_length;
    size_t read = 0;

    for (size_t index = 0; at < end; index++) {
        const char *newline = memchr(at, '\n', (size_t)(end - at));
        size_t length = (size_t)((newline != NULL ? newline : end) - at);

        if (!is_blank(at, length)) {
            if (rows.count == SCORES_ROWS_MAX)
                return err_set(err, ERR_TOO_LARGE, "the body holds more than %d rows",
                               SCORES_ROWS_MAX);
            read_line(at, length, index, body, &rows, &req->faults);
        }
        at = newline != NULL ? newline + 1 : end;
        if (req->body_length >= SCORES_BODY_LARGE_BYTES &&
            (size_t)(at - req->body) >= read + READ_BYTES) {
            read = (size_t)(at - req->body);
            request_body_read(req, read);
        }
    }
    body->rows = rows.items;
    body->count = rows.count;
    if (rows.count == 0 && body->object == NULL)
        json_fault(&req->faults, "", "holds no score");
    if (body->object != NULL)
        score_object_check(body->object, rows.count, OBJECT_POINTER, &req->faults);
    return ERR_NONE;
}

enum err_code score_lines_read(struct request *req, struct arena *arena, struct score_body *ret,
                               struct err *err)
{
    query_text(req, "model", MODEL_ID_LENGTH_MAX, &ret->model);
    query_text(req, "spec", SPEC_NAME_LENGTH_MAX, &ret->spec);
    query_text(req, "detector", SCORES_DETECTOR_BYTES_MAX, &ret->detector);
    query_real(req, "threshold", -HUGE_VAL, HUGE_VAL, &ret->threshold);
    if (ret->model == NULL)
        json_fault(&req->faults, "?model", "is missing");
    score_body_check(ret, "?", &req->faults);
    return read_lines(req, arena, ret, err);
}
