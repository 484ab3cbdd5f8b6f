/* The parser of pair specs: one line at a time, each key by its row in KEYS. */
#include "lake/spec.h"

#include <string.h>

#include "base/arena.h"
#include "base/field.h"
#include "base/str.h"

static const char *const BOOL_WORDS[] = {"no", "yes", NULL};
static const char *const NORMALISER_WORDS[] = {"none", "lower", "strip_session", NULL};
static const struct op_word {
    const char *word;
    enum spec_op op;
} OP_WORDS[] = {
    {" not in ", OP_NOT_IN},
    {" not like ", OP_NOT_LIKE},
    {" in ", OP_IN},
    {" like ", OP_LIKE},
};

struct parser {
    struct spec_set *set;
    struct lake_spec *spec;
    const char *origin;
    int line;
    const char *line_text; /* the line's own copy: columns are counted from here */
    unsigned seen;         /* bit per row of KEYS */
};

/* at points into the line. */
static enum err_code fault(const struct parser *p, const char *at, struct err *err,
                           const char *what, const char *detail)
{
    return err_set(err, ERR_INVALID, "%s:%d:%d: %s%s%s%s", p->origin, p->line,
                   (int)(at - p->line_text) + 1, what, detail[0] != '\0' ? " \"" : "", detail,
                   detail[0] != '\0' ? "\"" : "");
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

/* Cuts blanks off both ends in place. */
static char *trim(char *text)
{
    char *end;

    while (is_blank(*text))
        text++;
    end = text + strlen(text);
    while (end > text && is_blank(end[-1]))
        end--;
    *end = '\0';
    return text;
}

/* The next item of a comma-separated list, trimmed, or NULL after the last. */
static char *next_item(char **rest)
{
    char *item = *rest;
    char *comma;

    if (item == NULL)
        return NULL;
    comma = strchr(item, ',');
    if (comma != NULL)
        *comma = '\0';
    *rest = comma != NULL ? comma + 1 : NULL;
    return trim(item);
}

static bool is_path_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '-';
}

/* Names joined by dots, at most one of them followed by []. */
static bool is_path(const char *path, bool list_allowed)
{
    int lists = 0;

    for (const char *at = path;;) {
        const char *name = at;

        while (is_path_char(*at))
            at++;
        if (at == name)
            return false;
        if (at[0] == '[' && at[1] == ']') {
            at += 2;
            lists++;
        }
        if (*at == '\0')
            return lists <= (list_allowed ? 1 : 0) && at - path <= SPEC_PATH_BYTES_MAX;
        if (*at++ != '.')
            return false;
    }
}

static bool intern_path(struct spec_set *set, const char *path, size_t *ret)
{
    for (size_t i = 0; i < set->path_count; i++)
        if (strcmp(set->paths[i], path) == 0) {
            *ret = i;
            return true;
        }
    if (set->path_count == PLAN_PATHS_MAX)
        return false;
    *ret = set->path_count++;
    set->paths[*ret] = arena_strdup(set->arena, path);
    return true;
}

static enum err_code add_path(struct parser *p, const char *path, bool list_allowed, size_t *ret,
                              struct err *err)
{
    if (!is_path(path, list_allowed))
        return fault(p, path, err, "not a path of names joined by dots:", path);
    if (!intern_path(p->set, path, ret))
        return fault(p, path, err, "too many paths in all specs, at:", path);
    return ERR_NONE;
}

static enum err_code read_paths(struct parser *p, char *value, size_t offset, struct err *err)
{
    struct spec_paths *paths = (struct spec_paths *)((char *)p->spec + offset);
    bool list_allowed = paths == &p->spec->roles[ROLE_IP];

    for (char *item; (item = next_item(&value)) != NULL;) {
        if (paths->count == SPEC_PATHS_MAX)
            return fault(p, item, err, "too many paths, at:", item);
        TRY(add_path(p, item, list_allowed, &paths->paths[paths->count], err));
        paths->count++;
    }
    return ERR_NONE;
}

/* Splits "PATH in A, B" at its operator: the first one, as values may hold such words too. */
static bool split_condition(char *value, struct spec_condition *ret, char **ret_values)
{
    char *first = NULL;

    for (size_t i = 0; i < ARRAY_LEN(OP_WORDS); i++) {
        char *at = strstr(value, OP_WORDS[i].word);

        if (at == NULL || (first != NULL && at >= first))
            continue;
        first = at;
        ret->op = OP_WORDS[i].op;
        *ret_values = at + strlen(OP_WORDS[i].word);
    }
    if (first != NULL)
        *first = '\0';
    return first != NULL;
}

static enum err_code read_condition(struct parser *p, char *value, size_t offset, struct err *err)
{
    struct spec_conditions *conditions = (struct spec_conditions *)((char *)p->spec + offset);
    bool list_allowed = conditions == &p->spec->each;
    struct spec_condition *condition = &conditions->items[conditions->count];
    char *values;

    if (conditions->count == SPEC_CONDITIONS_MAX)
        return fault(p, value, err, "too many conditions of this kind, at:", value);
    if (!split_condition(value, condition, &values))
        return fault(p, value, err, "wanted \"PATH in|not in|like|not like VALUE, …\", not", value);
    TRY(add_path(p, trim(value), list_allowed, &condition->path, err));
    for (char *item; (item = next_item(&values)) != NULL;) {
        if (item[0] == '\0')
            return fault(p, item, err, "an empty value", "");
        if (condition->value_count == SPEC_VALUES_MAX)
            return fault(p, item, err, "too many values, at:", item);
        condition->values[condition->value_count++] = arena_strdup(p->set->arena, item);
    }
    conditions->count++;
    return ERR_NONE;
}

/* Into a member of the spec: of itself, or of another one. */
static enum err_code read_name(struct parser *p, char *value, size_t offset, struct err *err)
{
    size_t length = strlen(value);

    if (length == 0 || length > SPEC_NAME_BYTES_MAX || value[0] == '-' ||
        strspn(value, "abcdefghijklmnopqrstuvwxyz0123456789-") != length)
        return fault(p, value, err,
                     "a name is 1 to 64 of a-z, 0-9 and '-', which does not begin it, not:", value);
    *(const char **)(void *)((char *)p->spec + offset) = arena_strdup(p->set->arena, value);
    return ERR_NONE;
}

static enum err_code read_classes(struct parser *p, char *value, UNUSED size_t offset,
                                  struct err *err)
{
    struct lake_spec *spec = p->spec;

    for (char *item; (item = next_item(&value)) != NULL;) {
        if (spec->class_count == SPEC_CLASSES_MAX)
            return fault(p, item, err, "too many classes, at:", item);
        if (!str_to_i64(item, &spec->classes[spec->class_count]) ||
            spec->classes[spec->class_count] < 0)
            return fault(p, item, err, "not the number of an OCSF class:", item);
        spec->class_count++;
    }
    return ERR_NONE;
}

static enum err_code read_bool(struct parser *p, char *value, size_t offset, struct err *err)
{
    int index = field_word_index(BOOL_WORDS, value);

    if (index < 0)
        return fault(p, value, err, "wanted yes or no, not:", value);
    *(bool *)((char *)p->spec + offset) = index == 1;
    return ERR_NONE;
}

static enum err_code read_normaliser(struct parser *p, char *value, UNUSED size_t offset,
                                     struct err *err)
{
    int index = field_word_index(NORMALISER_WORDS, value);

    if (index < 0)
        return fault(p, value, err, "wanted none, lower or strip_session, not:", value);
    p->spec->normaliser = (enum spec_normaliser)index;
    return ERR_NONE;
}

#define AT(member) offsetof(struct lake_spec, member)
static const struct key {
    const char *name;
    enum err_code (*read)(struct parser *p, char *value, size_t offset, struct err *err);
    size_t offset;
    bool repeated; /* may stand more than once */
    bool required;
} KEYS[] = {
    {"name", read_name, AT(name), false, true},
    {"classes", read_classes, 0, false, true},
    {"entity", read_paths, AT(roles[ROLE_ENTITY]), false, true},
    {"ip", read_paths, AT(roles[ROLE_IP]), false, true},
    {"time", read_paths, AT(roles[ROLE_TIME]), false, true},
    {"account", read_paths, AT(roles[ROLE_ACCOUNT]), false, false},
    {"region", read_paths, AT(roles[ROLE_REGION]), false, false},
    {"where", read_condition, AT(where), true, false},
    {"require", read_condition, AT(require), true, false},
    {"each", read_condition, AT(each), true, false},
    {"rejected", read_condition, AT(rejected), true, false},
    {"score_rejected", read_bool, AT(score_rejected), false, false},
    {"one_way", read_condition, AT(one_way), true, false},
    {"no_answer", read_condition, AT(no_answer), true, false},
    {"answered_by", read_name, AT(answered_by), false, false},
    {"normaliser", read_normaliser, 0, false, false},
};

static enum err_code read_line(struct parser *p, char *line, struct err *err)
{
    char *start = trim(line);
    char *equals;
    const char *key;

    if (start[0] == '\0' || start[0] == '#')
        return ERR_NONE;
    equals = strchr(start, '=');
    if (equals == NULL)
        return fault(p, start, err, "wanted key = value, not:", start);
    *equals = '\0';
    key = trim(start);
    for (size_t i = 0; i < ARRAY_LEN(KEYS); i++) {
        if (strcmp(KEYS[i].name, key) != 0)
            continue;
        if ((p->seen & (1U << i)) != 0 && !KEYS[i].repeated)
            return fault(p, start, err, "given twice:", key);
        p->seen |= 1U << i;
        return KEYS[i].read(p, trim(equals + 1), KEYS[i].offset, err);
    }
    return fault(p, start, err, "there is no key", key);
}

static enum err_code check_complete(struct parser *p, struct err *err)
{
    const struct lake_spec *spec = p->spec;

    for (size_t i = 0; i < ARRAY_LEN(KEYS); i++)
        if (KEYS[i].required && (p->seen & (1U << i)) == 0)
            return err_set(err, ERR_INVALID, "%s:%d:1: the spec has no %s", p->origin, p->line,
                           KEYS[i].name);
    if ((spec->one_way.count > 0) != (spec->answered_by != NULL))
        return err_set(err, ERR_INVALID, "%s:%d:1: one_way and answered_by go together", p->origin,
                       p->line);
    return ERR_NONE;
}

/* "answers[]" of "answers[].rdata"; 0 when there is no list. */
static size_t list_length(const char *path)
{
    const char *mark = strstr(path, "[]");

    return mark != NULL ? (size_t)(mark - path) + 2 : 0;
}

/* Conditions on items need the same list that the address comes from. */
static enum err_code check_each(struct parser *p, struct err *err)
{
    const struct lake_spec *spec = p->spec;

    for (size_t i = 0; i < spec->each.count; i++) {
        const char *path = p->set->paths[spec->each.items[i].path];
        size_t length = list_length(path);
        bool found = false;

        for (size_t j = 0; j < spec->roles[ROLE_IP].count; j++) {
            const char *ip = p->set->paths[spec->roles[ROLE_IP].paths[j]];

            found = found ||
                    (length > 0 && list_length(ip) == length && strncmp(ip, path, length) == 0);
        }
        if (!found)
            return err_set(
                err, ERR_INVALID,
                "%s:%d:1: \"each\" is about %s, which is in no list that ip goes through",
                p->origin, p->line, path);
    }
    return ERR_NONE;
}

static enum err_code add_spec(struct parser *p, struct err *err)
{
    struct spec_set *set = p->set;

    for (size_t i = 0; i < set->count; i++)
        if (strcmp(set->specs[i]->name, p->spec->name) == 0) {
            set->specs[i] = p->spec;
            return ERR_NONE;
        }
    if (set->count == SPEC_COUNT_MAX)
        return err_set(err, ERR_TOO_LARGE, "%s: more than %d specs", p->origin, SPEC_COUNT_MAX);
    set->specs[set->count++] = p->spec;
    return ERR_NONE;
}

enum err_code spec_parse(struct spec_set *set, const char *origin, const char *text, size_t length,
                         struct err *err)
{
    struct parser p = {
        .set = set, .spec = ARENA_NEW(set->arena, struct lake_spec), .origin = origin};
    const char *end = text + length;

    if (length > SPEC_BYTES_MAX)
        return err_set(err, ERR_TOO_LARGE, "%s: a spec has at most %d bytes", origin,
                       SPEC_BYTES_MAX);
    if (memchr(text, '\0', length) != NULL)
        return err_set(err, ERR_INVALID, "%s: a spec is text without NUL bytes", origin);
    while (text < end) {
        const char *newline = memchr(text, '\n', (size_t)(end - text));
        size_t line_length = (size_t)((newline != NULL ? newline : end) - text);
        char *line = arena_strndup(set->arena, text, line_length);

        p.line++;
        p.line_text = line;
        TRY(read_line(&p, line, err));
        text += line_length + 1;
    }
    TRY(check_complete(&p, err));
    TRY(check_each(&p, err));
    return add_spec(&p, err);
}

void spec_set_init(struct spec_set *set, struct arena *arena)
{
    (void)memset(set, 0, sizeof *set);
    set->arena = arena;
    set->paths[PLAN_CLASS_PATH] = "class_uid";
    set->path_count = 1;
}

const struct lake_spec *spec_find(const struct spec_set *set, const char *name)
{
    for (size_t i = 0; i < set->count; i++)
        if (strcmp(set->specs[i]->name, name) == 0)
            return set->specs[i];
    return NULL;
}

bool spec_has_class(const struct lake_spec *spec, int64_t class_uid)
{
    for (size_t i = 0; i < spec->class_count; i++)
        if (spec->classes[i] == class_uid)
            return true;
    return false;
}

static bool paths_have(const struct spec_paths *paths, size_t path)
{
    for (size_t i = 0; i < paths->count; i++)
        if (paths->paths[i] == path)
            return true;
    return false;
}

static bool conditions_have(const struct spec_conditions *conditions, size_t path)
{
    for (size_t i = 0; i < conditions->count; i++)
        if (conditions->items[i].path == path)
            return true;
    return false;
}

/* Besides as its time. */
static bool spec_uses(const struct lake_spec *spec, size_t path)
{
    for (int role = 0; role < ROLE__MAX; role++)
        if (role != ROLE_TIME && paths_have(&spec->roles[role], path))
            return true;
    return conditions_have(&spec->where, path) || conditions_have(&spec->require, path) ||
           conditions_have(&spec->each, path) || conditions_have(&spec->rejected, path) ||
           conditions_have(&spec->one_way, path) || conditions_have(&spec->no_answer, path);
}

bool spec_set_uses(const struct spec_set *set, size_t path, int64_t class_uid)
{
    bool used = path == PLAN_CLASS_PATH;

    for (size_t i = 0; i < set->count && !used; i++)
        if (class_uid == 0 || spec_has_class(set->specs[i], class_uid))
            used = spec_uses(set->specs[i], path) ||
                   paths_have(&set->specs[i]->roles[ROLE_TIME], path);
    return used;
}

bool spec_set_is_time(const struct spec_set *set, size_t path)
{
    for (size_t i = 0; i < set->count; i++)
        if (paths_have(&set->specs[i]->roles[ROLE_TIME], path))
            return true;
    return false;
}

bool spec_set_times_apart(const struct spec_set *set)
{
    const struct spec_paths *times;

    if (set->count == 0)
        return false;
    times = &set->specs[0]->roles[ROLE_TIME];
    if (paths_have(times, PLAN_CLASS_PATH))
        return false;
    for (size_t i = 0; i < set->count; i++) {
        const struct spec_paths *others = &set->specs[i]->roles[ROLE_TIME];

        if (others->count != times->count ||
            memcmp(others->paths, times->paths, times->count * sizeof *times->paths) != 0)
            return false;
        for (size_t j = 0; j < times->count; j++)
            if (spec_uses(set->specs[i], times->paths[j]))
                return false;
    }
    return true;
}
