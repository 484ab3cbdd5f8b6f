#include "store/training.h"

#include <string.h>

#include "base/arena.h"
#include "base/field.h"
#include "store/db.h"
#include "store/finding.h"
#include "store/training_chunks.h"

const char *const TRAINING_USE_WORDS[] = {"learned", "held_back", "never", NULL};

/* Rows are read page by page, so that no read transaction stays open while a model is made. */
enum { TRAINING_PAGE_ROWS = 4096, TRAINING_ARENA_BYTES = 64 * 1024 * 1024 };

struct page_row {
    int64_t id;
    const char *spec, *entity;
    struct ip ip;
    int64_t first_ms, count, unanswered, finding, verdict, source;
};
static const struct field PAGE_FIELDS[] = {
    FIELD(struct page_row, id, FIELD_INT, .flags = 0),
    FIELD(struct page_row, spec, FIELD_TEXT, .flags = 0),
    FIELD(struct page_row, entity, FIELD_TEXT, .flags = 0),
    FIELD(struct page_row, ip, FIELD_IP, .flags = 0),
    FIELD(struct page_row, first_ms, FIELD_INT, .flags = 0),
    FIELD(struct page_row, count, FIELD_INT, .flags = 0),
    FIELD(struct page_row, unanswered, FIELD_INT, .flags = 0),
    FIELD(struct page_row, finding, FIELD_INT, .flags = FIELD_NULLABLE),
    FIELD(struct page_row, verdict, FIELD_ENUM, .flags = FIELD_NULLABLE,
          .words = FINDING_VERDICT_WORDS),
    FIELD(struct page_row, source, FIELD_ENUM, .flags = FIELD_NULLABLE,
          .words = FINDING_VERDICT_SOURCE_WORDS),
    FIELD_END,
};

static bool is_one_of(int64_t verdict, const char *const *words)
{
    for (; verdict >= 0 && *words != NULL; words++)
        if (strcmp(FINDING_VERDICT_WORDS[verdict], *words) == 0)
            return true;
    return false;
}

enum training_use training_use_of(int64_t verdict, int64_t source)
{
    static const char *const BAD[] = {"true_positive", "security_risk", NULL};
    static const char *const FINE[] = {
        "false_positive", "benign", "disregard", "test", "duplicate", "managed_externally", NULL};

    if (is_one_of(verdict, BAD))
        return TRAINING_NEVER;
    if (is_one_of(verdict, FINE) && source == VERDICT_BY_PERSON)
        return TRAINING_LEARN;
    return TRAINING_HOLD;
}

/* A person's word that a finding is fine outweighs that nobody answered. */
static struct training_row row_of(const struct page_row *row)
{
    return (struct training_row){
        .spec = row->spec,
        .entity = row->entity,
        .ip = row->ip,
        .first_ms = row->first_ms,
        .count = (uint64_t)row->count,
        .unanswered = row->unanswered != 0 && row->finding == FIELD_NULL_INT,
        .use = row->finding == FIELD_NULL_INT ? TRAINING_LEARN
                                              : training_use_of(row->verdict, row->source),
    };
}

/* Visits one page; *last is the id of its last row, *ret_rows how many it had. */
static enum err_code visit_page(struct query *q, struct arena *arena, bool all,
                                training_visit *visit, void *context, int64_t *last,
                                size_t *ret_rows, struct err *err)
{
    struct page_row row;

    for (*ret_rows = 0; query_next(q, PAGE_FIELDS, arena, &row); ++*ret_rows) {
        struct training_row made = row_of(&row);

        *last = row.id;
        if (all || made.use != TRAINING_LEARN)
            TRY(visit(context, &made, err));
        arena_reset(arena);
    }
    return query_end(q, err);
}

static enum err_code visit_rows(struct db *db, int64_t since_ms, int64_t until_ms,
                                training_visit *visit, void *context, struct err *err)
{
    AUTO(arena_done) struct arena arena = {0};
    int64_t last = 0;
    size_t rows = TRAINING_PAGE_ROWS;

    arena_init(&arena, TRAINING_ARENA_BYTES);
    while (rows == TRAINING_PAGE_ROWS) {
        AUTO(query_done) struct query q = {0};

        TRY(db_query(
            db, SQL_TRAINING_OBSERVATIONS,
            PARAMS(P_INT(last), P_INT(since_ms), P_INT(until_ms), P_INT(TRAINING_PAGE_ROWS)), &q,
            err));
        TRY(visit_page(&q, &arena, true, visit, context, &last, &rows, err));
    }
    return ERR_NONE;
}

enum err_code training_observations(struct db *db, int64_t since_ms, int64_t until_ms,
                                    training_visit *visit, void *context, struct err *err)
{
    AUTO(tx_done) struct tx snapshot = {0};

    TRY(db_begin(db, &snapshot, err));
    TRY(visit_rows(db, since_ms, until_ms, visit, context, err));
    TRY(training_chunks(db, since_ms, until_ms, visit, context, err));
    return tx_commit(&snapshot, err);
}

enum err_code training_findings(struct db *db, training_visit *visit, void *context,
                                struct err *err)
{
    AUTO(arena_done) struct arena arena = {0};
    int64_t last = 0;
    size_t rows = TRAINING_PAGE_ROWS;

    arena_init(&arena, TRAINING_ARENA_BYTES);
    while (rows == TRAINING_PAGE_ROWS) {
        AUTO(query_done) struct query q = {0};

        TRY(db_query(db, SQL_TRAINING_FINDINGS, PARAMS(P_INT(last), P_INT(TRAINING_PAGE_ROWS)), &q,
                     err));
        TRY(visit_page(&q, &arena, false, visit, context, &last, &rows, err));
    }
    return ERR_NONE;
}
