/* pairwatch import: archived observations, back into a database. */
#include <errno.h>
#include <fts.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/conf.h"
#include "base/log.h"
#include "base/str.h"
#include "command/command.h"
#include "command/import_s3.h"
#include "lake/archive_read.h"
#include "lake/object.h"
#include "store/archive_unit.h"
#include "store/db.h"
#include "store/file_sync.h"
#include "store/ingest.h"
#include "store/migrate.h"
#include "store/model_row.h"
#include "store/writer.h"

enum { IMPORT_FILES_MAX = 1000000, IMPORT_BATCH_ROWS = 10000, BUSY_TRIES_MAX = 600 };
enum { BUSY_PAUSE_MS = 100 };
#define FILES_ARENA_BYTES ((size_t)1 << 30)
#define BATCH_ARENA_BYTES ((size_t)1 << 30)
static const char ORIGIN[] = "import", BUCKET[] = "archive";

struct import_options {
    const char *database, *temp_dir;
};

static const struct conf_setting SETTINGS[] = {
    {"database", CONF_TEXT, offsetof(struct import_options, database), 0, 0, 0, "URL",
     "sqlite:FILE or postgresql://USER@HOST/NAME: where they are put"},
    {"temp-dir", CONF_TEXT, offsetof(struct import_options, temp_dir), 0, 0, 0, "DIR",
     "for an object of S3 while it is read"},
    {NULL, 0, 0, 0, 0, 0, NULL, NULL},
};

const struct conf_command COMMAND_IMPORT = {
    .name = "import",
    .summary = "bring archived observations into a database",
    .positional = "PATH…",
    .settings = SETTINGS,
    .more =
        "PATH is an object that retention wrote with --archive, or a folder of them, here or in "
        "S3 (s3://BUCKET/PREFIX).\nAnother database than the one they left, which still "
        "counts them in its charts: name a new file to look at old\ndays. An object is "
        "brought in once, however often it is named.\n",
};

/* One object on its way in. */
struct importing {
    struct writer *writer;
    const char *key;
    struct ingest_object object;
    struct scored_pair *pairs;
    size_t count;
    struct arena texts; /* of the batch */
    char model[256];
    uint64_t stored;
    bool repeated;
};

static enum err_code run_job(struct writer *writer, writer_job *job, void *argument, size_t rows,
                             struct err *err)
{
    enum err_code code = ERR_BUSY;

    for (int i = 0; code == ERR_BUSY && i < BUSY_TRIES_MAX; i++) {
        code = writer_run_bulk(writer, job, argument, rows, err);
        if (code == ERR_BUSY)
            clock_sleep_ms(BUSY_PAUSE_MS);
    }
    return code;
}

/* Of a model that the database does not know only the name is known. */
static enum err_code register_model(struct importing *importing, struct err *err)
{
    struct model_register_job job = {
        .actor = ORIGIN,
        .model = {.id = importing->model, .detector = "outside", .info = "{}"},
        .now_ms = clock_now_ms(),
    };

    return run_job(importing->writer, model_register_job_run, &job, 1, err);
}

static enum err_code flush(struct importing *importing, bool more, struct err *err)
{
    struct ingest_batch batch = {.object = &importing->object,
                                 .model_id = importing->model,
                                 .origin = ORIGIN,
                                 .pairs = importing->pairs,
                                 .count = importing->count};
    struct ingest_job job = {.batch = &batch};

    if (importing->count > 0)
        TRY(register_model(importing, err));
    importing->object.more = more;
    TRY(run_job(importing->writer, ingest_job, &job, batch.count, err));
    importing->repeated = job.result.repeated;
    importing->stored += job.result.observations;
    importing->object.offset += importing->count;
    importing->count = 0;
    arena_reset(&importing->texts);
    return ERR_NONE;
}

static enum err_code take(void *context, const struct archived *row, struct err *err)
{
    struct importing *importing = context;

    if (atomic_load(&STOP_ASKED))
        return err_set(err, ERR_CANCELLED, "stopped; what is missing comes with the next import");
    if (importing->count == IMPORT_BATCH_ROWS ||
        (importing->count > 0 && strcmp(importing->model, row->model) != 0))
        TRY(flush(importing, true, err));
    if (strlen(row->model) >= sizeof importing->model)
        return err_set(err, ERR_INVALID, "a model's name is longer than %zu bytes",
                       sizeof importing->model - 1);
    (void)snprintf(importing->model, sizeof importing->model, "%s", row->model);
    importing->pairs[importing->count++] = (struct scored_pair){
        .spec = arena_strdup(&importing->texts, row->spec),
        .entity = arena_strdup(&importing->texts, row->entity),
        .ip = row->ip,
        .first_ms = row->first_ms,
        .last_ms = row->last_ms,
        .count = row->count,
        .score = row->score,
        .percentile = row->percentile,
        .entity_known = true,
        .known_bits = -1,
        .account = "",
        .region = "",
    };
    return ERR_NONE;
}

static enum err_code count_row(UNUSED void *context, UNUSED const struct archived *row,
                               UNUSED struct err *err)
{
    return ERR_NONE;
}

/* From ext/ on it is the same wherever the archive is kept. */
static const char *key_of(const char *path)
{
    const char *found = strstr(path, "ext/"), *slash = strrchr(path, '/');

    return found != NULL ? found : slash != NULL ? slash + 1 : path;
}

static enum err_code refuse_own(struct db *db, const char *path, const char *sha256,
                                struct err *err)
{
    int64_t count;

    TRY(db_int(db, SQL_ARCHIVE_HAS, PARAMS(P_TEXT(sha256)), &count, err));
    return count == 0
               ? ERR_NONE
               : err_set(err, ERR_CONFLICT,
                         "%.200s left this database, whose charts still count it: import it into "
                         "another one",
                         path);
}

/* name: what it is called; path: where it can be read. */
static enum err_code import_file(struct writer *writer, struct db *db, const char *name,
                                 const char *path, uint64_t *ret_rows, struct err *err)
{
    struct importing importing = {.writer = writer, .key = key_of(name)};
    char sha256[SHA256_HEX_BYTES];
    uint64_t rows;
    int64_t bytes;
    enum err_code code;

    TRY(file_digest(path, sha256, &bytes, err));
    TRY(refuse_own(db, name, sha256, err));
    /* Read to its end before anything of it is stored, so that a damaged one leaves nothing. */
    TRY(archive_read(path, &rows, count_row, NULL, err));
    importing.object = (struct ingest_object){.bucket = BUCKET,
                                              .key = importing.key,
                                              .etag = sha256,
                                              .size_bytes = (uint64_t)bytes,
                                              .rows = rows,
                                              .pairs = rows,
                                              .scored = rows,
                                              .unscored_json = "{}"};
    arena_init(&importing.texts, BATCH_ARENA_BYTES);
    importing.pairs = own_array(IMPORT_BATCH_ROWS, sizeof *importing.pairs);
    code = archive_read(path, &rows, take, &importing, err);
    if (code == ERR_NONE)
        code = flush(&importing, false, err);
    free(importing.pairs);
    arena_done(&importing.texts);
    *ret_rows = importing.stored;
    return code;
}

static enum err_code import_one(const struct import_options *options, struct import_s3 *s3,
                                struct writer *writer, struct db *db, const char *name,
                                uint64_t *ret_rows, struct err *err)
{
    AUTO(fd_closep) int fd = -1;
    char path[32];

    if (!import_is_s3(name))
        return import_file(writer, db, name, name, ret_rows, err);
    TRY(import_s3_fetch(s3, name, options->temp_dir, &fd, err));
    (void)snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    if (import_file(writer, db, name, path, ret_rows, err) != ERR_NONE)
        return err_prefix(err, "%.300s", name);
    return ERR_NONE;
}

static int by_name(const FTSENT **a, const FTSENT **b)
{
    return strcmp((*a)->fts_name, (*b)->fts_name);
}

/* The objects below a path, in order. */
static enum err_code list(char *path, struct arena *arena, const char **ret, size_t *count,
                          struct err *err)
{
    char *roots[] = {path, NULL};
    FTS *walk = fts_open(roots, FTS_PHYSICAL | FTS_NOCHDIR, by_name);
    enum err_code code = ERR_NONE;
    FTSENT *entry;

    if (walk == NULL)
        return err_errno(err, ERR_IO, "reading %s", path);
    while (code == ERR_NONE && (entry = fts_read(walk)) != NULL) {
        errno = entry->fts_errno;
        if (entry->fts_info == FTS_ERR || entry->fts_info == FTS_NS || entry->fts_info == FTS_DNR)
            code = err_errno(err, ERR_IO, "reading %s", entry->fts_path);
        else if (entry->fts_info == FTS_F && *count == IMPORT_FILES_MAX)
            code = err_set(err, ERR_TOO_LARGE, "more than %d objects", IMPORT_FILES_MAX);
        else if (entry->fts_info == FTS_F &&
                 (entry->fts_level == 0 || str_ends(entry->fts_name, ".parquet")))
            ret[(*count)++] = arena_strdup(arena, entry->fts_path);
    }
    (void)fts_close(walk);
    return code;
}

static enum err_code import_all(const struct import_options *options, struct import_s3 *s3,
                                const char *const *files, size_t count, struct err *err)
{
    AUTO(db_closep) struct db *db = NULL;
    struct writer *writer = NULL;
    struct progress progress;
    uint64_t rows = 0, total = 0;
    enum err_code code;
    size_t i = 0;

    TRY(migrate_run(options->database, err));
    TRY(db_open(options->database, DB_READ, &db, err));
    TRY(writer_start(options->database, &writer, err));
    progress_start(&progress, "import", "objects", (long long)count);
    for (code = ERR_NONE; code == ERR_NONE && i < count; i++) {
        code = import_one(options, s3, writer, db, files[i], &rows, err);
        total += rows;
        progress_add(&progress, 1);
    }
    progress_end(&progress);
    writer_stop(writer);
    TRY(code);
    (void)printf("%zu objects, %" PRIu64 " observations that were not here before\n", count, total);
    return ERR_NONE;
}

static enum err_code run(const struct import_options *options, const struct conf_args *args,
                         struct err *err)
{
    AUTO(arena_done) struct arena arena = {0};
    AUTO(import_s3_done) struct import_s3 s3 = {0};
    const char **files;
    size_t count = 0;

    if (args->positional_count == 0)
        return err_set(err, ERR_USAGE, "name an object of an archive, or a folder of them");
    arena_init(&arena, FILES_ARENA_BYTES);
    files = ARENA_ARRAY(&arena, const char *, IMPORT_FILES_MAX);
    for (size_t i = 0; i < args->positional_count; i++)
        if (import_is_s3(args->positional[i]))
            TRY(import_s3_list(&s3, args->positional[i], IMPORT_FILES_MAX, &arena, files, &count,
                               err));
        else
            TRY(list(arena_strdup(&arena, args->positional[i]), &arena, files, &count, err));
    if (count == 0)
        return err_set(err, ERR_NOT_FOUND, "there is no object of an archive, *.parquet");
    return import_all(options, &s3, files, count, err);
}

int cmd_import(int argc, char **argv)
{
    struct import_options options = {.database = "sqlite:pairwatch.db", .temp_dir = "/tmp"};
    struct conf_args args = {0};
    struct err err = {0};
    enum err_code code = conf_read(&COMMAND_IMPORT, argc, argv, &options, &args, &err);

    if (code != ERR_NONE || args.help)
        return command_exit(code, &err);
    stop_catch();
    return command_exit(run(&options, &args, &err), &err);
}
