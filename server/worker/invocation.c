#include "worker/invocation.h"

#include <math.h>
#include <string.h>

#include "base/json.h"
#include "base/own.h"
#include "base/str.h"

static const char CSV[] = "text/csv", LINES[] = "application/jsonlines";

/* Neither quotes nor blanks that one reader keeps and another drops. */
static bool is_plain(const char *entity)
{
    size_t length = strlen(entity);

    return strpbrk(entity, ",\"'\\\r\n\t") == NULL && length > 0 && entity[0] != ' ' &&
           entity[length - 1] != ' ';
}

static void write_row(const struct model_pair *pair, bool csv, struct str *body)
{
    char ip[IP_TEXT_BYTES];
    struct json_writer json;

    (void)ip_format(ip, &pair->ip);
    if (csv) {
        str_add(body, pair->entity);
        str_add_char(body, ',');
        str_add(body, ip);
    } else {
        json_writer_init(&json, body);
        json_object(&json, NULL);
        json_array(&json, "features");
        json_text(&json, NULL, pair->entity);
        json_text(&json, NULL, ip);
        json_end(&json);
        json_end(&json);
    }
    str_add_char(body, '\n');
}

size_t invocation_write(const struct model_pair *pairs, const size_t *order, size_t count,
                        struct str *body, const char **ret_type)
{
    bool csv = true;
    size_t i;

    for (i = 0; i < count && csv; i++)
        csv = is_plain(pairs[order[i]].entity);
    *ret_type = csv ? CSV : LINES;
    for (i = 0; i < count; i++) {
        size_t before = body->length;

        write_row(&pairs[order[i]], csv, body);
        if (!body->failed)
            continue;
        body->failed = false; /* what did not fit is cut off again */
        body->length = before;
        body->text[before] = '\0';
        break;
    }
    return i;
}

static enum err_code read_prediction(const struct json *node, size_t row, double *ret,
                                     struct err *err)
{
    const struct json *value = json_member(node, "dot_product");

    *ret = NAN;
    if (value != NULL && json_type(value) == JSON_NULL)
        return ERR_NONE;
    if (!json_number_of(value, ret) || !isfinite(*ret))
        return err_set(err, ERR_CORRUPT, "prediction %zu has no number \"dot_product\"", row + 1);
    return ERR_NONE;
}

static enum err_code wrong_count(size_t found, size_t count, bool more, struct err *err)
{
    return err_set(err, ERR_CORRUPT, "%s%zu predictions came for %zu pairs",
                   more ? "more than " : "", found, count);
}

static enum err_code read_lines(const char *text, size_t length, size_t count, double *ret,
                                struct err *err)
{
    const char *at = text, *end = text + length;
    size_t row = 0;

    while (at < end) {
        AUTO(json_doc_freep) struct json_doc *doc = NULL;
        const char *stop = memchr(at, '\n', (size_t)(end - at));
        size_t bytes = stop != NULL ? (size_t)(stop - at) : (size_t)(end - at);

        if (bytes > 0 && row == count)
            return wrong_count(count, count, true, err);
        if (bytes > 0) {
            if (json_parse(at, bytes, &doc, err) != ERR_NONE)
                return err_set(err, ERR_CORRUPT, "line %zu of the answer is not JSON", row + 1);
            TRY(read_prediction(json_root(doc), row, &ret[row], err));
            row++;
        }
        at += bytes + 1;
    }
    return row == count ? ERR_NONE : wrong_count(row, count, false, err);
}

static enum err_code read_json(const char *text, size_t length, size_t count, double *ret,
                               struct err *err)
{
    AUTO(json_doc_freep) struct json_doc *doc = NULL;
    const struct json *list;
    size_t row = 0;

    if (json_parse(text, length, &doc, err) != ERR_NONE)
        return err_set(err, ERR_CORRUPT, "the answer is not JSON");
    list = json_member(json_root(doc), "predictions");
    if (list == NULL || json_type(list) != JSON_ARRAY)
        return err_set(err, ERR_CORRUPT, "the answer has no list \"predictions\"");
    if (json_count(list) != count)
        return wrong_count(json_count(list), count, false, err);
    for (const struct json *node = json_first(list); node != NULL; node = json_next(node), row++)
        TRY(read_prediction(node, row, &ret[row], err));
    return ERR_NONE;
}

enum err_code invocation_read(const char *type, const char *text, size_t length, size_t count,
                              double *ret, struct err *err)
{
    if (strstr(type, "jsonlines") != NULL)
        return read_lines(text, length, count, ret, err);
    return read_json(text, length, count, ret, err);
}
