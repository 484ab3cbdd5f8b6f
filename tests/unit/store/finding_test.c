/* Lists, triage and the chain of changes. */
#include "fixture.h"

#include <math.h>

#include "store/db_backend.h"
#include "store/note.h"

static struct finding_filter filter_of(enum finding_sort sort, size_t limit)
{
    return (struct finding_filter){.min_score = NAN,
                                   .min_percentile = NAN,
                                   .since_ms = FIELD_NULL_INT,
                                   .until_ms = FIELD_NULL_INT,
                                   .sort = sort,
                                   .limit = limit};
}

static void given_findings(struct fixture *f, int count)
{
    char entity[32], ip[32], key[32];

    for (int i = 0; i < count; i++) {
        struct scored_pair pair;

        (void)snprintf(entity, sizeof entity, "i-%02d", i);
        (void)snprintf(ip, sizeof ip, "198.51.%d.7", i);
        (void)snprintf(key, sizeof key, "o%d", i);
        pair = given_pair(entity, ip, 5.0 + i % 3, FIXTURE_NOW_MS + i / 2 * 1000);
        (void)given_batch(f, key, &pair, 1);
    }
}

/* Every finding once, in order, also while new ones arrive. */
static void walk(struct fixture *f, enum finding_sort sort, int wanted)
{
    struct finding_filter filter = filter_of(sort, 3);
    bool seen[100] = {false};
    int count = 0;

    for (;;) {
        struct finding_page page = listed(f, &filter);

        for (size_t i = 0; i < page.count; i++) {
            const struct finding *it = &page.items[i];

            CHECK(it->id < 100 && !seen[it->id]);
            seen[it->id] = true;
            count++;
            filter.after = true;
            filter.after_id = it->id;
            filter.after_time_ms = it->last_seen;
            filter.after_percentile = it->percentile;
            filter.after_score = it->score;
        }
        if (!page.more)
            break;
    }
    CHECK(count == wanted);
}

TEST(pages_hold_every_finding_once)
{
    AUTO(fixture_done) struct fixture f;

    fixture_open(&f);
    given_findings(&f, 20);
    walk(&f, FINDING_BY_TIME, 20);
    walk(&f, FINDING_BY_SCORE, 20);
}

TEST(filters)
{
    AUTO(fixture_done) struct fixture f;
    struct finding_filter all, one;
    struct cidr cidr;

    fixture_open(&f);
    given_findings(&f, 12);
    all = filter_of(FINDING_BY_SCORE, 100);
    one = all;
    one.entity = "i-03";
    CHECK(listed(&f, &one).count == 1);
    one = all;
    one.entity_prefix = "i-0";
    CHECK(listed(&f, &one).count == 10);
    one = all;
    CHECK(cidr_parse("198.51.4.0/22", &cidr));
    one.has_ip = true;
    one.ip_low = cidr.low;
    one.ip_high = cidr.high;
    CHECK(listed(&f, &one).count == 4);
    one = all;
    one.min_score = 6.5;
    CHECK(listed(&f, &one).count == 4);
    one = all;
    one.statuses = 1U << FINDING_RESOLVED;
    CHECK(listed(&f, &one).count == 0);
    one = all;
    one.q = "I-1";
    CHECK(listed(&f, &one).count == 2);
    one = all;
    one.q = "51.7.7";
    CHECK(listed(&f, &one).count == 1);
    one = all;
    one.q = "%";
    CHECK(listed(&f, &one).count == 0);
    one = all;
    one.since_ms = FIXTURE_NOW_MS + 5 * 1000;
    CHECK(listed(&f, &one).count == 4);
    one = all;
    one.verdicts = 1;
    CHECK(listed(&f, &one).count == 0);
    one.verdict_none = true;
    CHECK(listed(&f, &one).count == 12);
}

static struct finding_patch_item patched(struct fixture *f, int64_t id, int64_t version,
                                         const struct finding_patch *patch)
{
    struct finding_patch_item item = {.id = id, .version = version, .patch = *patch};
    struct finding_patch_job job = {.arena = &f->arena,
                                    .actor = "user:ana",
                                    .now_ms = FIXTURE_NOW_MS,
                                    .items = &item,
                                    .count = 1};

    CHECK_OK(in_transaction(f->db, finding_patch_job_run, &job));
    return item;
}

TEST(triage_is_guarded_by_the_version)
{
    AUTO(fixture_done) struct fixture f;
    struct finding_patch close = {
        .has_status = true, .status = FINDING_RESOLVED, .has_verdict = true, .verdict = 2};
    struct finding_patch_item item;
    struct change_list history;

    fixture_open(&f);
    given_findings(&f, 1);
    CHECK(patched(&f, 99, 1, &close).outcome == FINDING_NOT_FOUND);
    CHECK(patched(&f, 1, 7, &close).outcome == FINDING_LOST_RACE);
    item = patched(&f, 1, 1, &close);
    CHECK(item.outcome == FINDING_CHANGED && item.after.version == 2);
    CHECK(item.before.status == FINDING_NEW && item.after.status == FINDING_RESOLVED);
    item = patched(&f, 1, 2, &close);
    CHECK(item.outcome == FINDING_UNCHANGED && item.after.version == 2);
    CHECK_OK(change_history(f.db, &f.arena, 1, &history, &err));
    CHECK(history.count == 2);
    CHECK_STR(history.items[1].actor, "user:ana");
    CHECK_HAS(history.items[1].body, "\"status\":{\"old\":\"new\",\"new\":\"resolved\"}");
    CHECK_HAS(history.items[1].body, "\"verdict\":{\"old\":null,\"new\":\"benign\"}");
}

/* Resolved as benign stays so; resolved as a true positive comes back. */
TEST(recurrence)
{
    const struct {
        int64_t verdict;
        int64_t status;
    } cases[] = {{2, FINDING_RESOLVED}, {1, FINDING_RESOLVED}, {0, FINDING_NEW}, {-1, FINDING_NEW}};

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        AUTO(fixture_done) struct fixture f;
        struct finding_patch close = {.has_status = true,
                                      .status = FINDING_RESOLVED,
                                      .has_verdict = true,
                                      .verdict = cases[i].verdict};
        struct scored_pair pair;
        struct finding after;

        fixture_open(&f);
        given_findings(&f, 1);
        (void)patched(&f, 1, 1, &close);
        pair = given_pair("i-00", "198.51.0.7", 5.0, FIXTURE_NOW_MS + 10000);
        (void)given_batch(&f, "again", &pair, 1);
        CHECK_OK(finding_get(f.db, &f.arena, 1, &after, &err));
        CHECK(after.status == cases[i].status && after.sightings == 2);
    }
}

TEST(notes_and_the_chain)
{
    AUTO(fixture_done) struct fixture f;
    struct note_job job = {.author = "user:ana",
                           .finding_id = 1,
                           .now_ms = FIXTURE_NOW_MS,
                           .text = "asked\nthe owner"};
    struct note_list notes;
    int64_t last;

    fixture_open(&f);
    given_findings(&f, 2);
    job.arena = &f.arena;
    CHECK_OK(in_transaction(f.db, note_add_job, &job));
    CHECK_OK(note_list(f.db, &f.arena, 1, &notes, &err));
    CHECK(notes.count == 1);
    CHECK_STR(notes.items[0].text, "asked\nthe owner");
    job.finding_id = 77;
    CHECK(in_transaction(f.db, note_add_job, &job) == ERR_NOT_FOUND);
    CHECK_ERR(ERR_NOT_FOUND, note_list(f.db, &f.arena, 77, &notes, &err));

    CHECK_OK(change_verify(f.db, &err));
    CHECK_OK(change_last_seq(f.db, &last, &err));
    CHECK(last == 4); /* model, two findings, note: no gap where one was undone */
    CHECK_OK(db_script(f.db, "UPDATE change SET actor = 'someone' WHERE seq = 2", &err));
    CHECK_ERR(ERR_CORRUPT, change_verify(f.db, &err));
    CHECK_HAS(err.text, "change 2");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pages_hold_every_finding_once),
        cmocka_unit_test(filters),
        cmocka_unit_test(triage_is_guarded_by_the_version),
        cmocka_unit_test(recurrence),
        cmocka_unit_test(notes_and_the_chain),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
