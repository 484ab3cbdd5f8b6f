/* The feed: gap-free, in order of commits, and chained so that an altered row shows. */
#include "fixture.h"

#include "base/json.h"
#include "base/str.h"

static int64_t add(enum change_kind kind, int64_t finding, const char *body)
{
    int64_t seq = 0;

    CHECK_OK(change_add(store.db, kind, "test", finding, body, &seq, &err));
    return seq;
}

static void given_changes(int count)
{
    for (int i = 0; i < count; i++)
        CHECK(add(CHANGE_USER_UPDATED, FIELD_NULL_INT, "{\"name\":\"ann\"}") == i + 1);
}

TEST(the_feed_goes_on_after_a_seq)
{
    struct change_list list;
    int64_t last = -1;

    CHECK_OK(change_last_seq(store.reader, &last, &err));
    CHECK(last == 0);
    CHECK_OK(change_verify(store.reader, &err));
    given_changes(7);
    CHECK_OK(change_last_seq(store.reader, &last, &err));
    CHECK(last == 7);
    CHECK_OK(change_list(store.reader, &store.arena, 0, 3, &list, &err));
    CHECK(list.count == 3 && list.items[0].seq == 1 && list.items[2].seq == 3);
    CHECK_OK(change_list(store.reader, &store.arena, 3, 100, &list, &err));
    CHECK(list.count == 4 && list.items[0].seq == 4 && list.items[3].seq == 7);
    CHECK(list.items[0].finding == FIELD_NULL_INT);
    CHECK_OK(change_list(store.reader, &store.arena, 7, 100, &list, &err));
    CHECK(list.count == 0);
}

TEST(what_is_rolled_back_leaves_no_gap)
{
    given_changes(2);
    {
        AUTO(tx_done) struct tx tx = {0};

        CHECK_OK(db_begin(store.db, &tx, &err));
        CHECK(add(CHANGE_USER_UPDATED, FIELD_NULL_INT, "{}") == 3);
        CHECK_OK(db_savepoint(store.db, &err));
        CHECK(add(CHANGE_USER_UPDATED, FIELD_NULL_INT, "{}") == 4);
        CHECK_OK(db_savepoint_end(store.db, false, &err));
        CHECK(add(CHANGE_USER_UPDATED, FIELD_NULL_INT, "{}") == 4);
    }
    CHECK(add(CHANGE_USER_UPDATED, FIELD_NULL_INT, "{}") == 3);
    CHECK(sql_int("SELECT COUNT(*) FROM change") == 3);
    CHECK_OK(change_verify(store.reader, &err));
}

TEST(a_reader_never_sees_a_later_change_before_an_earlier_one)
{
    AUTO(tx_done) struct tx tx = {0};
    struct change_list list;

    CHECK_OK(db_begin(store.db, &tx, &err));
    given_changes(3);
    CHECK_OK(change_list(store.reader, &store.arena, 0, 10, &list, &err));
    CHECK(list.count == 0);
    CHECK_OK(tx_commit(&tx, &err));
    CHECK_OK(change_list(store.reader, &store.arena, 0, 10, &list, &err));
    CHECK(list.count == 3);
}

TEST(any_altered_row_shows)
{
    static const struct {
        const char *alter, *said;
    } CASES[] = {
        {"UPDATE change SET actor = 'mallory' WHERE seq = 3", "change 3 "},
        {"UPDATE change SET time_ms = time_ms + 1 WHERE seq = 2", "change 2 "},
        {"UPDATE change SET kind = kind + 1 WHERE seq = 4", "change 4 "},
        {"UPDATE change SET body = '{\"name\":\"bob\"}' WHERE seq = 1", "change 1 "},
        {"UPDATE change SET finding_id = 1 WHERE seq = 5", "change 5 "},
        {"UPDATE change SET hash = x'00' WHERE seq = 5", "change 5 "},
        {"UPDATE change SET hash = zeroblob(32) WHERE seq = 2", "change 2 "},
        {"DELETE FROM change WHERE seq = 3", "lacks seq 3"},
        {"DELETE FROM change WHERE seq = 1", "lacks seq 1"},
        /* The actor's end moved into the body: the same bytes in another field. */
        {"UPDATE change SET actor = 'tes', body = 't' || body WHERE seq = 2", "change 2 "},
        {"UPDATE change SET body = replace(hex(zeroblob(1500000)), '0', 'x') WHERE seq = 2",
         "change 2 "},
        {"UPDATE change SET actor = replace(hex(zeroblob(1500000)), '0', 'x') WHERE seq = 2",
         "change 2 "},
        {"UPDATE change SET hash = zeroblob(3000000) WHERE seq = 2", "change 2 "},
    };

    given_changes(5);
    CHECK_OK(change_verify(store.db, &err));
    for (size_t i = 0; i < ARRAY_LEN(CASES); i++) {
        AUTO(tx_done) struct tx tx = {0};

        CHECK_OK(db_begin(store.db, &tx, &err));
        sql_run(CASES[i].alter);
        CHECK_CASE(CASES[i].alter, change_verify(store.db, &err) == ERR_CORRUPT);
        CHECK_CASE(CASES[i].alter, strstr(err.text, CASES[i].said) != NULL);
    }
    CHECK_OK(change_verify(store.db, &err));
}

/* The formula is a format: verifiers outside of this program may rely on it. */
TEST(the_first_hash_is_what_it_always_was)
{
    clock_set_for_test(T0);
    (void)add(CHANGE_NOTE_ADDED, 7, "{\"note\":1}");
    CHECK(sql_int("SELECT hex(hash) = '"
                  "FC1CF56BD47E8B4B76BED727AD88EC80957E83538E0C2607051C8C99DC496520"
                  "' FROM change") == 1);
}

TEST(a_change_is_written_as_json)
{
    AUTO(str_done) struct str text = {0};
    struct json_writer json;
    struct change_list list;

    clock_set_for_test(T0);
    (void)add(CHANGE_NOTE_ADDED, 7, "{\"note\":1}");
    CHECK_OK(change_list(store.reader, &store.arena, 0, 1, &list, &err));
    str_init(&text, 1000);
    json_writer_init(&json, &text);
    json_row(&json, NULL, CHANGE_FIELDS, &list.items[0]);
    CHECK_STR(text.text, "{\"seq\":1,\"time\":\"2026-01-02T03:04:05.000Z\",\"kind\":\"note_added\","
                         "\"actor\":\"test\",\"finding\":7,\"body\":{\"note\":1}}");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        STORE_TEST(the_feed_goes_on_after_a_seq),
        STORE_TEST(what_is_rolled_back_leaves_no_gap),
        STORE_TEST(a_reader_never_sees_a_later_change_before_an_earlier_one),
        STORE_TEST(any_altered_row_shows),
        STORE_TEST(the_first_hash_is_what_it_always_was),
        STORE_TEST(a_change_is_written_as_json),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
