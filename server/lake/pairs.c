/* A lake: specs and readers, and which reader an object needs. */
#include "lake/pairs.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/gzip.h"
#include "base/own.h"
#include "base/str.h"
#include "lake/extract.h"
#include "lake/object.h"
#include "lake/ocsf_json.h"
#include "lake/parquet.h"
#include "lake/spec_load.h"

#define OBJECT_BYTES_DEFAULT (UINT64_C(1) << 30)
#define PAIRS_DEFAULT        (UINT64_C(4) << 20)
#define SPEC_ARENA_BYTES_MAX ((size_t)64 << 20)
/* gzip is inflated in memory: OCSF JSON, seldom anything else. */
#define INFLATED_BYTES_MAX ((size_t)512 << 20)
enum { READ_BYTES = 64 * 1024, HEAD_BYTES = 64 };

struct lake {
    struct arena arena; /* the specs */
    struct spec_set set;
    struct extract_options extract;
    uint64_t object_bytes_max;
    const char *temp_dir;
    struct parquet *parquet; /* NULL until the first Parquet object */
};

static void set_options(struct lake *lake, const struct lake_options *options)
{
    lake->extract = (struct extract_options){
        .bucket_ms = options->bucket_ms > 0 ? options->bucket_ms : HOUR_MS,
        .pairs_max = options->pairs_max > 0 ? options->pairs_max : PAIRS_DEFAULT,
        .keep_rejected = options->keep_rejected,
    };
    lake->object_bytes_max =
        options->object_bytes_max > 0 ? options->object_bytes_max : OBJECT_BYTES_DEFAULT;
    lake->temp_dir =
        arena_strdup(&lake->arena, options->temp_dir != NULL ? options->temp_dir : "/tmp");
}

enum err_code lake_open(const struct lake_options *options, struct lake **ret, struct err *err)
{
    AUTO(lake_closep) struct lake *lake = own_alloc(sizeof *lake);

    arena_init(&lake->arena, SPEC_ARENA_BYTES_MAX);
    set_options(lake, options);
    spec_set_init(&lake->set, &lake->arena);
    TRY(spec_load(&lake->set, options->spec_dir, err));
    TRY(spec_choose_answered(&lake->set, options->spec_names, err));
    *ret = TAKE(lake);
    return ERR_NONE;
}

void lake_close(struct lake *lake)
{
    if (lake == NULL)
        return;
    parquet_close(lake->parquet);
    arena_done(&lake->arena);
    free(lake);
}

void lake_closep(struct lake **lake)
{
    lake_close(*lake);
    *lake = NULL;
}

size_t lake_spec_count_of(const struct lake *lake)
{
    size_t count = 0;

    while (count < lake->set.count && !lake->set.specs[count]->silent)
        count++;
    return count;
}

const char *lake_spec_name(const struct lake *lake, size_t index)
{
    return index < lake_spec_count_of(lake) ? lake->set.specs[index]->name : NULL;
}

static enum err_code read_parquet(struct lake *lake, int fd, struct extract *extract,
                                  struct err *err)
{
    if (lake->parquet == NULL)
        TRY(parquet_open(lake->temp_dir, &lake->parquet, err));
    return parquet_read(lake->parquet, fd, extract, err);
}

/* Of the byte order mark that some writers put in front of JSON (RFC 8259 section 8.1). */
static size_t mark_length(const char *bytes, size_t length)
{
    static const char MARK[3] = "\xef\xbb\xbf";

    return length >= sizeof MARK && memcmp(bytes, MARK, sizeof MARK) == 0 ? sizeof MARK : 0;
}

static enum err_code read_json(int fd, struct extract *extract, struct err *err)
{
    AUTO(ocsf_json_freep) struct ocsf_json *json = ocsf_json_new(extract);
    AUTO(own_freep) char *bytes = own_alloc(READ_BYTES);
    size_t length, skip;
    bool first = true;

    do {
        TRY(object_read(fd, bytes, READ_BYTES, &length, err));
        skip = first ? mark_length(bytes, length) : 0;
        TRY(ocsf_json_add(json, bytes + skip, length - skip, err));
        first = false;
    } while (length == READ_BYTES);
    return ocsf_json_end(json, err);
}

enum kind { KIND_EMPTY, KIND_PARQUET, KIND_ENCRYPTED, KIND_GZIP, KIND_JSON, KIND_UNKNOWN };

static enum kind kind_of(const char *head, size_t length)
{
    size_t blanks = mark_length(head, length);

    if (length == 0)
        return KIND_EMPTY;
    if (length >= 4 && memcmp(head, "PAR1", 4) == 0)
        return KIND_PARQUET;
    if (length >= 4 && memcmp(head, "PARE", 4) == 0)
        return KIND_ENCRYPTED;
    if (gzip_is(head, length))
        return KIND_GZIP;
    while (blanks < length && strchr(" \t\r\n", head[blanks]) != NULL && head[blanks] != '\0')
        blanks++;
    if (blanks == length || head[blanks] == '{' || head[blanks] == '[')
        return KIND_JSON;
    return KIND_UNKNOWN;
}

static enum err_code refuse(enum kind kind, struct err *err)
{
    if (kind == KIND_EMPTY)
        return err_set(err, ERR_CORRUPT, "the object is empty");
    if (kind == KIND_ENCRYPTED)
        return err_set(err, ERR_INVALID, "the object is encrypted Parquet, which cannot be read");
    return err_set(err, ERR_INVALID,
                   "the object is neither Parquet nor OCSF JSON, going by its first bytes");
}

static enum err_code read_inflated_parquet(struct lake *lake, const struct str *inflated,
                                           struct extract *extract, struct err *err)
{
    AUTO(fd_closep) int fd = memfd_create("object", MFD_CLOEXEC);
    size_t done = 0;

    if (fd < 0)
        return err_errno(err, ERR_IO, "making room for the inflated object");
    while (done < inflated->length) {
        ssize_t count = write(fd, inflated->text + done, inflated->length - done);

        if (count < 0 && errno != EINTR)
            return err_errno(err, ERR_IO, "inflating the object");
        done += count > 0 ? (size_t)count : 0;
    }
    return read_parquet(lake, fd, extract, err);
}

static enum err_code inflate(int fd, uint64_t size, struct str *ret, struct err *err)
{
    AUTO(own_freep) char *bytes = NULL;
    size_t length;
    enum err_code code;

    if (size > INFLATED_BYTES_MAX)
        return err_set(err, ERR_TOO_LARGE, "a gzip object has at most %zu MiB",
                       INFLATED_BYTES_MAX >> 20);
    bytes = own_alloc((size_t)size);
    TRY(object_read(fd, bytes, (size_t)size, &length, err));
    code = gzip_inflate(bytes, length, ret, err);
    if (code == ERR_INVALID)
        return err_set(err, ERR_CORRUPT, "the gzip object is damaged or cut off");
    return code;
}

static enum err_code read_gzip(struct lake *lake, int fd, uint64_t size, struct extract *extract,
                               struct err *err)
{
    AUTO(str_done) struct str inflated = {0};
    AUTO(ocsf_json_freep) struct ocsf_json *json = NULL;
    enum kind kind;
    size_t skip;

    str_init(&inflated, INFLATED_BYTES_MAX);
    TRY(inflate(fd, size, &inflated, err));
    kind = kind_of(inflated.text, inflated.length);
    if (kind == KIND_PARQUET)
        return read_inflated_parquet(lake, &inflated, extract, err);
    if (kind != KIND_JSON)
        return refuse(kind, err);
    skip = mark_length(inflated.text, inflated.length);
    json = ocsf_json_new(extract);
    TRY(ocsf_json_add(json, inflated.text + skip, inflated.length - skip, err));
    return ocsf_json_end(json, err);
}

static enum err_code read_object(struct lake *lake, int fd, uint64_t size, struct extract *extract,
                                 struct err *err)
{
    char head[HEAD_BYTES];
    ssize_t length = pread(fd, head, sizeof head, 0);
    enum kind kind;

    if (length < 0)
        return err_errno(err, ERR_IO, "reading the object");
    kind = kind_of(head, (size_t)length);
    if (kind == KIND_PARQUET)
        return read_parquet(lake, fd, extract, err);
    if (kind == KIND_JSON)
        return read_json(fd, extract, err);
    if (kind == KIND_GZIP)
        return read_gzip(lake, fd, size, extract, err);
    return refuse(kind, err);
}

enum err_code lake_read(struct lake *lake, const char *path, struct arena *arena,
                        struct lake_result *ret, struct err *err)
{
    AUTO(extract_done) struct extract extract = {0};
    AUTO(fd_closep) int fd = -1;
    uint64_t size;

    *ret = (struct lake_result){0};
    TRY(object_open(path, lake->object_bytes_max, &fd, &size, err));
    extract_init(&extract, &lake->set, &lake->extract, arena);
    TRY(read_object(lake, fd, size, &extract, err));
    extract_result(&extract, ret);
    return ERR_NONE;
}
