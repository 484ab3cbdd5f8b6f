/* Triage: guarded by the version, told in one change, bulk in one transaction; notes. */
#include "fixture.h"

#include "store/note.h"

static struct finding_patch_job job_of(struct finding_patch_item *items, size_t count)
{
    return (struct finding_patch_job){.arena = &store.arena,
                                      .actor = "user:ann",
                                      .now_ms = T0 + 1000,
                                      .items = items,
                                      .count = count};
}

static struct finding_patch_item patched(int64_t id, int64_t version, struct finding_patch patch)
{
    struct finding_patch_item item = {.id = id, .version = version, .patch = patch};
    struct finding_patch_job job = job_of(&item, 1);

    CHECK_OK(run_job(finding_patch_job_run, &job));
    return item;
}

static struct change last_change(void)
{
    struct change_list list;
    int64_t seq;

    CHECK_OK(change_last_seq(store.reader, &seq, &err));
    CHECK_OK(change_list(store.reader, &store.arena, seq - 1, 10, &list, &err));
    CHECK(list.count == 1);
    return list.items[0];
}

TEST(a_patch_changes_what_it_names_and_tells_what_it_was)
{
    const struct finding_patch all = {.has_status = true,
                                      .status = FINDING_RESOLVED,
                                      .has_verdict = true,
                                      .verdict = verdict_of("benign"),
                                      .has_assignee = true,
                                      .assignee = "ann",
                                      .has_tags = true,
                                      .tags = "[\"scanner\",\"vpn\"]"};
    struct finding_patch_item item;
    struct change change;

    given_model("m1");
    (void)given_finding("i-1", "203.0.113.9");
    item = patched(1, 1, all);
    CHECK(item.outcome == FINDING_CHANGED && item.before.status == FINDING_NEW);
    CHECK(item.after.status == FINDING_RESOLVED && item.after.verdict == verdict_of("benign"));
    CHECK_STR(item.after.assignee, "ann");
    CHECK_STR(item.after.tags, "[\"scanner\",\"vpn\"]");
    CHECK(item.after.version == 2 && item.after.updated == T0 + 1000);
    change = last_change();
    CHECK_STR(change.body, "{\"status\":{\"old\":\"new\",\"new\":\"resolved\"},"
                           "\"verdict\":{\"old\":null,\"new\":\"benign\"},"
                           "\"verdict_source\":{\"old\":null,\"new\":\"person\"},"
                           "\"assignee\":{\"old\":null,\"new\":\"ann\"},"
                           "\"tags\":{\"old\":[],\"new\":[\"scanner\",\"vpn\"]}}");
    CHECK_STR(change.actor, "user:ann");
    CHECK(change.kind == CHANGE_FINDING_UPDATED && change.finding == 1);
    CHECK(change.seq == item.after.seq && finding_now(1).seq == change.seq);

    item = patched(1, 2,
                   (struct finding_patch){
                       .has_verdict = true, .verdict = -1, .has_assignee = true, .assignee = NULL});
    CHECK(item.after.verdict == -1 && item.after.assignee == NULL);
    CHECK(item.after.status == FINDING_RESOLVED); /* not named, not changed */
    CHECK_STR(last_change().body, "{\"verdict\":{\"old\":\"benign\",\"new\":null},"
                                  "\"verdict_source\":{\"old\":\"person\",\"new\":null},"
                                  "\"assignee\":{\"old\":\"ann\",\"new\":null}}");
}

TEST(a_lost_race_changes_nothing)
{
    const struct finding_patch patch = {.has_status = true, .status = FINDING_RESOLVED};
    struct finding_patch_item item;

    given_model("m1");
    (void)given_finding("i-1", "203.0.113.9");
    CHECK(patched(1, 1, patch).outcome == FINDING_CHANGED);
    item = patched(1, 1, (struct finding_patch){.has_status = true, .status = FINDING_NEW});
    CHECK(item.outcome == FINDING_LOST_RACE && item.after.version == 2);
    CHECK(item.after.status == FINDING_RESOLVED);
    CHECK(patched(7, 1, patch).outcome == FINDING_NOT_FOUND);
    CHECK(sql_int("SELECT COUNT(*) FROM change") == 3);
    CHECK(finding_now(1).version == 2);
}

TEST(a_patch_that_changes_nothing_leaves_the_version)
{
    const struct finding_patch same = {
        .has_status = true, .status = FINDING_NEW, .has_tags = true, .tags = "[]"};
    struct finding_patch_item item;

    given_model("m1");
    (void)given_finding("i-1", "203.0.113.9");
    item = patched(1, 1, same);
    CHECK(item.outcome == FINDING_UNCHANGED && item.after.version == 1);
    CHECK(patched(1, 1, (struct finding_patch){0}).outcome == FINDING_UNCHANGED);
    CHECK(sql_int("SELECT COUNT(*) FROM change") == 2);
}

TEST(a_bulk_patch_takes_each_on_its_own)
{
    const struct finding_patch patch = {.has_status = true, .status = FINDING_IN_PROGRESS};
    struct finding_patch_item items[] = {
        {.id = 1, .version = 1, .patch = patch},
        {.id = 2, .version = 9, .patch = patch}, /* seen before somebody else's change */
        {.id = 99, .version = 1, .patch = patch},
        {.id = 3, .version = 1, .patch = patch},
        {.id = 3, .version = 1, .patch = patch}, /* the same again: its version is another now */
    };
    struct finding_patch_job job = job_of(items, ARRAY_LEN(items));

    given_model("m1");
    for (int i = 0; i < 3; i++)
        (void)given_finding("i-1", i == 0 ? "203.0.113.1" : i == 1 ? "203.0.113.2" : "203.0.113.3");
    CHECK_OK(run_job(finding_patch_job_run, &job));
    CHECK(items[0].outcome == FINDING_CHANGED && items[1].outcome == FINDING_LOST_RACE);
    CHECK(items[2].outcome == FINDING_NOT_FOUND && items[3].outcome == FINDING_CHANGED);
    CHECK(items[4].outcome == FINDING_LOST_RACE);
    CHECK(sql_int("SELECT COUNT(*) FROM finding WHERE status = 1") == 2);
    CHECK(sql_int("SELECT COUNT(*) FROM change WHERE kind = 2") == 2);
}

TEST(history_holds_everything_of_one_finding)
{
    struct change_list history;
    struct scored_pair again = flagged("i-1", "203.0.113.9");
    struct note_job note = {.arena = &store.arena,
                            .finding_id = 1,
                            .author = "user:ann",
                            .now_ms = T0,
                            .text = "asked the owner"};

    given_model("m1");
    (void)given_finding("i-1", "203.0.113.9");
    (void)given_finding("i-2", "203.0.113.9");
    triage(1, FINDING_RESOLVED, -1);
    (void)ingest(&again, 1);
    CHECK_OK(run_job(note_add_job, &note));
    CHECK_OK(change_history(store.reader, &store.arena, 1, &history, &err));
    CHECK(history.count == 4);
    for (size_t i = 0; i < history.count; i++)
        CHECK(history.items[i].finding == 1 &&
              (i == 0 || history.items[i].seq > history.items[i - 1].seq));
    CHECK(history.items[0].kind == CHANGE_FINDING_CREATED);
    CHECK(history.items[1].kind == CHANGE_FINDING_UPDATED);
    CHECK(history.items[2].kind == CHANGE_FINDING_SIGHTED);
    CHECK(history.items[3].kind == CHANGE_NOTE_ADDED);
    CHECK_STR(history.items[2].actor, "worker");
    CHECK_OK(change_history(store.reader, &store.arena, 99, &history, &err));
    CHECK(history.count == 0);
}

TEST(a_long_history_keeps_its_newest)
{
    struct change_list history;
    char body[32];

    given_model("m1");
    (void)given_finding("i-1", "203.0.113.9");
    sql_run("BEGIN");
    for (int i = 0; i < CHANGE_LIST_MAX + 5; i++) {
        (void)snprintf(body, sizeof body, "{\"n\":%d}", i);
        CHECK_OK(change_add(store.db, CHANGE_FINDING_SIGHTED, "test", 1, body, NULL, &err));
    }
    sql_run("COMMIT");
    CHECK_OK(change_history(store.reader, &store.arena, 1, &history, &err));
    CHECK(history.count == CHANGE_LIST_MAX);
    CHECK_STR(history.items[0].body, "{\"n\":5}");
    CHECK(history.items[CHANGE_LIST_MAX - 1].seq == CHANGE_LIST_MAX + 7);
}

TEST(notes_are_kept_in_order_as_they_were_written)
{
    static const char *const TEXTS[] = {"asked\nthe owner", "<b>\"quoted\"</b> \xe2\x82\xac", "3"};
    struct note_list notes;

    given_model("m1");
    (void)given_finding("i-1", "203.0.113.9");
    for (size_t i = 0; i < ARRAY_LEN(TEXTS); i++) {
        struct note_job job = {.arena = &store.arena,
                               .finding_id = 1,
                               .author = "user:ann",
                               .now_ms = T0 - (int64_t)i, /* a clock that steps back */
                               .text = TEXTS[i]};

        CHECK_OK(run_job(note_add_job, &job));
        CHECK(job.note.id == (int64_t)i + 1 && job.note.time == job.now_ms);
    }
    CHECK_OK(note_list(store.reader, &store.arena, 1, &notes, &err));
    CHECK(notes.count == 3);
    for (size_t i = 0; i < notes.count; i++)
        CHECK_STR(notes.items[i].text, TEXTS[i]);
    CHECK(finding_now(1).seq == last_change().seq);
    CHECK(finding_now(1).version == 1); /* a note takes no analyst's patch its version */
}

TEST(notes_of_a_finding_that_is_not_there)
{
    struct note_job job = {
        .arena = &store.arena, .finding_id = 5, .author = "user:ann", .now_ms = T0, .text = "x"};
    struct note_list notes;

    CHECK_ERR(ERR_NOT_FOUND, run_job(note_add_job, &job));
    CHECK_ERR(ERR_NOT_FOUND, note_list(store.reader, &store.arena, 5, &notes, &err));
    CHECK_HAS(err.text, "there is no finding 5");
}

TEST(there_are_only_so_many_notes)
{
    struct note_job job = {
        .arena = &store.arena, .finding_id = 1, .author = "user:ann", .now_ms = T0, .text = "x"};
    struct note_list notes;

    given_model("m1");
    (void)given_finding("i-1", "203.0.113.9");
    sql_run("BEGIN");
    for (int i = 0; i < NOTES_MAX; i++)
        CHECK_OK(note_add_job(store.db, &job, &err));
    sql_run("COMMIT");
    CHECK_ERR(ERR_CONFLICT, run_job(note_add_job, &job));
    CHECK_HAS(err.text, "as many as it may");
    CHECK_OK(note_list(store.reader, &store.arena, 1, &notes, &err));
    CHECK(notes.count == NOTES_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        STORE_TEST(a_patch_changes_what_it_names_and_tells_what_it_was),
        STORE_TEST(a_lost_race_changes_nothing),
        STORE_TEST(a_patch_that_changes_nothing_leaves_the_version),
        STORE_TEST(a_bulk_patch_takes_each_on_its_own),
        STORE_TEST(history_holds_everything_of_one_finding),
        STORE_TEST(a_long_history_keeps_its_newest),
        STORE_TEST(notes_are_kept_in_order_as_they_were_written),
        STORE_TEST(notes_of_a_finding_that_is_not_there),
        STORE_TEST(there_are_only_so_many_notes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
