/* PutObject: https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutObject.html */
#include <stdio.h>
#include <string.h>

#include "aws/s3.h"
#include "aws/signed.h"
#include "aws/sigv4.h"
#include "base/arena.h"
#include "base/crypto.h"
#include "base/str.h"

enum {
    PUT_TRY_MS_MAX = 10 * 60 * 1000,
    PUT_CALL_MS_MAX = 15 * 60 * 1000,
    PUT_PATH_BYTES_MAX = 4 * 1024,
    PUT_REPLY_BYTES_MAX = 64 * 1024,
    CHECKSUM_BYTES = 48,
};

/* Base64 with padding (RFC 4648 section 4): 32 bytes are 43 characters and one "=". */
static void checksum(const struct s3_given *given, char ret[static CHECKSUM_BYTES])
{
    AUTO(arena_done) struct arena arena = {0};
    uint8_t digest[SHA256_BYTES];

    arena_init(&arena, 4096);
    sha256_of(given->bytes, given->length, digest);
    (void)snprintf(ret, CHECKSUM_BYTES, "%s=", base64url_encode(&arena, digest, sizeof digest));
    for (char *c = ret; *c != '\0'; c++)
        *c = *c == '-' ? '+' : *c == '_' ? '/' : *c;
}

static enum err_code explain(const struct s3_given *given, const struct aws_reply *reply,
                             enum err_code code, struct err *err)
{
    if (strcmp(reply->code, "NoSuchBucket") == 0)
        return err_set(err, ERR_NOT_FOUND, "there is no bucket %s", given->bucket);
    if (code == ERR_FORBIDDEN)
        return err_set(err, ERR_FORBIDDEN,
                       "S3 refused to keep s3://%s/%s: s3:PutObject is needed, and "
                       "kms:GenerateDataKey where the bucket is encrypted with a key (%s)",
                       given->bucket, given->key, reply->code[0] != '\0' ? reply->code : "403");
    return err_prefix(err, "writing s3://%s/%s", given->bucket, given->key);
}

static enum err_code check_etag(const struct s3_given *given, const struct aws_reply *reply,
                                struct err *err)
{
    char etag[S3_ETAG_BYTES + 2] = "", encryption[64] = "", md5[MD5_HEX_BYTES];

    (void)http_reply_header(&reply->http, "x-amz-server-side-encryption", encryption,
                            sizeof encryption);
    if (str_starts(encryption, "aws:kms"))
        return ERR_NONE;
    md5_hex(given->bytes, given->length, md5);
    if (http_reply_header(&reply->http, "etag", etag, sizeof etag) && strstr(etag, md5) != NULL)
        return ERR_NONE;
    return err_set(err, ERR_CORRUPT, "S3 keeps s3://%s/%s with the ETag %s, which is not its MD5",
                   given->bucket, given->key, etag);
}

enum err_code s3_put(struct aws_link *link, const struct s3_given *given, struct err *err)
{
    AUTO(aws_reply_done) struct aws_reply reply = {0};
    AUTO(str_done) struct str path = {0};
    char sum[CHECKSUM_BYTES];
    const char *headers[] = {"Content-Type", given->content_type, "x-amz-checksum-sha256", sum,
                             NULL};
    struct aws_call call = {
        .service = AWS_S3,
        .method = "PUT",
        .region = given->region,
        .bucket = given->bucket,
        .headers = headers,
        .body = given->bytes,
        .body_length = given->length,
        .reply_bytes_max = PUT_REPLY_BYTES_MAX,
        .file = -1,
        .try_timeout_ms = PUT_TRY_MS_MAX,
        .stall_s = S3_STALL_SECONDS,
        .deadline_ms = PUT_CALL_MS_MAX,
        .stop = given->stop,
    };
    enum err_code code;

    if (!s3_bucket_ok(given->bucket) || !s3_key_ok(given->key))
        return err_set(err, ERR_INVALID, "the bucket or key is none that S3 has");
    str_init(&path, PUT_PATH_BYTES_MAX);
    str_add_char(&path, '/');
    sigv4_encode(&path, given->key, strlen(given->key), true);
    TRY(str_check(&path, "the object's path", err));
    call.path = path.text;
    checksum(given, sum);
    code = aws_call(link, &call, &reply, err);
    if (code != ERR_NONE)
        return reply.http.status >= 300 ? explain(given, &reply, code, err) : code;
    return check_etag(given, &reply, err);
}
