#include "store/dictionary.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "store/db_backend.h"

/* At most 12 MB. One entity a slot: a later one of the same hash takes its place. */
enum { ENTITY_SLOTS = 1 << 15, ENTITY_REMEMBERED_BYTES_MAX = 300 };

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

static enum err_code find_or_add(struct db *db, enum sql_id find, enum sql_id add, const char *name,
                                 int64_t *ret, bool *ret_added, struct err *err)
{
    enum err_code code = db_int(db, find, PARAMS(P_TEXT(name)), ret, err);

    *ret_added = code == ERR_NOT_FOUND;
    return *ret_added ? db_int(db, add, PARAMS(P_TEXT(name)), ret, err) : code;
}

enum err_code dictionary_spec(struct db *db, const char *name, int64_t *ret, struct err *err)
{
    bool added;

    return find_or_add(db, SQL_SPEC_ID, SQL_SPEC_INSERT, name, ret, &added, err);
}

enum err_code dictionary_entity(struct db *db, const char *uid, int64_t *ret, struct err *err)
{
    struct entity_memory *memory = db_entity_memory(db);
    uint64_t hash = hash_bytes(uid, strlen(uid), hash_seed());
    struct entity_slot *slot = &memory->slots[hash % ENTITY_SLOTS];
    bool added;

    if (slot->uid != NULL && strcmp(slot->uid, uid) == 0) {
        *ret = slot->id;
        return ERR_NONE;
    }
    TRY(find_or_add(db, SQL_ENTITY_ID, SQL_ENTITY_INSERT, uid, ret, &added, err));
    memory->uncommitted |= added;
    remember(slot, uid, *ret);
    return ERR_NONE;
}

enum err_code dictionary_model(struct db *db, const char *uid, int64_t *ret, struct err *err)
{
    enum err_code code = db_int(db, SQL_MODEL_ID, PARAMS(P_TEXT(uid)), ret, err);

    if (code == ERR_NOT_FOUND)
        return err_set(err, code, "the model %.128s is not registered", uid);
    return code;
}
