/* GetCallerIdentity of STS. */
#include "aws/identity.h"

#include <string.h>

#include "aws/signed.h"

enum { REPLY_BYTES_MAX = 64 * 1024, TRY_MS_MAX = 10 * 1000, CALL_MS_MAX = 30 * 1000 };

enum err_code aws_identity(struct aws_link *link, char ret[static AWS_ARN_BYTES], struct err *err)
{
    static const char BODY[] = "Action=GetCallerIdentity&Version=2011-06-15";
    static const char *const HEADERS[] = {"Content-Type", "application/x-www-form-urlencoded",
                                          NULL};
    AUTO(aws_reply_done) struct aws_reply reply = {0};
    struct aws_call call = {
        .service = AWS_STS,
        .method = "POST",
        .path = "/",
        .headers = HEADERS,
        .body = BODY,
        .body_length = strlen(BODY),
        .reply_bytes_max = REPLY_BYTES_MAX,
        .file = -1,
        .try_timeout_ms = TRY_MS_MAX,
        .deadline_ms = CALL_MS_MAX,
    };

    TRY(aws_call(link, &call, &reply, err));
    if (reply.http.body.length == 0 || !xml_text(reply.http.body.text, "Arn", ret, AWS_ARN_BYTES))
        return err_set(err, ERR_CORRUPT, "STS answered GetCallerIdentity without an Arn");
    return ERR_NONE;
}
