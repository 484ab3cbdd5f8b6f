#include "worker/archive.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "aws/client.h"
#include "aws/s3.h"
#include "base/arena.h"
#include "base/clock.h"
#include "base/ip.h"
#include "base/str.h"
#include "lake/parquet_write.h"
#include "store/file_sync.h"
#include "worker/archive_schema.h"

enum {
    WORD_BYTES_MAX = 64,
    KEY_BYTES_MAX = 512,
    NAMES_ARENA_BYTES = 1 << 20,
    OBJECT_BYTES_MAX = 256 << 20,
};
static const char S3[] = "s3://";

struct archive {
    struct archive_options options;
    struct parquet_writer *parquet;
    struct aws *aws; /* of S3 */
    struct aws_link *link;
    char bucket[S3_BUCKET_BYTES_MAX + 1];
    char prefix[KEY_BYTES_MAX];     /* "" or ends with a slash */
    char spool[ARCHIVE_PATH_BYTES]; /* where objects are made: in the target, or in TMPDIR */
    bool made_spool;                /* to be removed again */
};

/* The words of Security Lake's names: no slash, nothing that is special in a path or in SQL. */
static enum err_code check_word(const char *what, const char *word, struct err *err)
{
    if (word != NULL && *word != '\0' && strlen(word) <= WORD_BYTES_MAX && *word != '.' &&
        strspn(word, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.") ==
            strlen(word))
        return ERR_NONE;
    return err_set(err, ERR_INVALID,
                   "the archive's %s \"%.64s\" is not 1 to %d letters, digits, \"-\", \"_\", \".\"",
                   what, word != NULL ? word : "", WORD_BYTES_MAX);
}

static enum err_code open_s3(struct archive *archive, struct err *err)
{
    struct aws_options aws = {.region = NULL};
    const char *rest = archive->options.target + strlen(S3), *slash = strchr(rest, '/');
    int length = slash != NULL ? (int)(slash - rest) : (int)strlen(rest);
    const char *prefix = slash != NULL ? slash + 1 : "", *tmp = getenv("TMPDIR");

    (void)snprintf(archive->bucket, sizeof archive->bucket, "%.*s", length, rest);
    (void)snprintf(archive->prefix, sizeof archive->prefix, "%.200s%s", prefix,
                   *prefix != '\0' && !str_ends(prefix, "/") ? "/" : "");
    if (length > S3_BUCKET_BYTES_MAX || !s3_bucket_ok(archive->bucket) || strlen(prefix) > 200)
        return err_set(err, ERR_INVALID, "the archive %.100s is not s3://BUCKET/PREFIX",
                       archive->options.target);
    (void)snprintf(archive->spool, sizeof archive->spool, "%.1000s/pairwatch-archive-XXXXXX",
                   tmp != NULL && *tmp != '\0' ? tmp : "/tmp");
    if (mkdtemp(archive->spool) == NULL)
        return err_errno(err, ERR_IO, "making the folder %s", archive->spool);
    archive->made_spool = true;
    TRY(aws_open(&aws, &archive->aws, err));
    aws_link_open(archive->aws, &archive->link);
    if (archive->options.region == NULL)
        archive->options.region = aws_region(archive->aws);
    return ERR_NONE;
}

static enum err_code open_folder(struct archive *archive, struct err *err)
{
    struct stat status;

    if (strlen(archive->options.target) > ARCHIVE_PATH_BYTES / 2 ||
        strchr(archive->options.target, '\'') != NULL)
        return err_set(err, ERR_INVALID, "the path of the archive is too long or holds a quote");
    if (stat(archive->options.target, &status) != 0 || !S_ISDIR(status.st_mode))
        return err_set(err, ERR_NOT_FOUND, "the archive %s is not a folder: make it first",
                       archive->options.target);
    (void)snprintf(archive->spool, sizeof archive->spool, "%s", archive->options.target);
    if (archive->options.region == NULL)
        archive->options.region = "local";
    return ERR_NONE;
}

enum err_code archive_open(const struct archive_options *options, struct archive **ret,
                           struct err *err)
{
    AUTO(archive_closep) struct archive *archive = own_alloc(sizeof *archive);

    archive->options = *options;
    TRY(check_word("source", options->source, err));
    TRY(check_word("account", options->account, err));
    if (str_starts(options->target, S3))
        TRY(open_s3(archive, err));
    else
        TRY(open_folder(archive, err));
    TRY(check_word("region", archive->options.region, err));
    TRY(parquet_writer_open(&archive->parquet, err));
    *ret = TAKE(archive);
    return ERR_NONE;
}

void archive_close(struct archive *archive)
{
    if (archive == NULL)
        return;
    parquet_writer_close(archive->parquet);
    aws_link_close(archive->link);
    aws_close(archive->aws);
    if (archive->made_spool)
        (void)rmdir(archive->spool);
    free(archive);
}

void archive_closep(struct archive **archive)
{
    archive_close(*archive);
    *archive = NULL;
}

/* ---- rows as CSV, which DuckDB nests ---- */

static void put_text(FILE *file, const char *text)
{
    (void)fputc(',', file);
    if (text == NULL)
        return; /* null; an empty text is quoted */
    (void)fputc('"', file);
    for (; *text != '\0'; text++) {
        if (*text == '"')
            (void)fputc('"', file);
        (void)fputc(*text, file);
    }
    (void)fputc('"', file);
}

static void put_real(FILE *file, double value)
{
    char text[32];

    (void)fputc(',', file);
    if (isnan(value))
        return;
    (void)str_from_double(text, value);
    (void)fputs(text, file);
}

static void put_row(FILE *file, const struct observation *row, const struct archive_names *names)
{
    char ip[IP_TEXT_BYTES];

    (void)ip_format(ip, &row->ip);
    (void)fprintf(file, "%" PRId64 ",%" PRId64 ",%" PRIu64, row->last_ms, row->first_ms,
                  row->count);
    put_text(file, names->spec);
    put_text(file, names->entity);
    put_text(file, ip);
    put_text(file, names->model);
    put_real(file, row->score);
    put_real(file, row->percentile);
    put_text(file, names->bucket);
    put_text(file, names->key);
    put_text(file, names->etag);
    (void)fputc('\n', file);
}

static enum err_code write_csv(struct db *db, const struct archive_unit *unit, const char *path,
                               struct err *err)
{
    AUTO(arena_done) struct arena arena = {0};
    FILE *file = fopen(path, "we");
    enum err_code code = ERR_NONE;
    bool failed;

    if (file == NULL)
        return err_errno(err, ERR_IO, "making %s", path);
    arena_init(&arena, NAMES_ARENA_BYTES);
    (void)fputs(ARCHIVE_CSV_HEADER, file);
    for (size_t i = 0; code == ERR_NONE && i < unit->count; i++) {
        struct archive_names names;

        arena_reset(&arena);
        code = archive_names(db, &arena, &unit->rows[i], &names, err);
        if (code == ERR_NONE)
            put_row(file, &unit->rows[i], &names);
    }
    failed = ferror(file) != 0;
    if ((fclose(file) != 0 || failed) && code == ERR_NONE)
        code = err_errno(err, ERR_IO, "writing %s", path);
    return code;
}

/* ---- where it goes ---- */

static void key_of(const struct archive *archive, const struct archive_unit *unit,
                   char ret[static KEY_BYTES_MAX])
{
    const struct archive_options *o = &archive->options;
    char time[TIME_TEXT_BYTES];

    (void)time_format(time, unit->day_ms);
    (void)snprintf(ret, KEY_BYTES_MAX,
                   "ext/%.64s/region=%.64s/accountId=%.64s/eventDay=%.4s%.2s%.2s/"
                   "observations-%" PRId64 "-%" PRId64 ".zst.parquet",
                   o->source, o->region, o->account, time, time + 5, time + 8, unit->created_ms,
                   unit->id);
}

/* Each folder on the way is made and its name brought to the disk. */
static enum err_code make_folders(const char *root, const char *key, struct err *err)
{
    char path[ARCHIVE_PATH_BYTES];
    size_t at = (size_t)snprintf(path, sizeof path, "%s/", root);

    for (const char *slash; (slash = strchr(key, '/')) != NULL; key = slash + 1) {
        at += (size_t)snprintf(path + at, sizeof path - at, "%.*s", (int)(slash - key), key);
        if (mkdir(path, 0777) == 0)
            TRY(folder_sync(path, err));
        else if (errno != EEXIST)
            return err_errno(err, ERR_IO, "making the folder %s", path);
        at += (size_t)snprintf(path + at, sizeof path - at, "/");
    }
    return ERR_NONE;
}

static enum err_code keep_file(struct archive *archive, const char *key, const char *part,
                               char ret_path[static ARCHIVE_PATH_BYTES], struct err *err)
{
    TRY(make_folders(archive->options.target, key, err));
    (void)snprintf(ret_path, ARCHIVE_PATH_BYTES, "%.1023s/%.511s", archive->options.target, key);
    TRY(file_sync(part, err));
    if (rename(part, ret_path) != 0)
        return err_errno(err, ERR_IO, "naming %s", ret_path);
    return folder_sync(ret_path, err);
}

static enum err_code read_object(const char *part, struct str *ret, struct err *err)
{
    char bytes[1 << 16];
    FILE *file = fopen(part, "re");
    size_t got;

    if (file == NULL)
        return err_errno(err, ERR_IO, "opening %s", part);
    while ((got = fread(bytes, 1, sizeof bytes, file)) > 0)
        str_add_bytes(ret, bytes, got);
    (void)fclose(file);
    return str_check(ret, "an object of the archive", err);
}

static enum err_code keep_object(struct archive *archive, const char *key, const char *part,
                                 char ret_path[static ARCHIVE_PATH_BYTES], struct err *err)
{
    AUTO(str_done) struct str bytes = {0};
    char whole[2 * KEY_BYTES_MAX];
    struct s3_given given = {.bucket = archive->bucket,
                             .key = whole,
                             .content_type = "application/vnd.apache.parquet",
                             .stop = archive->options.stop};

    str_init(&bytes, OBJECT_BYTES_MAX);
    TRY(read_object(part, &bytes, err));
    (void)snprintf(whole, sizeof whole, "%.511s%.511s", archive->prefix, key);
    (void)snprintf(ret_path, ARCHIVE_PATH_BYTES, "%s%.63s/%.1023s", S3, archive->bucket, whole);
    given.bytes = bytes.text;
    given.length = bytes.length;
    return s3_put(archive->link, &given, err);
}

static enum err_code write_parts(struct archive *archive, struct db *db,
                                 const struct archive_unit *unit, const char *csv, const char *part,
                                 char ret_path[static ARCHIVE_PATH_BYTES],
                                 char ret_sha256[static ARCHIVE_SHA256_BYTES], struct err *err)
{
    char key[KEY_BYTES_MAX];
    int64_t bytes;

    key_of(archive, unit, key);
    TRY(write_csv(db, unit, csv, err));
    TRY(parquet_write(archive->parquet, ARCHIVE_SELECT, csv, part, err));
    TRY(file_digest(part, ret_sha256, &bytes, err));
    return archive->link != NULL ? keep_object(archive, key, part, ret_path, err)
                                 : keep_file(archive, key, part, ret_path, err);
}

enum err_code archive_write(struct archive *archive, struct db *db, const struct archive_unit *unit,
                            char ret_path[static ARCHIVE_PATH_BYTES],
                            char ret_sha256[static ARCHIVE_SHA256_BYTES], struct err *err)
{
    char csv[ARCHIVE_PATH_BYTES + 64], part[ARCHIVE_PATH_BYTES + 64];
    enum err_code code;

    (void)snprintf(csv, sizeof csv, "%s/.observations-%d-%" PRId64 ".csv.tmp", archive->spool,
                   (int)getpid(), unit->id);
    (void)snprintf(part, sizeof part, "%s/.observations-%d-%" PRId64 ".tmp", archive->spool,
                   (int)getpid(), unit->id);
    code = write_parts(archive, db, unit, csv, part, ret_path, ret_sha256, err);
    (void)unlink(csv);
    (void)unlink(part);
    return code == ERR_NONE ? ERR_NONE : err_prefix(err, "archiving observations");
}
