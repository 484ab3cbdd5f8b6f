/* Rows in every form, in whole and in pieces: what is taken, what is refused and where. */
#include "check.h"

#include <inttypes.h>

#include "base/own.h"
#include "command/pairs_csv.h"
#include "command/pairs_reader.h"

static const struct pairs_options BARE = {.columns_max = PAIRS_COLUMNS_BARE};

static enum err_code read_all(struct pairs_reader *reader, struct str *ret, struct err *err)
{
    struct pairs_row row;
    bool more = true;

    for (;;) {
        char ip[IP_TEXT_BYTES];

        TRY(pairs_reader_next(reader, &row, &more, err));
        if (!more)
            return ERR_NONE;
        (void)ip_format(ip, &row.ip);
        str_addf(ret, "%s=%s;", row.entity, ip);
    }
}

static enum err_code read_memory(const char *bytes, size_t length,
                                 const struct pairs_options *options, struct str *ret,
                                 struct err *err)
{
    AUTO(pairs_reader_close) struct pairs_reader reader;

    pairs_reader_memory(&reader, bytes, length, options);
    return read_all(&reader, ret, err);
}

/* Through a pipe, `step` bytes at a time, as standard input. */
static enum err_code read_piped(const char *bytes, size_t length, size_t step,
                                const struct pairs_options *options, struct str *ret,
                                struct err *err)
{
    AUTO(pairs_reader_close) struct pairs_reader reader;
    int ends[2], before = dup(STDIN_FILENO), status = 0;
    enum err_code code;
    pid_t child;

    CHECK(pipe(ends) == 0);
    child = fork();
    if (child == 0) {
        (void)close(ends[0]);
        for (size_t at = 0; at < length; at += step)
            if (write(ends[1], bytes + at, step < length - at ? step : length - at) < 0)
                _exit(1);
        _exit(0);
    }
    (void)close(ends[1]);
    (void)dup2(ends[0], STDIN_FILENO);
    (void)close(ends[0]);
    CHECK(pairs_reader_open(&reader, NULL, options, err) == ERR_NONE);
    code = read_all(&reader, ret, err);
    (void)dup2(before, STDIN_FILENO);
    (void)close(before);
    CHECK(waitpid(child, &status, 0) == child);
    return code;
}

TEST(every_documented_form_is_taken)
{
    static const char *const FORMS[] = {
        "e1,192.168.1.2\ne2,10.10.1.2\n",
        "e1, 192.168.1.2\r\n\r\ne2,\t10.10.1.2",
        "\xef\xbb\xbf\"e1\",\"192.168.1.2\"\n\"e2\", 10.10.1.2\n",
        "{\"instances\":[{\"data\":{\"features\":{\"values\":[\"e1\",\"192.168.1.2\"]}}},"
        "{\"features\":[\"e2\",\"10.10.1.2\"]}]}",
        "\n{ \"instances\" : [ {\"features\": {\"values\": [\"e1\", \"192.168.1.2\"]}} ,\n"
        " {\"data\": {\"features\": [\"\\u00652\", \"10.10.1.2\"]}} ]\n}\n",
        "{\"time\":\"2026-01-01T00:00:00.000Z\",\"spec\":\"s\",\"entity\":\"e1\",\"ip\":\"192.168."
        "1.2\"}\n"
        "{\"ip\":\"10.10.1.2\",\"entity\":\"e2\",\"count\":3}\n",
        "{\"data\": {\"features\": {\"values\": [\"e1\", \"192.168.1.2\"]}}}\n"
        "{\"features\": [\"e2\", \"10.10.1.2\"]}\n",
    };

    for (size_t i = 0; i < ARRAY_LEN(FORMS); i++)
        for (size_t step = 0; step < 9; step += 4) {
            AUTO(str_done) struct str rows = {.bytes_max = 1000};
            struct err err = {0};

            CHECK_OK(step == 0 ? read_memory(FORMS[i], strlen(FORMS[i]), &BARE, &rows, &err)
                               : read_piped(FORMS[i], strlen(FORMS[i]), step, &BARE, &rows, &err));
            CHECK_STR(rows.text, "e1=192.168.1.2;e2=10.10.1.2;");
        }
}

TEST(bad_lines_are_told_with_row_and_column)
{
    static const struct {
        const char *line, *place, *what;
    } CASES[] = {
        {"3769,\"37.244.105.230, 165.225.16.83\"", "row 2, column 6: ", "list of addresses"},
        {"a,37.244.105.230, 165.225.16.83", "row 2, column 19: ", "more than two fields"},
        {"a,1.2.3.4,1700000000", "row 2, column 11: ", "more than two fields"},
        {"a", "row 2, column 1: ", "an entity and an IP address are needed"},
        {"a,", "row 2, column 3: ", "is empty"},
        {",1.2.3.4", "row 2, column 1: ", "the entity is empty"},
        {"a,1.2.3.4:443", "row 2, column 3: ", "port"},
        {"a,[2001:db8::1]:443", "row 2, column 3: ", "port"},
        {"a,fe80::1%eth0", "row 2, column 3: ", "zone"},
        {"a,012.0.0.1", "row 2, column 3: ", "ambiguous"},
        {"a,1.2.3.4 ", "row 2, column 3: ", "blank"},
        {" a,1.2.3.4", "row 2, column 1: ", "blank"},
        {"a,\"1.2.3.4 \"", "row 2, column 3: ", "blank in the IP address"},
        {"a\"b,1.2.3.4", "row 2, column 2: ", "quote"},
        {"\"a,1.2.3.4", "row 2, column 1: ", "does not end"},
        {"\"a\"b,1.2.3.4", "row 2, column 1: ", "does not end"},
        {"a,1.2.3", "row 2, column 3: ", "not an IP address"},
        {"a,1.2.3.4/24", "row 2, column 3: ", "not an IP address"},
        {"a\x01,1.2.3.4", "row 2, column 1: ", "control characters"},
        {"\xc3(,1.2.3.4", "row 2, column 1: ", "UTF-8"},
    };

    for (size_t i = 0; i < ARRAY_LEN(CASES); i++) {
        AUTO(str_done) struct str rows = {.bytes_max = 1000};
        AUTO(str_done) struct str text = {.bytes_max = 1000};
        struct err err = {0};

        str_addf(&text, "first,192.0.2.1\n%s\n", CASES[i].line);
        CHECK_ERR(ERR_INVALID, read_memory(text.text, text.length, &BARE, &rows, &err));
        CHECK_CASE(CASES[i].line, strncmp(err.text, CASES[i].place, strlen(CASES[i].place)) == 0);
        CHECK_HAS(err.text, CASES[i].what);
    }
}

TEST(bad_json_is_told)
{
    static const struct {
        const char *text, *what;
    } CASES[] = {
        {"{\"instances\":[{\"features\":[\"a\"]}]}", "row 1: an instance must be"},
        {"{\"entity\":\"a\",\"address\":\"1.2.3.4\"}", "an instance must be"},
        {"{\"entity\":7,\"ip\":\"1.2.3.4\"}", "the entity must be a text"},
        {"{\"entity\":\"a\",\"ip\":\"1.2.3\"}", "this is not an IP address"},
        {"{\"instances\":[{\"features\":[\"a\",\"1.2.3.4\",\"x\"]}]}",
         "row 1: an instance must be"},
        {"{\"instances\":[{\"features\":[\"a\",\"1.2.3.4\"]},{\"features\":[7,\"1.2.3.4\"]}]}",
         "row 2: the entity must be a text"},
        {"{\"instances\":[{\"features\":[\"a\",16909060]}]}",
         "row 1: the IP address must be a text"},
        {"{\"instances\":[{\"features\":[\"a\",\"1.2.3.4\"],\"x\":1}]}", "row 1: an instance must"},
        {"{\"instances\":[\"a,1.2.3.4\"]}", "row 1: an instance must be a JSON object"},
        {"{\"instances\":[{\"features\":[\"a\",\"1.2.3.4\"]}",
         "row 1: neither a comma nor ] follows"},
        {"{\"instances\":[{\"features\":[\"a\",\"1.2.3.4\"]}]",
         "row 1: the JSON must be {\"instances\":[…]}: } is missing"},
        {"{\"instances\":[{\"features\":[\"a\",\"1.2.3.4\"]}]} x", "something follows"},
        {"{\"instances\":[{\"features\":[\"a\",\"1.2.3.4\"]},]}", "an instance must be"},
        {"{\"instances\":[{\"features\":[\"a\",\"1.2.3", "ends within"},
        {"{\"instances\":7}", "[ is missing"},
        {"{\"features\":[\"a\",\"1.2.3.4\"]},", "row 1, column 1: not JSON"},
        {"{\"features\":[\"a\",\"1.2.3.4\"]}]}", "row 1, column 1: not JSON"},
        {"[{\"features\":[\"a\",\"1.2.3.4\"]}]", "row 1, column 1: an instance must be"},
    };

    for (size_t i = 0; i < ARRAY_LEN(CASES); i++) {
        AUTO(str_done) struct str rows = {.bytes_max = 1000};
        struct err err = {0};

        CHECK_ERR(ERR_INVALID,
                  read_memory(CASES[i].text, strlen(CASES[i].text), &BARE, &rows, &err));
        CHECK_HAS(err.text, CASES[i].what);
    }
}

TEST(nul_and_length_are_bounded)
{
    static const char NUL[] = "a,1.2.3.4\nb\0c,1.2.3.4\n";
    AUTO(str_done) struct str rows = {.bytes_max = 1000};
    AUTO(str_done) struct str text = {.bytes_max = 2 << 20};
    struct err err = {0};

    CHECK_ERR(ERR_INVALID, read_memory(NUL, sizeof NUL - 1, &BARE, &rows, &err));
    CHECK_STR(err.text, "row 2, column 2: there is a NUL byte");
    for (int i = 0; i < 1 << 20; i++)
        str_add_char(&text, 'x');
    str_add(&text, ",1.2.3.4\n");
    CHECK_ERR(ERR_INVALID, read_memory(text.text, text.length, &BARE, &rows, &err));
    CHECK_HAS(err.text, "row 1, column 1: the row is longer than 65536 bytes");
    CHECK_ERR(ERR_INVALID, read_memory(text.text + (1 << 20) - 2049, 2049 + 9, &BARE, &rows, &err));
    CHECK_HAS(err.text, "the entity is longer than 2048 bytes");
    CHECK_OK(read_memory(text.text + (1 << 20) - 2048, 2048 + 9, &BARE, &rows, &err));
}

TEST(bad_rows_are_passed_over_up_to_a_share)
{
    static const char TEXT[] = "a,1.2.3.4\nb,1.2.3\nc,1.2.3.4,5\nd,5.6.7.8\ne,01.2.3.4\n";
    AUTO(str_done) struct str rows = {.bytes_max = 1000};
    struct pairs_tally tally;
    struct pairs_options options = BARE;
    struct err err = {0};

    options.tally = &tally;
    CHECK_OK(pairs_tally_init(&tally, "60%", &err));
    CHECK_OK(read_memory(TEXT, sizeof TEXT - 1, &options, &rows, &err));
    CHECK_STR(rows.text, "a=1.2.3.4;d=5.6.7.8;");
    CHECK(tally.rows == 5 && tally.bad == 3 && tally.by_reason[PAIRS_ADDRESS] == 1 &&
          tally.by_reason[PAIRS_COLUMNS] == 1 && tally.by_reason[PAIRS_LEADING_ZERO] == 1);
    CHECK_OK(pairs_tally_check(&tally, &err));
    tally.bad_percent_max = 59.9;
    CHECK_ERR(ERR_INVALID, pairs_tally_check(&tally, &err));
    CHECK_STR(err.text, "3 of 5 rows are bad, more than --max-bad 59.9%: columns 1, address 1, "
                        "leading_zero 1");
    CHECK_OK(pairs_tally_init(&tally, "0", &err));
    CHECK_ERR(ERR_INVALID, read_memory(TEXT, sizeof TEXT - 1, &options, &rows, &err));
    CHECK_HAS(err.text, "row 2, column 3");
}

TEST(shares_are_read_strictly)
{
    static const char *const BAD[] = {"", "%", "x%", "-1%", "101", "5%%", " 5", "nan"};
    struct pairs_tally tally;
    struct err err = {0};

    for (size_t i = 0; i < ARRAY_LEN(BAD); i++)
        CHECK_ERR(ERR_USAGE, pairs_tally_init(&tally, BAD[i], &err));
    CHECK_OK(pairs_tally_init(&tally, "0.5%", &err));
    CHECK(tally.bad_percent_max == 0.5);
}

TEST(a_file_has_line_and_column_in_json_too)
{
    static const char TEXT[] = "{\"instances\":[\n {\"features\":[\"a\",\"1.2.3.4\"]},\n"
                               "  {\"features\":[\"a\",\"1.2.3.400\"]}]}\n";
    AUTO(str_done) struct str rows = {.bytes_max = 1000};
    struct err err = {0};

    CHECK_ERR(ERR_INVALID, read_piped(TEXT, sizeof TEXT - 1, 7, &BARE, &rows, &err));
    CHECK_STR(err.text, "stdin:3:3: this is not an IP address");
}

TEST(training_rows_have_time_and_label_and_a_header)
{
    static const char TEXT[] = "entity,IP,time,label\na,1.2.3.4,1700000000,1\nb,1.2.3.4,,\n";
    const struct pairs_options options = {
        .format = PAIRS_CSV, .columns_max = PAIRS_COLUMNS_ALL, .header = true};
    AUTO(pairs_reader_close) struct pairs_reader reader;
    struct pairs_row row;
    struct err err = {0};
    bool more;

    pairs_reader_memory(&reader, TEXT, sizeof TEXT - 1, &options);
    CHECK_OK(pairs_reader_next(&reader, &row, &more, &err));
    CHECK(more && row.time_ms == INT64_C(1700000000000) && row.label == 1);
    CHECK_OK(pairs_reader_next(&reader, &row, &more, &err));
    CHECK(more && row.time_ms == 0 && row.label == 0);
    CHECK_OK(pairs_reader_next(&reader, &row, &more, &err));
    CHECK(!more);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_documented_form_is_taken),
        cmocka_unit_test(bad_lines_are_told_with_row_and_column),
        cmocka_unit_test(bad_json_is_told),
        cmocka_unit_test(nul_and_length_are_bounded),
        cmocka_unit_test(bad_rows_are_passed_over_up_to_a_share),
        cmocka_unit_test(shares_are_read_strictly),
        cmocka_unit_test(a_file_has_line_and_column_in_json_too),
        cmocka_unit_test(training_rows_have_time_and_label_and_a_header),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
