/* Lists: filters, order, pages that hold every finding once. */
#include "fixture.h"

enum { FINDINGS = 24, SEEN_MAX = 100 };

static struct finding_filter filter_of(enum finding_sort sort, size_t limit)
{
    return (struct finding_filter){.min_score = NAN,
                                   .min_percentile = NAN,
                                   .since_ms = FIELD_NULL_INT,
                                   .until_ms = FIELD_NULL_INT,
                                   .sort = sort,
                                   .limit = limit};
}

static struct finding_page listed(const struct finding_filter *filter)
{
    struct finding_page page;

    CHECK_OK(finding_list(store.reader, &store.arena, filter, &page, &err));
    return page;
}

/* i-00 … : two share each time, three each score and percentile; every eighth has no percentile,
 * as an outside detector's. */
static void given_findings(int count)
{
    char entity[32], ip[32];

    given_model("m1");
    for (int i = 0; i < count; i++) {
        struct scored_pair pair;

        (void)snprintf(entity, sizeof entity, "i-%02d", i);
        (void)snprintf(ip, sizeof ip, "198.51.%d.7", i);
        pair = flagged(entity, ip);
        pair.first_ms = pair.last_ms = T0 + i / 2 * INT64_C(1000);
        pair.score = 5 + i / 3;
        pair.percentile = i % 8 == 7 ? NAN : 99 + (i / 3) * 0.01;
        (void)ingest(&pair, 1);
    }
}

/* By rank, as the list sorts: a finding without a percentile comes after all that have one. */
static bool in_order(const struct finding *a, const struct finding *b, enum finding_sort sort)
{
    double rank_a = isnan(a->percentile) ? -1 : fmin(floor(a->percentile), 95);
    double rank_b = isnan(b->percentile) ? -1 : fmin(floor(b->percentile), 95);

    if (sort == FINDING_BY_TIME)
        return a->last_seen != b->last_seen ? a->last_seen > b->last_seen : a->id > b->id;
    if (rank_a != rank_b)
        return rank_a > rank_b;
    return a->score != b->score ? a->score > b->score : a->id > b->id;
}

static void go_on_after(struct finding_filter *filter, const struct finding *last)
{
    filter->after = true;
    filter->after_id = last->id;
    filter->after_time_ms = last->last_seen;
    filter->after_percentile = last->percentile;
    filter->after_score = last->score;
}

/* Walks every page; between two of them new findings come in when arriving is set. */
static int walk(enum finding_sort sort, bool arriving)
{
    struct finding_filter filter = filter_of(sort, 5);
    bool seen[SEEN_MAX] = {false};
    struct finding last = {0};
    int old = 0, total = 0, arrived = 0;
    char entity[32];

    for (;;) {
        struct finding_page page = listed(&filter);

        for (size_t i = 0; i < page.count; i++) {
            CHECK(page.items[i].id < SEEN_MAX && !seen[page.items[i].id]);
            CHECK(total == 0 || in_order(&last, &page.items[i], sort));
            seen[page.items[i].id] = true;
            old += page.items[i].id <= FINDINGS;
            last = page.items[i];
            total++;
        }
        if (!page.more)
            return old;
        CHECK(page.count == 5);
        go_on_after(&filter, &last);
        (void)snprintf(entity, sizeof entity, "new-%d-%d", sort, arrived++);
        if (arriving)
            (void)given_finding(entity, "203.0.113.1");
    }
}

TEST(pages_hold_every_finding_once_in_order)
{
    given_findings(FINDINGS);
    CHECK(walk(FINDING_BY_TIME, false) == FINDINGS);
    CHECK(walk(FINDING_BY_SCORE, false) == FINDINGS);
}

TEST(pages_hold_every_finding_once_while_new_ones_arrive)
{
    given_findings(FINDINGS);
    CHECK(walk(FINDING_BY_TIME, true) == FINDINGS);
    CHECK(walk(FINDING_BY_SCORE, true) == FINDINGS);
}

/* How many the pages of one hold, each in order after the one before. */
static size_t walk_one(struct finding_filter filter)
{
    struct finding last = {0};
    struct finding_page page;
    size_t total = 0;

    do {
        page = listed(&filter);
        for (size_t i = 0; i < page.count; i++, total++) {
            CHECK(total == 0 || in_order(&last, &page.items[i], filter.sort));
            CHECK(page.items[i].id != last.id);
            last = page.items[i];
        }
        go_on_after(&filter, &last);
    } while (page.more);
    return total;
}

TEST(pages_of_one_entity_and_of_one_address_are_in_order_too)
{
    enum { OTHERS = 9 };
    char text[IP_TEXT_BYTES];

    given_findings(OTHERS);
    for (int i = 0; i < FINDINGS; i++) {
        struct scored_pair pairs[2];

        (void)snprintf(text, sizeof text, "203.0.113.%d", i);
        pairs[0] = flagged("i-busy", text);
        (void)snprintf(text, sizeof text, "i-of-%d", i);
        pairs[1] = flagged(text, "192.0.2.1");
        for (int n = 0; n < 2; n++) {
            pairs[n].first_ms = pairs[n].last_ms = T0 + i / 2 * INT64_C(1000);
            pairs[n].score = 5 + (i * 7 % FINDINGS) / 3;
        }
        (void)ingest(pairs, 2);
    }
    for (enum finding_sort sort = FINDING_BY_TIME; sort <= FINDING_BY_SCORE; sort++) {
        struct finding_filter filter = filter_of(sort, 5);

        CHECK(walk_one(filter) == OTHERS + 2 * FINDINGS);
        filter.entity = "i-busy";
        CHECK(walk_one(filter) == FINDINGS);
        filter.entity = NULL;
        filter.has_ip = true;
        filter.ip_low = filter.ip_high = ip_of("192.0.2.1");
        CHECK(walk_one(filter) == FINDINGS);
        filter.entity = "i-of-3";
        CHECK(walk_one(filter) == 1);
    }
}

TEST(a_page_says_whether_there_is_more)
{
    struct finding_filter filter = filter_of(FINDING_BY_TIME, 4);

    given_findings(4);
    CHECK(listed(&filter).count == 4 && !listed(&filter).more);
    filter.limit = 3;
    CHECK(listed(&filter).count == 3 && listed(&filter).more);
    filter.statuses = 1U << FINDING_RESOLVED;
    CHECK(listed(&filter).count == 0 && !listed(&filter).more);
}

/* The filter finds so many under either order. */
static void check_found(const char *name, struct finding_filter filter, size_t wanted)
{
    filter.sort = FINDING_BY_TIME;
    CHECK_CASE(name, listed(&filter).count == wanted);
    filter.sort = FINDING_BY_SCORE;
    CHECK_CASE(name, listed(&filter).count == wanted);
}

TEST(texts_are_filters)
{
    const struct finding_filter all = filter_of(FINDING_BY_SCORE, 100);
    const struct {
        const char *name;
        struct finding_filter filter;
        size_t wanted;
    } cases[] = {
        {"all", all, FINDINGS},
        {"spec", {.spec = "vpc-egress"}, FINDINGS},
        {"other spec", {.spec = "dns-answer"}, 0},
        {"entity", {.entity = "i-03"}, 1},
        {"entity is whole", {.entity = "i-0"}, 0},
        {"entity is exact", {.entity = "I-03"}, 0},
        {"prefix", {.entity_prefix = "i-0"}, 10},
        {"prefix is exact", {.entity_prefix = "I-0"}, 0},
        {"no pattern", {.entity_prefix = "i_0"}, 0},
        {"q in entity, any case", {.q = "I-1"}, 10},
        {"q in address", {.q = "51.7.7"}, 1},
        {"q in account", {.q = "1111222"}, FINDINGS},
        {"q is no pattern", {.q = "%"}, 0},
        {"q is no pattern either", {.q = "i_1"}, 0},
        {"q with the escape", {.q = "\\"}, 0},
    };

    given_findings(FINDINGS);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct finding_filter filter = all;

        filter.spec = cases[i].filter.spec;
        filter.entity = cases[i].filter.entity;
        filter.entity_prefix = cases[i].filter.entity_prefix;
        filter.q = cases[i].filter.q;
        check_found(cases[i].name, filter, cases[i].wanted);
    }
}

TEST(numbers_and_times_are_filters)
{
    struct finding_filter filter;

    given_findings(FINDINGS); /* scores 5 to 12, at T0 to T0 + 11 s, two each */
    filter = filter_of(FINDING_BY_TIME, 100);
    filter.min_score = 11;
    check_found("score", filter, 6);
    filter = filter_of(FINDING_BY_TIME, 100);
    filter.min_percentile = 0;
    check_found("a percentile at all", filter, FINDINGS - 3);
    filter.min_percentile = 99.06;
    check_found("percentile", filter, 5);
    filter = filter_of(FINDING_BY_TIME, 100);
    filter.since_ms = T0 + 5000;
    check_found("since", filter, 14);
    filter.until_ms = T0 + 7000;
    check_found("since and until", filter, 4);
    filter.since_ms = FIELD_NULL_INT;
    check_found("until", filter, 14);
    filter.until_ms = T0;
    check_found("nothing before", filter, 0);
}

/* Pages of a period go on within it. */
TEST(pages_of_a_period_stay_in_it)
{
    struct finding_filter filter = filter_of(FINDING_BY_TIME, 3);
    struct finding_page page;
    size_t count = 0;

    given_findings(FINDINGS);
    filter.since_ms = T0 + 2000;
    filter.until_ms = T0 + 6000;
    do {
        page = listed(&filter);
        for (size_t i = 0; i < page.count; i++)
            CHECK(page.items[i].last_seen >= T0 + 2000 && page.items[i].last_seen < T0 + 6000);
        count += page.count;
        go_on_after(&filter, &page.items[page.count - 1]);
    } while (page.more);
    CHECK(count == 8);
}

TEST(networks_are_filters)
{
    static const struct {
        const char *cidr;
        size_t wanted;
    } CASES[] = {
        {"198.51.4.0/22", 4}, {"198.51.7.7/32", 1}, {"198.51.0.0/16", 12}, {"0.0.0.0/0", 12},
        {"10.0.0.0/8", 0},    {"2001:db8::/32", 2}, {"2001:db8::/128", 0}, {"2001:db8::1", 1},
        {"::/0", 14},         {"2001:db9::/32", 0},
    };

    given_findings(12);
    (void)given_finding("six", "2001:db8::1");
    (void)given_finding("six", "2001:db8:ffff::2");
    for (size_t i = 0; i < ARRAY_LEN(CASES); i++) {
        struct finding_filter filter = filter_of(FINDING_BY_TIME, 100);
        struct cidr cidr;

        CHECK_CASE(CASES[i].cidr, cidr_parse(CASES[i].cidr, &cidr));
        filter.has_ip = true;
        filter.ip_low = cidr.low;
        filter.ip_high = cidr.high;
        check_found(CASES[i].cidr, filter, CASES[i].wanted);
    }
}

static void set_state(int64_t id, enum finding_status status, int64_t verdict, const char *assignee,
                      const char *tags)
{
    struct finding_patch_item item = {
        .id = id,
        .version = finding_now(id).version,
        .patch = {.has_status = true,
                  .status = status,
                  .has_verdict = true,
                  .verdict = verdict,
                  .has_assignee = true,
                  .assignee = assignee,
                  .has_tags = true,
                  .tags = tags},
    };
    struct finding_patch_job job = {
        .arena = &store.arena, .actor = "user:ann", .now_ms = T0, .items = &item, .count = 1};

    CHECK_OK(run_job(finding_patch_job_run, &job));
}

TEST(triage_state_is_a_filter)
{
    struct finding_filter filter;

    given_findings(6);
    set_state(1, FINDING_RESOLVED, verdict_of("benign"), "ann", "[\"scanner\",\"vpn\"]");
    set_state(2, FINDING_RESOLVED, verdict_of("true_positive"), "bob", "[\"vpn2\"]");
    set_state(3, FINDING_IN_PROGRESS, -1, "ann", "[]");
    filter = filter_of(FINDING_BY_TIME, 100);
    filter.statuses = 1U << FINDING_RESOLVED;
    check_found("one status", filter, 2);
    filter.statuses |= 1U << FINDING_IN_PROGRESS;
    check_found("two", filter, 3);
    filter.verdicts = 1U << verdict_of("benign");
    check_found("and a verdict", filter, 1);
    filter.verdict_none = true;
    check_found("or none", filter, 2);
    filter = filter_of(FINDING_BY_TIME, 100);
    filter.verdict_none = true;
    check_found("no verdict", filter, 4);
    filter.verdict_none = false;
    filter.verdicts = 1U << verdict_of("true_positive") | 1U << verdict_of("benign");
    check_found("two verdicts", filter, 2);
    filter = filter_of(FINDING_BY_TIME, 100);
    filter.assignee = "ann";
    check_found("assignee", filter, 2);
    filter.assignee_none = true;
    check_found("nobody", filter, 3);
    filter = filter_of(FINDING_BY_TIME, 100);
    filter.tag = "vpn";
    check_found("a whole tag", filter, 1);
    filter.tag = "%";
    check_found("a tag is no pattern", filter, 0);
    filter.tag = NULL;
    filter.q = "vpn";
    check_found("q in tags", filter, 2);
}

TEST(counts_are_by_status)
{
    struct finding_counts counts;

    given_findings(5);
    triage(1, FINDING_RESOLVED, verdict_of("benign"));
    triage(2, FINDING_SUPPRESSED, -1);
    triage(3, FINDING_IN_PROGRESS, -1);
    CHECK_OK(finding_count(store.reader, &counts, &err));
    CHECK(counts.by_status[FINDING_NEW] == 2 && counts.by_status[FINDING_IN_PROGRESS] == 1);
    CHECK(counts.by_status[FINDING_SUPPRESSED] == 1 && counts.by_status[FINDING_RESOLVED] == 1);
}

TEST(why_tells_threshold_detector_and_explanation)
{
    struct finding_why why;

    given_model("m1");
    (void)given_finding("i-1", "203.0.113.9");
    CHECK_OK(finding_why(store.reader, &store.arena, 1, &why, &err));
    CHECK(why.threshold == 5.0);
    CHECK_STR(why.detector, "prefix");
    CHECK_STR(why.explanation, "{\"usual\":[]}");
    CHECK_ERR(ERR_NOT_FOUND, finding_why(store.reader, &store.arena, 2, &why, &err));
}

TEST(a_finding_that_is_not_there_is_named)
{
    struct finding finding;

    CHECK_ERR(ERR_NOT_FOUND, finding_get(store.reader, &store.arena, 41, &finding, &err));
    CHECK_HAS(err.text, "there is no finding 41");
    CHECK_ERR(ERR_NOT_FOUND, finding_check(store.reader, 41, &err));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        STORE_TEST(pages_hold_every_finding_once_in_order),
        STORE_TEST(pages_hold_every_finding_once_while_new_ones_arrive),
        STORE_TEST(pages_of_one_entity_and_of_one_address_are_in_order_too),
        STORE_TEST(a_page_says_whether_there_is_more),
        STORE_TEST(texts_are_filters),
        STORE_TEST(numbers_and_times_are_filters),
        STORE_TEST(pages_of_a_period_stay_in_it),
        STORE_TEST(networks_are_filters),
        STORE_TEST(triage_state_is_a_filter),
        STORE_TEST(counts_are_by_status),
        STORE_TEST(why_tells_threshold_detector_and_explanation),
        STORE_TEST(a_finding_that_is_not_there_is_named),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
