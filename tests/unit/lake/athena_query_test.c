/* Pair specs as SQL of Athena, by what columns a table has. */
#include "check.h"

#include <string.h>

#include "base/arena.h"
#include "base/own.h"
#include "base/str.h"
#include "lake/athena_query.h"
#include "lake/flat.h"
#include "lake/spec_load.h"

enum { ARENA_BYTES = 1 << 20 };

static struct err err;
static struct arena arena;

static const struct athena_column FLOW[] = {
    {"class_uid", "int"},
    {"time", "bigint"},
    {"time_dt", "timestamp(3)"},
    {"src_endpoint",
     "struct<Instance_UID:string,port:int,loc:struct<lat:decimal(9,6),lon:double>,ip:string>"},
    {"dst_endpoint",
     "struct<ip:varchar(40),tags:map<string,string>,intermediate_ips:array<string>>"},
    {"cloud", "struct<account:struct<uid:string>,region:string>"},
    {"status_code", "string"},
    {"action_id", "smallint"},
    {"answers", "array<struct<type:string,rdata:string,flags:array<string>>>"},
    {"eventday", "string"},
};

static int enter(void **state)
{
    (void)state;
    err = (struct err){0};
    arena_init(&arena, ARENA_BYTES);
    return 0;
}

static int leave(void **state)
{
    (void)state;
    arena_done(&arena);
    return 0;
}

static enum err_code compose(const char *spec, const struct athena_column *columns, size_t count,
                             struct athena_span span, struct str *ret)
{
    const char *names[] = {spec, NULL};
    const struct athena_table table = {"db", "flows", columns, count};
    struct spec_set *set = ARENA_NEW(&arena, struct spec_set);

    spec_set_init(set, &arena);
    CHECK_OK(spec_load(set, NULL, &err));
    CHECK_OK(spec_choose(set, names, &err));
    str_init(ret, ATHENA_SQL_BYTES_MAX);
    return athena_query(set, &table, &span, "s3://b/p/", ret, &err);
}

static void only_what_the_table_has(void **state)
{
    AUTO(str_done) struct str sql = {0};

    (void)state;
    CHECK_OK(compose("vpc-egress", FLOW, ARRAY_LEN(FLOW), (struct athena_span){0, 0}, &sql));
    CHECK_STR(
        sql.text,
        "UNLOAD (SELECT \"class_uid\", \"src_endpoint__instance_uid\", \"dst_endpoint__ip\", "
        "\"cloud__account__uid\", \"cloud__region\", min(\"time\") AS \"time\", \"status_code\", "
        "\"action_id\", count(*) AS \"pairwatch_rows\" FROM (SELECT \"class_uid\" AS "
        "\"class_uid\", "
        "\"src_endpoint\".\"instance_uid\" AS \"src_endpoint__instance_uid\", "
        "\"dst_endpoint\".\"ip\" "
        "AS \"dst_endpoint__ip\", \"cloud\".\"account\".\"uid\" AS \"cloud__account__uid\", "
        "\"cloud\".\"region\" AS \"cloud__region\", \"time\" AS \"time\", \"time\" - \"time\" % "
        "3600000 "
        "AS \"pairwatch_hour_0\", \"status_code\" AS \"status_code\", \"action_id\" AS "
        "\"action_id\" FROM "
        "\"db\".\"flows\" WHERE \"class_uid\" IN (4001)) GROUP BY \"class_uid\", "
        "\"src_endpoint__instance_uid\", \"dst_endpoint__ip\", \"cloud__account__uid\", "
        "\"cloud__region\", \"pairwatch_hour_0\", \"status_code\", \"action_id\") TO 's3://b/p/' "
        "WITH "
        "(format = 'PARQUET', compression = 'SNAPPY')");
}

static void lists_are_taken_apart(void **state)
{
    AUTO(str_done) struct str sql = {0};

    (void)state;
    CHECK_OK(compose("dns-answer", FLOW, ARRAY_LEN(FLOW), (struct athena_span){0, 0}, &sql));
    CHECK(strstr(sql.text, "transform(\"answers\", x -> x.\"rdata\") AS \"answers__rdata\"") !=
          NULL);
    CHECK(strstr(sql.text, "transform(\"answers\", x -> x.\"type\") AS \"answers__type\"") != NULL);
    CHECK(strstr(strstr(sql.text, "GROUP BY"), "->") == NULL); /* which Athena cannot do */
}

/* 2023-11-14T22:13:20Z and the day after. */
static void spans_bound_every_key(void **state)
{
    AUTO(str_done) struct str sql = {0};

    (void)state;
    CHECK_OK(compose("vpc-egress", FLOW, ARRAY_LEN(FLOW),
                     (struct athena_span){INT64_C(1700000000000), INT64_C(1700006400000)}, &sql));
    CHECK(
        strstr(sql.text,
               "IN (4001) AND \"eventday\" >= '20231114' AND \"time_dt\" >= TIMESTAMP '2023-11-14 "
               "22:13:20.000' AND \"time\" >= 1700000000000 AND \"eventday\" < '20231115' AND "
               "\"time_dt\" < "
               "TIMESTAMP '2023-11-15 00:00:00.000' AND \"time\" < 1700006400000) GROUP BY") !=
        NULL);
}

static void a_timestamp_stands_in_for_the_time(void **state)
{
    struct athena_column columns[ARRAY_LEN(FLOW)];
    AUTO(str_done) struct str sql = {0};

    (void)state;
    (void)memcpy(columns, FLOW, sizeof columns);
    columns[1] = (struct athena_column){"times", "bigint"};
    CHECK_OK(compose("vpc-egress", columns, ARRAY_LEN(columns), (struct athena_span){0, 0}, &sql));
    CHECK(strstr(sql.text, "CAST(to_unixtime(\"time_dt\") * 1000 AS bigint) AS \"time_dt\"") !=
          NULL);
    CHECK(strstr(sql.text, "date_trunc('hour', \"time_dt\")") != NULL);
}

static void tables_that_will_not_do(void **state)
{
    static const struct {
        const struct athena_column columns[4];
        const char *sentence;
    } CASES[] = {
        {{{"id", "int"}}, "the table flows has no class_uid: it is none of OCSF events"},
        {{{"class_uid", "int"}}, "the table flows has no column for the entity of vpc-egress"},
        {{{"class_uid", "int"},
          {"src_endpoint", "struct<instance_uid:string>"},
          {"dst_endpoint", "struct<ip:struct<v4:string>>"}},
         "the table flows has no column for the address of vpc-egress"},
        {{{"class_uid", "int"},
          {"src_endpoint", "struct<instance_uid:string"},
          {"dst_endpoint", "string"}},
         "the table flows has no column for the entity of vpc-egress"},
        {{{"class_uid", "int"},
          {"src_endpoint", "struct<instance_uid:string>"},
          {"dst_endpoint", "struct<ip:string>"},
          {"x", ">,<:("}},
         "the table flows has no column for the time of vpc-egress"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(CASES); i++) {
        AUTO(str_done) struct str sql = {0};
        size_t count = 0;

        while (count < ARRAY_LEN(CASES[i].columns) && CASES[i].columns[count].name != NULL)
            count++;
        CHECK(compose("vpc-egress", CASES[i].columns, count, (struct athena_span){0, 0}, &sql) ==
              ERR_INVALID);
        CHECK_STR(err.text, CASES[i].sentence);
    }
}

static void names_of_flat_columns(void **state)
{
    char name[FLAT_NAME_BYTES], path[FLAT_NAME_BYTES + 8];

    (void)state;
    flat_name("answers[].rdata", name);
    CHECK_STR(name, "answers__rdata");
    (void)memset(path, 'a', sizeof path - 1);
    path[sizeof path - 1] = '\0';
    flat_name(path, name);
    CHECK_STR(name, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(only_what_the_table_has, enter, leave),
        cmocka_unit_test_setup_teardown(lists_are_taken_apart, enter, leave),
        cmocka_unit_test_setup_teardown(spans_bound_every_key, enter, leave),
        cmocka_unit_test_setup_teardown(a_timestamp_stands_in_for_the_time, enter, leave),
        cmocka_unit_test_setup_teardown(tables_that_will_not_do, enter, leave),
        cmocka_unit_test(names_of_flat_columns),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
