#pragma once
/* The parameters since and until of the charts. */
#include <stdint.h>

#include "http/request.h"

struct db;

/* Reads both; FIELD_NULL_INT where one is absent. A period that is empty is a fault. */
void period_read(struct request *req, int64_t *ret_since_ms, int64_t *ret_until_ms);
/* What is absent becomes the first hour with data, and the end of the last. */
NODISCARD enum err_code period_complete(struct db *db, int64_t *since_ms, int64_t *until_ms,
                                        struct err *err);
