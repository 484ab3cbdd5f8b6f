/* A disk that goes wrong, for tests: preloaded into the program, it stands in front of SQLite's own
 * file system and lets one call on the database or its log fail.
 *
 *   LD_PRELOAD=fault_vfs.so FAULT_KIND=KIND FAULT_CALL=N [FAULT_CALLS=K] [FAULT_SEED=S] pairwatch …
 *
 * Counted are writes, truncations and syncs of the database and its log, by whichever thread. From
 * the N-th on, for K of them (1):
 *   ioerr  the call fails          full  a write fails for want of room
 *   fsync  a sync fails            kill  the process is gone before the call
 *   torn   part of a write is on the disk, and the process is gone
 *   power  the process is gone, and each sector written since its file was last synced holds the
 *          old or the new content, by the seed S
 * What a kind does not touch goes by and is not counted. A call that goes wrong says so on stderr.
 */
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    SECTOR_BYTES = 512,
    FILES_MAX = 16,
    /* Of one file between two syncs: 128 MB, more than any test writes. */
    SECTORS_MAX = 1 << 18,
};

enum kind { KIND_IOERR, KIND_FULL, KIND_FSYNC, KIND_KILL, KIND_TORN, KIND_POWER, KINDS };
static const char *const KIND_WORDS[KINDS] = {"ioerr", "full", "fsync", "kill", "torn", "power"};
enum call { CALL_WRITE, CALL_TRUNCATE, CALL_SYNC };

/* What a sector held when its file was last synced. */
struct sector {
    sqlite3_int64 offset;
    unsigned char old[SECTOR_BYTES];
};

/* One file, however often it is open. */
struct disk_file {
    char path[512];
    struct sector *unsynced;
    int count;
};

struct fault_file {
    sqlite3_file base;
    struct disk_file *disk;
    sqlite3_file *real; /* in the same allocation */
};

static sqlite3_vfs vfs, *below;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static struct disk_file disk_files[FILES_MAX];
static enum kind kind;
static long first_call, calls_wanted = 1, calls;
static unsigned int seed = 1;

static void die(const char *why)
{
    (void)fprintf(stderr, "fault vfs: %s\n", why);
    abort();
}

static long number(const char *name, long missing)
{
    const char *text = getenv(name);
    long value = 0;

    if (text == NULL)
        return missing;
    for (const char *at = text; *at != '\0'; at++) {
        if (*at < '0' || *at > '9' || value > INT32_MAX / 10)
            die(name);
        value = value * 10 + (*at - '0');
    }
    return value;
}

static struct disk_file *disk_of(const char *path)
{
    for (int i = 0; i < FILES_MAX; i++) {
        if (disk_files[i].path[0] == '\0') {
            if (strlen(path) >= sizeof disk_files[i].path)
                die("a path is too long");
            memcpy(disk_files[i].path, path, strlen(path) + 1);
            disk_files[i].unsynced = malloc(SECTORS_MAX * sizeof *disk_files[i].unsynced);
            if (disk_files[i].unsynced == NULL)
                die("no memory");
            return &disk_files[i];
        }
        if (strcmp(disk_files[i].path, path) == 0)
            return &disk_files[i];
    }
    die("too many files");
    return NULL;
}

/* Keeps what the sectors under a write hold now; a sector beyond the end holds zeros. */
static void remember(struct fault_file *file, sqlite3_int64 offset, sqlite3_int64 amount)
{
    struct disk_file *disk = file->disk;

    for (sqlite3_int64 at = offset - offset % SECTOR_BYTES; at < offset + amount;
         at += SECTOR_BYTES) {
        int i = 0;

        while (i < disk->count && disk->unsynced[i].offset != at)
            i++;
        if (i < disk->count)
            continue;
        if (disk->count == SECTORS_MAX)
            die("too much was written without a sync");
        disk->unsynced[i].offset = at;
        memset(disk->unsynced[i].old, 0, SECTOR_BYTES);
        (void)file->real->pMethods->xRead(file->real, disk->unsynced[i].old, SECTOR_BYTES, at);
        disk->count++;
    }
}

static void vanish(void)
{
    (void)kill(getpid(), SIGKILL);
    for (;;)
        (void)pause();
}

static void cut_power(void)
{
    for (int i = 0; i < FILES_MAX && disk_files[i].path[0] != '\0'; i++) {
        int fd = open(disk_files[i].path, O_WRONLY | O_CLOEXEC);

        for (int s = 0; fd >= 0 && s < disk_files[i].count; s++)
            if (rand_r(&seed) & 0x10)
                (void)!pwrite(fd, disk_files[i].unsynced[s].old, SECTOR_BYTES,
                              disk_files[i].unsynced[s].offset);
    }
    vanish();
}

/* Whether this call is one of those that go wrong. The mutex is held. */
static int goes_wrong(enum call call)
{
    if (kind == KIND_FULL && call != CALL_WRITE)
        return 0;
    if (kind == KIND_FSYNC && call != CALL_SYNC)
        return 0;
    if (kind == KIND_TORN && call != CALL_WRITE)
        return 0;
    calls++;
    if (calls < first_call || calls >= first_call + calls_wanted)
        return 0;
    (void)fprintf(stderr, "fault vfs: call %ld goes wrong: %s\n", calls, KIND_WORDS[kind]);
    return 1;
}

static int result_of(enum call call)
{
    if (kind == KIND_FULL)
        return SQLITE_FULL;
    return call == CALL_WRITE  ? SQLITE_IOERR_WRITE
           : call == CALL_SYNC ? SQLITE_IOERR_FSYNC
                               : SQLITE_IOERR_TRUNCATE;
}

static int file_write(sqlite3_file *base, const void *bytes, int amount, sqlite3_int64 offset)
{
    struct fault_file *file = (struct fault_file *)base;
    int result;

    (void)pthread_mutex_lock(&mutex);
    if (goes_wrong(CALL_WRITE)) {
        if (kind == KIND_TORN)
            (void)file->real->pMethods->xWrite(file->real, bytes,
                                               (int)(rand_r(&seed) % (unsigned int)amount), offset);
        if (kind == KIND_POWER)
            cut_power();
        if (kind == KIND_KILL || kind == KIND_TORN)
            vanish();
        result = result_of(CALL_WRITE);
    } else {
        if (kind == KIND_POWER)
            remember(file, offset, amount);
        result = file->real->pMethods->xWrite(file->real, bytes, amount, offset);
    }
    (void)pthread_mutex_unlock(&mutex);
    return result;
}

static int file_truncate(sqlite3_file *base, sqlite3_int64 size)
{
    struct fault_file *file = (struct fault_file *)base;
    int result;

    (void)pthread_mutex_lock(&mutex);
    if (goes_wrong(CALL_TRUNCATE)) {
        if (kind == KIND_POWER)
            cut_power();
        if (kind == KIND_KILL)
            vanish();
        result = result_of(CALL_TRUNCATE);
    } else {
        result = file->real->pMethods->xTruncate(file->real, size);
    }
    (void)pthread_mutex_unlock(&mutex);
    return result;
}

static int file_sync(sqlite3_file *base, int flags)
{
    struct fault_file *file = (struct fault_file *)base;
    int result;

    (void)pthread_mutex_lock(&mutex);
    if (goes_wrong(CALL_SYNC)) {
        if (kind == KIND_POWER)
            cut_power();
        if (kind == KIND_KILL)
            vanish();
        result = result_of(CALL_SYNC);
    } else {
        result = file->real->pMethods->xSync(file->real, flags);
        file->disk->count = 0;
    }
    (void)pthread_mutex_unlock(&mutex);
    return result;
}

static sqlite3_file *real_of(sqlite3_file *base)
{
    return ((struct fault_file *)base)->real;
}

#define REAL(base, method, ...) real_of(base)->pMethods->method(real_of(base), ##__VA_ARGS__)

static int file_close(sqlite3_file *f)
{
    return REAL(f, xClose);
}

static int file_read(sqlite3_file *f, void *to, int amount, sqlite3_int64 offset)
{
    return REAL(f, xRead, to, amount, offset);
}

static int file_size(sqlite3_file *f, sqlite3_int64 *ret)
{
    return REAL(f, xFileSize, ret);
}

static int file_lock(sqlite3_file *f, int level)
{
    return REAL(f, xLock, level);
}

static int file_unlock(sqlite3_file *f, int level)
{
    return REAL(f, xUnlock, level);
}

static int file_reserved(sqlite3_file *f, int *ret)
{
    return REAL(f, xCheckReservedLock, ret);
}

static int file_control(sqlite3_file *f, int what, void *argument)
{
    return REAL(f, xFileControl, what, argument);
}

static int file_sector_size(sqlite3_file *f)
{
    (void)f;
    return SECTOR_BYTES;
}

static int file_traits(sqlite3_file *f)
{
    (void)f;
    return 0; /* promises nothing about torn writes */
}

static int shm_map(sqlite3_file *f, int page, int bytes, int extend, void volatile **ret)
{
    return REAL(f, xShmMap, page, bytes, extend, ret);
}

static int shm_lock(sqlite3_file *f, int offset, int count, int flags)
{
    return REAL(f, xShmLock, offset, count, flags);
}

static void shm_barrier(sqlite3_file *f)
{
    REAL(f, xShmBarrier);
}

static int shm_unmap(sqlite3_file *f, int remove_file)
{
    return REAL(f, xShmUnmap, remove_file);
}

static const sqlite3_io_methods METHODS = {
    .iVersion = 2, /* without memory mapping: what is written is seen here */
    .xClose = file_close,
    .xRead = file_read,
    .xWrite = file_write,
    .xTruncate = file_truncate,
    .xSync = file_sync,
    .xFileSize = file_size,
    .xLock = file_lock,
    .xUnlock = file_unlock,
    .xCheckReservedLock = file_reserved,
    .xFileControl = file_control,
    .xSectorSize = file_sector_size,
    .xDeviceCharacteristics = file_traits,
    .xShmMap = shm_map,
    .xShmLock = shm_lock,
    .xShmBarrier = shm_barrier,
    .xShmUnmap = shm_unmap,
};

static int vfs_open(sqlite3_vfs *self, const char *path, sqlite3_file *base, int flags, int *ret)
{
    struct fault_file *file = (struct fault_file *)base;
    int result;

    (void)self;
    if ((flags & (SQLITE_OPEN_MAIN_DB | SQLITE_OPEN_WAL)) == 0)
        return below->xOpen(below, path, base, flags, ret);
    memset(file, 0, sizeof *file);
    file->real = (sqlite3_file *)(void *)(file + 1);
    result = below->xOpen(below, path, file->real, flags, ret);
    if (result == SQLITE_OK) {
        (void)pthread_mutex_lock(&mutex);
        file->disk = disk_of(path);
        (void)pthread_mutex_unlock(&mutex);
        file->base.pMethods = &METHODS;
    }
    return result;
}

__attribute__((constructor)) static void stand_in_front(void)
{
    const char *word = getenv("FAULT_KIND");

    if (word == NULL)
        return;
    while (kind < KINDS && strcmp(KIND_WORDS[kind], word) != 0)
        kind++;
    if (kind == KINDS)
        die("FAULT_KIND is none");
    first_call = number("FAULT_CALL", 1);
    calls_wanted = number("FAULT_CALLS", 1);
    seed = (unsigned int)number("FAULT_SEED", 1);
    below = sqlite3_vfs_find(NULL);
    if (below == NULL)
        die("SQLite has no file system");
    vfs = *below;
    vfs.zName = "fault";
    vfs.szOsFile = (int)sizeof(struct fault_file) + below->szOsFile;
    vfs.xOpen = vfs_open;
    if (sqlite3_vfs_register(&vfs, 1) != SQLITE_OK)
        die("it cannot be registered");
}
