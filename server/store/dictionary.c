#include "store/dictionary.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/hash.h"
#include "store/db_backend.h"

/* At most 12 MB. One entity a slot: a later one of the same hash takes its place. */
enum { ENTITY_SLOTS = 1 << 15, ENTITY_REMEMBERED_BYTES_MAX = 300 };
enum { UIDS_AHEAD = 8 }; /* of memory that is asked for before it is needed */
/* For each name that a batch brings, some bytes at a time: no batch has as many. */
#define LACKING_ARENA_BYTES_MAX ((size_t)1 << 30)

struct entity_slot {
    int64_t id;
    char *uid; /* NULL: empty */
};

struct entity_memory {
    struct entity_slot slots[ENTITY_SLOTS];
    bool uncommitted; /* some of them may be rolled back yet */
};

struct entity_memory *entity_memory_new(void)
{
    return own_alloc(sizeof(struct entity_memory));
}

void entity_memory_forget(struct entity_memory *memory)
{
    for (size_t i = 0; i < ENTITY_SLOTS; i++)
        free(memory->slots[i].uid);
    *memory = (struct entity_memory){0};
}

void entity_memory_free(struct entity_memory *memory)
{
    if (memory == NULL)
        return;
    entity_memory_forget(memory);
    free(memory);
}

void entity_memory_committed(struct entity_memory *memory)
{
    memory->uncommitted = false;
}

void entity_memory_rolled_back(struct entity_memory *memory)
{
    if (memory->uncommitted)
        entity_memory_forget(memory);
}

static void remember(struct entity_slot *slot, const char *uid, int64_t id)
{
    if (strlen(uid) > ENTITY_REMEMBERED_BYTES_MAX)
        return;
    free(slot->uid);
    *slot = (struct entity_slot){.id = id, .uid = own_strdup(uid)};
}

enum err_code dictionary_spec(struct db *db, const char *name, int64_t *ret, struct err *err)
{
    enum err_code code = db_int(db, SQL_SPEC_ID, PARAMS(P_TEXT(name)), ret, err);

    return code == ERR_NOT_FOUND ? db_int(db, SQL_SPEC_INSERT, PARAMS(P_TEXT(name)), ret, err)
                                 : code;
}

/* ---- entities: those that the memory lacks, from the table, and those that it lacks, new ---- */

/* One text, wherever it is asked for. */
struct lacking {
    const char *uid;
    struct dictionary_name *name;
};

struct looked_up {
    int64_t id;
};
static const struct field LOOKED_UP_FIELDS[] = {
    FIELD(struct looked_up, id, FIELD_INT, .flags = 0),
    FIELD_END,
};

struct look_up {
    const char **uids; /* each once */
    struct looked_up *rows;
    bool *found;
    size_t count;
};

static struct entity_slot *slot_of(struct entity_memory *memory, const char *uid)
{
    return &memory->slots[hash_bytes(uid, strlen(uid), hash_seed()) % ENTITY_SLOTS];
}

static int by_uid(const void *a, const void *b)
{
    return strcmp(((const struct lacking *)a)->uid, ((const struct lacking *)b)->uid);
}

static void uid_params(void *context, size_t run, struct param *ret)
{
    ret[0] = P_TEXT(((const struct look_up *)context)->uids[run]);
}

static enum err_code run_each(struct db *db, enum sql_id sql, struct look_up *look_up,
                              struct err *err)
{
    struct db_runs runs = {
        .sql = sql,
        .count = look_up->count,
        .params = uid_params,
        .context = look_up,
        .fields = LOOKED_UP_FIELDS,
        .rows = look_up->rows,
        .row_bytes = sizeof *look_up->rows,
        .found = look_up->found,
    };

    return db_run_all(db, &runs, err);
}

/* The ids of those that have none yet. *ret_added: some were new. */
static enum err_code look_up_all(struct db *db, struct arena *arena, struct look_up *all,
                                 bool *ret_added, struct err *err)
{
    struct look_up new = {.uids = ARENA_ARRAY(arena, const char *, all->count),
                          .rows = ARENA_ARRAY(arena, struct looked_up, all->count),
                          .found = ARENA_ARRAY(arena, bool, all->count)};

    TRY(run_each(db, SQL_ENTITY_ID, all, err));
    for (size_t i = 0; i < all->count; i++)
        if (!all->found[i])
            new.uids[new.count++] = all->uids[i];
    *ret_added = new.count > 0;
    TRY(run_each(db, SQL_ENTITY_INSERT, &new, err));
    for (size_t i = 0, at = 0; i < all->count; i++)
        if (!all->found[i])
            all->rows[i] = new.rows[at++];
    return ERR_NONE;
}

static enum err_code find_lacking(struct db *db, struct arena *arena, struct lacking *lacking,
                                  size_t count, struct err *err)
{
    struct entity_memory *memory = db_entity_memory(db);
    struct look_up all = {.uids = ARENA_ARRAY(arena, const char *, count),
                          .rows = ARENA_ARRAY(arena, struct looked_up, count),
                          .found = ARENA_ARRAY(arena, bool, count)};
    bool added;

    qsort(lacking, count, sizeof *lacking, by_uid);
    for (size_t i = 0; i < count; i++)
        if (i == 0 || strcmp(lacking[i].uid, lacking[i - 1].uid) != 0)
            all.uids[all.count++] = lacking[i].uid;
    TRY(look_up_all(db, arena, &all, &added, err));
    memory->uncommitted |= added;
    for (size_t i = 0, at = 0; i < count; i++) {
        at += strcmp(lacking[i].uid, all.uids[at]) != 0;
        lacking[i].name->id = all.rows[at].id;
        if (i == 0 || strcmp(lacking[i].uid, lacking[i - 1].uid) != 0)
            remember(slot_of(memory, lacking[i].uid), lacking[i].uid, all.rows[at].id);
    }
    return ERR_NONE;
}

enum err_code dictionary_entities(struct db *db, struct dictionary_name *names, size_t count,
                                  struct err *err)
{
    AUTO(arena_done) struct arena arena = {0};
    struct entity_memory *memory = db_entity_memory(db);
    struct lacking *lacking = NULL;
    struct entity_slot **slots;
    size_t lacking_count = 0;

    arena_init(&arena, LACKING_ARENA_BYTES_MAX);
    slots = ARENA_ARRAY(&arena, struct entity_slot *, count);
    for (size_t i = 0; i < count; i++) {
        slots[i] = slot_of(memory, names[i].uid);
        __builtin_prefetch(slots[i]);
    }
    for (size_t i = 0; i < count; i++) {
        const struct entity_slot *slot = slots[i];

        if (i + UIDS_AHEAD < count)
            __builtin_prefetch(slots[i + UIDS_AHEAD]->uid);
        names[i].id = slot->id;
        if (slot->uid != NULL && strcmp(slot->uid, names[i].uid) == 0)
            continue;
        if (lacking == NULL)
            lacking = ARENA_ARRAY(&arena, struct lacking, count);
        lacking[lacking_count++] = (struct lacking){names[i].uid, &names[i]};
    }
    return lacking_count > 0 ? find_lacking(db, &arena, lacking, lacking_count, err) : ERR_NONE;
}

enum err_code dictionary_entity(struct db *db, const char *uid, int64_t *ret, struct err *err)
{
    struct dictionary_name name = {.uid = uid};

    TRY(dictionary_entities(db, &name, 1, err));
    *ret = name.id;
    return ERR_NONE;
}

enum err_code dictionary_model(struct db *db, const char *uid, int64_t *ret, struct err *err)
{
    enum err_code code = db_int(db, SQL_MODEL_ID, PARAMS(P_TEXT(uid)), ret, err);

    if (code == ERR_NOT_FOUND)
        return err_set(err, code, "the model %.128s is not registered", uid);
    return code;
}
