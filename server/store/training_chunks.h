#pragma once
/* The packed part of training_observations (training.h). Private to store/. */
#include "store/training.h"

NODISCARD enum err_code training_chunks(struct db *db, int64_t since_ms, int64_t until_ms,
                                        training_visit *visit, void *context, struct err *err);
