/* Cutting a stream of bytes into JSON objects, and objects into cells. */
#include "lake/ocsf_json.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/own.h"
#include "base/str.h"

enum cut_state {
    CUT_START,   /* nothing but white space so far */
    CUT_BETWEEN, /* a record or the array's end may follow */
    CUT_COMMA,   /* in an array after a record: a comma or the end */
    CUT_RECORD,  /* inside an object */
    CUT_END,     /* the array is closed: only white space may follow */
};

struct ocsf_json {
    struct extract *extract;
    enum cut_state state;
    bool in_array, after_comma;
    bool in_text, escaped; /* inside a record */
    int depth;
    struct str record;
    uint64_t records;
    struct cell cells[PLAN_PATHS_MAX];
    struct cell *items[PLAN_PATHS_MAX]; /* buffers of lists, of JSON_LIST_ITEMS_MAX */
};

struct ocsf_json *ocsf_json_new(struct extract *extract)
{
    struct ocsf_json *json = own_alloc(sizeof *json);

    json->extract = extract;
    str_init(&json->record, JSON_RECORD_BYTES_MAX);
    return json;
}

void ocsf_json_freep(struct ocsf_json **json)
{
    if (*json == NULL)
        return;
    for (size_t i = 0; i < PLAN_PATHS_MAX; i++)
        free((*json)->items[i]);
    str_done(&(*json)->record);
    free(*json);
    *json = NULL;
}

static struct cell scalar(const struct json *node)
{
    int64_t number;
    double real;
    bool truth;

    switch (json_type(node)) {
    case JSON_TEXT:
        return cell_text(json_text_of(node), strlen(json_text_of(node)));
    case JSON_NUMBER:
        if (json_int_of(node, &number))
            return cell_int(number);
        if (json_number_of(node, &real) && fabs(real) < 9e15)
            return cell_int((int64_t)real); /* seconds with a fraction, for one */
        break;
    case JSON_BOOL:
        if (json_bool_of(node, &truth))
            return truth ? cell_text("true", 4) : cell_text("false", 5);
        break;
    case JSON_NULL:
    case JSON_ARRAY:
    case JSON_OBJECT:
        break;
    }
    return (struct cell){.kind = CELL_NULL};
}

/* Follows names joined by dots; length is that of the path. */
static const struct json *follow(const struct json *node, const char *path, size_t length)
{
    char copy[SPEC_PATH_BYTES_MAX + 1];

    if (length == 0)
        return node;
    (void)memcpy(copy, path, length);
    copy[length] = '\0';
    return json_path(node, copy);
}

/* mark: the "[]" in path. A single object stands for a list of one. */
static struct cell list(struct ocsf_json *json, size_t index, const struct json *root,
                        const char *path, const char *mark)
{
    const struct json *node = follow(root, path, (size_t)(mark - path));
    const char *rest = mark[2] == '.' ? mark + 3 : mark + 2;
    bool is_array = json_type(node) == JSON_ARRAY;
    size_t count = 0;

    if (json_type(node) == JSON_NULL)
        return (struct cell){.kind = CELL_NULL};
    if (json->items[index] == NULL)
        json->items[index] = own_array(JSON_LIST_ITEMS_MAX, sizeof(struct cell));
    for (const struct json *item = is_array ? json_first(node) : node;
         item != NULL && count < JSON_LIST_ITEMS_MAX; item = is_array ? json_next(item) : NULL)
        json->items[index][count++] = scalar(follow(item, rest, strlen(rest)));
    return (struct cell){.kind = CELL_LIST, .items = json->items[index], .length = count};
}

static enum err_code fault(const struct ocsf_json *json, const char *what, struct err *err)
{
    return err_set(err, ERR_CORRUPT, "not OCSF JSON: record %" PRIu64 ": %s", json->records + 1,
                   what);
}

static enum err_code end_record(struct ocsf_json *json, struct err *err)
{
    AUTO(json_doc_freep) struct json_doc *doc = NULL;
    const struct spec_set *set = json->extract->set;
    struct err reason = {0};

    if (json_parse(json->record.text, json->record.length, &doc, &reason) != ERR_NONE)
        return fault(json, reason.text, err);
    for (size_t i = 0; i < set->path_count; i++) {
        const char *mark = strstr(set->paths[i], "[]");

        json->cells[i] = mark != NULL ? list(json, i, json_root(doc), set->paths[i], mark)
                                      : scalar(json_path(json_root(doc), set->paths[i]));
    }
    json->records++;
    str_clear(&json->record);
    json->state = json->in_array ? CUT_COMMA : CUT_BETWEEN;
    return extract_row(json->extract, json->cells, err);
}

/* Up to and with the end of the record: how many of the bytes belong to it. */
static size_t scan_record(struct ocsf_json *json, const char *bytes, size_t length)
{
    size_t i = 0;

    while (i < length) {
        char c = bytes[i++];

        if (json->in_text) {
            if (json->escaped)
                json->escaped = false;
            else if (c == '\\')
                json->escaped = true;
            else if (c == '"')
                json->in_text = false;
        } else if (c == '"') {
            json->in_text = true;
        } else if (c == '{' || c == '[') {
            json->depth++;
        } else if ((c == '}' || c == ']') && --json->depth == 0) {
            break;
        }
    }
    return i;
}

static enum err_code add_record_bytes(struct ocsf_json *json, const char *bytes, size_t length,
                                      size_t *ret_used, struct err *err)
{
    *ret_used = scan_record(json, bytes, length);
    str_add_bytes(&json->record, bytes, *ret_used);
    if (json->record.failed)
        return err_set(err, ERR_TOO_LARGE, "record %" PRIu64 " is longer than %d MiB",
                       json->records + 1, JSON_RECORD_BYTES_MAX >> 20);
    return json->depth == 0 ? end_record(json, err) : ERR_NONE;
}

/* One byte outside of records. */
static enum err_code step(struct ocsf_json *json, char c, struct err *err)
{
    if (c == ' ' || c == '\t' || c == '\n' || c == '\r')
        return ERR_NONE;
    if (c == '[' && json->state == CUT_START) {
        json->in_array = true;
        json->state = CUT_BETWEEN;
        return ERR_NONE;
    }
    if (c == ']' && json->in_array && !json->after_comma &&
        (json->state == CUT_COMMA || json->state == CUT_BETWEEN)) {
        json->state = CUT_END;
        return ERR_NONE;
    }
    if (c == ',' && json->state == CUT_COMMA) {
        json->state = CUT_BETWEEN;
        json->after_comma = true;
        return ERR_NONE;
    }
    return fault(json, "wanted an object", err);
}

enum err_code ocsf_json_add(struct ocsf_json *json, const char *bytes, size_t length,
                            struct err *err)
{
    size_t at = 0;

    while (at < length) {
        size_t used = 1;

        if (json->state != CUT_RECORD && bytes[at] == '{' &&
            (json->state == CUT_START || json->state == CUT_BETWEEN)) {
            json->state = CUT_RECORD;
            json->after_comma = false;
        }
        if (json->state == CUT_RECORD)
            TRY(add_record_bytes(json, bytes + at, length - at, &used, err));
        else
            TRY(step(json, bytes[at], err));
        at += used;
    }
    return ERR_NONE;
}

enum err_code ocsf_json_end(struct ocsf_json *json, struct err *err)
{
    if (json->state == CUT_RECORD || (json->in_array && json->state != CUT_END))
        return fault(json, "the object ends in the middle of it", err);
    if (json->state == CUT_START)
        return err_set(err, ERR_CORRUPT, "the object is empty");
    if (json->records > 0 && !json->extract->class_seen)
        return err_set(
            err, ERR_INVALID,
            "another schema: OCSF events have a class_uid, no record of this object has");
    return ERR_NONE;
}
