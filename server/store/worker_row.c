#include "store/worker_row.h"

#include "base/arena.h"
#include "base/clock.h"
#include "store/db.h"
#include "store/notice.h"

const struct field WORKER_FIELDS[] = {
    FIELD(struct worker_row, uid, FIELD_TEXT, .flags = 0),
    FIELD(struct worker_row, host, FIELD_TEXT, .flags = 0),
    FIELD(struct worker_row, queue, FIELD_TEXT, .flags = 0),
    FIELD(struct worker_row, version, FIELD_TEXT, .flags = 0),
    FIELD(struct worker_row, started, FIELD_TIME, .flags = 0),
    FIELD(struct worker_row, seen, FIELD_TIME, .flags = 0),
    FIELD(struct worker_row, in_flight, FIELD_INT, .flags = 0),
    FIELD_END,
};

enum err_code worker_list(struct db *db, struct arena *arena, int64_t since_ms,
                          struct worker_list *ret, struct err *err)
{
    AUTO(query_done) struct query q = {0};

    *ret = (struct worker_list){.items = ARENA_ARRAY(arena, struct worker_row, WORKER_ROWS_MAX)};
    TRY(db_query(db, SQL_WORKER_LIST, PARAMS(P_INT(since_ms), P_INT(WORKER_ROWS_MAX)), &q, err));
    while (ret->count < WORKER_ROWS_MAX &&
           query_next(&q, WORKER_FIELDS, arena, &ret->items[ret->count]))
        ret->count++;
    return query_end(&q, err);
}

enum err_code worker_pulse_job_run(struct db *db, void *job_, struct err *err)
{
    const struct worker_pulse_job *job = job_;
    const struct worker_row *row = &job->row;

    TRY(db_exec(db, SQL_WORKER_PUT,
                PARAMS(P_TEXT(row->uid), P_TEXT(row->host), P_TEXT(row->queue),
                       P_TEXT(row->version), P_INT(row->started), P_INT(row->seen),
                       P_INT(row->in_flight)),
                NULL, err));
    for (size_t i = 0; i < job->counter_count; i++)
        TRY(db_exec(db, SQL_COUNTER_ADD,
                    PARAMS(P_TEXT(job->counters[i].name), P_INT((int64_t)job->counters[i].value)),
                    NULL, err));
    return notice_renew(db, row->uid, row->seen + NOTICE_LEASE_MS, err);
}

enum err_code worker_gone_job_run(struct db *db, void *uid, struct err *err)
{
    int64_t forget_ms = clock_now_ms() - WORKER_FORGET_MS;

    return db_exec(db, SQL_WORKER_FORGET, PARAMS(P_INT(forget_ms), P_TEXT(uid)), NULL, err);
}
