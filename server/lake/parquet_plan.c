/* Resolves paths against DuckDB's types. An expression grows from the outside in: the column, then
 * its members; behind a list, the member of each item. */
#include "lake/parquet_plan.h"

#include <string.h>

#include "base/own.h"
#include "base/str.h"
#include "lake/flat.h"

enum { EXPRESSION_BYTES_MAX = 4096, MEMBERS_MAX = 10000 };

struct resolver {
    const struct duckdb_api *api;
    struct str outer; /* up to the list, or all */
    struct str inner; /* of an item x; empty when the item itself is meant */
    bool in_list;
    bool numbered;       /* a text becomes its number */
    struct duckdb *type; /* of what the expression gives so far; owned */
};

static void set_type(struct resolver *r, struct duckdb *type)
{
    if (r->type != NULL)
        r->api->destroy_logical_type(&r->type);
    r->type = type;
}

static int type_id(const struct resolver *r)
{
    return r->api->get_type_id(r->type);
}

/* Wraps: text becomes struct_extract(text, 'name'). */
static void wrap(struct str *text, const char *before, const char *name, const char *after)
{
    AUTO(str_done) struct str old = *text;

    str_init(text, EXPRESSION_BYTES_MAX);
    str_add(text, before);
    str_add_bytes(text, old.text, old.length);
    text->failed = text->failed || old.failed;
    if (name != NULL) {
        str_add(text, ", '");
        for (; *name != '\0'; name++) {
            if (*name == '\'')
                str_add_char(text, '\'');
            str_add_char(text, *name);
        }
        str_add_char(text, '\'');
    }
    str_add(text, after);
}

static struct str *current(struct resolver *r)
{
    return r->in_list ? &r->inner : &r->outer;
}

/* name: of name_length bytes. */
static bool enter_member(struct resolver *r, const char *name, size_t name_length)
{
    uint64_t count;

    if (type_id(r) != DUCKDB_STRUCT)
        return false;
    count = r->api->struct_type_child_count(r->type);
    for (uint64_t i = 0; i < count && i < MEMBERS_MAX; i++) {
        char *member = r->api->struct_type_child_name(r->type, i);
        bool same = member != NULL && strlen(member) == name_length &&
                    memcmp(member, name, name_length) == 0;

        if (same) {
            wrap(current(r), "struct_extract(", member, ")");
            set_type(r, r->api->struct_type_child_type(r->type, i));
        }
        r->api->free(member);
        if (same)
            return true;
    }
    return false;
}

/* Some writers put the list of a LIST into a group of its own: a struct whose only member is a
 * list. */
static void enter_wrapper(struct resolver *r)
{
    struct duckdb *child;
    char *member;

    if (type_id(r) != DUCKDB_STRUCT || r->api->struct_type_child_count(r->type) != 1)
        return;
    child = r->api->struct_type_child_type(r->type, 0);
    member = r->api->struct_type_child_name(r->type, 0);
    if (member != NULL && r->api->get_type_id(child) == DUCKDB_LIST) {
        wrap(current(r), "struct_extract(", member, ")");
        set_type(r, child);
    } else {
        r->api->destroy_logical_type(&child);
    }
    r->api->free(member);
}

static bool enter_list(struct resolver *r)
{
    enter_wrapper(r);
    if (type_id(r) != DUCKDB_LIST)
        return false;
    set_type(r, r->api->list_type_child_type(r->type));
    r->in_list = true;
    str_add(&r->inner, "x");
    return true;
}

static bool enter_column(struct resolver *r, struct duckdb_answer *schema, const char *name,
                         size_t name_length)
{
    uint64_t count = r->api->column_count(schema);

    for (uint64_t i = 0; i < count && i < MEMBERS_MAX; i++) {
        const char *column = r->api->column_name(schema, i);

        if (column == NULL || strlen(column) != name_length ||
            memcmp(column, name, name_length) != 0)
            continue;
        str_add_char(&r->outer, '"');
        str_add_bytes(&r->outer, name, name_length); /* a path's names hold no quotes */
        str_add_char(&r->outer, '"');
        set_type(r, r->api->column_logical_type(schema, i));
        return true;
    }
    return false;
}

static bool resolve(struct resolver *r, struct duckdb_answer *schema, const char *path)
{
    for (const char *at = path;;) {
        size_t length = strcspn(at, ".[");

        if (!(at == path ? enter_column(r, schema, at, length) : enter_member(r, at, length)))
            return false;
        at += length;
        if (at[0] == '[') {
            if (!enter_list(r))
                return false;
            at += 2;
        }
        if (*at == '\0')
            return true;
        at++;
    }
}

/* The same path in a file of counted events. */
static bool resolve_flat(struct resolver *r, struct duckdb_answer *schema, const char *path)
{
    char name[FLAT_NAME_BYTES];

    flat_name(path, name);
    return enter_column(r, schema, name, strlen(name)) &&
           (strchr(path, '[') == NULL || enter_list(r));
}

/* How a value of the type is fetched: as text, as a number, or not at all. */
static enum parquet_form form_of(int type, const char **ret_before, const char **ret_after)
{
    *ret_before = "TRY_CAST(";
    *ret_after = " AS BIGINT)";
    if ((type >= DUCKDB_TINYINT && type <= DUCKDB_DOUBLE) || type == DUCKDB_HUGEINT ||
        type == DUCKDB_DECIMAL)
        return FORM_INT;
    if (type == DUCKDB_TIMESTAMP_TZ || type == DUCKDB_TIMESTAMP) {
        *ret_before = "epoch_ms(";
        *ret_after = ")";
        return FORM_INT;
    }
    if (type == DUCKDB_DATE || (type >= DUCKDB_TIMESTAMP_S && type <= DUCKDB_TIMESTAMP_NS)) {
        *ret_before = "epoch_ms(CAST(";
        *ret_after = " AS TIMESTAMP))";
        return FORM_INT;
    }
    *ret_after = " AS VARCHAR)";
    if (type == DUCKDB_VARCHAR || type == DUCKDB_ENUM || type == DUCKDB_UUID ||
        type == DUCKDB_BOOLEAN)
        return FORM_TEXT;
    return FORM_NONE;
}

static enum parquet_form finish(struct resolver *r)
{
    const char *before, *after;
    enum parquet_form form = form_of(type_id(r), &before, &after);

    if (form == FORM_NONE)
        return FORM_NONE;
    wrap(current(r), before, NULL, after);
    if (!r->in_list && r->numbered && form == FORM_TEXT) {
        wrap(&r->outer, PLAN_NUMBER_FUNCTION "(", NULL, ")");
        form = FORM_NUMBER;
    }
    if (!r->in_list)
        return r->outer.failed ? FORM_NONE : form;
    wrap(&r->outer, "list_transform(", NULL, ", lambda x: ");
    str_add_bytes(&r->outer, r->inner.text, r->inner.length);
    str_add_char(&r->outer, ')');
    if (r->outer.failed || r->inner.failed)
        return FORM_NONE;
    return form == FORM_INT ? FORM_INTS : FORM_TEXTS;
}

static void resolver_done(struct resolver *r)
{
    set_type(r, NULL);
    str_done(&r->outer);
    str_done(&r->inner);
}

/* Appends the expression of a path that the file has. */
static struct parquet_column add(struct resolver *r, bool found, struct parquet_plan *plan,
                                 struct str *select)
{
    struct parquet_column column = {.form = found ? finish(r) : FORM_NONE};

    if (column.form == FORM_NONE)
        return column;
    column.column = plan->selected++;
    if (column.column > 0)
        str_add(select, ", ");
    str_add_bytes(select, r->outer.text, r->outer.length);
    return column;
}

void parquet_plan(const struct duckdb_api *api, struct duckdb_answer *schema,
                  const struct parquet_wish *wish, struct parquet_plan *ret, struct str *select)
{
    AUTO(resolver_done) struct resolver counted = {.api = api};
    const struct spec_set *set = wish->set;
    bool flat;

    ret->selected = 0;
    str_init(&counted.outer, EXPRESSION_BYTES_MAX);
    str_init(&counted.inner, EXPRESSION_BYTES_MAX);
    flat = enter_column(&counted, schema, FLAT_ROWS_COLUMN, strlen(FLAT_ROWS_COLUMN));
    ret->rows = add(&counted, flat, ret, select);
    for (size_t i = 0; i < set->path_count; i++) {
        AUTO(resolver_done) struct resolver r = {.api = api};
        bool found;

        ret->columns[i] = (struct parquet_column){.form = FORM_NONE};
        if (!spec_set_uses(set, i, wish->class_uid))
            continue;
        r.numbered = wish->numbered && !spec_set_is_time(set, i);
        str_init(&r.outer, EXPRESSION_BYTES_MAX);
        str_init(&r.inner, EXPRESSION_BYTES_MAX);
        found = flat ? resolve_flat(&r, schema, set->paths[i]) : resolve(&r, schema, set->paths[i]);
        ret->columns[i] = add(&r, found, ret, select);
    }
}
