#pragma once
/* Names to the small integers the large tables hold; a name that is new gets one. Inside a
 * writer's job. */
#include "base/err.h"
#include <stdint.h>

struct db;

NODISCARD enum err_code dictionary_spec(struct db *db, const char *name, int64_t *ret,
                                        struct err *err);
NODISCARD enum err_code dictionary_entity(struct db *db, const char *uid, int64_t *ret,
                                          struct err *err);
/* ERR_NOT_FOUND when it is not registered. */
NODISCARD enum err_code dictionary_model(struct db *db, const char *uid, int64_t *ret,
                                         struct err *err);
