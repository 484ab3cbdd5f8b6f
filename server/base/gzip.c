/* gzip, RFC 1952, by zlib. Inflation goes through a buffer on the stack and never past the
 * receiver's limit, so a small body cannot become a large one. */
#include "base/gzip.h"

#include <limits.h>
#include <string.h>
#define ZLIB_CONST /* next_in points to const */
#include <zlib.h>

#include "base/str.h"

enum {
    GZIP_STEP_BYTES = 16 * 1024,
    GZIP_WINDOW_BITS = 15 + 16, /* the largest window; + 16 is zlib's way to say gzip only */
    GZIP_MEMORY_LEVEL = 8,
};

bool gzip_is(const void *bytes, size_t length)
{
    return length >= 2 && memcmp(bytes, "\x1f\x8b", 2) == 0;
}

static void inflate_done(z_stream *stream)
{
    (void)inflateEnd(stream);
}

static void deflate_done(z_stream *stream)
{
    (void)deflateEnd(stream);
}

/* zlib counts in unsigned int: hands it the next part of the input when it has none. */
static void feed(z_stream *stream, const unsigned char **bytes, size_t *left)
{
    size_t part = *left < UINT_MAX ? *left : UINT_MAX;

    if (stream->avail_in > 0)
        return;
    stream->next_in = *bytes;
    stream->avail_in = (uInt)part;
    *bytes += part;
    *left -= part;
}

static enum err_code inflate_fault(const z_stream *stream, int status, struct err *err)
{
    if (status == Z_MEM_ERROR)
        return err_set(err, ERR_INTERNAL, "inflating gzip data: zlib has no memory");
    if (status == Z_BUF_ERROR)
        return err_set(err, ERR_INVALID, "inflating gzip data: it is cut off");
    return err_set(err, ERR_INVALID, "inflating gzip data: %s",
                   stream->msg != NULL ? stream->msg : "it is damaged");
}

/* Runs one inflate step into ret. A step without progress is Z_BUF_ERROR: the input has ended. */
static enum err_code inflate_step(z_stream *stream, struct str *ret, int *status, struct err *err)
{
    unsigned char out[GZIP_STEP_BYTES];

    stream->next_out = out;
    stream->avail_out = sizeof out;
    *status = inflate(stream, Z_NO_FLUSH);
    if (*status != Z_OK && *status != Z_STREAM_END)
        return inflate_fault(stream, *status, err);
    str_add_bytes(ret, out, sizeof out - stream->avail_out);
    return str_check(ret, "the inflated gzip data", err);
}

/* Every turn of the loop consumes input or produces output, or inflate_step fails: it ends. */
enum err_code gzip_inflate(const void *bytes, size_t length, struct str *ret, struct err *err)
{
    AUTO(inflate_done) z_stream stream = {0};
    const unsigned char *next = bytes;
    size_t left = length;
    int status = Z_OK;

    if (inflateInit2(&stream, GZIP_WINDOW_BITS) != Z_OK)
        return err_set(err, ERR_INTERNAL, "inflating gzip data: zlib does not start");
    for (;;) {
        feed(&stream, &next, &left);
        TRY(inflate_step(&stream, ret, &status, err));
        if (status != Z_STREAM_END)
            continue;
        if (stream.avail_in == 0 && left == 0)
            return ERR_NONE;
        (void)inflateReset(&stream); /* another member follows, or rubbish, which fails */
    }
}

enum err_code gzip_deflate(const void *bytes, size_t length, int level, struct str *ret,
                           struct err *err)
{
    AUTO(deflate_done) z_stream stream = {0};
    const unsigned char *next = bytes;
    size_t left = length;
    int status = Z_OK;

    if (deflateInit2(&stream, level, Z_DEFLATED, GZIP_WINDOW_BITS, GZIP_MEMORY_LEVEL,
                     Z_DEFAULT_STRATEGY) != Z_OK)
        return err_set(err, ERR_INTERNAL, "deflating at level %d: zlib does not start", level);
    while (status != Z_STREAM_END) {
        unsigned char out[GZIP_STEP_BYTES];

        feed(&stream, &next, &left);
        stream.next_out = out;
        stream.avail_out = sizeof out;
        status = deflate(&stream, left == 0 ? Z_FINISH : Z_NO_FLUSH);
        if (status == Z_STREAM_ERROR)
            return err_set(err, ERR_INTERNAL, "deflating: zlib lost its state");
        str_add_bytes(ret, out, sizeof out - stream.avail_out);
        TRY(str_check(ret, "the deflated gzip data", err));
    }
    return ERR_NONE;
}
