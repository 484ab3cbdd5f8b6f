/* A million rows that were damaged at random: none crashes the reader, and what it takes it would
 * take again. FUZZ_SEED in the environment begins elsewhere. */
#include "check.h"

#include <inttypes.h>
#include <stdlib.h>

#include "base/hash.h"
#include "base/own.h"
#include "command/pairs_csv.h"
#include "command/pairs_reader.h"

enum { ROWS_WANTED = 1000 * 1000, BODY_BYTES_MAX = 4096, CHANGES_MAX = 6 };

static const char *const SEEDS[] = {
    "e1,192.168.1.2\ne2,10.10.1.2\nhost-3,2001:db8::1\n\"a,\"\"b\",\"1.2.3.4\"\narn:aws:iam::1:r, "
    "8.8.8.8\r\n",
    "{\"instances\":[{\"data\":{\"features\":{\"values\":[\"e1\",\"192.168.1.2\"]}}},"
    "{\"features\":[\"e2\",\"10.10.1.2\"]},{\"features\":[\"\\u00e4\\\"\",\"::1\"]}]}",
    "{\"data\": {\"features\": {\"values\": [\"e1\", \"192.168.1.2\"]}}}\n"
    "{\"features\": [\"e2\", \"10.10.1.2\"]}\n{\"features\": [\"e3\", \"2001:db8::3\"]}\n",
};
static const char *const PIECES[] = {
    ",",   "\n", "\"",   "{", "}",  "[",    "]",    ":",   "\\",   "\\u0",  ".",       "%eth0",
    ":80", "0",  "\r\n", " ", "\t", "\xc3", "\xef", "/24", "null", "1e999", "::ffff:", "#"};

static size_t insert(char *body, size_t length, size_t at, const char *piece, size_t count)
{
    if (length + count > BODY_BYTES_MAX)
        return length;
    memmove(body + at + count, body + at, length - at);
    memcpy(body + at, piece, count);
    return length + count;
}

static size_t change(struct rng *rng, char *body, size_t length)
{
    size_t at = (size_t)rng_below(rng, length + 1), count = 1 + (size_t)rng_below(rng, 8);
    const char *piece = PIECES[rng_below(rng, ARRAY_LEN(PIECES))];
    char copy[8];

    count = count < length - at ? count : length - at;
    switch (rng_below(rng, 4)) {
    case 0:
        return insert(body, length, at, piece, strlen(piece));
    case 1: /* a byte of any value, NUL too */
        if (at < length)
            body[at] = (char)rng_below(rng, 256);
        return length;
    case 2:
        memmove(body + at, body + at + count, length - at - count);
        return length - count;
    default: /* something from here comes again elsewhere */
        memcpy(copy, body + at, count);
        return insert(body, length, (size_t)rng_below(rng, length + 1), copy, count);
    }
}

/* Quoted and in the one form that every address has, the row reads the same. */
static void check_taken(const struct pairs_row *row)
{
    AUTO(str_done) struct str line = {.bytes_max = 2 * PAIRS_ENTITY_BYTES_MAX + 100};
    struct pairs_row again;
    struct pairs_fault fault;
    char ip[IP_TEXT_BYTES];

    CHECK(strlen(row->entity) > 0 && strlen(row->entity) <= PAIRS_ENTITY_BYTES_MAX);
    str_add_char(&line, '"');
    for (const char *c = row->entity; *c != '\0'; c++)
        str_add(&line, *c == '"' ? "\"\"" : (char[]){*c, '\0'});
    (void)ip_format(ip, &row->ip);
    str_addf(&line, "\",%s", ip);
    CHECK_CASE(row->entity, pairs_csv_parse(line.text, PAIRS_COLUMNS_BARE, &again, &fault));
    CHECK_STR(again.entity, row->entity);
    CHECK(ip_equal(&again.ip, &row->ip));
}

/* Rows that were seen, good or bad. */
static uint64_t read_body(const char *body, size_t length, uint64_t *taken)
{
    struct pairs_tally tally = {.bad_percent_max = 100};
    struct pairs_options options = {.columns_max = PAIRS_COLUMNS_BARE, .tally = &tally};
    AUTO(pairs_reader_close) struct pairs_reader reader;
    struct pairs_row row;
    struct err err = {0};
    bool more = true;

    tally.bad = 1000; /* told on stderr already */
    pairs_reader_memory(&reader, body, length, &options);
    while (pairs_reader_next(&reader, &row, &more, &err) == ERR_NONE && more) {
        check_taken(&row);
        (*taken)++;
    }
    CHECK(!more || err.text[0] != '\0');
    return tally.rows;
}

TEST(damaged_rows_do_no_harm)
{
    const char *seed = getenv("FUZZ_SEED");
    uint64_t rows = 0, taken = 0, begin = 1;
    struct rng rng;

    CHECK(seed == NULL || str_to_u64(seed, &begin));
    rng_init(&rng, begin);
    while (rows < ROWS_WANTED) {
        const char *text = SEEDS[rng_below(&rng, ARRAY_LEN(SEEDS))];
        AUTO(own_freep) char *body = own_alloc(BODY_BYTES_MAX + 1);
        size_t length = strlen(text);
        uint64_t changes = rng_below(&rng, CHANGES_MAX + 1);

        memcpy(body, text, length);
        for (uint64_t i = 0; i < changes; i++)
            length = change(&rng, body, length);
        body = own_resize(body, length + 1, 1); /* so that a read past its end is seen */
        rows += 1 + read_body(body, length, &taken);
    }
    CHECK(taken > ROWS_WANTED / 10 && taken < rows);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(damaged_rows_do_no_harm)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
