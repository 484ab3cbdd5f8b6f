/* A walk depth first. Entries are sorted as keys are, folders with their slash: so the walk meets
 * the objects in key order and may stop at any number of them. */
#include "lake/scan.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/own.h"
#include "base/str.h"

enum { ITEMS_FIRST = 256, EVENT_DAY_DIGITS = 8, NS_PER_S = 1000000000 };

static const char *const SUFFIXES[] = {".parquet", ".json", ".jsonl", ".ndjson"};
static const char EVENT_DAY[] = "eventday=";

bool scan_is_object_name(const char *name)
{
    size_t length = strlen(name);

    if (name[0] == '.')
        return false;
    if (str_ends(name, ".gz"))
        length -= 3;
    for (size_t i = 0; i < ARRAY_LEN(SUFFIXES); i++) {
        size_t suffix = strlen(SUFFIXES[i]);

        if (length > suffix && memcmp(name + length - suffix, SUFFIXES[i], suffix) == 0)
            return true;
    }
    return false;
}

bool scan_event_day(const char *key, int64_t *ret_ms)
{
    const char *at = strcasestr(key, EVENT_DAY);
    char text[TIME_TEXT_BYTES];

    if (at == NULL || (at > key && at[-1] != '/'))
        return false;
    at += sizeof EVENT_DAY - 1;
    if (strspn(at, "0123456789") != EVENT_DAY_DIGITS)
        return false;
    (void)snprintf(text, sizeof text, "%.4s-%.2s-%.2sT00:00:00Z", at, at + 4, at + 6);
    return time_parse(text, ret_ms);
}

static bool is_day_asked(const struct scan *scan, const char *key)
{
    int64_t day_ms;

    if (!scan_event_day(key, &day_ms))
        return true;
    return (scan->since_day_ms == 0 || day_ms + DAY_MS > scan->since_day_ms) &&
           (scan->until_day_ms == 0 || day_ms < scan->until_day_ms);
}

struct entry {
    char *name; /* a folder's ends in "/" */
    struct stat stat;
};

static int compare_entries(const void *a, const void *b)
{
    return strcmp(((const struct entry *)a)->name, ((const struct entry *)b)->name);
}

struct entries {
    struct entry *items;
    size_t count, capacity;
    DIR *folder;
};

static void entries_done(struct entries *entries)
{
    for (size_t i = 0; i < entries->count; i++)
        free(entries->items[i].name);
    free(entries->items);
    if (entries->folder != NULL)
        (void)closedir(entries->folder);
}

/* Folders that are links are not followed: they may lead in a circle. What vanished meanwhile is
 * passed over. */
static void add_entry(struct entries *entries, const char *name)
{
    struct stat stat;
    bool folder;
    char *copy;
    size_t length = strlen(name);

    if (name[0] == '.' || str_ends(name, ".tmp") ||
        fstatat(dirfd(entries->folder), name, &stat, AT_SYMLINK_NOFOLLOW) != 0)
        return;
    folder = S_ISDIR(stat.st_mode);
    if (S_ISLNK(stat.st_mode) && fstatat(dirfd(entries->folder), name, &stat, 0) != 0)
        return;
    if (!folder && (!S_ISREG(stat.st_mode) || !scan_is_object_name(name)))
        return;
    if (entries->count == entries->capacity) {
        entries->capacity = entries->capacity > 0 ? entries->capacity * 2 : ITEMS_FIRST;
        entries->items = own_resize(entries->items, entries->capacity, sizeof *entries->items);
    }
    copy = own_alloc(length + 2);
    (void)memcpy(copy, name, length);
    if (folder)
        copy[length] = '/';
    entries->items[entries->count++] = (struct entry){copy, stat};
}

static enum err_code list_folder(struct entries *entries, const char *path, struct err *err)
{
    const struct dirent *entry;

    entries->folder = opendir(path);
    if (entries->folder == NULL && errno == ENOENT)
        return ERR_NONE;
    if (entries->folder == NULL)
        return err_errno(err, ERR_IO, "reading the folder %s", path);
    while (errno = 0, (entry = readdir(entries->folder)) != NULL)
        add_entry(entries, entry->d_name);
    if (errno != 0)
        return err_errno(err, ERR_IO, "reading the folder %s", path);
    if (entries->count > 0)
        qsort(entries->items, entries->count, sizeof *entries->items, compare_entries);
    return ERR_NONE;
}

static void add_found(struct scan *scan, const char *key, const struct stat *stat)
{
    int64_t changed_ns = (int64_t)stat->st_mtim.tv_sec * NS_PER_S + stat->st_mtim.tv_nsec;
    struct fingerprint print = fingerprint_of(key, (uint64_t)stat->st_size, changed_ns);

    if (seen_has(scan->seen, print))
        return;
    if (scan->count == scan->capacity) {
        scan->capacity = scan->capacity > 0 ? scan->capacity * 2 : ITEMS_FIRST;
        scan->items = own_resize(scan->items, scan->capacity, sizeof *scan->items);
    }
    scan->items[scan->count++] =
        (struct found){own_strdup(key), (uint64_t)stat->st_size, changed_ns / 1000000, print};
}

/* key: of the folder, "" or ending in "/". */
static enum err_code walk(struct scan *scan, const char *key, int depth, struct err *err)
{
    AUTO(entries_done) struct entries entries = {0};
    char path[PATH_MAX], child[PATH_MAX];

    if (depth > SCAN_DEPTH_MAX)
        return err_set(err, ERR_INVALID, "%s/%s lies more than %d folders deep", scan->root, key,
                       SCAN_DEPTH_MAX);
    if ((size_t)snprintf(path, sizeof path, "%s/%s", scan->root, key) >= sizeof path)
        return err_set(err, ERR_INVALID, "the path of a folder in %s is too long", scan->root);
    TRY(list_folder(&entries, path, err));
    for (size_t i = 0; i < entries.count && scan->count < SCAN_FILES_MAX; i++) {
        const struct entry *entry = &entries.items[i];

        if ((size_t)snprintf(child, sizeof child, "%s%s", key, entry->name) >= sizeof child)
            return err_set(err, ERR_INVALID, "the path of a file in %s is too long", path);
        if (!is_day_asked(scan, child))
            continue;
        if (S_ISDIR(entry->stat.st_mode))
            TRY(walk(scan, child, depth + 1, err));
        else
            add_found(scan, child, &entry->stat);
    }
    return ERR_NONE;
}

enum err_code scan_run(struct scan *scan, struct err *err)
{
    return walk(scan, "", 0, err);
}

void scan_clear(struct scan *scan)
{
    for (size_t i = 0; i < scan->count; i++)
        free(scan->items[i].key);
    free(scan->items);
    scan->items = NULL;
    scan->count = 0;
    scan->capacity = 0;
}
