/* cJSON behind a strict door. A struct json is a cJSON node under another name. */
#include <cjson/cJSON.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/json_scan.h"
#include "base/str.h"

#define JSON_EXACT_MAX 9007199254740991.0 /* 2^53 - 1: 2^53 may be 2^53 + 1, rounded */
enum { JSON_PATH_PART_BYTES_MAX = 128, JSON_NAMES_ON_STACK = 64 };

static const cJSON *inner(const struct json *node)
{
    return (const cJSON *)(const void *)node;
}

static const struct json *outer(const cJSON *node)
{
    return (const struct json *)(const void *)node;
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Lookups take the first of equal names; which one did the sender mean? */
static const char *duplicate_name(const cJSON *object)
{
    const char *few[JSON_NAMES_ON_STACK];
    AUTO(own_freep) const char **many = NULL;
    const char **names = few, *twice = NULL;
    size_t width = json_count(outer(object)), at = 0;

    if (width > JSON_NAMES_ON_STACK)
        names = many = own_array(width, sizeof *many);
    for (const cJSON *child = object->child; child != NULL; child = child->next)
        names[at++] = child->string;
    qsort(names, width, sizeof *names, compare_names);
    for (size_t i = 1; i < width && twice == NULL; i++)
        if (strcmp(names[i - 1], names[i]) == 0)
            twice = names[i];
    return twice;
}

static enum err_code refuse_duplicates(const cJSON *node, struct err *err)
{
    const char *name = cJSON_IsObject(node) ? duplicate_name(node) : NULL;

    if (name != NULL)
        return err_set(err, ERR_INVALID,
                       "not JSON we can trust: the member \"%.64s\" is there twice", name);
    for (const cJSON *child = node->child; child != NULL; child = child->next)
        if (child->child != NULL)
            TRY(refuse_duplicates(child, err));
    return ERR_NONE;
}

enum err_code json_parse(const char *text, size_t length, struct json_doc **ret, struct err *err)
{
    cJSON *root;
    enum err_code code;

    TRY(json_scan(text, length, err));
    root = cJSON_ParseWithLength(text, length);
    if (root == NULL)
        return err_set(err, ERR_INTERNAL, "parsing JSON: out of memory");
    code = refuse_duplicates(root, err);
    if (code != ERR_NONE) {
        cJSON_Delete(root);
        return code;
    }
    *ret = (struct json_doc *)(void *)root;
    return ERR_NONE;
}

void json_doc_free(struct json_doc *doc)
{
    cJSON_Delete((cJSON *)(void *)doc);
}

void json_doc_freep(struct json_doc **doc)
{
    json_doc_free(*doc);
    *doc = NULL;
}

const struct json *json_root(const struct json_doc *doc)
{
    return (const struct json *)(const void *)doc;
}

enum json_type json_type(const struct json *node)
{
    if (node == NULL)
        return JSON_NULL;
    switch (inner(node)->type & 0xff) {
    case cJSON_True:
    case cJSON_False:
        return JSON_BOOL;
    case cJSON_Number:
        return JSON_NUMBER;
    case cJSON_String:
        return JSON_TEXT;
    case cJSON_Array:
        return JSON_ARRAY;
    case cJSON_Object:
        return JSON_OBJECT;
    default:
        return JSON_NULL;
    }
}

const struct json *json_member(const struct json *node, const char *name)
{
    if (node == NULL || json_type(node) != JSON_OBJECT)
        return NULL;
    return outer(cJSON_GetObjectItemCaseSensitive(inner(node), name));
}

const struct json *json_path(const struct json *node, const char *path)
{
    while (node != NULL && *path != '\0') {
        char part[JSON_PATH_PART_BYTES_MAX];
        size_t length = strcspn(path, ".");

        if (length >= sizeof part)
            return NULL;
        (void)memcpy(part, path, length);
        part[length] = '\0';
        node = json_member(node, part);
        path += length + (path[length] == '.' ? 1 : 0);
    }
    return node;
}

size_t json_count(const struct json *node)
{
    size_t count = 0;

    for (const struct json *child = json_first(node); child != NULL; child = json_next(child))
        count++;
    return count;
}

const struct json *json_first(const struct json *node)
{
    return node != NULL ? outer(inner(node)->child) : NULL;
}

const struct json *json_next(const struct json *child)
{
    return outer(inner(child)->next);
}

const char *json_name(const struct json *child)
{
    return inner(child)->string;
}

const char *json_text_of(const struct json *node)
{
    return node != NULL && json_type(node) == JSON_TEXT ? inner(node)->valuestring : NULL;
}

bool json_number_of(const struct json *node, double *ret)
{
    if (node == NULL || json_type(node) != JSON_NUMBER || !isfinite(inner(node)->valuedouble))
        return false;
    *ret = inner(node)->valuedouble;
    return true;
}

bool json_int_of(const struct json *node, int64_t *ret)
{
    double value;

    if (!json_number_of(node, &value) || value != floor(value) || fabs(value) > JSON_EXACT_MAX)
        return false;
    *ret = (int64_t)value;
    return true;
}

bool json_bool_of(const struct json *node, bool *ret)
{
    if (node == NULL || json_type(node) != JSON_BOOL)
        return false;
    *ret = cJSON_IsTrue(inner(node)) != 0;
    return true;
}

void json_print(const struct json *node, struct str *out)
{
    char *text = cJSON_PrintUnformatted(inner(node));

    if (text == NULL)
        out->failed = true;
    else
        str_add(out, text);
    cJSON_free(text);
}
