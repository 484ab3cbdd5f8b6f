/* api/triage: what a patch says, and where its faults are. */
#include "api/triage.h"

#include <string.h>

#include "base/arena.h"
#include "base/json.h"
#include "check.h"
#include "store/finding.h"

enum { ARENA_BYTES = 1 << 20 };

struct fixture {
    struct arena arena;
    struct json_doc *doc;
    struct json_faults faults;
    struct finding_patch patch;
};

static void fixture_open(struct fixture *f)
{
    *f = (struct fixture){.doc = NULL};
    arena_init(&f->arena, ARENA_BYTES);
}

static void fixture_done(struct fixture *f)
{
    json_doc_freep(&f->doc);
    arena_done(&f->arena);
}

static void read_patch(struct fixture *f, const char *text)
{
    struct err err = {0};

    json_doc_freep(&f->doc);
    json_faults_init(&f->faults, &f->arena);
    CHECK_OK(json_parse(text, strlen(text), &f->doc, &err));
    triage_read(json_root(f->doc), &f->arena, "/p", &f->faults, &f->patch);
}

TEST(members_that_are_there_are_told_from_those_that_are_not)
{
    AUTO(fixture_done) struct fixture f;

    fixture_open(&f);
    read_patch(&f, "{\"verdict\":null,\"assignee\":null}");
    CHECK(f.faults.total == 0);
    CHECK(!f.patch.has_status && f.patch.has_verdict && f.patch.has_assignee && !f.patch.has_tags);
    CHECK(f.patch.verdict == -1 && f.patch.assignee == NULL);
    read_patch(&f, "{\"status\":\"resolved\",\"verdict\":\"managed_externally\","
                   "\"assignee\":\"ana\",\"tags\":[]}");
    CHECK(f.faults.total == 0);
    CHECK(f.patch.has_status && f.patch.status == FINDING_RESOLVED);
    CHECK_STR(FINDING_VERDICT_WORDS[f.patch.verdict], "managed_externally");
    CHECK_STR(f.patch.assignee, "ana");
    CHECK_STR(f.patch.tags, "[]");
}

TEST(tags_come_out_sorted)
{
    AUTO(fixture_done) struct fixture f;

    fixture_open(&f);
    read_patch(&f, "{\"tags\":[\"b\",\"a:1\",\"a\"]}");
    CHECK(f.faults.total == 0);
    CHECK_STR(f.patch.tags, "[\"a\",\"a:1\",\"b\"]");
}

TEST(faults_point_to_their_place)
{
    static const struct {
        const char *text, *pointer;
    } CASES[] = {
        {"{}", "/p"},
        {"[]", "/p"},
        {"{\"status\":null}", "/p/status"},
        {"{\"status\":\"none\"}", "/p/status"},
        {"{\"verdict\":\"\"}", "/p/verdict"},
        {"{\"assignee\":\"A\"}", "/p/assignee"},
        {"{\"tags\":null}", "/p/tags"},
        {"{\"tags\":{}}", "/p/tags"},
        {"{\"tags\":[\"a\",\"b\",\"a\"]}", "/p/tags/2"},
        {"{\"tags\":[\"a\",7]}", "/p/tags/1"},
        {"{\"tag\":[]}", "/p/tag"},
    };
    AUTO(fixture_done) struct fixture f;

    fixture_open(&f);
    for (size_t i = 0; i < ARRAY_LEN(CASES); i++) {
        read_patch(&f, CASES[i].text);
        CHECK_CASE(CASES[i].text, f.faults.total == 1);
        CHECK_CASE(CASES[i].text, strcmp(f.faults.items[0].pointer, CASES[i].pointer) == 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(members_that_are_there_are_told_from_those_that_are_not),
        cmocka_unit_test(tags_come_out_sorted),
        cmocka_unit_test(faults_point_to_their_place),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
