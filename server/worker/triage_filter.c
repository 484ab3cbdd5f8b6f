#include "worker/triage_filter.h"

#include <stdlib.h>
#include <string.h>

#include "base/own.h"
#include "store/db.h"
#include "store/training.h"

enum { FINDINGS_MAX = 20 * 1000 * 1000, TRIAGE_CAPACITY_MIN = 1024 };
#define TRIAGE_TEXT_BYTES_MAX ((size_t)8 << 30)

static int by_pair(const void *a, const void *b)
{
    const struct train_pair *x = a, *y = b;
    int order = strcmp(x->spec, y->spec);

    if (order == 0)
        order = strcmp(x->entity, y->entity);
    return order != 0 ? order : ip_compare(&x->ip, &y->ip);
}

static void append(struct train_pair **items, size_t *count, size_t *capacity,
                   const struct train_pair *pair)
{
    if (*count == *capacity) {
        *capacity = *capacity > 0 ? 2 * *capacity : TRIAGE_CAPACITY_MIN;
        *items = own_resize(*items, *capacity, sizeof **items);
    }
    (*items)[(*count)++] = *pair;
}

static enum err_code keep(void *context, const struct training_row *row, struct err *err)
{
    struct triage_filter *triage = context;
    struct train_pair pair = {.ip = row->ip, .count = 1};

    if (triage->held_count == FINDINGS_MAX)
        return err_set(err, ERR_TOO_LARGE, "there are more than %d findings", FINDINGS_MAX);
    pair.spec = arena_strdup(&triage->texts, row->spec);
    pair.entity = arena_strdup(&triage->texts, row->entity);
    append(&triage->held, &triage->held_count, &triage->held_capacity, &pair);
    if (row->use == TRAINING_NEVER)
        append(&triage->never, &triage->never_count, &triage->never_capacity, &pair);
    return ERR_NONE;
}

enum err_code triage_filter_read(struct triage_filter *triage, const char *url, struct err *err)
{
    AUTO(db_closep) struct db *db = NULL;

    arena_init(&triage->texts, TRIAGE_TEXT_BYTES_MAX);
    TRY(db_open(url, DB_READ, &db, err));
    TRY(training_findings(db, keep, triage, err));
    if (triage->held_count > 0)
        qsort(triage->held, triage->held_count, sizeof *triage->held, by_pair);
    return ERR_NONE;
}

bool triage_filter_holds(const struct triage_filter *triage, const struct train_pair *pair)
{
    return triage->held_count > 0 &&
           bsearch(pair, triage->held, triage->held_count, sizeof *triage->held, by_pair) != NULL;
}

void triage_filter_done(struct triage_filter *triage)
{
    own_freep(&triage->held);
    own_freep(&triage->never);
    arena_done(&triage->texts);
}
