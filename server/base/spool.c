/* Records in memory or in a file, and sorting them: in memory at once, in a file by runs that are
 * merged. */
#include "base/spool.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"

enum { RECORDS_MIN = 1024, MERGE_BYTES_MIN = 4096, DIGITS = 256 };

void spool_pool_init(struct spool_pool *pool, uint64_t bytes_max, const char *folder)
{
    *pool = (struct spool_pool){
        .bytes_max = bytes_max > SPOOL_POOL_BYTES_MIN ? bytes_max : SPOOL_POOL_BYTES_MIN,
        .folder = folder,
    };
}

void spool_init(struct spool *spool, struct spool_pool *pool, size_t size)
{
    ASSERT(size > 0 && size <= SPOOL_RECORD_BYTES_MAX);
    *spool = (struct spool){.pool = pool, .size = size};
}

static uint64_t held_bytes(const struct spool *spool)
{
    return spool->filed ? 0 : (uint64_t)spool->capacity * spool->size;
}

void spool_done(struct spool *spool)
{
    if (spool->pool == NULL)
        return;
    spool->pool->bytes_held -= held_bytes(spool);
    own_freep(&spool->records);
    if (spool->filed)
        (void)close(spool->file);
    *spool = (struct spool){.pool = NULL};
}

/* ---- the file ---- */

static enum err_code put(int file, const uint8_t *bytes, uint64_t length, uint64_t offset,
                         const char *folder, struct err *err)
{
    while (length > 0) {
        ssize_t count = pwrite(file, bytes, length, (off_t)offset);

        if (count < 0 && errno == EINTR)
            continue;
        if (count <= 0)
            return err_errno(err, ERR_IO, "writing what memory has no room for to \"%.256s\"",
                             folder);
        bytes += count;
        offset += (uint64_t)count;
        length -= (uint64_t)count;
    }
    return ERR_NONE;
}

static enum err_code get(const struct spool *spool, uint8_t *ret, uint64_t length, uint64_t offset,
                         struct err *err)
{
    while (length > 0) {
        ssize_t count = pread(spool->file, ret, length, (off_t)offset);

        if (count < 0 && errno == EINTR)
            continue;
        if (count < 0)
            return err_errno(err, ERR_IO, "reading back from \"%.256s\"", spool->pool->folder);
        if (count == 0)
            return err_set(err, ERR_CORRUPT, "a file in \"%.256s\" is shorter than it was",
                           spool->pool->folder);
        ret += count;
        offset += (uint64_t)count;
        length -= (uint64_t)count;
    }
    return ERR_NONE;
}

/* The array's records go to the file. */
static enum err_code flush(struct spool *spool, struct err *err)
{
    if (!spool->filed || spool->written == spool->count)
        return ERR_NONE;
    TRY(put(spool->file, spool->records, (spool->count - spool->written) * spool->size,
            spool->written * spool->size, spool->pool->folder, err));
    spool->written = spool->count;
    return ERR_NONE;
}

static enum err_code move_to_file(struct spool *spool, struct err *err)
{
    int file = -1;

    TRY(file_nameless(spool->pool->folder, &file, err));
    spool->pool->bytes_held -= held_bytes(spool);
    spool->file = file;
    spool->filed = true;
    TRY(flush(spool, err));
    spool->capacity = SPOOL_BUFFER_BYTES / spool->size;
    own_freep(&spool->records);
    spool->records = own_array(spool->capacity, spool->size);
    return ERR_NONE;
}

/* ---- appending ---- */

static bool grow(struct spool *spool)
{
    uint64_t room = (spool->pool->bytes_max / 2 - spool->pool->bytes_held) / spool->size;
    uint64_t more = spool->capacity > 0 ? spool->capacity / 2 : RECORDS_MIN;
    size_t wanted;

    if (room < more && room < RECORDS_MIN)
        return false;
    more = more < room ? more : room;
    wanted = spool->capacity + (size_t)more;
    spool->pool->bytes_held += more * spool->size;
    spool->records = own_resize(spool->records, wanted, spool->size);
    spool->capacity = wanted;
    return true;
}

static enum err_code make_room(struct spool *spool, struct err *err)
{
    if (spool->filed)
        return flush(spool, err);
    return grow(spool) ? ERR_NONE : move_to_file(spool, err);
}

enum err_code spool_add(struct spool *spool, const void *record, struct err *err)
{
    if (spool->count - spool->written == spool->capacity)
        TRY(make_room(spool, err));
    ASSERT(spool->records != NULL && record != NULL);
    memcpy(spool->records + (size_t)(spool->count - spool->written) * spool->size, record,
           spool->size);
    spool->count++;
    return ERR_NONE;
}

/* ---- reading ---- */

enum err_code spool_read(struct spool *spool, uint64_t first, uint64_t count, void *ret,
                         struct err *err)
{
    ASSERT(first <= spool->count && count <= spool->count - first);
    if (count == 0)
        return ERR_NONE;
    if (!spool->filed) {
        memcpy(ret, spool->records + (size_t)first * spool->size, (size_t)count * spool->size);
        return ERR_NONE;
    }
    TRY(flush(spool, err));
    return get(spool, ret, count * spool->size, first * spool->size, err);
}

void spool_expect(const struct spool *spool, uint64_t first, uint64_t count)
{
    if (spool->filed)
        (void)posix_fadvise(spool->file, (off_t)(first * spool->size), (off_t)(count * spool->size),
                            POSIX_FADV_WILLNEED);
}

static void open_reader(struct spool_reader *reader, struct spool *spool, uint64_t first,
                        size_t buffer_bytes)
{
    size_t records = buffer_bytes / spool->size;

    *reader = (struct spool_reader){.spool = spool, .at = first, .first = first, .end = first};
    reader->buffer_bytes = (records > 0 ? records : 1) * spool->size;
    if (spool->filed)
        reader->buffer = own_alloc(reader->buffer_bytes);
}

void spool_reader_init(struct spool_reader *reader, struct spool *spool)
{
    open_reader(reader, spool, 0, SPOOL_BUFFER_BYTES);
}

void spool_reader_done(struct spool_reader *reader)
{
    own_freep(&reader->buffer);
}

static enum err_code fill(struct spool_reader *reader, uint64_t limit, struct err *err)
{
    uint64_t count = reader->buffer_bytes / reader->spool->size;

    count = count < limit - reader->at ? count : limit - reader->at;
    TRY(spool_read(reader->spool, reader->at, count, reader->buffer, err));
    reader->first = reader->at;
    reader->end = reader->at + count;
    return ERR_NONE;
}

/* As spool_next, and ends at a record's number. */
static enum err_code next_before(struct spool_reader *reader, uint64_t limit, const void **ret,
                                 struct err *err)
{
    const struct spool *spool = reader->spool;

    *ret = NULL;
    if (reader->at == limit)
        return ERR_NONE;
    if (!spool->filed) {
        *ret = spool->records + (size_t)reader->at++ * spool->size;
        return ERR_NONE;
    }
    if (reader->at == reader->end)
        TRY(fill(reader, limit, err));
    *ret = reader->buffer + (size_t)(reader->at++ - reader->first) * spool->size;
    return ERR_NONE;
}

enum err_code spool_next(struct spool_reader *reader, const void **ret, struct err *err)
{
    return next_before(reader, reader->spool->count, ret, err);
}

/* ---- sorting in memory ---- */

/* Sizes that are known to the compiler are copied by a move or two. */
static inline void copy_record(uint8_t *to, const uint8_t *from, size_t size)
{
    switch (size) {
    case 8:
        memcpy(to, from, 8);
        break;
    case 16:
        memcpy(to, from, 16);
        break;
    default:
        memcpy(to, from, size);
        break;
    }
}

/* Stable, by one digit after the other; a digit that all have in common costs one reading. */
static void sort_by_digits(uint8_t **records, uint8_t **scratch, size_t count, size_t size,
                           const struct spool_order *order)
{
    for (size_t digit = 0; digit < order->digit_count; digit++) {
        const uint8_t *keys = *records + order->digits[digit];
        size_t places[DIGITS] = {0}, place = 0;
        uint8_t *swap = *records;

        for (size_t i = 0; i < count; i++)
            places[keys[i * size]]++;
        if (places[keys[0]] == count)
            continue;
        for (int i = 0; i < DIGITS; i++) {
            size_t here = places[i];

            places[i] = place;
            place += here;
        }
        for (size_t i = 0; i < count; i++)
            copy_record(*scratch + places[keys[i * size]]++ * size, *records + i * size, size);
        *records = *scratch;
        *scratch = swap;
    }
}

/* The scratch is as large as the array, and may take its place; qsort_r takes no more by itself. */
static void sort_records(uint8_t **records, size_t capacity, size_t count, size_t size,
                         const struct spool_order *order)
{
    uint8_t *scratch;

    if (count < 2)
        return;
    if (order->digits == NULL) {
        qsort_r(*records, count, size, order->compare, order->context);
        return;
    }
    scratch = own_array(capacity, size);
    sort_by_digits(records, &scratch, count, size, order);
    own_freep(&scratch);
}

/* ---- sorting a file ---- */

/* Each run lies where it was read. */
static enum err_code sort_runs(struct spool *spool, uint64_t run, const struct spool_order *order,
                               struct err *err)
{
    AUTO(own_freep) uint8_t *records = own_array((size_t)run, spool->size);

    for (uint64_t first = 0; first < spool->count; first += run) {
        uint64_t count = run < spool->count - first ? run : spool->count - first;

        TRY(get(spool, records, count * spool->size, first * spool->size, err));
        sort_records(&records, (size_t)run, (size_t)count, spool->size, order);
        TRY(put(spool->file, records, count * spool->size, first * spool->size, spool->pool->folder,
                err));
    }
    return ERR_NONE;
}

/* A heap of runs, the one with the least record on top. */
struct merge {
    const struct spool_order *order;
    struct spool_reader *readers; /* of each run */
    uint64_t *limits;             /* where each ends */
    const void **heads;
    uint32_t *heap;
    size_t runs, used;
};

static void merge_done(struct merge *merge)
{
    for (size_t i = 0; i < merge->runs; i++)
        spool_reader_done(&merge->readers[i]);
    own_freep(&merge->readers);
    own_freep(&merge->limits);
    own_freep(&merge->heads);
    own_freep(&merge->heap);
}

/* Equal ones in the order of their runs. */
static bool is_before(const struct merge *merge, uint32_t a, uint32_t b)
{
    int order = merge->order->compare(merge->heads[a], merge->heads[b], merge->order->context);

    return order != 0 ? order < 0 : a < b;
}

static void sink(struct merge *merge, size_t at)
{
    for (;;) {
        size_t least = at, child = 2 * at + 1;
        uint32_t swap = merge->heap[at];

        for (size_t i = child; i < child + 2 && i < merge->used; i++)
            if (is_before(merge, merge->heap[i], merge->heap[least]))
                least = i;
        if (least == at)
            return;
        merge->heap[at] = merge->heap[least];
        merge->heap[least] = swap;
        at = least;
    }
}

static enum err_code merge_init(struct merge *merge, struct spool *spool, uint64_t run,
                                const struct spool_order *order, struct err *err)
{
    size_t runs = (size_t)((spool->count + run - 1) / run);
    size_t bytes = (size_t)(spool->pool->bytes_max / 2) / runs;

    *merge = (struct merge){.order = order,
                            .readers = own_array(runs, sizeof *merge->readers),
                            .limits = own_array(runs, sizeof *merge->limits),
                            .heads = own_array(runs, sizeof *merge->heads),
                            .heap = own_array(runs, sizeof *merge->heap),
                            .runs = runs};
    bytes = bytes < MERGE_BYTES_MIN      ? MERGE_BYTES_MIN
            : bytes > SPOOL_BUFFER_BYTES ? SPOOL_BUFFER_BYTES
                                         : bytes;
    for (size_t i = 0; i < runs; i++) {
        uint64_t first = i * run;

        open_reader(&merge->readers[i], spool, first, bytes);
        merge->limits[i] = run < spool->count - first ? first + run : spool->count;
        TRY(next_before(&merge->readers[i], merge->limits[i], &merge->heads[i], err));
        merge->heap[merge->used++] = (uint32_t)i;
    }
    for (size_t i = runs; i-- > 0;)
        sink(merge, i);
    return ERR_NONE;
}

static enum err_code merge_runs(struct spool *spool, uint64_t run, const struct spool_order *order,
                                struct spool *ret, struct err *err)
{
    AUTO(merge_done) struct merge merge = {.runs = 0};

    TRY(move_to_file(ret, err));
    TRY(merge_init(&merge, spool, run, order, err));
    while (merge.used > 0) {
        uint32_t top = merge.heap[0];

        TRY(spool_add(ret, merge.heads[top], err));
        TRY(next_before(&merge.readers[top], merge.limits[top], &merge.heads[top], err));
        if (merge.heads[top] == NULL)
            merge.heap[0] = merge.heap[--merge.used];
        sink(&merge, 0);
    }
    return flush(ret, err);
}

enum err_code spool_sort(struct spool *spool, const struct spool_order *order, struct err *err)
{
    AUTO(spool_done) struct spool merged = {.pool = NULL};
    struct spool kept;
    uint64_t run;

    if (!spool->filed) {
        sort_records(&spool->records, spool->capacity, (size_t)spool->count, spool->size, order);
        return ERR_NONE;
    }
    TRY(flush(spool, err));
    run = spool->pool->bytes_max / 4 / spool->size;
    if ((spool->count + run - 1) / run > SPOOL_RUNS_MAX)
        return err_set(err, ERR_TOO_LARGE, "sorting so much takes more memory than %llu MiB",
                       (unsigned long long)(spool->pool->bytes_max >> 20));
    TRY(sort_runs(spool, run, order, err));
    if (spool->count <= run)
        return ERR_NONE;
    spool_init(&merged, spool->pool, spool->size);
    TRY(merge_runs(spool, run, order, &merged, err));
    kept = *spool;
    *spool = merged;
    merged = kept;
    return ERR_NONE;
}
