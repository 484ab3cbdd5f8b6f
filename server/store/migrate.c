#include "store/migrate.h"

#include <stdio.h>
#include <string.h>

#include "base/arena.h"
#include "base/asset.h"
#include "base/clock.h"
#include "base/crypto.h"
#include "base/str.h"
#include "store/db_backend.h"

enum { MIGRATIONS_MAX = 1000, MIGRATE_ARENA_BYTES = 1 << 22 };

static const char TABLE[] = "CREATE TABLE IF NOT EXISTS schema_migration ("
                            " name TEXT PRIMARY KEY, checksum TEXT NOT NULL,"
                            " applied_ms BIGINT NOT NULL)";
static const char LIST[] = "SELECT name, checksum FROM schema_migration ORDER BY name";
static const char ADD[] = "INSERT INTO schema_migration (name, checksum, applied_ms)"
                          " VALUES ($1, $2, $3)";

struct applied {
    const char *name, *checksum;
};

struct applied_list {
    struct applied items[MIGRATIONS_MAX];
    size_t count;
};

/* Migrations of the engine in order; assets are sorted by name. */
static const struct asset *nth_migration(const struct db *db, size_t n)
{
    const char *dir = db_backend(db)->migrations_dir;

    for (size_t i = 0; i < ASSET_COUNT; i++)
        if (str_starts(ASSETS[i].name, dir) && n-- == 0)
            return &ASSETS[i];
    return NULL;
}

static const char *short_name(const struct db *db, const struct asset *asset)
{
    return asset->name + strlen(db_backend(db)->migrations_dir);
}

static enum err_code read_rows(struct db *db, void *statement, struct arena *arena,
                               struct applied_list *ret, struct err *err)
{
    const struct db_backend *backend = db_backend(db);

    for (;;) {
        enum db_step outcome = backend->step(db_handle(db), statement, err);

        if (outcome == DB_STEP_END)
            return ERR_NONE;
        if (outcome == DB_STEP_ERROR)
            return err->code;
        if (ret->count == MIGRATIONS_MAX)
            return err_set(err, ERR_CORRUPT, "the database records too many migrations");
        ret->items[ret->count++] = (struct applied){
            .name = arena_strdup(arena, backend->column_text(statement, 0)),
            .checksum = arena_strdup(arena, backend->column_text(statement, 1)),
        };
    }
}

static enum err_code list_applied(struct db *db, struct arena *arena, struct applied_list *ret,
                                  struct err *err)
{
    const struct db_backend *backend = db_backend(db);
    void *statement = NULL;
    enum err_code code;

    ret->count = 0;
    code = backend->prepare(db_handle(db), "schema_migration", LIST, &statement, err);
    if (code == ERR_BUSY || code == ERR_FULL || code == ERR_CORRUPT || code == ERR_IO)
        return code;
    if (code != ERR_NONE)
        return ERR_NONE; /* no such table: nothing was applied yet */
    code = read_rows(db, statement, arena, ret, err);
    backend->finalize(statement);
    return code;
}

static enum err_code check_one(struct db *db, const struct applied *applied,
                               const struct asset *asset, struct err *err)
{
    char checksum[SHA256_HEX_BYTES];

    if (strcmp(applied->name, MIGRATE_COPYING) == 0)
        return err_set(err, ERR_CONFLICT,
                       "a copy to this database is not finished: run `pairwatch migrate --to` "
                       "again");
    if (asset == NULL || strcmp(applied->name, short_name(db, asset)) != 0)
        return err_set(err, ERR_INVALID,
                       "the database has migration %s, which this version (%s) does not know: "
                       "use the newer pairwatch that made it",
                       applied->name, PAIRWATCH_VERSION);
    sha256_hex(asset->bytes, asset->length, checksum);
    if (strcmp(applied->checksum, checksum) != 0)
        return err_set(err, ERR_INVALID,
                       "migration %s was altered since it was applied: restore its text or the "
                       "database",
                       applied->name);
    return ERR_NONE;
}

static enum err_code check_applied(struct db *db, const struct applied_list *list, struct err *err)
{
    for (size_t i = 0; i < list->count; i++)
        TRY(check_one(db, &list->items[i], nth_migration(db, i), err));
    return ERR_NONE;
}

enum err_code migrate_check(struct db *db, struct err *err)
{
    AUTO(arena_done) struct arena arena = {0};
    struct applied_list *list;

    arena_init(&arena, MIGRATE_ARENA_BYTES);
    list = ARENA_NEW(&arena, struct applied_list);
    TRY(list_applied(db, &arena, list, err));
    TRY(check_applied(db, list, err));
    if (nth_migration(db, list->count) != NULL)
        return err_set(err, ERR_INVALID,
                       "the database is older than this version: run `pairwatch migrate`");
    return ERR_NONE;
}

enum err_code migrate_newest(struct db *db, struct arena *arena, const char **ret, struct err *err)
{
    AUTO(arena_done) struct arena here = {0};
    struct applied_list *list;

    arena_init(&here, MIGRATE_ARENA_BYTES);
    list = ARENA_NEW(&here, struct applied_list);
    TRY(list_applied(db, &here, list, err));
    *ret = list->count == 0 ? "" : arena_strdup(arena, list->items[list->count - 1].name);
    return ERR_NONE;
}

static enum err_code record(struct db *db, const struct asset *asset, struct err *err)
{
    const struct db_backend *backend = db_backend(db);
    char checksum[SHA256_HEX_BYTES];
    void *statement;
    enum err_code code;

    sha256_hex(asset->bytes, asset->length, checksum);
    TRY(backend->prepare(db_handle(db), "schema_migration", ADD, &statement, err));
    code = backend->bind(
        db_handle(db), statement,
        PARAMS(P_TEXT(short_name(db, asset)), P_TEXT(checksum), P_INT(clock_now_ms())), err);
    if (code == ERR_NONE && backend->step(db_handle(db), statement, err) == DB_STEP_ERROR)
        code = err->code;
    backend->finalize(statement);
    return code;
}

static enum err_code apply(struct db *db, const struct asset *asset, struct arena *arena,
                           struct err *err)
{
    const char *sql = arena_strndup(arena, (const char *)asset->bytes, asset->length);

    if (db_script(db, sql, err) != ERR_NONE)
        return err_prefix(err, "migration %s", short_name(db, asset));
    return record(db, asset, err);
}

/* Tables, and no migration that made them: the file is another program's. */
static enum err_code check_foreign(struct db *db, struct err *err)
{
    const struct db_backend *backend = db_backend(db);
    void *statement;
    int64_t tables = 0;
    enum db_step outcome;

    TRY(backend->prepare(db_handle(db), "foreign_tables", backend->foreign_tables, &statement,
                         err));
    outcome = backend->step(db_handle(db), statement, err);
    if (outcome == DB_STEP_ROW)
        tables = backend->column_int(statement, 0);
    backend->finalize(statement);
    if (outcome == DB_STEP_ERROR)
        return err->code;
    return tables == 0 ? ERR_NONE
                       : err_set(err, ERR_INVALID,
                                 "the database holds the tables of another program: name another "
                                 "one");
}

/* All or nothing, and only one process at a time: the list is read again under the write lock. */
enum err_code migrate_run(const char *url, struct err *err)
{
    AUTO(db_closep) struct db *db = NULL;
    AUTO(arena_done) struct arena arena = {0};
    AUTO(tx_done) struct tx tx = {0};
    struct applied_list *list;
    const struct asset *next;

    arena_init(&arena, MIGRATE_ARENA_BYTES);
    list = ARENA_NEW(&arena, struct applied_list);
    TRY(db_open_bare(url, DB_WRITE, &db, err));
    TRY(db_begin(db, &tx, err));
    TRY(db_script(db, TABLE, err)); /* first: a query of a table that is not there ends the rest */
    TRY(list_applied(db, &arena, list, err));
    TRY(check_applied(db, list, err));
    if (nth_migration(db, list->count) == NULL)
        return ERR_NONE;
    if (list->count == 0)
        TRY(check_foreign(db, err));
    for (size_t i = list->count; (next = nth_migration(db, i)) != NULL; i++)
        TRY(apply(db, next, &arena, err));
    return tx_commit(&tx, err);
}
