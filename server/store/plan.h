#pragma once
/* How SQLite means to run each registered statement: nothing large may be searched from end to end.
 * Statements that may scan a table are listed with the reason. PostgreSQL plans by the sizes that
 * it finds, so in use there is nothing to hold against; that it has an index for every statement is
 * tested (postgres_plan_test).
 *
 * SQLite without statistics gives a statement the same plan in every database: so none are gathered
 * (no ANALYZE, no PRAGMA optimize), and what the tests assert is what runs. With those of a young
 * store the queue's list begins at another table and sorts. */
#include "base/err.h"
#include "gen/statements.h"
#include <stdbool.h>
#include <stddef.h>

struct db;

/* A step of a plan, as EXPLAIN QUERY PLAN words it. */
typedef void plan_visit(void *context, enum sql_id sql, const char *detail);
NODISCARD enum err_code plan_steps(struct db *db, enum sql_id sql, plan_visit *visit, void *context,
                                   struct err *err);

struct plan_result {
    size_t statements, scans; /* scans: all of them, allowed ones too */
    size_t faults;            /* scans that are not allowed; the first one's words: */
    char first[256];
};
/* *ret_known false on an engine whose plans are not held against anything. */
NODISCARD enum err_code plan_check(struct db *db, struct plan_result *ret, bool *ret_known,
                                   struct err *err);
