/* Objects of a queue's messages brought here from S3: some ahead of need, so that the way there
 * costs little; in memory within a budget, beyond it in files without names. */
#include <inttypes.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "aws/s3_many.h"
#include "lake/notice_sqs.h"
#include "lake/object.h"
#include "lake/patience.h"

enum {
    AHEAD_BYTES_MAX = 256 << 20,        /* a larger one is asked for when it is needed */
    MEMORY_OBJECT_BYTES_MAX = 32 << 20, /* larger ones go to a file in temp_dir */
    MEMORY_BYTES_MAX = 64 << 20,        /* of all in memory; the next go to files */
};

/* Takes a place among those under way; false when there is none. */
static bool take_place(struct sqs_source *source)
{
    bool taken;

    (void)pthread_mutex_lock(&source->lock);
    taken = source->ahead < SQS_AHEAD_MAX;
    source->ahead += taken;
    (void)pthread_mutex_unlock(&source->lock);
    return taken;
}

static bool take_memory(struct sqs_source *source, uint64_t bytes)
{
    bool taken;

    (void)pthread_mutex_lock(&source->lock);
    taken = bytes > 0 && bytes <= MEMORY_OBJECT_BYTES_MAX &&
            source->memory_bytes + bytes <= MEMORY_BYTES_MAX;
    source->memory_bytes += taken ? bytes : 0;
    (void)pthread_mutex_unlock(&source->lock);
    return taken;
}

static enum err_code open_room(struct sqs_source *source, struct handed *handed, bool memory,
                               struct err *err)
{
    const char *folder = source->options.temp_dir != NULL ? source->options.temp_dir : "/tmp";

    if (memory && take_memory(source, handed->object->size_bytes)) {
        handed->memory_bytes = handed->object->size_bytes;
        handed->fd = memfd_create("object", MFD_CLOEXEC);
    } else {
        return file_nameless(folder, &handed->fd, err);
    }
    if (handed->fd < 0)
        return err_errno(err, ERR_IO, "making room for the object in memory");
    return ERR_NONE;
}

static void leave_room(struct sqs_source *source, struct handed *handed)
{
    s3_many_drop(handed->ticket);
    handed->ticket = NULL;
    fd_closep(&handed->fd);
    (void)pthread_mutex_lock(&source->lock);
    source->memory_bytes -= handed->memory_bytes;
    (void)pthread_mutex_unlock(&source->lock);
    handed->memory_bytes = 0;
}

static void ask(struct sqs_source *source, struct handed *handed, uint64_t bytes_max)
{
    handed->bytes_max = bytes_max;
    s3_many_ask(source->s3,
                &(struct s3_wanted){
                    .bucket = handed->object->bucket,
                    .key = handed->object->key,
                    .etag = handed->object->etag,
                    .region = handed->object->region,
                    .bytes_max = bytes_max,
                    .file = handed->fd,
                    .stall_s = source->options.stall_s,
                },
                &handed->ticket);
}

/* Announced sizes are taken at their word only as long as they hold. */
void sqs_fetch_ahead(struct sqs_source *source, struct handed *handed)
{
    uint64_t size_bytes = handed->object->size_bytes;
    struct err unused;

    if (handed->placed || size_bytes == 0 || size_bytes > AHEAD_BYTES_MAX || !take_place(source))
        return;
    handed->placed = true;
    if (open_room(source, handed, true, &unused) ==
        ERR_NONE) /* otherwise fetching it will say so */
        ask(source, handed, handed->memory_bytes > 0 ? MEMORY_OBJECT_BYTES_MAX : AHEAD_BYTES_MAX);
}

void sqs_fetch_end(struct sqs_source *source, struct handed *handed)
{
    leave_room(source, handed);
    (void)pthread_mutex_lock(&source->lock);
    source->ahead -= handed->placed;
    (void)pthread_mutex_unlock(&source->lock);
    handed->placed = false;
}

/* What was asked for ahead, or anew; an object that is larger than announced once more, into a
 * file. */
static enum err_code get(struct sqs_source *source, struct handed *handed, uint64_t bytes_max,
                         struct s3_object *ret, struct err *err)
{
    enum err_code code = ERR_TOO_LARGE;

    if (handed->ticket != NULL)
        code = s3_many_wait(handed->ticket, source->options.stop, ret, err);
    if (handed->ticket != NULL && (code != ERR_TOO_LARGE || handed->bytes_max >= bytes_max))
        return code;
    leave_room(source, handed);
    TRY(open_room(source, handed, handed->bytes_max == 0 && bytes_max >= MEMORY_OBJECT_BYTES_MAX,
                  err));
    ask(source, handed, handed->memory_bytes > 0 ? MEMORY_OBJECT_BYTES_MAX : bytes_max);
    code = s3_many_wait(handed->ticket, source->options.stop, ret, err);
    return code;
}

struct fetching {
    struct sqs_source *source;
    struct handed *handed;
    uint64_t bytes_max;
    struct s3_object *ret;
};

/* What failed by an outage holds no room while that is waited out. */
static enum err_code try_once(void *context, struct err *err)
{
    struct fetching *fetching = context;
    enum err_code code =
        get(fetching->source, fetching->handed, fetching->bytes_max, fetching->ret, err);

    if (patience_is_outage(code)) {
        leave_room(fetching->source, fetching->handed);
        fetching->handed->bytes_max = 0;
    }
    return code;
}

enum err_code sqs_fetch(struct sqs_source *source, struct handed *handed, uint64_t bytes_max,
                        int *ret_fd, struct object_info *ret, struct err *err)
{
    uint64_t announced = handed->object->size_bytes;
    struct s3_object object = {0};

    if (announced <= bytes_max)
        TRY(patience_run(&source->patience, try_once,
                         &(struct fetching){source, handed, bytes_max, &object}, err));
    if (announced > bytes_max || object.size_bytes > bytes_max)
        return err_set(err, ERR_TOO_LARGE,
                       "the object has %" PRIu64 " bytes, more than the limit of %" PRIu64,
                       announced > bytes_max ? announced : object.size_bytes, bytes_max);
    ret->size_bytes = object.size_bytes;
    (void)snprintf(ret->etag, sizeof ret->etag, "%s", object.etag);
    *ret_fd = handed->fd; /* open for as long as the object is in memory: its budget ends with it */
    handed->fd = -1;
    return ERR_NONE;
}
