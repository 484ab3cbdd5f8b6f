/* ListObjectsV2: https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectsV2.html */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "aws/s3.h"
#include "aws/signed.h"
#include "aws/sigv4.h"
#include "base/str.h"

enum {
    LIST_TRY_MS_MAX = 60 * 1000,
    LIST_CALL_MS_MAX = 5 * 60 * 1000,
    LIST_PAGES_MAX = 10 * 1000, /* of a thousand keys each */
    LIST_REPLY_BYTES_MAX = 16 << 20,
    QUERY_BYTES_MAX = 16 * 1024,
    TOKEN_BYTES_MAX = 2048,
    ENCODED_KEY_BYTES = 3 * S3_KEY_BYTES_MAX + 1,
    SIZE_BYTES = 24,
};
static const char CONTENTS[] = "<Contents>", CONTENTS_END[] = "</Contents>";

static enum err_code explain(const struct s3_listing *listing, const struct aws_reply *reply,
                             enum err_code code, struct err *err)
{
    if (strcmp(reply->code, "NoSuchBucket") == 0)
        return err_set(err, ERR_NOT_FOUND, "there is no bucket %s", listing->bucket);
    if (code == ERR_FORBIDDEN)
        return err_set(
            err, ERR_FORBIDDEN, "S3 refused to list s3://%s/%s: s3:ListBucket is needed (%s)",
            listing->bucket, listing->prefix, reply->code[0] != '\0' ? reply->code : "403");
    return err_prefix(err, "listing s3://%s/%s", listing->bucket, listing->prefix);
}

/* Keys come percent-encoded as was asked for, since XML cannot hold every one, when the answer says
 * so. A blank may be "+". */
static enum err_code visit(const struct s3_listing *listing, const char *xml, bool encoded,
                           struct err *err)
{
    char told[ENCODED_KEY_BYTES], key[ENCODED_KEY_BYTES], text[SIZE_BYTES];
    struct s3_listed listed = {.key = encoded ? key : told};

    if (!xml_text(xml, "Key", told, sizeof told) || !xml_text(xml, "Size", text, sizeof text) ||
        !str_to_u64(text, &listed.size_bytes) ||
        (encoded && !str_percent_decode(told, strlen(told), true, key)) || !s3_key_ok(listed.key) ||
        !str_starts(listed.key, listing->prefix))
        return err_set(err, ERR_CORRUPT, "listing s3://%s: an entry is none", listing->bucket);
    return listing->visit(listing->context, &listed, err);
}

/* *ret_token: where the next page begins, "" behind the last. The text is cut up. */
static enum err_code read_page(const struct s3_listing *listing, char *xml,
                               char ret_token[static TOKEN_BYTES_MAX], struct err *err)
{
    char *at = strstr(xml, CONTENTS);
    char more[8] = "", encoding[8] = "";

    ret_token[0] = '\0';
    if (strstr(xml, "<ListBucketResult") == NULL ||
        !xml_text(xml, "IsTruncated", more, sizeof more))
        return err_set(err, ERR_CORRUPT, "listing s3://%s: the answer is none", listing->bucket);
    if (strcmp(more, "true") == 0 &&
        (!xml_text(xml, "NextContinuationToken", ret_token, TOKEN_BYTES_MAX) ||
         ret_token[0] == '\0'))
        return err_set(err, ERR_CORRUPT, "listing s3://%s: it goes on, but not where",
                       listing->bucket);
    (void)xml_text(xml, "EncodingType", encoding, sizeof encoding);
    while (at != NULL) {
        char *end = strstr(at, CONTENTS_END);

        if (end == NULL)
            return err_set(err, ERR_CORRUPT, "listing s3://%s: the answer is cut", listing->bucket);
        *end = '\0';
        TRY(visit(listing, at, strcmp(encoding, "url") == 0, err));
        at = strstr(end + 1, CONTENTS);
    }
    return ERR_NONE;
}

static enum err_code list_page(struct aws_link *link, const struct s3_listing *listing,
                               char token[static TOKEN_BYTES_MAX], struct err *err)
{
    AUTO(aws_reply_done) struct aws_reply reply = {0};
    AUTO(str_done) struct str query = {0};
    struct aws_call call = {
        .service = AWS_S3,
        .method = "GET",
        .region = listing->region,
        .bucket = listing->bucket,
        .path = "/",
        .reply_bytes_max = LIST_REPLY_BYTES_MAX,
        .file = -1,
        .try_timeout_ms = LIST_TRY_MS_MAX,
        .deadline_ms = LIST_CALL_MS_MAX,
        .stop = listing->stop,
    };
    enum err_code code;

    str_init(&query, QUERY_BYTES_MAX);
    str_add(&query, "list-type=2&encoding-type=url&prefix=");
    sigv4_encode(&query, listing->prefix, strlen(listing->prefix), false);
    if (token[0] != '\0') {
        str_add(&query, "&continuation-token=");
        sigv4_encode(&query, token, strlen(token), false);
    }
    TRY(str_check(&query, "the listing's question", err));
    call.query = query.text;
    code = aws_call(link, &call, &reply, err);
    if (code != ERR_NONE)
        return reply.http.status >= 300 ? explain(listing, &reply, code, err) : code;
    if (reply.http.body.length == 0)
        return err_set(err, ERR_CORRUPT, "listing s3://%s: the answer is empty", listing->bucket);
    return read_page(listing, reply.http.body.text, token, err);
}

enum err_code s3_list(struct aws_link *link, const struct s3_listing *listing, struct err *err)
{
    char token[TOKEN_BYTES_MAX] = "";

    if (!s3_bucket_ok(listing->bucket))
        return err_set(err, ERR_INVALID, "\"%.100s\" is no bucket's name", listing->bucket);
    for (int page = 0; page < LIST_PAGES_MAX; page++) {
        TRY(list_page(link, listing, token, err));
        if (token[0] == '\0')
            return ERR_NONE;
    }
    return err_set(err, ERR_TOO_LARGE, "s3://%s/%s holds more than %d thousand keys",
                   listing->bucket, listing->prefix, LIST_PAGES_MAX);
}
