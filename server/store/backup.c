/* The source's connection holds one read transaction from the first page to the last, so that a
 * commit of the writer does not begin the copy again; in between it sleeps to keep to the rate. */
#include "store/backup.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/str.h"
#include "store/change.h"
#include "store/db.h"
#include "store/file_sync.h"
#include "store/migrate.h"

enum {
    STEP_PAGES = 256, /* a megabyte: as long as one step keeps a core */
    BUSY_MS = 15000,
    SLEEP_MS_MAX = 1000,
    COPY_BYTES = 1 << 20,
    BACKUP_PATH_BYTES = 4096,
    CHECK_ARENA_BYTES = 1 << 20,
};
static const char SQLITE[] = "sqlite:";

struct copying {
    sqlite3 *from, *to;
    sqlite3_backup *backup;
};

static void copying_done(struct copying *copying)
{
    if (copying->backup != NULL)
        (void)sqlite3_backup_finish(copying->backup);
    (void)sqlite3_close(copying->to);
    (void)sqlite3_close(copying->from);
}

static enum err_code fail(const struct copying *copying, const char *path, int result,
                          struct err *err)
{
    enum err_code code = (result & 0xff) == SQLITE_FULL      ? ERR_FULL
                         : (result & 0xff) == SQLITE_CORRUPT ? ERR_CORRUPT
                                                             : ERR_IO;

    return err_set(err, code, "copying the database to %s: %s", path,
                   copying->to != NULL ? sqlite3_errmsg(copying->to) : sqlite3_errstr(result));
}

static enum err_code open_both(struct copying *copying, const char *from, const char *to,
                               struct err *err)
{
    int result = sqlite3_open_v2(from, &copying->from, SQLITE_OPEN_READONLY, NULL);

    if (result == SQLITE_OK) {
        (void)sqlite3_busy_timeout(copying->from, BUSY_MS);
        result = sqlite3_exec(copying->from, "BEGIN; SELECT name FROM sqlite_schema LIMIT 1;", NULL,
                              NULL, NULL);
    }
    if (result != SQLITE_OK)
        return err_set(err, ERR_IO, "reading the database %s: %s", from,
                       copying->from != NULL ? sqlite3_errmsg(copying->from)
                                             : sqlite3_errstr(result));
    result = sqlite3_open_v2(to, &copying->to, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, NULL);
    if (result != SQLITE_OK)
        return fail(copying, to, result, err);
    copying->backup = sqlite3_backup_init(copying->to, "main", copying->from, "main");
    return copying->backup != NULL ? ERR_NONE
                                   : fail(copying, to, sqlite3_errcode(copying->to), err);
}

/* Sleeps as long as done bytes in so many ms are faster than asked for. */
static void keep_to_rate(const struct backup_options *options, int64_t done, int64_t started_ms)
{
    int64_t due_ms;

    if (options->bytes_per_s == 0)
        return;
    due_ms = started_ms + done / options->bytes_per_s * 1000 +
             done % options->bytes_per_s * 1000 / options->bytes_per_s;
    while (clock_mono_ms() < due_ms && (options->stop == NULL || !atomic_load(options->stop))) {
        int64_t left = due_ms - clock_mono_ms();

        clock_sleep_ms(left < SLEEP_MS_MAX ? left : SLEEP_MS_MAX);
    }
}

static int64_t page_bytes(struct copying *copying)
{
    sqlite3_stmt *statement = NULL;
    int64_t bytes = 4096;

    if (sqlite3_prepare_v2(copying->from, "PRAGMA page_size", -1, &statement, NULL) == SQLITE_OK &&
        sqlite3_step(statement) == SQLITE_ROW)
        bytes = sqlite3_column_int64(statement, 0);
    (void)sqlite3_finalize(statement);
    return bytes;
}

static enum err_code copy_pages(struct copying *copying, const struct backup_options *options,
                                struct err *err)
{
    int64_t bytes = page_bytes(copying), started_ms = clock_mono_ms(), done = 0;
    int result;

    do {
        if (options->stop != NULL && atomic_load(options->stop))
            return err_set(err, ERR_CANCELLED, "stopped while copying the database");
        result = sqlite3_backup_step(copying->backup, STEP_PAGES);
        if (result != SQLITE_OK && result != SQLITE_DONE)
            return fail(copying, options->path, result, err);
        if (done == 0 && options->progress != NULL)
            progress_start(options->progress, "backup", "bytes",
                           sqlite3_backup_pagecount(copying->backup) * bytes);
        if (options->progress != NULL)
            progress_add(options->progress, STEP_PAGES * bytes);
        done += STEP_PAGES * bytes;
        keep_to_rate(options, done, started_ms);
    } while (result != SQLITE_DONE);
    if (options->progress != NULL)
        progress_end(options->progress);
    return ERR_NONE;
}

/* Without a log of its own, so that the file alone is the copy. */
static enum err_code close_copy(struct copying *copying, const char *path, struct err *err)
{
    int result = sqlite3_backup_finish(copying->backup);

    copying->backup = NULL;
    if (result == SQLITE_OK)
        result = sqlite3_exec(copying->to, "PRAGMA journal_mode = DELETE", NULL, NULL, NULL);
    if (result != SQLITE_OK)
        return fail(copying, path, result, err);
    return ERR_NONE;
}

static enum err_code copy_database(const struct backup_options *options, const char *from,
                                   struct err *err)
{
    AUTO(copying_done) struct copying copying = {0};

    TRY(open_both(&copying, from, options->path, err));
    TRY(copy_pages(&copying, options, err));
    return close_copy(&copying, options->path, err);
}

static enum err_code describe(const char *path, struct arena *arena, struct backup_manifest *ret,
                              struct err *err)
{
    AUTO(db_closep) struct db *db = NULL;
    char digest[SHA256_HEX_BYTES];
    const char *url = arena_printf(arena, "%s%s", SQLITE, path);

    *ret = (struct backup_manifest){.version = PAIRWATCH_VERSION, .made_ms = clock_now_ms()};
    TRY(db_open(url, DB_READ, &db, err));
    TRY(migrate_newest(db, arena, &ret->migration, err));
    TRY(change_verify(db, err));
    TRY(change_first_seq(db, &ret->first_seq, err));
    TRY(change_end(db, arena, &ret->last_seq, &ret->last_hash, err));
    db_closep(&db);
    TRY(file_digest(path, digest, &ret->bytes, err));
    ret->sha256 = arena_strdup(arena, digest);
    return ERR_NONE;
}

enum err_code backup_make(const struct backup_options *options, struct arena *arena,
                          struct backup_manifest *ret, struct err *err)
{
    enum err_code code;

    if (!str_starts(options->database_url, SQLITE))
        return err_set(err, ERR_INVALID,
                       "this backs up a SQLite file; PostgreSQL has pg_dump and pg_basebackup");
    if (access(options->path, F_OK) == 0)
        return err_set(err, ERR_CONFLICT, "there is a file %s already", options->path);
    code = copy_database(options, options->database_url + strlen(SQLITE), err);
    if (code == ERR_NONE)
        code = file_sync(options->path, err);
    if (code == ERR_NONE)
        code = describe(options->path, arena, ret, err);
    if (code != ERR_NONE)
        (void)unlink(options->path);
    return code;
}

/* ---- restore ---- */

static enum err_code copy_bytes(int in, int out, const char *to, struct err *err)
{
    AUTO(own_freep) char *bytes = own_alloc(COPY_BYTES);
    ssize_t got;

    while ((got = read(in, bytes, COPY_BYTES)) > 0)
        for (ssize_t at = 0; at < got;) {
            ssize_t put = write(out, bytes + at, (size_t)(got - at));

            if (put < 0)
                return err_errno(err, ERR_IO, "writing %s", to);
            at += put;
        }
    return got < 0 ? err_errno(err, ERR_IO, "reading the copy") : ERR_NONE;
}

static enum err_code copy_file(const char *from, const char *to, struct err *err)
{
    int in = open(from, O_RDONLY | O_CLOEXEC), out;
    enum err_code code;

    if (in < 0)
        return err_errno(err, ERR_IO, "opening %s", from);
    out = open(to, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    code = out < 0 ? err_errno(err, ERR_IO, "making %s", to) : copy_bytes(in, out, to, err);
    (void)close(in);
    if (out >= 0 && close(out) != 0 && code == ERR_NONE)
        code = err_errno(err, ERR_IO, "writing %s", to);
    return code;
}

static enum err_code check_copy(const char *path, const struct backup_manifest *manifest,
                                struct err *err)
{
    AUTO(arena_done) struct arena arena = {0};
    AUTO(db_closep) struct db *db = NULL;
    char digest[SHA256_HEX_BYTES], url[BACKUP_PATH_BYTES + 8];
    const char *hash;
    int64_t bytes, last;

    arena_init(&arena, CHECK_ARENA_BYTES);
    TRY(file_digest(path, digest, &bytes, err));
    if (bytes != manifest->bytes || strcmp(digest, manifest->sha256) != 0)
        return err_set(err, ERR_CORRUPT,
                       "the copy has %" PRId64
                       " bytes and the SHA-256 %.64s; its manifest says %" PRId64 " and %.64s",
                       bytes, digest, manifest->bytes, manifest->sha256);
    (void)snprintf(url, sizeof url, "%s%s", SQLITE, path);
    TRY(db_open(url, DB_READ, &db, err));
    TRY(change_verify(db, err));
    TRY(change_end(db, &arena, &last, &hash, err));
    if (last != manifest->last_seq || !str_equal(hash, manifest->last_hash))
        return err_set(err, ERR_CORRUPT,
                       "the chain of changes ends with %" PRId64 ", the manifest says %" PRId64
                       " or another hash",
                       last, manifest->last_seq);
    return ERR_NONE;
}

static enum err_code refuse_there(const char *to, struct err *err)
{
    static const char *const SUFFIXES[] = {"", "-wal", "-shm", "-journal"};
    char path[BACKUP_PATH_BYTES];

    for (size_t i = 0; i < ARRAY_LEN(SUFFIXES); i++) {
        (void)snprintf(path, sizeof path, "%s%s", to, SUFFIXES[i]);
        if (access(path, F_OK) == 0)
            return err_set(err, ERR_CONFLICT,
                           "there is %s: a database is not overwritten; move it away, with its -wal"
                           " and -shm",
                           path);
    }
    return ERR_NONE;
}

enum err_code backup_restore(const char *from, const struct backup_manifest *manifest,
                             const char *to, struct err *err)
{
    char part[BACKUP_PATH_BYTES];
    enum err_code code;

    TRY(refuse_there(to, err));
    if (snprintf(part, sizeof part, "%s.restoring", to) >= (int)sizeof part - 16)
        return err_set(err, ERR_INVALID, "the path of the database is too long");
    code = copy_file(from, part, err);
    if (code == ERR_NONE)
        code = file_sync(part, err);
    if (code == ERR_NONE)
        code = check_copy(part, manifest, err);
    /* A link does not overwrite what came there meanwhile. */
    if (code == ERR_NONE && link(part, to) != 0)
        code = errno == EEXIST ? err_set(err, ERR_CONFLICT, "there is a file %s by now", to)
                               : err_errno(err, ERR_IO, "naming %s", to);
    (void)unlink(part);
    return code == ERR_NONE ? folder_sync(to, err) : code;
}
