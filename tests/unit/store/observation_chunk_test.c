/* Where observations are kept: flagged ones and a few at a time as rows, many of a day packed. */
#include "fixture.h"

#include "store/observation_chunk.h"
#include "store/training.h"

enum { MANY = 1000 };
static struct scored_pair pairs[2 * CHUNK_STAGED_ROWS];

/* Pairs of 50 entities, all different; of one day unless a stride takes them further. */
static void given_pairs(int count, int salt, int64_t stride_ms)
{
    static char names[50][16];

    for (int i = 0; i < count; i++) {
        (void)snprintf(names[i % 50], sizeof names[0], "i-%d", i % 50);
        pairs[i] = usual(names[i % 50], "10.1.2.3");
        pairs[i].ip = ip_from_v4(0x0a000000u + (uint32_t)(i / 50 + salt * 1000));
        pairs[i].first_ms = T0 + i * stride_ms;
        pairs[i].last_ms = pairs[i].first_ms + 1;
        pairs[i].score = -i;
    }
}

static int64_t packed(void)
{
    return sql_int("SELECT COALESCE(CAST(SUM(rows) AS BIGINT), 0) FROM observation_chunk");
}

static int64_t chunks(void)
{
    return sql_int("SELECT COUNT(*) FROM observation_chunk");
}

static int64_t unpacked(void)
{
    return sql_int("SELECT COUNT(*) FROM observation");
}

TEST(many_of_a_day_are_packed_and_flagged_ones_are_rows)
{
    struct chunk chunk;

    given_model("m1");
    given_pairs(MANY, 0, 1);
    pairs[7].flagged = pairs[8].flagged = true;
    (void)ingest(pairs, MANY);
    CHECK(packed() == MANY - 2 && chunks() == 1 && unpacked() == 2);
    CHECK_OK(chunk_next(store.reader, &store.arena, 0, T0, T0 + 1, &chunk, &err));
    CHECK(chunk.count == MANY - 2);
    for (size_t i = 1; i < chunk.count; i++)
        CHECK(observation_compare(&chunk.rows[i - 1], &chunk.rows[i]) < 0);
    CHECK(chunk.rows[0].last_ms == chunk.rows[0].first_ms + 1 && chunk.rows[0].percentile == 40);
    CHECK(chunk.rows[0].object_id == FIELD_NULL_INT);
    CHECK_OK(chunk_next(store.reader, &store.arena, chunk.id, T0, T0 + 1, &chunk, &err));
    CHECK(chunk.id == 0);
    CHECK_OK(chunk_next(store.reader, &store.arena, 0, T0 + DAY_MS, TIME_MS_MAX, &chunk, &err));
    CHECK(chunk.id == 0);
}

TEST(a_few_of_many_days_stay_rows_until_enough_gathered)
{
    given_model("m1");
    given_pairs(CHUNK_STAGED_ROWS, 0, DAY_MS / 100);
    for (int i = 0; i < CHUNK_STAGED_ROWS; i += 200) {
        CHECK(packed() == 0 && unpacked() == i);
        (void)ingest(pairs + i, 200);
    }
    CHECK(packed() == CHUNK_STAGED_ROWS && unpacked() == 0);
    CHECK(chunks() == CHUNK_STAGED_ROWS / 100 + 1); /* T0 is in the middle of a day */
    (void)ingest(pairs, 200);
    CHECK(packed() == CHUNK_STAGED_ROWS && unpacked() == 200);
    for (int i = 200; i < CHUNK_STAGED_ROWS; i += 200)
        (void)ingest(pairs + i, 200);
    CHECK(packed() == 2 * CHUNK_STAGED_ROWS && unpacked() == 0);
}

TEST(days_are_dropped_whole)
{
    int64_t gone;
    AUTO(tx_done) struct tx tx = {0};

    given_model("m1");
    for (int i = 0; i < 4; i++) {
        given_pairs(MANY, i, 1);
        for (int n = 0; n < MANY; n++) {
            pairs[n].first_ms += i * (int64_t)DAY_MS;
            pairs[n].last_ms += i * (int64_t)DAY_MS;
        }
        (void)ingest(pairs, MANY);
    }
    CHECK(packed() == 4 * MANY);
    CHECK_OK(db_begin(store.db, &tx, &err));
    CHECK_OK(chunk_drop(store.db, T0 + 2 * (int64_t)DAY_MS, 100, &gone, &err));
    CHECK_OK(tx_commit(&tx, &err));
    CHECK(gone == 2 && packed() == 2 * MANY);
    CHECK(sql_int("SELECT MIN(day_ms) FROM observation_chunk") ==
          T0 - T0 % DAY_MS + 2 * (int64_t)DAY_MS);
}

struct sum {
    int64_t rows, events, held;
};

static enum err_code add(void *context, const struct training_row *row, UNUSED struct err *unused)
{
    struct sum *sum = context;

    CHECK_STR(row->spec, "vpc-egress");
    CHECK(row->entity[0] == 'i');
    sum->rows++;
    sum->events += (int64_t)row->count;
    sum->held += row->use != TRAINING_LEARN;
    return ERR_NONE;
}

TEST(training_reads_rows_and_packed_ones)
{
    struct sum sum = {0};

    given_model("m1");
    given_pairs(MANY, 0, 1);
    (void)ingest(pairs, MANY);
    pairs[0].flagged = true; /* the pair that was usual before is a finding now */
    (void)ingest(pairs, 1);
    CHECK_OK(training_observations(store.reader, T0, TIME_MS_MAX, add, &sum, &err));
    CHECK(sum.rows == MANY + 1 && sum.events == MANY + 1 && sum.held == 2);
    sum = (struct sum){0};
    CHECK_OK(training_observations(store.reader, T0 + 500, T0 + 600, add, &sum, &err));
    CHECK(sum.rows == 100 && sum.held == 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        STORE_TEST(many_of_a_day_are_packed_and_flagged_ones_are_rows),
        STORE_TEST(a_few_of_many_days_stay_rows_until_enough_gathered),
        STORE_TEST(days_are_dropped_whole),
        STORE_TEST(training_reads_rows_and_packed_ones),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
