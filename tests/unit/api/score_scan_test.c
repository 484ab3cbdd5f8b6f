/* api/score_scan: whatever it takes, the reader of trees takes as the same row. */
#include "api/score_scan.h"

#include <math.h>
#include <string.h>

#include "base/arena.h"
#include "base/hash.h"
#include "base/json.h"
#include "check.h"

enum { LINE_BYTES = 512, ROUNDS = 60000 };

static struct arena arena;
static struct score_scan_order order; /* of the lines before, whatever they were */
static const struct score_body BODY = {.spec = "batch-spec", .threshold = NAN};

static bool scan(const char *line, struct score_row *ret)
{
    return score_scan(line, strlen(line), &BODY, &order, &arena, ret);
}

/* By the tree; false when it has a fault. */
static bool read_by_tree(const char *line, struct score_row *ret)
{
    AUTO(json_doc_freep) struct json_doc *doc = NULL;
    struct score_body body = BODY;
    struct json_faults faults;
    struct err err = {0};

    json_faults_init(&faults, &arena);
    if (json_parse(line, strlen(line), &doc, &err) != ERR_NONE)
        return false;
    score_row_read(json_root(doc), &body, &arena, "/0", &faults, ret);
    return faults.total == 0;
}

static bool same_real(double a, double b)
{
    return memcmp(&a, &b, sizeof a) == 0 || (isnan(a) && isnan(b));
}

static bool same(const struct score_row *a, const struct score_row *b)
{
    return strcmp(a->entity, b->entity) == 0 && strcmp(a->spec, b->spec) == 0 &&
           strcmp(a->account, b->account) == 0 && strcmp(a->region, b->region) == 0 &&
           ip_equal(&a->ip, &b->ip) && a->time_ms == b->time_ms && a->last_ms == b->last_ms &&
           a->count == b->count && same_real(a->score, b->score) &&
           same_real(a->dot_product, b->dot_product) && same_real(a->percentile, b->percentile) &&
           a->entity_known == b->entity_known && a->known_bits == b->known_bits;
}

static const char *const USUAL[] = {
    "{\"entity\":\"i-1\",\"ip\":\"10.1.2.3\",\"time\":\"2026-11-24T08:00:00Z\",\"score\":-3.25}",
    "{ \"time\" : \"2026-11-24T08:00:00.125+01:00\", \"ip\":\"2001:db8::1\",\"dot_product\":-0,"
    " \"entity\":\"arn:aws:iam::1:role/x\", \"last_time\":\"2026-11-24T09:00:00Z\" } ",
    "{\"entity\":\"i-1\",\"ip\":\"10.1.2.3\",\"time\":\"2026-11-24T08:00:00Z\",\"score\":0.1,"
    "\"percentile\":99.9,\"count\":1000000000000,\"spec\":\"vpc-egress\",\"account\":\"1\","
    "\"region\":\"eu-west-1\",\"entity_known\":false,\"known_bits\":-1}",
    "{\"entity\":\"i-1\",\"ip\":\"10.1.2.3\",\"time\":\"2026-11-24T08:00:00Z\","
    "\"score\":123456789.012345}",
};

TEST(usual_lines_are_taken)
{
    for (size_t i = 0; i < ARRAY_LEN(USUAL); i++) {
        struct score_row fast, slow;

        CHECK_CASE(USUAL[i], scan(USUAL[i], &fast) && read_by_tree(USUAL[i], &slow));
        CHECK_CASE(USUAL[i], same(&fast, &slow));
    }
}

TEST(anything_else_is_left_to_the_tree)
{
#define START "{\"entity\":\"i\",\"ip\":\"10.1.2.3\",\"time\":\"2026-11-24T08:00:00Z\""
    static const char *const LINES[] = {
        "",
        "{}",
        "[]",
        "null",
        START "}",
        START ",\"score\":1",
        START ",\"score\":1}}",
        START ",\"score\":1},",
        START ",\"score\":1,}",
        START ",\"score\":01}",
        START ",\"score\":+1}",
        START ",\"score\":.5}",
        START ",\"score\":1.}",
        START ",\"score\":1e5}",
        START ",\"score\":\"1\"}",
        START ",\"score\":null}",
        START ",\"score\":1,\"dot_product\":1}",
        START ",\"score\":1,\"score\":1}",
        START ",\"score\":1,\"other\":1}",
        START ",\"score\":1,\"count\":0}",
        START ",\"score\":1,\"count\":1.5}",
        START ",\"score\":1,\"percentile\":100.5}",
        START ",\"score\":1,\"spec\":\"no spec\"}",
        START ",\"score\":1,\"account\":\"\"}",
        START ",\"score\":1,\"entity_known\":tru}",
        START ",\"score\":1,\"last_time\":\"2026-11-24T07:59:59Z\"}",
        START ",\"score\":1,\"region\":\"caf\xc3\xa9\"}",
        START ",\"score\":1,\"region\":\"a\\n\"}",
        START ",\"score\":1234567890.1234567}",
        "{\"object\":{}}",
    };

    for (size_t i = 0; i < ARRAY_LEN(LINES); i++) {
        struct score_row row;

        CHECK_CASE(LINES[i], !scan(LINES[i], &row));
    }
}

/* A few bytes of a usual line exchanged, left out or put in twice. */
static void mutate(struct rng *rng, char line[static LINE_BYTES])
{
    static const char BYTES[] = "{}[]:,\"\\ \t0123456789.-+eEtruefalsn\x01\x7f\xc3/";
    int changes = 1 + (int)rng_below(rng, 3);

    (void)snprintf(line, LINE_BYTES, "%s", USUAL[rng_below(rng, ARRAY_LEN(USUAL))]);
    while (changes-- > 0) {
        size_t length = strlen(line), at = rng_below(rng, length);

        switch (rng_below(rng, 3)) {
        case 0:
            line[at] = BYTES[rng_below(rng, sizeof BYTES - 1)];
            break;
        case 1:
            (void)memmove(line + at, line + at + 1, length - at);
            break;
        default:
            if (length + 2 < LINE_BYTES)
                (void)memmove(line + at + 1, line + at, length - at + 1);
        }
    }
}

TEST(what_is_taken_is_what_the_tree_reads)
{
    struct rng rng;
    int taken = 0, left = 0;

    rng_init(&rng, 1);
    for (int i = 0; i < ROUNDS; i++) {
        char line[LINE_BYTES];
        struct score_row fast, slow;

        mutate(&rng, line);
        if (scan(line, &fast)) {
            CHECK_CASE(line, read_by_tree(line, &slow) && same(&fast, &slow));
            taken++;
        } else {
            left++;
        }
        arena_reset(&arena);
    }
    CHECK(taken > ROUNDS / 20 && left > ROUNDS / 20);
}

/* Numbers of every length, against strtod. */
TEST(numbers_are_rounded_once)
{
    struct rng rng;

    rng_init(&rng, 2);
    for (int i = 0; i < ROUNDS; i++) {
        char line[LINE_BYTES];
        struct score_row fast, slow;
        int decimals = (int)rng_below(&rng, 13);

        (void)snprintf(line, sizeof line, START ",\"score\":%.*f}", decimals,
                       rng_normal(&rng) * 99);
        if (scan(line, &fast))
            CHECK_CASE(line, read_by_tree(line, &slow) && same(&fast, &slow));
        arena_reset(&arena);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(usual_lines_are_taken),
        cmocka_unit_test(anything_else_is_left_to_the_tree),
        cmocka_unit_test(what_is_taken_is_what_the_tree_reads),
        cmocka_unit_test(numbers_are_rounded_once),
    };

    arena_init(&arena, 64 << 20);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
