/* Batches: what is written, what counts once, and what a recurrence does. */
#include "fixture.h"

#include "store/object_row.h"
#include "store/rollup.h"

static struct ingest_object object_of(const char *key)
{
    return (struct ingest_object){.bucket = "lake",
                                  .key = key,
                                  .etag = "e1",
                                  .size_bytes = 4096,
                                  .rows = 10,
                                  .pairs = 2,
                                  .scored = 2,
                                  .unscored_json = "{\"no_entity\":8}"};
}

static struct ingest_result ingest_object(const struct ingest_object *object,
                                          const struct scored_pair *pairs, size_t count)
{
    struct ingest_batch batch = batch_of(pairs, count);
    struct ingest_job job = {.batch = &batch};

    batch.object = object;
    CHECK_OK(run_job(ingest_job, &job));
    return job.result;
}

TEST(stores_a_batch_with_its_finding_change_and_rollup)
{
    struct scored_pair pairs[] = {
        usual("i-1", "10.1.2.3"),
        flagged("i-1", "203.0.113.9"),
        usual("i-2", "2001:db8::1"),
    };
    struct ingest_result result;
    struct finding finding;

    given_model("m1");
    pairs[1].count = 4;
    pairs[2].percentile = NAN;
    result = ingest(pairs, 3);
    CHECK(!result.repeated && result.observations == 3 && result.flagged == 1);
    CHECK(result.findings_new == 1 && result.findings_updated == 0);
    CHECK(sql_int("SELECT COUNT(*) FROM observation") == 3);
    CHECK(sql_int("SELECT COUNT(*) FROM observation WHERE finding_id IS NOT NULL") == 1);
    CHECK(sql_int("SELECT COUNT(*) FROM observation WHERE percentile IS NULL") == 1);
    CHECK(sql_int("SELECT COUNT(*) FROM entity") == 2);
    CHECK(sql_int("SELECT observations * 100 + events * 10 + flagged FROM rollup_hour") == 361);

    finding = finding_now(1);
    CHECK_STR(finding.spec, "vpc-egress");
    CHECK_STR(finding.entity, "i-1");
    CHECK_STR(finding.model, "m1");
    CHECK_STR(finding.account, "111122223333");
    CHECK_STR(finding.region, "eu-west-1");
    CHECK_STR(finding.tags, "[]");
    CHECK(ip_equal(&finding.ip, &pairs[1].ip));
    CHECK(finding.status == FINDING_NEW && finding.verdict == -1 && finding.assignee == NULL);
    CHECK(finding.score == 7.5 && finding.percentile == 99.9 && finding.entity_known == 1);
    CHECK(finding.first_seen == T0 && finding.last_seen == T0);
    CHECK(finding.sightings == 1 && finding.observations == 4 && finding.version == 1);
    CHECK(finding.seq == 2); /* after the model's registration */
    CHECK(strlen(finding.uid) == 32);
}

TEST(pairs_of_one_finding_in_a_batch_make_one_change)
{
    struct scored_pair pairs[3];
    struct finding finding;

    given_model("m1");
    for (int i = 0; i < 3; i++) {
        pairs[i] = flagged("i-1", "203.0.113.9");
        pairs[i].score = 6 + i % 2;
        pairs[i].percentile = 99 + i % 2;
        pairs[i].first_ms = T0 - i * HOUR_MS;
        pairs[i].last_ms = T0 + i * HOUR_MS;
        pairs[i].count = 2;
    }
    CHECK(ingest(pairs, 3).findings_new == 1);
    finding = finding_now(1);
    CHECK(finding.sightings == 3 && finding.observations == 6);
    CHECK(finding.score == 7 && finding.percentile == 100);
    CHECK(finding.first_seen == T0 - 2 * HOUR_MS && finding.last_seen == T0 + 2 * HOUR_MS);
    CHECK(sql_int("SELECT COUNT(*) FROM change WHERE finding_id = 1") == 1);
    CHECK(sql_int("SELECT COUNT(*) FROM rollup_hour") == 3);
}

TEST(later_sightings_add_to_the_finding)
{
    struct scored_pair pair = flagged("i-1", "203.0.113.9");
    struct finding finding;

    given_model("m1");
    (void)ingest(&pair, 1);
    pair.first_ms = pair.last_ms = T0 + DAY_MS;
    pair.score = 6;
    CHECK(ingest(&pair, 1).findings_updated == 1);
    finding = finding_now(1);
    CHECK(finding.score == 7.5); /* of the highest sighting */
    CHECK(finding.sightings == 2 && finding.version == 2);
    CHECK(finding.last_seen == T0 + DAY_MS && finding.first_seen == T0);
    pair.score = 9;
    pair.percentile = 99.99;
    pair.first_ms = pair.last_ms = T0 - DAY_MS; /* an object that came late */
    (void)ingest(&pair, 1);
    finding = finding_now(1);
    CHECK(finding.score == 9 && finding.percentile == 99.99);
    CHECK(finding.last_seen == T0 + DAY_MS && finding.first_seen == T0 - DAY_MS);
    CHECK(sql_int("SELECT COUNT(*) FROM change WHERE finding_id = 1 AND kind = 1") == 2);
    CHECK(sql_int("SELECT MAX(seq) FROM change") == finding.seq);
}

TEST(the_explanation_is_of_the_highest_sighting)
{
    static const struct {
        double score;
        const char *given, *kept;
    } CASES[] = {
        {6, NULL, NULL},
        {7, "{\"n\":1}", "{\"n\":1}"},
        {6, "{\"n\":2}", "{\"n\":1}"},
        {8, "{\"n\":3}", "{\"n\":3}"},
        {9, NULL, "{\"n\":3}"},
    };
    struct scored_pair pair = flagged("i-1", "203.0.113.9");
    struct finding_why why;

    given_model("m1");
    for (size_t i = 0; i < ARRAY_LEN(CASES); i++) {
        pair.score = CASES[i].score;
        pair.explanation_json = CASES[i].given;
        (void)ingest(&pair, 1);
        CHECK_OK(finding_why(store.reader, &store.arena, 1, &why, &err));
        CHECK((why.explanation == NULL) == (CASES[i].kept == NULL));
        if (CASES[i].kept != NULL)
            CHECK_STR(why.explanation, CASES[i].kept);
    }
}

TEST(a_newer_models_opinion_replaces_the_older_ones)
{
    struct scored_pair pair = flagged("i-1", "203.0.113.9");
    struct ingest_batch batch = batch_of(&pair, 1);
    struct ingest_job job = {.batch = &batch};
    struct finding finding;

    given_model("m1");
    given_model("m2");
    (void)ingest(&pair, 1);
    pair.score = 2; /* lower, but of another scale */
    pair.percentile = NAN;
    batch.model_id = "m2";
    CHECK_OK(run_job(ingest_job, &job));
    finding = finding_now(1);
    CHECK_STR(finding.model, "m2");
    CHECK(finding.score == 2 && isnan(finding.percentile));
}

TEST(recurrence_opens_what_was_real_and_leaves_what_was_harmless)
{
    static const struct {
        const char *verdict;
        enum finding_status before, after;
    } CASES[] = {
        {NULL, FINDING_RESOLVED, FINDING_NEW},
        {"true_positive", FINDING_RESOLVED, FINDING_NEW},
        {"suspicious", FINDING_RESOLVED, FINDING_NEW},
        {"benign", FINDING_RESOLVED, FINDING_RESOLVED},
        {"false_positive", FINDING_RESOLVED, FINDING_RESOLVED},
        {"test", FINDING_RESOLVED, FINDING_RESOLVED},
        {"true_positive", FINDING_IN_PROGRESS, FINDING_IN_PROGRESS},
        {NULL, FINDING_SUPPRESSED, FINDING_SUPPRESSED},
    };
    struct change_list changes;

    given_model("m1");
    for (size_t i = 0; i < ARRAY_LEN(CASES); i++) {
        int64_t verdict = CASES[i].verdict != NULL ? verdict_of(CASES[i].verdict) : -1;
        char entity[32];
        struct scored_pair pair;
        struct finding finding;
        int64_t id;

        (void)snprintf(entity, sizeof entity, "i-%zu", i);
        id = given_finding(entity, "203.0.113.9");
        triage(id, CASES[i].before, verdict);
        pair = flagged(entity, "203.0.113.9");
        (void)ingest(&pair, 1);
        finding = finding_now(id);
        CHECK_CASE(entity, finding.status == (int64_t)CASES[i].after);
        CHECK_CASE(entity, finding.verdict == verdict && finding.sightings == 2);
        CHECK_OK(change_history(store.reader, &store.arena, id, &changes, &err));
        CHECK_CASE(entity, changes.count == 3);
        CHECK_CASE(entity, (strstr(changes.items[2].body, "\"old\":\"resolved\"") != NULL) ==
                               (CASES[i].before != CASES[i].after));
    }
}

TEST(an_object_counts_once)
{
    struct ingest_object object = object_of("a.parquet");
    struct scored_pair pairs[] = {usual("i-1", "10.1.2.3"), flagged("i-1", "203.0.113.9")};
    struct ingest_result result;
    bool done;

    given_model("m1");
    CHECK_OK(ingest_object_done(store.reader, "lake", "a.parquet", "e1", &done, &err));
    CHECK(!done);
    CHECK(!ingest_object(&object, pairs, 2).repeated);
    CHECK_OK(ingest_object_done(store.reader, "lake", "a.parquet", "e1", &done, &err));
    CHECK(done);
    result = ingest_object(&object, pairs, 2);
    CHECK(result.repeated && result.observations == 0);
    CHECK(sql_int("SELECT COUNT(*) FROM observation") == 2);
    CHECK(sql_int("SELECT COUNT(*) FROM observation WHERE object_id = 1") == 2);
    CHECK(finding_now(1).sightings == 1);
    object.etag = "e2"; /* the same key written anew is another object */
    CHECK(!ingest_object(&object, pairs, 2).repeated);
    CHECK(sql_int("SELECT COUNT(*) FROM object") == 2);
}

TEST(a_failed_object_is_recorded_and_may_succeed_later)
{
    struct ingest_object object = object_of("b.parquet"), failed = object;
    struct scored_pair pair = usual("i-1", "10.1.2.3");
    struct object_page page;
    bool done;

    given_model("m1");
    failed.error_code = "corrupt";
    failed.error = "the file is cut short";
    CHECK(!ingest_object(&failed, NULL, 0).repeated);
    CHECK(!ingest_object(&failed, NULL, 0).repeated);
    CHECK_OK(ingest_object_done(store.reader, "lake", "b.parquet", "e1", &done, &err));
    CHECK(!done);
    CHECK_OK(object_list(store.reader, &store.arena,
                         &(struct object_filter){.state = OBJECT_FAILED}, INT64_MAX, 10, &page,
                         &err));
    CHECK(page.count == 1 && !page.more && page.items[0].attempts == 2);
    CHECK_STR(page.items[0].error, "the file is cut short");
    CHECK(!ingest_object(&object, &pair, 1).repeated);
    CHECK(ingest_object(&failed, NULL, 0).repeated); /* a late failure takes nothing back */
    CHECK_OK(object_list(store.reader, &store.arena, &(struct object_filter){.state = OBJECT_ANY},
                         INT64_MAX, 10, &page, &err));
    CHECK(page.count == 1 && page.items[0].error == NULL && page.items[0].attempts == 3);
    CHECK_STR(page.items[0].unscored, "{\"no_entity\":8}");
}

static struct ingest_result ingest_part(struct ingest_object object, uint64_t offset, bool more,
                                        const struct scored_pair *pairs, size_t count)
{
    object.offset = offset;
    object.more = more;
    object.scored = 4;
    return ingest_object(&object, pairs, count);
}

TEST(an_object_in_parts_that_breaks_off_goes_on_where_it_was)
{
    struct ingest_object object = object_of("parts.parquet"), failed = object;
    struct scored_pair pairs[] = {usual("i-1", "10.1.2.3"), flagged("i-1", "203.0.113.9"),
                                  usual("i-2", "10.1.2.3"), flagged("i-2", "203.0.113.9")};
    struct ingest_batch batch = batch_of(pairs + 3, 1);
    struct ingest_job job = {.batch = &batch};
    struct object_page page;
    bool done;

    given_model("m1");
    CHECK(ingest_part(object, 0, true, pairs, 2).observations == 2);
    CHECK_OK(ingest_object_done(store.reader, "lake", "parts.parquet", "e1", &done, &err));
    CHECK(!done);
    CHECK_OK(object_list(store.reader, &store.arena,
                         &(struct object_filter){.state = OBJECT_FAILED}, INT64_MAX, 10, &page,
                         &err));
    CHECK(page.count == 1 && page.items[0].scored == 2);
    CHECK_STR(page.items[0].error_code, "incomplete");
    CHECK_STR(page.items[0].error, "2 of 4 scored pairs are stored");
    CHECK(ingest_part(object, 0, true, pairs, 2).repeated);

    object.offset = 3; /* the third pair was never given */
    object.scored = 4;
    batch.object = &object;
    CHECK_ERR(ERR_CONFLICT, run_job(ingest_job, &job));

    failed.error_code = "timeout"; /* another try could not even read it */
    failed.error = "too slow";
    CHECK(!ingest_object(&failed, NULL, 0).repeated);
    CHECK(ingest_part(object, 0, true, pairs, 3).observations == 1); /* cut elsewhere this time */
    CHECK(ingest_part(object, 3, false, pairs + 3, 1).observations == 1);
    CHECK(ingest_part(object, 3, false, pairs + 3, 1).repeated);
    CHECK(sql_int("SELECT COUNT(*) FROM observation WHERE object_id = 1") == 4);
    CHECK(sql_int("SELECT SUM(sightings) FROM finding") == 2);
    CHECK_OK(object_list(store.reader, &store.arena,
                         &(struct object_filter){.state = OBJECT_STORED}, INT64_MAX, 10, &page,
                         &err));
    CHECK(page.count == 1 && page.items[0].scored == 4 && page.items[0].error == NULL);
    CHECK(page.items[0].attempts == 3);
}

TEST(a_whole_object_adds_what_its_parts_left_out)
{
    struct ingest_object object = object_of("whole.parquet");
    struct scored_pair pairs[] = {usual("i-1", "10.1.2.3"), flagged("i-1", "203.0.113.9"),
                                  usual("i-2", "10.1.2.3"), flagged("i-2", "203.0.113.9")};

    given_model("m1");
    CHECK(ingest_part(object, 0, true, pairs, 3).observations == 3);
    CHECK(ingest_part(object, 0, false, pairs, 4).observations == 1);
    CHECK(sql_int("SELECT COUNT(*) FROM observation") == 4);
}

TEST(a_request_counts_once_and_is_answered_again)
{
    struct scored_pair pairs[] = {usual("i-1", "10.1.2.3"), flagged("i-1", "203.0.113.9")};
    struct ingest_batch batch = batch_of(pairs, 2);
    struct ingest_job job = {.batch = &batch};

    given_model("m1");
    batch.origin = "token:soar";
    batch.idempotency_key = "k1";
    batch.request_digest = "d1";
    CHECK_OK(run_job(ingest_job, &job));
    CHECK(!job.result.repeated);
    CHECK_OK(run_job(ingest_job, &job));
    CHECK(job.result.repeated && job.result.observations == 2 && job.result.flagged == 1);
    CHECK(job.result.findings_new == 1 && job.result.findings_updated == 0);
    CHECK(sql_int("SELECT COUNT(*) FROM observation") == 2);
    batch.request_digest = "d2";
    CHECK_ERR(ERR_CONFLICT, run_job(ingest_job, &job));
    CHECK_HAS(err.text, "Idempotency-Key");
    batch.origin = "token:other"; /* keys belong to their caller */
    CHECK_OK(run_job(ingest_job, &job));
    CHECK(!job.result.repeated && sql_int("SELECT COUNT(*) FROM observation") == 4);
}

static int64_t rows(void)
{
    return sql_int("SELECT COUNT(*) FROM observation");
}

/* A part of the ten pairs, in its own transaction. */
static struct ingest_result part(const struct ingest_batch *whole, size_t from, size_t to)
{
    struct ingest_batch batch = *whole;
    struct ingest_job job = {.batch = &batch};

    batch.offset = from;
    batch.pairs = whole->pairs + from;
    batch.count = to - from;
    batch.more = to < whole->count;
    CHECK_OK(run_job(ingest_job, &job));
    return job.result;
}

TEST(a_request_in_parts_that_breaks_off_goes_on_where_it_was)
{
    enum { PAIRS = 10 };
    struct scored_pair pairs[PAIRS];
    struct ingest_batch batch = batch_of(pairs, PAIRS);
    struct ingest_job job = {.batch = &batch};
    struct ingest_result result;

    given_model("m1");
    for (int i = 0; i < PAIRS; i++)
        pairs[i] = i % 2 == 0 ? usual("i-1", "10.1.2.3") : flagged("i-2", "203.0.113.9");
    batch.idempotency_key = "k1";
    batch.request_digest = "d1";
    result = part(&batch, 0, 4);
    CHECK(!result.repeated && result.observations == 4 && result.findings_new == 1);
    result = part(&batch, 4, 6);
    CHECK(!result.repeated && result.observations == 6 && result.findings_updated == 1);

    result = part(&batch, 0, 4); /* again from its start, in other parts */
    CHECK(!result.repeated && result.observations == 6 && rows() == 6);
    result = part(&batch, 4, 8);
    CHECK(!result.repeated && result.observations == 8 && rows() == 8);
    result = part(&batch, 8, 10);
    CHECK(!result.repeated && result.observations == 10 && result.flagged == 5 && rows() == 10);
    result = part(&batch, 0, 4);
    CHECK(result.repeated && result.observations == 10 && rows() == 10);

    batch.idempotency_key = "k2"; /* parts that were never begun */
    batch.offset = 4;
    CHECK_ERR(ERR_CONFLICT, run_job(ingest_job, &job));
    CHECK_HAS(err.text, "only 0 are stored");
}

TEST(a_key_that_is_only_for_parts_is_of_one_body)
{
    struct scored_pair pairs[] = {usual("i-1", "10.1.2.3"), usual("i-2", "10.1.2.4")};
    struct ingest_batch batch = batch_of(pairs, 2), last;
    struct ingest_job job = {.batch = &last};

    given_model("m1");
    clock_set_for_test(T0);
    batch.idempotency_key = "body d1";
    batch.request_digest = "d1";
    batch.forget = true;
    (void)part(&batch, 0, 1);
    CHECK(part(&batch, 1, 2).observations == 2 && rows() == 2);
    CHECK(part(&batch, 1, 2).observations == 2 && rows() == 2); /* of another that got as far */
    CHECK(part(&batch, 0, 1).observations == 1 && rows() == 3); /* begun after that */
    last = batch;
    last.offset = 2;
    last.count = 0;
    CHECK_ERR(ERR_BUSY, run_job(ingest_job, &job)); /* of one that saw the first to its end */
    CHECK(part(&batch, 1, 2).observations == 2 && rows() == 4);
    CHECK(sql_int("SELECT COUNT(*) FROM request") == 1);
    clock_set_for_test(T0 + 2 * HOUR_MS);
    batch.idempotency_key = "body d2";
    (void)part(&batch, 0, 1);
    CHECK(sql_int("SELECT COUNT(*) FROM request WHERE key = 'body d1'") == 0);
}

TEST(a_request_is_forgotten_after_a_week)
{
    struct scored_pair pair = usual("i-1", "10.1.2.3");
    struct ingest_batch batch = batch_of(&pair, 1);
    struct ingest_job job = {.batch = &batch};

    given_model("m1");
    batch.idempotency_key = "k1";
    batch.request_digest = "d1";
    clock_set_for_test(T0);
    CHECK_OK(run_job(ingest_job, &job));
    clock_set_for_test(T0 + INT64_C(8) * DAY_MS);
    batch.idempotency_key = "k2";
    CHECK_OK(run_job(ingest_job, &job));
    CHECK(sql_int("SELECT COUNT(*) FROM request") == 1);
}

TEST(an_unregistered_model_is_refused_whole)
{
    struct ingest_object object = object_of("c.parquet");
    struct scored_pair pair = usual("i-1", "10.1.2.3");
    struct ingest_batch batch = batch_of(&pair, 1);
    struct ingest_job job = {.batch = &batch};

    batch.object = &object;
    CHECK_ERR(ERR_NOT_FOUND, run_job(ingest_job, &job));
    CHECK_HAS(err.text, "m1 is not registered");
    CHECK(sql_int("SELECT COUNT(*) FROM object") == 0);
    CHECK(sql_int("SELECT COUNT(*) FROM entity") == 0);
}

/* What the writing connection remembers of entities goes with the rows that are rolled back. */
TEST(entities_of_a_rolled_back_batch_are_forgotten)
{
    struct scored_pair pairs[] = {usual("i-1", "10.1.2.3"), usual("i-2", "10.1.2.4")};
    struct ingest_batch batch = batch_of(pairs, 2);
    struct ingest_job job = {.batch = &batch};
    struct tx tx = {0};

    given_model("m1");
    CHECK_OK(db_begin(store.db, &tx, &err));
    CHECK_OK(db_savepoint(store.db, &err));
    CHECK_OK(ingest_job(store.db, &job, &err));
    CHECK_OK(db_savepoint_end(store.db, false, &err));
    pairs[0].entity = "i-3"; /* takes the id i-1 had */
    CHECK_OK(ingest_job(store.db, &job, &err));
    tx_done(&tx);
    pairs[0].entity = "i-2";
    pairs[1].entity = "i-1";
    CHECK(ingest(pairs, 2).observations == 2);
    CHECK(sql_int("SELECT COUNT(*) FROM entity") == 2);
    CHECK(sql_int("SELECT COUNT(*) FROM observation o JOIN entity e ON e.id = o.entity_id"
                  " WHERE e.uid = 'i-1'") == 1);
}

TEST(long_and_many_entities_keep_their_ids)
{
    enum { ENTITIES = 500, LONG_BYTES = 2000, NUMBER_BYTES = 16 };
    static char names[ENTITIES][LONG_BYTES];
    static struct scored_pair pairs[ENTITIES];

    given_model("m1");
    for (int i = 0; i < ENTITIES; i++) {
        (void)memset(names[i], 'e', i % 2 ? LONG_BYTES - NUMBER_BYTES : 20);
        (void)snprintf(names[i] + (i % 2 ? LONG_BYTES - NUMBER_BYTES : 20), NUMBER_BYTES, "%d", i);
        pairs[i] = usual(names[i], "10.0.0.1");
    }
    (void)ingest(pairs, ENTITIES);
    (void)ingest(pairs, ENTITIES);
    CHECK(sql_int("SELECT COUNT(*) FROM entity") == ENTITIES);
    CHECK(sql_int("SELECT COUNT(*) FROM observation o JOIN entity e ON e.id = o.entity_id"
                  " GROUP BY e.id HAVING COUNT(*) <> 2") == INT64_MIN);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        STORE_TEST(stores_a_batch_with_its_finding_change_and_rollup),
        STORE_TEST(pairs_of_one_finding_in_a_batch_make_one_change),
        STORE_TEST(later_sightings_add_to_the_finding),
        STORE_TEST(the_explanation_is_of_the_highest_sighting),
        STORE_TEST(a_newer_models_opinion_replaces_the_older_ones),
        STORE_TEST(recurrence_opens_what_was_real_and_leaves_what_was_harmless),
        STORE_TEST(an_object_counts_once),
        STORE_TEST(a_failed_object_is_recorded_and_may_succeed_later),
        STORE_TEST(an_object_in_parts_that_breaks_off_goes_on_where_it_was),
        STORE_TEST(a_whole_object_adds_what_its_parts_left_out),
        STORE_TEST(a_request_counts_once_and_is_answered_again),
        STORE_TEST(a_request_in_parts_that_breaks_off_goes_on_where_it_was),
        STORE_TEST(a_key_that_is_only_for_parts_is_of_one_body),
        STORE_TEST(a_request_is_forgotten_after_a_week),
        STORE_TEST(an_unregistered_model_is_refused_whole),
        STORE_TEST(entities_of_a_rolled_back_batch_are_forgotten),
        STORE_TEST(long_and_many_entities_keep_their_ids),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
