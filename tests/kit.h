#pragma once
/* What the model's tests share: a small made-up history, and files in a folder of their own. */
#include "temp.h"

#include <stdlib.h>

#include "base/hash.h"
#include "base/own.h"
#include "base/spool.h"
#include "model/ip_encoder.h"
#include "model/prefix_tree.h"
#include "model/train.h"

enum { KIT_ENTITIES = 20, KIT_PAIRS = 2000 };

struct kit {
    struct train_pair pairs[KIT_PAIRS];
    char names[KIT_ENTITIES][16];
    char folder[64], path[96];
    struct train_options options;
};

/* A spool of what an array holds. */
static inline void kit_spool(struct spool_pool *pool, const void *records, size_t size,
                             size_t count, struct spool *ret)
{
    struct err err = {0};

    spool_init(ret, pool, size);
    for (size_t i = 0; i < count; i++)
        CHECK_OK(spool_add(ret, (const char *)records + i * size, &err));
}

/* The keys of addresses' prefixes. */
static inline uint64_t *kit_prefixes(const struct ip *ips, size_t count, uint32_t counts[IP_LEVELS])
{
    struct spool keys[IP_FAMILIES];
    struct spool_pool pool;
    struct err err = {0};
    uint64_t *ret = NULL;

    spool_pool_init(&pool, UINT64_MAX, "/tmp");
    for (int f = 0; f < IP_FAMILIES; f++)
        spool_init(&keys[f], &pool, sizeof(uint64_t));
    for (size_t i = 0; i < count; i++) {
        int length;
        uint64_t key = prefix_key(&ips[i], &length);

        CHECK_OK(spool_add(&keys[length != PREFIX_BITS_V4], &key, &err));
    }
    CHECK_OK(ip_prefixes_of(keys, &ret, counts, &err));
    for (int f = 0; f < IP_FAMILIES; f++)
        spool_done(&keys[f]);
    return ret;
}

/* Entity k talks to 10.k.0.0/16's lower half, odd ones to 2001:db8:k::/48 as well. */
static inline struct ip kit_ip(struct rng *rng, unsigned entity, bool v6)
{
    struct ip ip = ip_from_v4(10U << 24 | entity << 16 | (uint32_t)rng_below(rng, 1024));

    if (!v6)
        return ip;
    (void)ip_parse("2001:db8::", &ip);
    ip.bytes[5] = (uint8_t)entity;
    ip.bytes[7] = (uint8_t)rng_below(rng, 4);
    ip.bytes[15] = (uint8_t)rng_below(rng, 200);
    return ip;
}

static inline struct kit *kit_new(void)
{
    struct kit *kit = own_alloc(sizeof *kit);
    struct rng rng;

    rng_init(&rng, 5);
    for (unsigned i = 0; i < KIT_ENTITIES; i++)
        (void)snprintf(kit->names[i], sizeof kit->names[i], "host-%u", i);
    for (unsigned i = 0; i < KIT_PAIRS; i++) {
        unsigned entity = (unsigned)rng_below(&rng, KIT_ENTITIES);
        bool v6 = entity % 2 == 1 && rng_below(&rng, 2) == 1;

        kit->pairs[i] = (struct train_pair){.spec = "",
                                            .entity = kit->names[entity],
                                            .ip = kit_ip(&rng, entity, v6),
                                            .time_ms = 1700000000000 + 1000 * (int64_t)i,
                                            .count = 1 + i % 3};
    }
    kit->options = (struct train_options){.hyper = HYPER_DEFAULT,
                                          .seed = 1,
                                          .threshold = {THRESHOLD_PERCENTILE, 99},
                                          .half_life_days = HALF_LIFE_DAYS_DEFAULT,
                                          .detector = DETECTOR_IP_INSIGHTS};
    kit->options.hyper.mini_batch_size = 100;
    kit->options.hyper.vector_dim = 12;
    (void)snprintf(kit->folder, sizeof kit->folder, "/tmp/pairwatch-model-XXXXXX");
    (void)temp_folder(kit->folder);
    (void)snprintf(kit->path, sizeof kit->path, "%s/m", kit->folder);
    return kit;
}

static inline void kit_freep(struct kit **kit)
{
    (void)temp_folder_drop((*kit)->folder);
    own_freep(kit);
}

static inline void kit_write(struct kit *kit)
{
    AUTO(trained_freep) struct trained *trained = NULL;
    struct err err = {0};

    CHECK_OK(train_run(kit->pairs, KIT_PAIRS, &kit->options, &trained, &err));
    CHECK_OK(trained_write(trained, kit->path, &err));
}

static inline struct kit *kit_with_file(void)
{
    struct kit *kit = kit_new();

    kit_write(kit);
    return kit;
}

/* Trains, writes and loads. */
static inline struct model *kit_model(struct kit *kit)
{
    struct model *model = NULL;
    struct err err = {0};

    kit_write(kit);
    CHECK_OK(model_load(kit->path, &model, &err));
    return model;
}

static inline struct model_score kit_score(const struct model *model, const char *spec,
                                           const char *entity, const char *ip)
{
    struct model_pair pair = {.spec = spec, .entity = entity};
    struct model_score score;

    CHECK(ip_parse(ip, &pair.ip));
    model_score_pairs(model, &pair, 1, &score);
    return score;
}
