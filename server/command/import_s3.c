#include "command/import_s3.h"

#include <string.h>

#include "aws/s3.h"
#include "base/arena.h"
#include "base/str.h"
#include "command/command.h"
#include "lake/object.h"

#define OBJECT_BYTES_MAX ((uint64_t)16 << 30)
static const char SCHEME[] = "s3://";

void import_s3_done(struct import_s3 *s3)
{
    aws_link_closep(&s3->link);
    aws_closep(&s3->aws);
}

bool import_is_s3(const char *path)
{
    return str_starts(path, SCHEME);
}

static enum err_code open_once(struct import_s3 *s3, struct err *err)
{
    if (s3->aws != NULL)
        return ERR_NONE;
    TRY(aws_open(&(struct aws_options){.region = NULL}, &s3->aws, err));
    aws_link_open(s3->aws, &s3->link);
    return ERR_NONE;
}

struct collecting {
    const char *bucket, *prefix;
    struct arena *arena;
    const char **ret;
    size_t *count, max;
};

/* "old" names old and old/…, not older. */
static bool is_below(const char *key, const char *prefix)
{
    const char *rest = key + strlen(prefix);

    if (*rest == '\0')
        return true;
    return (prefix[0] == '\0' || str_ends(prefix, "/") || *rest == '/') &&
           str_ends(key, ".parquet");
}

static enum err_code collect(void *context, const struct s3_listed *listed, struct err *err)
{
    struct collecting *to = context;

    if (!is_below(listed->key, to->prefix) || listed->size_bytes == 0)
        return ERR_NONE;
    if (*to->count == to->max)
        return err_set(err, ERR_TOO_LARGE, "more than %zu objects", to->max);
    to->ret[(*to->count)++] = arena_printf(to->arena, "s3://%s/%s", to->bucket, listed->key);
    return ERR_NONE;
}

enum err_code import_s3_list(struct import_s3 *s3, const char *uri, size_t max, struct arena *arena,
                             const char **ret, size_t *count, struct err *err)
{
    char bucket[S3_BUCKET_BYTES_MAX + 1], prefix[S3_KEY_BYTES_MAX + 1];
    struct collecting to = {bucket, prefix, arena, ret, count, max};

    if (!s3_uri_read(uri, bucket, prefix))
        return err_set(err, ERR_USAGE, "\"%.200s\" is no place in S3, s3://BUCKET/PREFIX", uri);
    TRY(open_once(s3, err));
    return s3_list(s3->link,
                   &(struct s3_listing){.bucket = bucket,
                                        .prefix = prefix,
                                        .visit = collect,
                                        .context = &to,
                                        .stop = &STOP_ASKED},
                   err);
}

enum err_code import_s3_fetch(struct import_s3 *s3, const char *uri, const char *temp_dir,
                              int *ret_fd, struct err *err)
{
    char bucket[S3_BUCKET_BYTES_MAX + 1], key[S3_KEY_BYTES_MAX + 1];
    AUTO(fd_closep) int fd = -1;
    struct s3_object object;

    TRY(file_nameless(temp_dir, &fd, err));
    if (!s3_uri_read(uri, bucket, key))
        return err_set(err, ERR_INTERNAL, "\"%.200s\" is no place in S3", uri);
    if (s3_get(s3->link,
               &(struct s3_wanted){.bucket = bucket,
                                   .key = key,
                                   .bytes_max = OBJECT_BYTES_MAX,
                                   .file = fd,
                                   .stop = &STOP_ASKED},
               &object, err) != ERR_NONE)
        return err_prefix(err, "%.300s", uri);
    *ret_fd = fd;
    fd = -1;
    return ERR_NONE;
}
