#pragma once
/* A store in a temporary file: migrated, with a writing connection and an arena. */
#include "check.h"

#include <stdlib.h>

#include "base/arena.h"
#include "base/str.h"
#include "store/change.h"
#include "store/db.h"
#include "store/finding.h"
#include "store/ingest.h"
#include "store/migrate.h"
#include "store/model_row.h"

enum { FIXTURE_HOUR_MS = 3600000, FIXTURE_ARENA_BYTES = 64 << 20 };
#define FIXTURE_NOW_MS INT64_C(1790000000000)

struct fixture {
    char path[64], url[80];
    struct db *db;
    struct arena arena;
};

static struct err err;

static inline enum err_code in_transaction(struct db *db,
                                           enum err_code (*job)(struct db *, void *, struct err *),
                                           void *argument)
{
    AUTO(tx_done) struct tx tx = {0};

    TRY(db_begin(db, &tx, &err));
    TRY(job(db, argument, &err));
    return tx_commit(&tx, &err);
}

static inline void fixture_open(struct fixture *f)
{
    struct model_spec_row spec = {.spec = "vpc-egress", .threshold = 4.0, .sample_size = 100};
    struct model_register_job job = {
        .actor = "test",
        .now_ms = FIXTURE_NOW_MS,
        .model =
            {.id = "m1", .detector = "ip_insights", .info = "{}", .specs = &spec, .spec_count = 1},
    };
    int file;

    (void)snprintf(f->path, sizeof f->path, "/tmp/pairwatch-store-XXXXXX");
    file = mkstemp(f->path);
    CHECK(file >= 0);
    (void)close(file);
    (void)snprintf(f->url, sizeof f->url, "sqlite:%s", f->path);
    CHECK_OK(migrate_run(f->url, &err));
    CHECK_OK(db_open(f->url, DB_WRITE, &f->db, &err));
    arena_init(&f->arena, FIXTURE_ARENA_BYTES);
    CHECK_OK(in_transaction(f->db, model_register_job_run, &job));
}

static inline void fixture_done(struct fixture *f)
{
    char beside[80];

    db_close(f->db);
    arena_done(&f->arena);
    (void)unlink(f->path);
    (void)snprintf(beside, sizeof beside, "%s-wal", f->path);
    (void)unlink(beside);
    (void)snprintf(beside, sizeof beside, "%s-shm", f->path);
    (void)unlink(beside);
}

static inline struct scored_pair given_pair(const char *entity, const char *ip, double score,
                                            int64_t at_ms)
{
    struct scored_pair pair = {
        .spec = "vpc-egress",
        .entity = entity,
        .first_ms = at_ms,
        .last_ms = at_ms + 1000,
        .count = 2,
        .score = score,
        .percentile = score > 4 ? 99.9 : 50,
        .flagged = score > 4,
        .entity_known = true,
        .account = "111122223333",
        .region = "us-east-1",
        .explanation_json = score > 4 ? "{\"known_bits\":8,\"networks\":[]}" : NULL,
    };

    CHECK(ip_parse(ip, &pair.ip));
    return pair;
}

static inline struct ingest_result given_batch(struct fixture *f, const char *key,
                                               const struct scored_pair *pairs, size_t count)
{
    struct ingest_object object = {
        .bucket = "lake", .key = key, .etag = "e", .unscored_json = "{}"};
    struct ingest_batch batch = {
        .object = &object, .model_id = "m1", .origin = "worker", .pairs = pairs, .count = count};
    struct ingest_job job = {.batch = &batch};

    CHECK_OK(in_transaction(f->db, ingest_job, &job));
    return job.result;
}

static inline struct finding_page listed(struct fixture *f, const struct finding_filter *filter)
{
    struct finding_page page;

    CHECK_OK(finding_list(f->db, &f->arena, filter, &page, &err));
    return page;
}
