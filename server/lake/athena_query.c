/* Paths against Glue's types, and the SELECT around them. */
#include "lake/athena_query.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/clock.h"
#include "base/own.h"
#include "base/str.h"
#include "lake/flat.h"

const struct athena_source ATHENA_SOURCES[] = {
    {"vpc_flow", {4001}},
    {"route53", {4003}},
    {"cloud_trail_mgmt", {3001, 3002, 3005, 3006, 6003}},
    {"eks_audit", {6003}},
    {"waf", {4002}},
    {NULL, {0}},
};

enum { EXPRESSION_BYTES_MAX = 4096, DAY_TEXT_BYTES = 12 };

bool athena_source_has(const struct athena_source *source, const struct lake_spec *spec)
{
    for (const int64_t *class_uid = source->classes; *class_uid != 0; class_uid++)
        if (spec_has_class(spec, *class_uid))
            return true;
    return false;
}

/* A type of Hive's, a piece of its text. */
struct hive {
    const char *text;
    size_t length;
};

static bool is_kind(struct hive type, const char *word)
{
    return type.length > strlen(word) && strncasecmp(type.text, word, strlen(word)) == 0 &&
           type.text[type.length - 1] == '>';
}

/* Up to a comma outside all brackets. */
static size_t piece_length(const char *text, size_t length)
{
    size_t depth = 0, i;

    for (i = 0; i < length && (depth > 0 || text[i] != ','); i++) {
        depth += text[i] == '<' || text[i] == '(';
        depth -= (text[i] == '>' || text[i] == ')') && depth > 0;
    }
    return i;
}

static bool enter_member(struct hive *type, const char *name, size_t name_length)
{
    static const char STRUCT[] = "struct<";
    const char *at = type->text + sizeof STRUCT - 1;
    const char *end = type->text + type->length - 1;

    if (!is_kind(*type, STRUCT))
        return false;
    while (at < end) {
        size_t length = piece_length(at, (size_t)(end - at));
        const char *colon = memchr(at, ':', length);

        if (colon != NULL && (size_t)(colon - at) == name_length &&
            strncasecmp(at, name, name_length) == 0) {
            *type = (struct hive){colon + 1, length - name_length - 1};
            return true;
        }
        at += length + 1;
    }
    return false;
}

static bool enter_list(struct hive *type)
{
    static const char ARRAY[] = "array<";

    if (!is_kind(*type, ARRAY))
        return false;
    *type = (struct hive){type->text + sizeof ARRAY - 1, type->length - sizeof ARRAY};
    return true;
}

static bool is_type(struct hive type, const char *word)
{
    return type.length == strlen(word) && strncasecmp(type.text, word, type.length) == 0;
}

static bool is_number(struct hive type)
{
    return is_type(type, "bigint") || is_type(type, "int") || is_type(type, "smallint") ||
           is_type(type, "tinyint");
}

static bool is_time(struct hive type)
{
    return type.length >= 9 && strncasecmp(type.text, "timestamp", 9) == 0;
}

static bool is_leaf(struct hive type)
{
    return is_number(type) || is_time(type) || is_type(type, "string") ||
           is_type(type, "boolean") || strncasecmp(type.text, "varchar(", 8) == 0 ||
           strncasecmp(type.text, "char(", 5) == 0;
}

static void add_name(struct str *text, const char *name, size_t length)
{
    str_add_char(text, '"');
    str_add_bytes(text, name, length); /* a path's names hold no quotes */
    str_add_char(text, '"');
}

static bool find_column(const struct athena_table *table, const char *name, size_t length,
                        struct hive *ret)
{
    for (size_t i = 0; i < table->column_count; i++)
        if (strlen(table->columns[i].name) == length &&
            strncasecmp(table->columns[i].name, name, length) == 0) {
            *ret = (struct hive){table->columns[i].type, strlen(table->columns[i].type)};
            return true;
        }
    return false;
}

/* Behind a list, the member of each item: transform("answers", x -> x."rdata"). */
static bool resolve(const struct athena_table *table, const char *path, struct str *ret,
                    struct hive *ret_type)
{
    AUTO(str_done) struct str outer = {0};
    AUTO(str_done) struct str inner = {0};
    struct str *text = &outer;
    bool in_list = false;

    str_init(&outer, EXPRESSION_BYTES_MAX);
    str_init(&inner, EXPRESSION_BYTES_MAX);
    for (const char *at = path;; at++) {
        size_t length = strcspn(at, ".[");

        if (!(at == path ? find_column(table, at, length, ret_type)
                         : enter_member(ret_type, at, length)))
            return false;
        if (at != path)
            str_add_char(text, '.');
        add_name(text, at, length);
        at += length;
        if (at[0] == '[') {
            if (!enter_list(ret_type))
                return false;
            in_list = true;
            text = &inner;
            str_add_char(text, 'x');
            at += 2;
        }
        if (*at == '\0')
            break;
    }
    if (!is_leaf(*ret_type) || outer.failed || inner.failed)
        return false;
    if (in_list && inner.length > 1)
        str_addf(ret, "transform(%s, x -> %s)", outer.text, inner.text);
    else
        str_add(ret, outer.text);
    return true;
}

static bool has_path(const struct athena_table *table, const char *path)
{
    AUTO(str_done) struct str unused = {0};
    struct hive type;

    str_init(&unused, EXPRESSION_BYTES_MAX * 2);
    return resolve(table, path, &unused, &type);
}

static bool has_any(const struct spec_set *set, const struct athena_table *table,
                    const struct spec_paths *paths)
{
    for (size_t i = 0; i < paths->count; i++)
        if (has_path(table, set->paths[paths->paths[i]]))
            return true;
    return false;
}

static enum err_code check(const struct spec_set *set, const struct athena_table *table,
                           struct err *err)
{
    static const struct {
        enum spec_role role;
        const char *what;
    } NEEDED[] = {{ROLE_ENTITY, "entity"}, {ROLE_IP, "address"}, {ROLE_TIME, "time"}};

    if (!has_path(table, set->paths[PLAN_CLASS_PATH]))
        return err_set(err, ERR_INVALID, "the table %s has no class_uid: it is none of OCSF events",
                       table->name);
    for (size_t i = 0; i < set->count; i++)
        for (size_t j = 0; j < ARRAY_LEN(NEEDED); j++)
            if (!has_any(set, table, &set->specs[i]->roles[NEEDED[j].role]))
                return err_set(err, ERR_INVALID, "the table %s has no column for the %s of %s",
                               table->name, NEEDED[j].what, set->specs[i]->name);
    return ERR_NONE;
}

/* Whether the path is a spec's time: *ret_wanted when it is the first that the table has. */
static bool is_time_path(const struct spec_set *set, const struct athena_table *table, size_t path,
                         bool *ret_wanted)
{
    bool time = false;

    *ret_wanted = false;
    for (size_t i = 0; i < set->count; i++) {
        const struct spec_paths *paths = &set->specs[i]->roles[ROLE_TIME];
        size_t first = 0;

        while (first < paths->count && !has_path(table, set->paths[paths->paths[first]]))
            first++;
        *ret_wanted = *ret_wanted || (first < paths->count && paths->paths[first] == path);
        for (size_t j = 0; j < paths->count; j++)
            time = time || paths->paths[j] == path;
    }
    return time;
}

/* Athena cannot group by what has a lambda in it, so the values are named one query further in. */
struct query {
    const struct spec_set *set;
    const struct athena_table *table;
    struct str inner, outer, groups;
    size_t hours;
};

static void query_done(struct query *query)
{
    str_done(&query->inner);
    str_done(&query->outer);
    str_done(&query->groups);
}

static void add_group(struct query *query, const char *name)
{
    str_addf(&query->groups, "%s\"%s\"", query->groups.length > 0 ? ", " : "", name);
}

/* A time is reduced to the first one of its hour. */
static void add_time(struct query *query, const char *expression, struct hive type,
                     const char *name)
{
    char hour[FLAT_NAME_BYTES];

    (void)snprintf(hour, sizeof hour, "pairwatch_hour_%zu", query->hours++);
    if (is_number(type)) {
        str_addf(&query->inner, "%s AS \"%s\", %s - %s %% %d AS \"%s\"", expression, name,
                 expression, expression, (int)HOUR_MS, hour);
    } else if (is_time(type)) {
        str_addf(
            &query->inner,
            "CAST(to_unixtime(%s) * 1000 AS bigint) AS \"%s\", date_trunc('hour', %s) AS \"%s\"",
            expression, name, expression, hour);
    } else {
        str_addf(&query->inner, "%s AS \"%s\", %s AS \"%s\"", expression, name, expression, hour);
    }
    str_addf(&query->outer, "min(\"%s\") AS \"%s\"", name, name);
    add_group(query, hour);
}

static void add_path(struct query *query, size_t path)
{
    AUTO(str_done) struct str expression = {0};
    char name[FLAT_NAME_BYTES];
    struct hive type;
    bool time, wanted;

    str_init(&expression, EXPRESSION_BYTES_MAX * 2);
    if (!resolve(query->table, query->set->paths[path], &expression, &type))
        return;
    time = is_time_path(query->set, query->table, path, &wanted);
    if (time && !wanted)
        return;
    flat_name(query->set->paths[path], name);
    str_add(&query->inner, query->inner.length > 0 ? ", " : "");
    str_add(&query->outer, query->outer.length > 0 ? ", " : "");
    if (time) {
        add_time(query, expression.text, type, name);
        return;
    }
    str_addf(&query->inner, "%s AS \"%s\"", expression.text, name);
    str_addf(&query->outer, "\"%s\"", name);
    add_group(query, name);
}

/* On every partition key that there is: only those days are read and paid for. */
static void add_span(const struct query *query, const struct athena_span *span, bool since,
                     struct str *ret)
{
    int64_t ms = since ? span->since_ms : span->until_ms;
    const char *op = since ? ">=" : "<";
    char time[TIME_TEXT_BYTES], day[DAY_TEXT_BYTES];
    struct hive type;

    if (ms == 0)
        return;
    (void)time_format(time, ms);
    (void)snprintf(day, sizeof day, "%.4s%.2s%.2s", time, time + 5, time + 8);
    /* A day that begins in the middle is read whole. */
    if (find_column(query->table, "eventday", 8, &type) && (since || ms % DAY_MS == 0))
        str_addf(ret, " AND \"eventday\" %s '%s'", op, day);
    if (find_column(query->table, "time_dt", 7, &type) && is_time(type))
        str_addf(ret, " AND \"time_dt\" %s TIMESTAMP '%.10s %.12s'", op, time, time + 11);
    if (find_column(query->table, "time", 4, &type) && is_number(type))
        str_addf(ret, " AND \"time\" %s %" PRId64, op, ms);
}

static void add_classes(const struct spec_set *set, struct str *ret)
{
    bool first = true;

    for (size_t i = 0; i < set->count; i++)
        for (size_t j = 0; j < set->specs[i]->class_count; j++) {
            bool told = false;

            for (size_t k = 0; k < i; k++)
                told = told || spec_has_class(set->specs[k], set->specs[i]->classes[j]);
            if (told)
                continue;
            str_addf(ret, "%s%" PRId64, first ? "" : ", ", set->specs[i]->classes[j]);
            first = false;
        }
}

enum err_code athena_query(const struct spec_set *set, const struct athena_table *table,
                           const struct athena_span *span, const char *location, struct str *ret,
                           struct err *err)
{
    AUTO(query_done) struct query query = {.set = set, .table = table};

    TRY(check(set, table, err));
    str_init(&query.inner, ATHENA_SQL_BYTES_MAX);
    str_init(&query.outer, ATHENA_SQL_BYTES_MAX);
    str_init(&query.groups, ATHENA_SQL_BYTES_MAX);
    for (size_t i = 0; i < set->path_count; i++)
        add_path(&query, i);
    TRY(str_check(&query.inner, "the query's columns", err));
    TRY(str_check(&query.outer, "the query's columns", err));
    TRY(str_check(&query.groups, "the query's groups", err));
    str_addf(ret,
             "UNLOAD (SELECT %s, count(*) AS \"%s\" FROM (SELECT %s FROM \"%s\".\"%s\" WHERE "
             "\"class_uid\" IN (",
             query.outer.text, FLAT_ROWS_COLUMN, query.inner.text, table->database, table->name);
    add_classes(set, ret);
    str_add_char(ret, ')');
    add_span(&query, span, true, ret);
    add_span(&query, span, false, ret);
    str_addf(ret, ") GROUP BY %s) TO '%s' WITH (format = 'PARQUET', compression = 'SNAPPY')",
             query.groups.text, location);
    return str_check(ret, "the query", err);
}

enum err_code athena_probe(const struct athena_table *table, const struct athena_span *span,
                           const char *location, struct str *ret, struct err *err)
{
    const struct query query = {.table = table};

    str_addf(ret, "UNLOAD (SELECT \"class_uid\" FROM \"%s\".\"%s\" WHERE \"class_uid\" IS NOT NULL",
             table->database, table->name);
    add_span(&query, span, true, ret);
    add_span(&query, span, false, ret);
    str_addf(ret, " LIMIT 1) TO '%s' WITH (format = 'PARQUET', compression = 'SNAPPY')", location);
    return str_check(ret, "the query", err);
}
