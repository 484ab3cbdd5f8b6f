/* Readers of query parameters, declared in request.h. Each marks its parameter as read; what was
 * never read is a fault at the end, so a misspelt filter never silently shows everything. */
#include "base/arena.h"
#include "base/clock.h"
#include "base/field.h"
#include "base/ip.h"
#include "base/own.h"
#include "base/str.h"
#include "http/request.h"

#include <float.h>
#include <inttypes.h>
#include <string.h>

enum { WORDS_SHOWN_BYTES_MAX = 400, NAME_SHOWN_BYTES_MAX = 64 };

static const char *find(struct request *req, const char *name)
{
    for (size_t i = 0; req->query[i].name != NULL; i++) {
        ASSERT(i < QUERY_PARAMETERS_MAX);
        if (strcmp(req->query[i].name, name) == 0) {
            req->query_read |= UINT64_C(1) << i;
            return req->query[i].value;
        }
    }
    return NULL;
}

static const char *pointer_to(struct request *req, const char *name)
{
    return arena_printf(req->arena, "?%.*s", NAME_SHOWN_BYTES_MAX, name);
}

void query_text(struct request *req, const char *name, size_t length_max, const char **ret)
{
    const char *value = find(req, name);

    if (value == NULL)
        return;
    if (value[0] == '\0')
        json_fault(&req->faults, pointer_to(req, name), "is empty");
    else if (strlen(value) > length_max)
        json_fault(&req->faults, pointer_to(req, name), "is longer than %zu bytes", length_max);
    else
        *ret = value;
}

void query_int(struct request *req, const char *name, int64_t min, int64_t max, int64_t *ret)
{
    const char *value = find(req, name);
    int64_t number;

    if (value == NULL)
        return;
    if (str_to_i64(value, &number) && number >= min && number <= max)
        *ret = number;
    else
        json_fault(&req->faults, pointer_to(req, name),
                   "is not a whole number from %" PRId64 " to %" PRId64, min, max);
}

void query_real(struct request *req, const char *name, double min, double max, double *ret)
{
    const char *value = find(req, name);
    double number;

    if (value == NULL)
        return;
    if (str_to_double(value, &number) && number >= min && number <= max)
        *ret = number;
    else if (min <= -DBL_MAX && max >= DBL_MAX)
        json_fault(&req->faults, pointer_to(req, name), "is not a number");
    else
        json_fault(&req->faults, pointer_to(req, name), "is not a number from %g to %g", min, max);
}

void query_time(struct request *req, const char *name, int64_t *ret_ms)
{
    const char *value = find(req, name);

    if (value != NULL && !time_parse(value, ret_ms))
        json_fault(&req->faults, pointer_to(req, name),
                   "is not an RFC 3339 time such as 2026-01-31T08:00:00Z");
}

/* Says which words there are. */
static void fault_words(struct request *req, const char *name, const char *const *words)
{
    AUTO(str_done) struct str list = {.bytes_max = WORDS_SHOWN_BYTES_MAX};

    for (size_t i = 0; words[i] != NULL; i++)
        str_addf(&list, "%s%s", i > 0 ? ", " : "", words[i]);
    json_fault(&req->faults, pointer_to(req, name), "is not one of %s", list.text);
}

void query_enum(struct request *req, const char *name, const char *const *words, int64_t *ret)
{
    const char *value = find(req, name);
    int index;

    if (value == NULL)
        return;
    index = field_word_index(words, value);
    if (index >= 0)
        *ret = index;
    else
        fault_words(req, name, words);
}

void query_enum_set(struct request *req, const char *name, const char *const *words, uint64_t *ret)
{
    const char *value = find(req, name);
    uint64_t set = 0;

    if (value == NULL)
        return;
    for (;;) {
        size_t length = strcspn(value, ",");
        int index = field_word_index(words, arena_strndup(req->arena, value, length));

        if (index < 0) {
            fault_words(req, name, words);
            return;
        }
        ASSERT(index < 64);
        set |= UINT64_C(1) << index;
        if (value[length] == '\0')
            break;
        value += length + 1;
    }
    *ret = set;
}

void query_bool(struct request *req, const char *name, bool *ret)
{
    const char *value = find(req, name);

    if (value == NULL)
        return;
    if (strcmp(value, "true") == 0 || strcmp(value, "false") == 0)
        *ret = value[0] == 't';
    else
        json_fault(&req->faults, pointer_to(req, name), "is not true or false");
}

void query_cidr(struct request *req, const char *name, struct cidr *ret, bool *ret_given)
{
    const char *value = find(req, name);

    if (value == NULL)
        return;
    if (cidr_parse(value, ret))
        *ret_given = true;
    else
        json_fault(&req->faults, pointer_to(req, name),
                   "is not an IP address or a CIDR range without host bits");
}

enum err_code query_check(struct request *req, struct err *err)
{
    for (size_t i = 0; req->query[i].name != NULL; i++)
        if ((req->query_read & UINT64_C(1) << i) == 0)
            json_fault(&req->faults, pointer_to(req, req->query[i].name),
                       "is not a parameter of this operation");
    return json_faults_check(&req->faults, err);
}
