#pragma once
/* Reading and writing objects of Amazon S3. Any thread, over its own link. */
#include "aws/client.h"

enum {
    S3_ETAG_BYTES = 80,
    S3_KEY_BYTES_MAX = 1024,
    S3_BUCKET_BYTES_MAX = 63,
    S3_STALL_SECONDS = 30, /* an answer that stands still for so long is given up */
};

struct s3_wanted {
    const char *bucket, *key; /* the key as it is, not encoded */
    const char *region;       /* NULL = aws_region */
    const char *etag;         /* what the notice said, without quotes; NULL = any */
    uint64_t bytes_max;
    int file;    /* written from its start */
    int stall_s; /* 0 = S3_STALL_SECONDS */
    const atomic_bool *stop;
};
struct s3_object {
    uint64_t size_bytes;
    char etag[S3_ETAG_BYTES]; /* without quotes */
};
/* The object whole, its length checked against what S3 announced. ERR_NOT_FOUND (key, bucket),
 * ERR_FORBIDDEN (the sentence says which permission, KMS included), ERR_PRECONDITION (another
 * version by now), ERR_TOO_LARGE, ERR_INVALID, or as aws_call. A bucket of another region is asked
 * there. */
NODISCARD enum err_code s3_get(struct aws_link *link, const struct s3_wanted *wanted,
                               struct s3_object *ret, struct err *err);
#define S3_PUT_BYTES_MAX UINT64_C(5368709120) /* S3 takes no more at once */
/* "s3://bucket/key" into its halves; the key may be empty or end in "/". False when it is none. */
enum { S3_URI_BYTES = S3_BUCKET_BYTES_MAX + S3_KEY_BYTES_MAX + 8 };
bool s3_uri_read(const char *uri, char ret_bucket[static S3_BUCKET_BYTES_MAX + 1],
                 char ret_key[static S3_KEY_BYTES_MAX + 1]);
struct s3_given {
    const char *bucket, *key;
    const char *region; /* NULL = aws_region */
    const char *content_type;
    const void *bytes;
    size_t length;
    const atomic_bool *stop;
};
/* PutObject, over an object of the same key; its SHA-256 is signed and checked by S3, and the ETag
 * it answers against the MD5 unless the bucket encrypts with KMS. When this returns the object is
 * durable. ERR_FORBIDDEN says which permission is needed; or as aws_call. */
NODISCARD enum err_code s3_put(struct aws_link *link, const struct s3_given *given,
                               struct err *err);
struct s3_listed {
    const char *key; /* until the visit returns */
    uint64_t size_bytes;
};
struct s3_listing {
    const char *bucket, *prefix; /* the prefix may be "" */
    const char *region;          /* NULL = aws_region */
    enum err_code (*visit)(void *context, const struct s3_listed *listed, struct err *err);
    void *context;
    const atomic_bool *stop;
};
/* Every object whose key begins with the prefix, in the order of their keys, page by page; what
 * visit fails with ends it. ERR_FORBIDDEN says which permission is needed; or as aws_call. */
NODISCARD enum err_code s3_list(struct aws_link *link, const struct s3_listing *listing,
                                struct err *err);
/* The rules of names; keys without control characters and well-formed. */
bool s3_bucket_ok(const char *bucket);
bool s3_key_ok(const char *key);
