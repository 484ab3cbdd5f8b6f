#pragma once
/* Names to the small integers the large tables hold; a name that is new gets one. Inside a
 * writer's job. Rows of the dictionaries are never removed, so the entities met last are
 * remembered in memory: a look-up in the table for each pair would cost a third of the writing. */
#include "base/err.h"
#include <stddef.h>
#include <stdint.h>

struct db;

NODISCARD enum err_code dictionary_spec(struct db *db, const char *name, int64_t *ret,
                                        struct err *err);
NODISCARD enum err_code dictionary_entity(struct db *db, const char *uid, int64_t *ret,
                                          struct err *err);
/* Many at a time: sets id for each uid. */
struct dictionary_name {
    const char *uid;
    int64_t id;
};
NODISCARD enum err_code dictionary_entities(struct db *db, struct dictionary_name *names,
                                            size_t count, struct err *err);
/* ERR_NOT_FOUND when it is not registered. */
NODISCARD enum err_code dictionary_model(struct db *db, const char *uid, int64_t *ret,
                                         struct err *err);

/* The memory of one writing connection: db.c makes it and tells it how transactions end, for an
 * entity whose row was rolled back has to be forgotten. */
struct entity_memory;
struct entity_memory *entity_memory_new(void);
void entity_memory_free(struct entity_memory *memory); /* accepts NULL */
void entity_memory_committed(struct entity_memory *memory);
void entity_memory_rolled_back(struct entity_memory *memory);
void entity_memory_forget(struct entity_memory *memory); /* all of them */
