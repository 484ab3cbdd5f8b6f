/* Where specs come from, built in and from a folder, and choosing the ones that are asked for. */
#include "lake/spec_load.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/asset.h"
#include "base/own.h"
#include "base/str.h"
#include "lake/object.h"

static const char BUILT_IN[] = "server/lake/specs/";
static const char SUFFIX[] = ".spec";
/* Says little, but is what the AWS workshop does: only when asked for. */
static const char NOT_BY_DEFAULT[] = "workshop";

static enum err_code load_built_in(struct spec_set *set, struct err *err)
{
    for (size_t i = 0; i < ASSET_COUNT; i++)
        if (str_starts(ASSETS[i].name, BUILT_IN) && str_ends(ASSETS[i].name, SUFFIX))
            TRY(spec_parse(set, ASSETS[i].name, (const char *)ASSETS[i].bytes, ASSETS[i].length,
                           err));
    return ERR_NONE;
}

static enum err_code load_file(struct spec_set *set, const char *path, struct err *err)
{
    AUTO(fd_closep) int fd = -1;
    AUTO(own_freep) char *text = own_alloc(SPEC_BYTES_MAX + 1);
    uint64_t size;
    size_t length;

    if (object_open(path, SPEC_BYTES_MAX, &fd, &size, err) != ERR_NONE ||
        object_read(fd, text, SPEC_BYTES_MAX + 1, &length, err) != ERR_NONE)
        return err_prefix(err, "reading the spec %s", path);
    return spec_parse(set, path, text, length, err);
}

static int is_spec_file(const struct dirent *entry)
{
    return entry->d_name[0] != '.' && str_ends(entry->d_name, SUFFIX);
}

static enum err_code load_folder(struct spec_set *set, const char *folder, struct err *err)
{
    struct dirent **entries = NULL;
    int count = scandir(folder, &entries, is_spec_file, alphasort);
    enum err_code code = ERR_NONE;

    if (count < 0)
        return err_errno(err, ERR_IO, "reading the folder of specs %s", folder);
    if (count > SPEC_COUNT_MAX)
        code = err_set(err, ERR_TOO_LARGE, "%s has %d specs, more than %d", folder, count,
                       SPEC_COUNT_MAX);
    for (int i = 0; i < count; i++) {
        if (code == ERR_NONE)
            code =
                load_file(set, arena_printf(set->arena, "%s/%s", folder, entries[i]->d_name), err);
        free(entries[i]);
    }
    free(entries);
    return code;
}

enum err_code spec_load(struct spec_set *set, const char *folder, struct err *err)
{
    TRY(load_built_in(set, err));
    return folder != NULL && folder[0] != '\0' ? load_folder(set, folder, err) : ERR_NONE;
}

static enum err_code unknown(const struct spec_set *set, const char *name, struct err *err)
{
    AUTO(str_done) struct str names = {0};

    str_init(&names, ERR_TEXT_BYTES);
    for (size_t i = 0; i < set->count; i++)
        str_addf(&names, "%s%s", i > 0 ? ", " : "", set->specs[i]->name);
    return err_set(err, ERR_INVALID, "there is no spec \"%s\"; known are %s", name,
                   names.length > 0 ? names.text : "none");
}

struct renumbering {
    struct spec_set *set;
    const char *old_paths[PLAN_PATHS_MAX];
    size_t numbers[PLAN_PATHS_MAX]; /* SIZE_MAX: not used so far */
};

static void renumber(struct renumbering *r, size_t *path)
{
    size_t *number = &r->numbers[*path];

    if (*number == SIZE_MAX) {
        *number = r->set->path_count++;
        r->set->paths[*number] = r->old_paths[*path];
    }
    *path = *number;
}

static void renumber_conditions(struct renumbering *r, struct spec_conditions *conditions)
{
    for (size_t i = 0; i < conditions->count; i++)
        renumber(r, &conditions->items[i].path);
}

/* Only the paths of the specs that are left are to be read. */
static void drop_paths(struct spec_set *set)
{
    struct renumbering r = {.set = set};

    (void)memcpy(r.old_paths, set->paths, sizeof r.old_paths);
    for (size_t i = 0; i < PLAN_PATHS_MAX; i++)
        r.numbers[i] = SIZE_MAX;
    r.numbers[PLAN_CLASS_PATH] = PLAN_CLASS_PATH;
    set->path_count = 1;
    for (size_t i = 0; i < set->count; i++) {
        struct lake_spec *spec = set->specs[i];

        for (size_t role = 0; role < ROLE__MAX; role++)
            for (size_t j = 0; j < spec->roles[role].count; j++)
                renumber(&r, &spec->roles[role].paths[j]);
        renumber_conditions(&r, &spec->where);
        renumber_conditions(&r, &spec->require);
        renumber_conditions(&r, &spec->each);
        renumber_conditions(&r, &spec->rejected);
        renumber_conditions(&r, &spec->one_way);
        renumber_conditions(&r, &spec->no_answer);
    }
}

static bool is_asked(const char *const *names, const char *name)
{
    if (names == NULL)
        return strcmp(name, NOT_BY_DEFAULT) != 0;
    for (size_t i = 0; names[i] != NULL; i++)
        if (strcmp(names[i], name) == 0)
            return true;
    return false;
}

static bool is_among(struct lake_spec *const *specs, size_t count, const struct lake_spec *spec)
{
    for (size_t i = 0; i < count; i++)
        if (specs[i] == spec)
            return true;
    return false;
}

static bool is_wanted(struct lake_spec *const *kept, size_t count, const struct lake_spec *spec)
{
    for (size_t i = 0; i < count; i++)
        if (kept[i]->answered_by != NULL && strcmp(kept[i]->answered_by, spec->name) == 0)
            return !is_among(kept, count, spec);
    return false;
}

/* Behind those that were chosen come those that tell of their pairs whether they were answered. */
static size_t add_silent(const struct spec_set *all, struct lake_spec **kept, size_t chosen)
{
    size_t count = chosen;

    for (size_t i = 0; i < all->count; i++)
        if (is_wanted(kept, chosen, all->specs[i])) {
            all->specs[i]->silent = true;
            kept[count++] = all->specs[i];
        }
    return count;
}

static void forget_answers(struct lake_spec *spec)
{
    spec->one_way.count = spec->no_answer.count = 0;
    spec->answered_by = NULL;
}

static enum err_code choose(struct spec_set *set, const char *const *names, bool answers,
                            struct err *err)
{
    struct lake_spec *kept[SPEC_COUNT_MAX];
    size_t count = 0;

    for (size_t i = 0; names != NULL && names[i] != NULL; i++)
        if (spec_find(set, names[i]) == NULL)
            return unknown(set, names[i], err);
    for (size_t i = 0; i < set->count; i++)
        if (is_asked(names, set->specs[i]->name))
            kept[count++] = set->specs[i];
    if (answers)
        count = add_silent(set, kept, count);
    for (size_t i = 0; i < count; i++) {
        set->specs[i] = kept[i];
        if (!answers)
            forget_answers(kept[i]);
    }
    set->count = count;
    drop_paths(set);
    return ERR_NONE;
}

enum err_code spec_choose(struct spec_set *set, const char *const *names, struct err *err)
{
    return choose(set, names, false, err);
}

enum err_code spec_choose_answered(struct spec_set *set, const char *const *names, struct err *err)
{
    return choose(set, names, true, err);
}
