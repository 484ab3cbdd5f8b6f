/* bare_insert FILE ROWS: how long SQLite takes for the columns of an observation and nothing else:
 * one prepared statement, no index, ten thousand rows a transaction. Prints rows a second, and
 * a second of processor time. */
#include <sqlite3.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/str.h"

enum { TRANSACTION_ROWS = 10000, IP_BYTES = 16 };
#define T0 INT64_C(1767225600000)

static const char SETUP[] =
    "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA wal_autocheckpoint = 4000;"
    "CREATE TABLE o (id INTEGER PRIMARY KEY, entity_id INTEGER, ip BLOB, spec_id INTEGER,"
    " model_id INTEGER, object_id INTEGER, first_ms INTEGER, last_ms INTEGER, count INTEGER,"
    " score REAL, percentile REAL, finding_id INTEGER)";
static const char INSERT[] = "INSERT INTO o (entity_id, ip, spec_id, model_id, object_id, first_ms,"
                             " last_ms, count, score, percentile, finding_id)"
                             " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";

static void check(sqlite3 *db, int result)
{
    if (result == SQLITE_OK || result == SQLITE_DONE)
        return;
    (void)fprintf(stderr, "bare_insert: %s\n", sqlite3_errmsg(db));
    exit(1);
}

static void insert(sqlite3 *db, sqlite3_stmt *statement, int64_t i)
{
    uint8_t ip[IP_BYTES] = {[10] = 0xff, [11] = 0xff, [12] = 10};
    uint64_t mixed = (uint64_t)i * UINT64_C(0x9e3779b97f4a7c15);

    ip[13] = (uint8_t)(mixed >> 40);
    ip[14] = (uint8_t)(mixed >> 48);
    ip[15] = (uint8_t)(mixed >> 56);
    check(db, sqlite3_bind_int64(statement, 1, (int64_t)(mixed >> 20) % 5000 + 1));
    check(db, sqlite3_bind_blob(statement, 2, ip, sizeof ip, SQLITE_TRANSIENT));
    check(db, sqlite3_bind_int64(statement, 3, 1));
    check(db, sqlite3_bind_int64(statement, 4, 1));
    check(db, sqlite3_bind_int64(statement, 5, i / TRANSACTION_ROWS));
    check(db, sqlite3_bind_int64(statement, 6, T0 + i));
    check(db, sqlite3_bind_int64(statement, 7, T0 + i + 1000));
    check(db, sqlite3_bind_int64(statement, 8, 3));
    check(db, sqlite3_bind_double(statement, 9, -3.25 - (double)(mixed >> 44)));
    check(db, sqlite3_bind_double(statement, 10, (double)(mixed >> 44) / 10000));
    check(db, sqlite3_step(statement));
    check(db, sqlite3_reset(statement));
}

static double seconds(clockid_t clock)
{
    struct timespec now;

    (void)clock_gettime(clock, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

int main(int argc, char **argv)
{
    int64_t rows = 0;
    sqlite3_stmt *statement = NULL;
    sqlite3 *db = NULL;
    double began, used;

    if (argc != 3 || !str_to_i64(argv[2], &rows) || rows <= 0) {
        (void)fprintf(stderr, "usage: bare_insert FILE ROWS\n");
        return 2;
    }
    check(db, sqlite3_open(argv[1], &db));
    check(db, sqlite3_exec(db, SETUP, NULL, NULL, NULL));
    check(db, sqlite3_prepare_v2(db, INSERT, -1, &statement, NULL));
    began = seconds(CLOCK_MONOTONIC);
    used = seconds(CLOCK_PROCESS_CPUTIME_ID);
    for (int64_t i = 0; i < rows; i++) {
        if (i % TRANSACTION_ROWS == 0)
            check(db, sqlite3_exec(db, i == 0 ? "BEGIN" : "COMMIT; BEGIN", NULL, NULL, NULL));
        insert(db, statement, i);
    }
    check(db, sqlite3_exec(db, "COMMIT", NULL, NULL, NULL));
    (void)printf("%.0f %.0f\n", (double)rows / (seconds(CLOCK_MONOTONIC) - began),
                 (double)rows / (seconds(CLOCK_PROCESS_CPUTIME_ID) - used));
    check(db, sqlite3_finalize(statement));
    check(db, sqlite3_close(db));
    return 0;
}
