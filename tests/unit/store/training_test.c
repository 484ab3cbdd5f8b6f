/* What models may learn: everything that was observed, but for what triage speaks against. */
#include "fixture.h"

#include <string.h>

#include "store/observation_chunk.h"
#include "store/training.h"

struct seen {
    struct training_row rows[64];
    char entities[64][32];
    size_t count;
};

static enum err_code see(void *context, const struct training_row *row, UNUSED struct err *unused)
{
    struct seen *seen = context;

    CHECK(seen->count < ARRAY_LEN(seen->rows));
    (void)snprintf(seen->entities[seen->count], sizeof seen->entities[0], "%s", row->entity);
    seen->rows[seen->count] = *row;
    seen->rows[seen->count].entity = seen->entities[seen->count];
    seen->count++;
    return ERR_NONE;
}

static struct scored_pair pair_of(const char *entity, bool flagged)
{
    struct scored_pair pair = {.spec = "vpc-egress",
                               .entity = entity,
                               .first_ms = T0,
                               .last_ms = T0,
                               .count = 3,
                               .score = flagged ? 9 : -9,
                               .percentile = NAN,
                               .flagged = flagged,
                               .entity_known = true,
                               .account = "",
                               .region = ""};

    CHECK(ip_parse("203.0.113.9", &pair.ip));
    return pair;
}

static void ingest_pairs(const struct scored_pair *pairs, size_t count)
{
    struct ingest_batch batch = {
        .model_id = "m1", .origin = "worker", .pairs = pairs, .count = count};
    struct ingest_job job = {.batch = &batch};
    struct tx tx;

    CHECK_OK(db_begin(store.db, &tx, &err));
    CHECK_OK(ingest_job(store.db, &job, &err));
    CHECK_OK(tx_commit(&tx, &err));
}

static void ingest_pair(const char *entity, bool flagged)
{
    struct scored_pair pair = pair_of(entity, flagged);

    ingest_pairs(&pair, 1);
}

/* The verdict on findings first .. first + count - 1, in one request. */
static void judge(const char *actor, int64_t first, size_t count, const char *word, int64_t now_ms)
{
    struct finding_patch_item items[8] = {{0}};
    struct finding_patch_job job = {
        .arena = &store.arena, .actor = actor, .now_ms = now_ms, .items = items, .count = count};
    struct tx tx;

    for (size_t i = 0; i < count; i++) {
        struct finding finding;

        CHECK_OK(finding_get(store.reader, &store.arena, first + (int64_t)i, &finding, &err));
        items[i] = (struct finding_patch_item){
            .id = finding.id,
            .version = finding.version,
            .patch = {.has_verdict = true, .verdict = verdict_of(word)}};
    }
    CHECK_OK(db_begin(store.db, &tx, &err));
    CHECK_OK(finding_patch_job_run(store.db, &job, &err));
    CHECK_OK(tx_commit(&tx, &err));
}

static enum training_use use_of(const struct seen *seen, const char *entity)
{
    for (size_t i = 0; i < seen->count; i++)
        if (strcmp(seen->rows[i].entity, entity) == 0)
            return seen->rows[i].use;
    return TRAINING__MAX;
}

TEST(the_rule)
{
    static const struct {
        const char *verdict;
        int64_t source;
        enum training_use use;
    } CASES[] = {
        {"benign", VERDICT_BY_PERSON, TRAINING_LEARN},
        {"false_positive", VERDICT_BY_PERSON, TRAINING_LEARN},
        {"benign", VERDICT_BY_PLAYBOOK, TRAINING_HOLD},
        {"benign", VERDICT_IN_BULK, TRAINING_HOLD},
        {"benign", VERDICT_BY_RULE, TRAINING_HOLD},
        {"true_positive", VERDICT_BY_RULE, TRAINING_NEVER},
        {"suspicious", VERDICT_BY_PERSON, TRAINING_HOLD},
        {"insufficient_data", VERDICT_BY_PERSON, TRAINING_HOLD},
        {"true_positive", VERDICT_BY_PERSON, TRAINING_NEVER},
        {"true_positive", VERDICT_IN_BULK, TRAINING_NEVER},
        {"security_risk", VERDICT_BY_PLAYBOOK, TRAINING_NEVER},
    };

    for (size_t i = 0; i < ARRAY_LEN(CASES); i++)
        CHECK_CASE(CASES[i].verdict,
                   training_use_of(verdict_of(CASES[i].verdict), CASES[i].source) == CASES[i].use);
    CHECK(training_use_of(-1, -1) == TRAINING_HOLD);
}

TEST(observations_come_with_what_triage_says_of_their_pair)
{
    struct seen seen = {.count = 0};

    given_model("m1");
    ingest_pair("quiet", false);
    ingest_pair("open", true);
    ingest_pair("bad", true);
    ingest_pair("fine", true);
    ingest_pair("hasty", true);
    ingest_pair("hasty-2", true);
    ingest_pair("scripted", true);
    ingest_pair("bad", false); /* the model has grown used to it: still never */
    judge("user:ann", 2, 1, "true_positive", T0);
    judge("user:ann", 3, 1, "benign", T0);
    judge("user:ann", 4, 2, "benign", T0);
    judge("token:soar", 6, 1, "benign", T0);
    CHECK_OK(training_observations(store.reader, T0, T0 + 1, see, &seen, &err));
    CHECK(seen.count == 8 && seen.rows[0].count == 3 && seen.rows[0].first_ms == T0);
    CHECK_STR(seen.rows[0].spec != NULL ? seen.entities[0] : "", "quiet");
    CHECK(use_of(&seen, "quiet") == TRAINING_LEARN);
    CHECK(use_of(&seen, "open") == TRAINING_HOLD);
    CHECK(use_of(&seen, "bad") == TRAINING_NEVER);
    CHECK(seen.rows[7].use == TRAINING_NEVER);
    CHECK(use_of(&seen, "fine") == TRAINING_LEARN);
    CHECK(use_of(&seen, "hasty") == TRAINING_HOLD && use_of(&seen, "hasty-2") == TRAINING_HOLD);
    CHECK(use_of(&seen, "scripted") == TRAINING_HOLD);
    seen.count = 0;
    CHECK_OK(training_observations(store.reader, T0 + 1, T0 + 2, see, &seen, &err));
    CHECK(seen.count == 0);
    CHECK_OK(training_findings(store.reader, see, &seen, &err));
    CHECK(seen.count == 5 && use_of(&seen, "fine") == TRAINING__MAX);
}

/* What nobody answered is told apart: in rows, flagged or not, and in chunks. */
TEST(what_nobody_answered_is_told)
{
    enum { MANY = 2 * CHUNK_BATCH_ROWS_MIN };
    struct scored_pair *pairs = own_array(MANY, sizeof *pairs);
    struct seen seen = {.count = 0};
    size_t unanswered = 0;

    given_model("m1");
    for (size_t i = 0; i < MANY; i++) {
        pairs[i] = pair_of("many", false);
        pairs[i].ip = ip_from_v4((uint32_t)i + 1);
        pairs[i].unanswered = i % 3 == 0;
        pairs[i].first_ms = i % 16 == 0 ? T0 : T0 - 1000; /* the others are not asked for */
    }
    ingest_pairs(pairs, MANY); /* become a chunk */
    for (size_t i = 0; i < 4; i++) {
        pairs[0] = pair_of(i < 2 ? "few" : "flagged", i >= 2);
        pairs[0].unanswered = i % 2 == 0;
        ingest_pairs(pairs, 1);
    }
    CHECK_OK(training_observations(store.reader, T0, T0 + 1, see, &seen, &err));
    CHECK(seen.count == 4 + MANY / 16);
    for (size_t i = 0; i < seen.count; i++) {
        uint32_t n = ip_v4(&seen.rows[i].ip) - 1;

        if (strcmp(seen.rows[i].entity, "many") == 0)
            CHECK(seen.rows[i].unanswered == (n % 3 == 0));
        unanswered += seen.rows[i].unanswered;
    }
    CHECK(unanswered == 1 + (MANY / 16 + 2) / 3); /* of findings triage speaks */
    own_freep(&pairs);
}

TEST(many_verdicts_a_minute_are_in_bulk)
{
    struct finding finding;
    char name[16];

    given_model("m1");
    for (int i = 0; i < VERDICT_BULK_COUNT + 2; i++) {
        (void)snprintf(name, sizeof name, "i-%d", i);
        ingest_pair(name, true);
    }
    for (int i = 0; i < VERDICT_BULK_COUNT; i++)
        judge("user:ann", i + 1, 1, "benign", T0 + i);
    for (int i = 0; i < 500; i++) /* the worker goes on meanwhile */
        ingest_pair("i-0", true);
    judge("user:ann", VERDICT_BULK_COUNT + 1, 1, "benign", T0 + VERDICT_BULK_COUNT);
    CHECK_OK(finding_get(store.reader, &store.arena, VERDICT_BULK_COUNT, &finding, &err));
    CHECK(finding.verdict_source == VERDICT_BY_PERSON);
    CHECK_OK(finding_get(store.reader, &store.arena, VERDICT_BULK_COUNT + 1, &finding, &err));
    CHECK(finding.verdict_source == VERDICT_IN_BULK);
    judge("rule:scanners", 1, 2, "benign", T0 + VERDICT_BULK_COUNT + 1);
    CHECK_OK(finding_get(store.reader, &store.arena, 1, &finding, &err));
    CHECK(finding.verdict_source == VERDICT_BY_RULE);
    judge("token:soar", 2, 2, "benign", T0 + VERDICT_BULK_COUNT + 1);
    CHECK_OK(finding_get(store.reader, &store.arena, 2, &finding, &err));
    CHECK(finding.verdict_source == VERDICT_BY_PLAYBOOK);
    /* A minute later; changes are told by the clock. */
    judge("user:ann", VERDICT_BULK_COUNT + 2, 1, "benign", clock_now_ms() + VERDICT_BULK_MS + 1000);
    CHECK_OK(finding_get(store.reader, &store.arena, VERDICT_BULK_COUNT + 2, &finding, &err));
    CHECK(finding.verdict_source == VERDICT_BY_PERSON);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        STORE_TEST(the_rule),
        STORE_TEST(observations_come_with_what_triage_says_of_their_pair),
        STORE_TEST(what_nobody_answered_is_told),
        STORE_TEST(many_verdicts_a_minute_are_in_bulk),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
