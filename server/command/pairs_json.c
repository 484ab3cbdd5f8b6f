/* JSON instances to pairs. */
#include "command/pairs_json.h"

#include <string.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/json.h"

/* The only member of an object, when that is its name. */
static const struct json *only(const struct json *node, const char *name)
{
    return json_type(node) == JSON_OBJECT && json_count(node) == 1 ? json_member(node, name) : NULL;
}

static const struct json *values_of(const struct json *root)
{
    const struct json *data = only(root, "data");
    const struct json *features = only(data != NULL ? data : root, "features");
    const struct json *values = only(features, "values");

    return values != NULL ? values : features;
}

static bool read_pair(const struct json *entity, const struct json *address, struct pairs_row *ret,
                      struct pairs_fault *ret_fault)
{
    const char *text = json_text_of(address);

    ret->entity = json_text_of(entity);
    if (ret->entity == NULL)
        return pairs_fault_set(ret_fault, PAIRS_ENTITY, 0, "the entity must be a text");
    if (text == NULL)
        return pairs_fault_set(ret_fault, PAIRS_ADDRESS, 0, "the IP address must be a text");
    return pairs_entity_check(ret->entity, strlen(ret->entity), ret_fault) &&
           pairs_address_read(text, &ret->ip, ret_fault);
}

/* A member of a line of `pairwatch pairs`; absent or null is fine. */
static bool read_time(const struct json *node, struct pairs_row *ret, struct pairs_fault *ret_fault)
{
    const char *text = json_text_of(node);

    if (node == NULL || json_type(node) == JSON_NULL)
        return true;
    if (text == NULL || !time_parse(text, &ret->time_ms) || ret->time_ms < 0)
        return pairs_fault_set(ret_fault, PAIRS_TIME, 0, "the time must be a text of RFC 3339");
    return true;
}

static bool read_line(const struct json *root, struct pairs_row *ret, struct pairs_fault *ret_fault)
{
    const struct json *count = json_member(root, "count"), *spec = json_member(root, "spec"),
                      *rejected = json_member(root, "rejected"),
                      *one_way = json_member(root, "one_way");
    int64_t times = 1;

    if (count != NULL && (!json_int_of(count, &times) || times < 1))
        return pairs_fault_set(ret_fault, PAIRS_FORM, 0, "the count must be a whole number from 1");
    if (spec != NULL && json_text_of(spec) == NULL)
        return pairs_fault_set(ret_fault, PAIRS_FORM, 0, "the spec must be a text");
    if (rejected != NULL && !json_bool_of(rejected, &ret->rejected))
        return pairs_fault_set(ret_fault, PAIRS_FORM, 0, "rejected must be true or false");
    if (one_way != NULL && !json_bool_of(one_way, &ret->one_way))
        return pairs_fault_set(ret_fault, PAIRS_FORM, 0, "one_way must be true or false");
    ret->count = (uint64_t)times;
    ret->spec = json_text_of(spec);
    return read_time(json_member(root, "time"), ret, ret_fault) &&
           read_pair(json_member(root, "entity"), json_member(root, "ip"), ret, ret_fault);
}

bool pairs_json_parse(const char *text, size_t length, struct pairs_row *ret,
                      struct json_doc **ret_doc, struct pairs_fault *ret_fault)
{
    const struct json *root, *values;
    struct err err = {0};

    *ret = (struct pairs_row){0};
    if (json_parse(text, length, ret_doc, &err) != ERR_NONE)
        return pairs_fault_set(ret_fault, PAIRS_FORM, 0, err.text);
    root = json_root(*ret_doc);
    if (json_member(root, "entity") != NULL && json_member(root, "ip") != NULL)
        return read_line(root, ret, ret_fault);
    values = values_of(root);
    if (json_type(values) != JSON_ARRAY || json_count(values) != 2)
        return pairs_fault_set(ret_fault, PAIRS_COLUMNS, 0,
                               "an instance must be {\"features\":[entity, ip]} or "
                               "{\"data\":{\"features\":{\"values\":[entity, ip]}}}");
    return read_pair(json_first(values), json_next(json_first(values)), ret, ret_fault);
}
