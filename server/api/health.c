/* Is the process alive, and can it do its work? */
#include <errno.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "api/app.h"
#include "base/clock.h"
#include "base/own.h"
#include "base/str.h"
#include "gen/routes.h"
#include "store/change.h"
#include "store/db.h"
#include "store/writer.h"

enum {
    DISK_FREE_BYTES_MIN = 64 * 1024 * 1024,
    /* A probe wants to know how it is now. */
    READY_MS_MAX = 1000,
};

static void write_ok(const struct request *req, struct reply *reply)
{
    json_object(&reply->json, NULL);
    json_text(&reply->json, "status", "ok");
    json_text(&reply->json, "version", app_of(req)->version);
    json_end(&reply->json);
}

enum err_code get_health(struct request *req, struct reply *reply, struct err *err)
{
    TRY(query_check(req, err));
    write_ok(req, reply);
    return ERR_NONE;
}

/* Only a file has a disk of ours. */
static enum err_code check_disk(const struct app *app, struct err *err)
{
    static const char PREFIX[] = "sqlite:";
    const char *path = app->database_url + sizeof PREFIX - 1;
    struct statvfs disk;

    if (!str_starts(app->database_url, PREFIX))
        return ERR_NONE;
    if (statvfs(path, &disk) != 0 || access(path, W_OK) != 0)
        return err_set(err, ERR_UNAVAILABLE, "the database file cannot be written");
    if ((uint64_t)disk.f_bavail * disk.f_frsize < DISK_FREE_BYTES_MIN)
        return err_set(err, ERR_UNAVAILABLE, "the database's disk has less than %d MiB left",
                       DISK_FREE_BYTES_MIN / (1024 * 1024));
    return ERR_NONE;
}

static enum err_code check_writer(const struct app *app, struct err *err)
{
    uint64_t depth = writer_queue_depth(app->writer);

    if (depth * 100 >= (uint64_t)WRITER_QUEUE_MAX * WRITER_FULL_PERCENT)
        return err_set(err, ERR_BUSY, "the writer's queue is nearly full");
    /* Anybody may ask: the path of the database, which the sentence names, is in the log. */
    switch (writer_trouble(app->writer, err)) {
    case ERR_NONE:
        return ERR_NONE;
    case ERR_FULL:
        return err_set(err, ERR_UNAVAILABLE,
                       "nothing can be stored: there is no room, or the database is "
                       "read-only; the log says more");
    case ERR_CORRUPT:
        return err_set(err, ERR_UNAVAILABLE,
                       "the database is damaged, and what meets the damage cannot be stored: run "
                       "`pairwatch check store`, restore a backup");
    default:
        return err_set(err, ERR_UNAVAILABLE,
                       "nothing can be stored: the disk of the database fails; the log says more");
    }
}

enum err_code get_readiness(struct request *req, struct reply *reply, struct err *err)
{
    struct db *db;
    int64_t seq;

    TRY(query_check(req, err));
    TRY(app_db(req, &db, err));
    db_deadline(db, clock_mono_ms() + READY_MS_MAX);
    TRY(change_last_seq(db, &seq, err));
    TRY(check_writer(app_of(req), err));
    TRY(check_disk(app_of(req), err));
    write_ok(req, reply);
    return ERR_NONE;
}
