/* A sorted list of files from the built-in assets, or a folder behind the same question. */
#include "http/static.h"

#include "base/asset.h"
#include "base/crypto.h"
#include "base/gzip.h"
#include "base/own.h"
#include "base/str.h"
#include "http/uri.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#define ASSET_PREFIX "web/"
static const char INDEX[] = "index.html";
static const char TYPE_UNKNOWN[] = "application/octet-stream";
enum { NAME_BYTES_MAX = 256, GZIP_LEVEL = 9, GZIP_BYTES_MIN = 512 };

struct listed {
    const char *name; /* "css/base.css" */
    struct static_file file;
    struct str gzip;
};

struct static_files {
    int folder; /* -1: the built-in files */
    struct listed *items;
    size_t count;
};

static const struct {
    const char *suffix, *type;
    bool compresses;
} TYPES[] = {
    {".html", "text/html; charset=utf-8", true},
    {".css", "text/css; charset=utf-8", true},
    {".js", "text/javascript; charset=utf-8", true},
    {".mjs", "text/javascript; charset=utf-8", true},
    {".json", "application/json", true},
    {".webmanifest", "application/manifest+json", true},
    {".svg", "image/svg+xml", true},
    {".txt", "text/plain; charset=utf-8", true},
    {".png", "image/png", false},
    {".ico", "image/x-icon", false},
    {".woff2", "font/woff2", false},
};

static const char *type_of(const char *name, bool *ret_compresses)
{
    *ret_compresses = false;
    for (size_t i = 0; i < ARRAY_LEN(TYPES); i++)
        if (str_ends(name, TYPES[i].suffix)) {
            *ret_compresses = TYPES[i].compresses;
            return TYPES[i].type;
        }
    return TYPE_UNKNOWN;
}

static void set_etag(struct static_file *file)
{
    char hex[SHA256_HEX_BYTES];

    sha256_hex(file->bytes, file->length, hex);
    (void)memcpy(file->etag, hex, sizeof file->etag - 1);
    file->etag[sizeof file->etag - 1] = '\0';
}

static void compress(struct listed *item)
{
    str_init(&item->gzip, STATIC_FILE_BYTES_MAX);
    if (item->file.length < GZIP_BYTES_MIN ||
        gzip_deflate(item->file.bytes, item->file.length, GZIP_LEVEL, &item->gzip, NULL) !=
            ERR_NONE ||
        item->gzip.length >= item->file.length)
        return;
    item->file.gzip_bytes = item->gzip.text;
    item->file.gzip_length = item->gzip.length;
}

static void list_assets(struct static_files *files)
{
    files->items = own_array(ASSET_COUNT + 1, sizeof *files->items);
    for (size_t i = 0; i < ASSET_COUNT; i++) {
        struct listed *item = &files->items[files->count];
        bool compresses;

        if (!str_starts(ASSETS[i].name, ASSET_PREFIX))
            continue;
        item->name = ASSETS[i].name + strlen(ASSET_PREFIX);
        item->file = (struct static_file){
            .type = type_of(item->name, &compresses),
            .bytes = ASSETS[i].bytes,
            .length = ASSETS[i].length,
        };
        set_etag(&item->file);
        if (compresses)
            compress(item);
        files->count++;
    }
}

enum err_code static_open(const char *web_dir, struct static_files **ret, struct err *err)
{
    struct static_files *files = own_alloc(sizeof *files);

    files->folder = -1;
    *ret = files;
    if (web_dir == NULL) {
        list_assets(files);
        return ERR_NONE;
    }
    files->folder = open(web_dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (files->folder < 0 || faccessat(files->folder, INDEX, R_OK, 0) != 0) {
        enum err_code code = err_errno(err, ERR_IO, "serving web files from %s", web_dir);

        static_close(TAKE(*ret));
        return code;
    }
    return ERR_NONE;
}

void static_close(struct static_files *files)
{
    if (files == NULL)
        return;
    for (size_t i = 0; i < files->count; i++)
        str_done(&files->items[i].gzip);
    free(files->items);
    if (files->folder >= 0)
        (void)close(files->folder);
    free(files);
}

/* Opens a name below folder one segment at a time, following no link: what is not in the folder's
 * own tree is not there. -1 when it is no file of it. */
static int open_below(int folder, const char *name)
{
    int at = fcntl(folder, F_DUPFD_CLOEXEC, 0);

    while (at >= 0) {
        char segment[NAME_BYTES_MAX];
        size_t length = strcspn(name, "/");
        bool last = name[length] == '\0';
        int next;

        (void)memcpy(segment, name, length);
        segment[length] = '\0';
        next =
            openat(at, segment,
                   O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK | (last ? O_RDONLY : O_PATH | O_DIRECTORY));
        (void)close(at);
        if (last)
            return next;
        at = next;
        name += length + 1;
    }
    return -1;
}

/* All of a regular file within the limit, or NULL. */
static char *read_whole(int fd, size_t *ret_length)
{
    AUTO(own_freep) char *bytes = NULL;
    struct stat info;
    size_t length = 0;

    if (fstat(fd, &info) != 0 || !S_ISREG(info.st_mode) || info.st_size > STATIC_FILE_BYTES_MAX)
        return NULL;
    bytes = own_array((size_t)info.st_size + 1, 1);
    while (length < (size_t)info.st_size) {
        ssize_t count = read(fd, bytes + length, (size_t)info.st_size - length);

        if (count <= 0)
            return NULL;
        length += (size_t)count;
    }
    *ret_length = length;
    return TAKE(bytes);
}

static bool find_in_folder(int folder, const char *name, struct static_file *ret)
{
    bool compresses;
    int fd = open_below(folder, name);

    if (fd < 0)
        return false;
    *ret = (struct static_file){.type = type_of(name, &compresses)};
    ret->owned = read_whole(fd, &ret->length);
    (void)close(fd);
    ret->bytes = ret->owned;
    if (ret->owned != NULL)
        set_etag(ret);
    return ret->owned != NULL;
}

static bool find_name(const struct static_files *files, const char *name, struct static_file *ret)
{
    if (files->folder >= 0)
        return find_in_folder(files->folder, name, ret);
    for (size_t i = 0; i < files->count; i++)
        if (strcmp(files->items[i].name, name) == 0) {
            *ret = files->items[i].file;
            return true;
        }
    return false;
}

/* The path as a name: plain characters, no empty segment, none that begins with a dot. */
static bool is_name(const char *name)
{
    size_t length = strlen(name);

    if (length == 0 || length >= NAME_BYTES_MAX || name[length - 1] == '/' ||
        strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._/-") !=
            length)
        return false;
    return name[0] != '.' && name[0] != '/' && strstr(name, "//") == NULL &&
           strstr(name, "/.") == NULL;
}

/* Texts that name a file and no page: "favicon.ico" at the top, "x.js" and its like anywhere. A
 * page may end in an address or a domain name. */
static bool is_file_name(const struct uri *uri, const char *last)
{
    bool compresses;

    return (uri->segment_count == 1 && strchr(last, '.') != NULL) || str_ends(last, ".map") ||
           strcmp(type_of(last, &compresses), TYPE_UNKNOWN) != 0;
}

/* Segments were decoded: an entity's ARN may be among them. */
static bool is_page(const struct uri *uri)
{
    if (uri->segment_count > URI_SEGMENTS_MAX || strcasecmp(uri->segments[0], "api") == 0)
        return false;
    if (uri->segment_count == 1 && uri->segments[0][0] == '\0')
        return true;
    for (size_t i = 0; i < uri->segment_count; i++)
        if (uri->segments[i][0] == '\0' || uri->segments[i][0] == '.')
            return false;
    return !is_file_name(uri, uri->segments[uri->segment_count - 1]);
}

bool static_find(const struct static_files *files, const struct uri *uri, struct static_file *ret)
{
    if (is_name(uri->path + 1) && find_name(files, uri->path + 1, ret))
        return true;
    return is_page(uri) && find_name(files, INDEX, ret);
}
