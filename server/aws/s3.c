/* GetObject. */
#include "aws/s3.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "aws/s3_getting.h"
#include "aws/signed.h"
#include "aws/sigv4.h"
#include "base/own.h"
#include "base/str.h"

enum {
    TRY_MS_MAX = 10 * 60 * 1000,
    CALL_MS_MAX = 15 * 60 * 1000,
    PATH_BYTES_MAX = 4 * 1024,
    REPLY_BYTES_MAX = 64 * 1024
};

bool s3_bucket_ok(const char *bucket)
{
    size_t length = strlen(bucket);

    return length >= 3 && length <= S3_BUCKET_BYTES_MAX &&
           strspn(bucket, "abcdefghijklmnopqrstuvwxyz0123456789-.") == length &&
           strstr(bucket, "..") == NULL && strchr("-.", bucket[0]) == NULL &&
           strchr("-.", bucket[length - 1]) == NULL;
}

bool s3_key_ok(const char *key)
{
    size_t length = strlen(key);

    return length > 0 && length <= S3_KEY_BYTES_MAX && str_is_clean_utf8(key, length);
}

bool s3_uri_read(const char *uri, char ret_bucket[static S3_BUCKET_BYTES_MAX + 1],
                 char ret_key[static S3_KEY_BYTES_MAX + 1])
{
    static const char SCHEME[] = "s3://";
    const char *bucket = uri + sizeof SCHEME - 1, *slash;
    size_t length;

    if (strncmp(uri, SCHEME, sizeof SCHEME - 1) != 0)
        return false;
    slash = strchr(bucket, '/');
    length = slash != NULL ? (size_t)(slash - bucket) : strlen(bucket);
    if (length > S3_BUCKET_BYTES_MAX ||
        (slash != NULL && (strlen(slash + 1) > S3_KEY_BYTES_MAX ||
                           !str_is_clean_utf8(slash + 1, strlen(slash + 1)))))
        return false;
    (void)memcpy(ret_bucket, bucket, length);
    ret_bucket[length] = '\0';
    (void)snprintf(ret_key, S3_KEY_BYTES_MAX + 1, "%s", slash != NULL ? slash + 1 : "");
    return s3_bucket_ok(ret_bucket);
}

static void unquote(const char *etag, char *ret, size_t size)
{
    size_t length = 0;

    for (; *etag != '\0' && length + 1 < size; etag++)
        if (*etag != '"')
            ret[length++] = *etag;
    ret[length] = '\0';
}

/* Says what would help: S3 answers 403 for several causes, and for a key that is gone when listing
 * is not allowed. */
static enum err_code explain(const struct s3_wanted *wanted, const struct aws_reply *reply,
                             enum err_code code, struct err *err)
{
    char message[512];

    reply_message(reply, message, sizeof message);
    if (reply->http.status == 412)
        return err_set(err, ERR_PRECONDITION, "the object was replaced since it was announced");
    if (strcmp(reply->code, "NoSuchBucket") == 0)
        return err_set(err, ERR_NOT_FOUND, "there is no bucket %s", wanted->bucket);
    if (reply->http.status == 404)
        return err_set(err, ERR_NOT_FOUND, "the object is not there any more");
    if (reply->http.status == 403 &&
        (strstr(message, "kms:") != NULL || strncmp(reply->code, "KMS.", 4) == 0))
        return err_set(err, ERR_FORBIDDEN,
                       "the object's key may not be used, kms:Decrypt is needed: %s", message);
    if (reply->http.status == 403 && strcmp(reply->code, "InvalidObjectState") == 0)
        return err_set(err, ERR_FORBIDDEN, "the object lies in an archive and has to be restored");
    if (code == ERR_FORBIDDEN)
        return err_set(err, ERR_FORBIDDEN,
                       "S3 refused the object: s3:GetObject is needed, or it is gone and "
                       "s3:ListBucket is missing (%s)",
                       reply->code[0] != '\0' ? reply->code : "403");
    return err_prefix(err, "reading s3://%s", wanted->bucket);
}

static enum err_code check(const struct s3_wanted *wanted, const struct aws_reply *reply,
                           struct s3_object *ret, struct err *err)
{
    char text[S3_ETAG_BYTES + 2];
    uint64_t length;

    ret->size_bytes = reply->http.file_bytes;
    ret->etag[0] = '\0';
    if (http_reply_header(&reply->http, "etag", text, sizeof text))
        unquote(text, ret->etag, sizeof ret->etag);
    if (!http_reply_header(&reply->http, "content-length", text, sizeof text) ||
        !str_to_u64(text, &length) || length != ret->size_bytes)
        return err_set(err, ERR_UNAVAILABLE, "S3 sent %" PRIu64 " bytes, not as many as announced",
                       ret->size_bytes);
    if (wanted->etag != NULL && strcmp(wanted->etag, ret->etag) != 0)
        return err_set(err, ERR_PRECONDITION, "the object was replaced since it was announced");
    return ERR_NONE;
}

/* S3 names the region that a bucket is in when it was asked elsewhere. */
static bool other_region(const struct aws_reply *reply, const char *asked,
                         char ret[static AWS_REGION_BYTES])
{
    int status = reply->http.status;

    if (status != 301 && status != 307 && status != 400 && status != 403)
        return false;
    if (!http_reply_header(&reply->http, "x-amz-bucket-region", ret, AWS_REGION_BYTES) &&
        (reply->http.body.length == 0 ||
         !xml_text(reply->http.body.text, "Region", ret, AWS_REGION_BYTES)))
        return false;
    return ret[0] != '\0' && strcmp(ret, asked) != 0 &&
           strspn(ret, "abcdefghijklmnopqrstuvwxyz0123456789-") == strlen(ret);
}

enum err_code s3_getting_init(struct s3_getting *getting, const struct s3_wanted *wanted,
                              struct err *err)
{
    *getting = (struct s3_getting){.wanted = wanted};
    if (!s3_bucket_ok(wanted->bucket) || !s3_key_ok(wanted->key))
        return err_set(err, ERR_INVALID, "the bucket or key is none that S3 has");
    str_init(&getting->path, PATH_BYTES_MAX);
    str_add_char(&getting->path, '/');
    sigv4_encode(&getting->path, wanted->key, strlen(wanted->key), true);
    TRY(str_check(&getting->path, "the object's path", err));
    (void)snprintf(getting->etag, sizeof getting->etag, "\"%s\"",
                   wanted->etag != NULL ? wanted->etag : "");
    getting->headers[0] = "If-Match";
    getting->headers[1] = getting->etag;
    getting->call = (struct aws_call){
        .service = AWS_S3,
        .method = "GET",
        .region = wanted->region,
        .bucket = wanted->bucket,
        .path = getting->path.text,
        .headers = wanted->etag != NULL ? getting->headers : NULL,
        .reply_bytes_max = wanted->bytes_max,
        .file = wanted->file,
        .try_timeout_ms = TRY_MS_MAX,
        .stall_s = wanted->stall_s > 0 ? wanted->stall_s : S3_STALL_SECONDS,
        .deadline_ms = CALL_MS_MAX,
        .stop = wanted->stop,
    };
    return ERR_NONE;
}

void s3_getting_done(struct s3_getting *getting)
{
    str_done(&getting->path);
}

enum err_code s3_getting_conclude(struct s3_getting *getting, enum err_code code,
                                  const struct aws_reply *reply, struct s3_object *ret,
                                  bool *ret_again, struct err *err)
{
    const char *asked = getting->call.region != NULL ? getting->call.region : "";

    *ret_again = code != ERR_NONE && !getting->moved && other_region(reply, asked, getting->region);
    if (*ret_again) {
        getting->moved = true;
        getting->call.region = getting->region;
        return code;
    }
    if (code != ERR_NONE && reply->http.status >= 300)
        return explain(getting->wanted, reply, code, err);
    TRY(code);
    return check(getting->wanted, reply, ret, err);
}

enum err_code s3_get(struct aws_link *link, const struct s3_wanted *wanted, struct s3_object *ret,
                     struct err *err)
{
    AUTO(aws_reply_done) struct aws_reply reply = {0};
    AUTO(s3_getting_done) struct s3_getting getting = {0};
    enum err_code code;
    bool again;

    TRY(s3_getting_init(&getting, wanted, err));
    do {
        code = aws_call(link, &getting.call, &reply, err);
        code = s3_getting_conclude(&getting, code, &reply, ret, &again, err);
    } while (again);
    return code;
}
