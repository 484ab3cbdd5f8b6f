#pragma once
/* What a message of a Security Lake subscriber's queue announces. Any of, told for each message:
 *  - the subscriber's form: {"source": "aws.s3", "detail": {"bucket", "object"}}, no detail-type
 *  - EventBridge's: the same with "detail-type": "Object Created"
 *  - S3's: {"Records": [{"eventName": "ObjectCreated:…", "s3": …}]}, keys form-encoded
 *  - SNS's envelope around one of them: {"Type": "Notification", "Message": "…"}
 *  - S3's test message
 * An object of a queue's record, as a file of test events has it ({"body": …, text or object}), is
 * read as its body. */
#include "base/err.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct arena;

enum { ANNOUNCED_MAX = 100, ANNOUNCE_DEPTH_MAX = 3 };

struct announced {
    const char *bucket, *key; /* the key decoded */
    const char *etag;         /* without quotes, or NULL */
    const char *region;       /* or NULL */
    uint64_t size_bytes;      /* 0 = not said */
    int64_t time_ms;          /* when the object was made; 0 = not said */
    bool in_lake;             /* a key of Security Lake's layout with a kind of file it writes */
};
struct announcement {
    struct announced *objects; /* none: a test message, or of something else than new objects */
    size_t count;
    const char
        *fault; /* of a refused one: JSON pointer to what is wrong, or to the text it is in */
};
/* ERR_INVALID says what is wrong, ret->fault where. Texts live in arena. */
NODISCARD enum err_code announce_read(const char *body, size_t length, struct arena *arena,
                                      struct announcement *ret, struct err *err);
/* Objects that are not of the lake need no work: left out, and logged. */
void announce_drop_strangers(struct announcement *announcement);
