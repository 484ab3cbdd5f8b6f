#pragma once
/* Counting where entities go. Private to this folder. */
#include "base/spool.h"
#include "model/learn.h"

struct profiler {
    struct spool uses;
};

void profiler_init(struct profiler *profiler, struct spool_pool *pool);
void profiler_done(struct profiler *profiler); /* accepts a zeroed one */
/* That the entity was seen at the address so many times. */
NODISCARD enum err_code profiler_add(struct profiler *profiler, uint32_t entity,
                                     const struct ip *ip, uint64_t count, struct err *err);
/* Observations and most used networks of the entities 0..entity_count-1. */
NODISCARD enum err_code profiler_end(struct profiler *profiler, size_t entity_count,
                                     struct learned *ret, struct err *err);
