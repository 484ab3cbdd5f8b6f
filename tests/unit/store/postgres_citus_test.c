/* What Citus asks of a table that it distributes, held against the schema as migrations leave it.
 * No Citus is at hand where tests run: its own documentation says what it refuses. */
#include "fixture.h"

enum { FILE_BYTES_MAX = 8192, NAME_BYTES = 64 };

struct distributed {
    char table[NAME_BYTES], column[NAME_BYTES];
};

/* create_distributed_table('TABLE', 'COLUMN', …) in deploy/postgres/citus.sql. */
static struct distributed as_deployed(void)
{
    static const char CALL[] = "create_distributed_table('";
    char text[FILE_BYTES_MAX];
    struct distributed ret;
    FILE *file = fopen("deploy/postgres/citus.sql", "re");
    const char *at;
    size_t length;

    assert_non_null(file);
    length = fread(text, 1, sizeof text - 1, file);
    CHECK(length > 0 && fclose(file) == 0);
    text[length] = '\0';
    at = strstr(text, CALL);
    assert_non_null(at);
    CHECK(sscanf(at + sizeof CALL - 1, "%63[a-z_]', '%63[a-z_]'", ret.table, ret.column) == 2);
    CHECK(strstr(at + 1, CALL) == NULL);
    return ret;
}

/* Each counts what Citus would refuse, of the table and its partitions: T, with the column C. */
static const struct {
    const char *what, *sql;
} REFUSED[] = {
    {"a unique index or an exclusion without the column",
     "SELECT COUNT(*) FROM pg_index i JOIN t ON t.oid = i.indrelid"
     " WHERE (i.indisunique OR i.indisexclusion)"
     "   AND NOT EXISTS (SELECT 1 FROM pg_attribute a WHERE a.attrelid = i.indrelid"
     "                      AND a.attname = (SELECT c FROM named) AND a.attnum = ANY (i.indkey))"},
    {"a foreign key, to or from it", "SELECT COUNT(*) FROM pg_constraint k"
                                     " WHERE k.contype = 'f' AND (k.conrelid IN (SELECT oid FROM "
                                     "t) OR k.confrelid IN (SELECT oid FROM t))"},
    {"a trigger",
     "SELECT COUNT(*) FROM pg_trigger g JOIN t ON t.oid = g.tgrelid WHERE NOT g.tgisinternal"},
    {"a column that may be null, or is computed",
     "SELECT COUNT(*) FROM pg_attribute a JOIN t ON t.oid = a.attrelid"
     " WHERE a.attname = (SELECT c FROM named) AND (NOT a.attnotnull OR a.attgenerated <> '')"},
    {"a column without a hash function",
     "SELECT COUNT(*) FROM pg_attribute a JOIN t ON t.oid = a.attrelid"
     " WHERE a.attname = (SELECT c FROM named)"
     "   AND NOT EXISTS (SELECT 1 FROM pg_opclass o JOIN pg_am m ON m.oid = o.opcmethod"
     "                    WHERE m.amname = 'hash' AND o.opcdefault AND o.opcintype = a.atttypid)"},
};

static int64_t refused(size_t what, const struct distributed *d)
{
    return sql_int(arena_printf(
        &store.arena,
        "WITH RECURSIVE named AS (SELECT CAST('%s' AS name) AS c),"
        " t AS (SELECT CAST('%s' AS regclass)::oid AS oid"
        "       UNION SELECT i.inhrelid FROM pg_inherits i JOIN t ON t.oid = i.inhparent) %s",
        d->column, d->table, REFUSED[what].sql));
}

TEST(the_table_that_is_distributed_is_one_that_citus_takes)
{
    struct distributed d = as_deployed();
    static struct scored_pair many[1000];

    given_model("m1");
    for (size_t i = 0; i < ARRAY_LEN(many); i++) {
        many[i] = usual("i-2", "10.1.2.3");
        many[i].first_ms = many[i].last_ms = clock_now_ms() / DAY_MS * DAY_MS;
    }
    (void)ingest(many, ARRAY_LEN(many)); /* partitions of days, as they are made in use */
    CHECK(sql_int("SELECT COUNT(*) FROM pg_inherits i"
                  " WHERE i.inhparent = 'observation_chunk'::regclass") == 3);
    for (size_t i = 0; i < ARRAY_LEN(REFUSED); i++)
        CHECK_CASE(REFUSED[i].what, refused(i, &d) == 0);
}

TEST(a_table_that_citus_refuses_is_recognised)
{
    struct distributed d = {"bad", "c"};

    sql_run("CREATE TABLE other (id BIGINT PRIMARY KEY);"
            "CREATE TABLE bad (id BIGINT PRIMARY KEY REFERENCES other (id), c point);"
            "CREATE FUNCTION pass() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';"
            "CREATE TRIGGER pass BEFORE INSERT ON bad FOR EACH ROW EXECUTE FUNCTION pass()");
    for (size_t i = 0; i < ARRAY_LEN(REFUSED); i++)
        CHECK_CASE(REFUSED[i].what, refused(i, &d) == 1);
}

/* Citus takes no row to another shard. */
TEST(no_statement_changes_the_column_by_which_rows_are_distributed)
{
    struct distributed d = as_deployed();
    char update[2 * NAME_BYTES];

    (void)snprintf(update, sizeof update, "UPDATE %s", d.table);
    for (int i = 0; i < SQL__MAX; i++) {
        const struct sql_statement *s = &SQL_STATEMENTS[i];

        CHECK_CASE(s->name, strstr(s->postgres != NULL ? s->postgres : s->text, update) == NULL);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        STORE_TEST(the_table_that_is_distributed_is_one_that_citus_takes),
        STORE_TEST(a_table_that_citus_refuses_is_recognised),
        STORE_TEST(no_statement_changes_the_column_by_which_rows_are_distributed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
