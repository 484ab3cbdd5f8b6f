#include "store/check.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/arena.h"
#include "base/asset.h"
#include "base/str.h"
#include "store/change.h"
#include "store/db.h"
#include "store/db_backend.h"
#include "store/plan.h"
#include "store/recount.h"

enum { CHECK_ARENA_BYTES = 1 << 20, INDEX_NAME_BYTES_MAX = 64 };

struct checking {
    struct db *db;
    struct check_line line; /* the one being made */
    check_tell *tell;
    void *context;
    int faults;
};

PRINTF(2, 3) static void sound(struct check_line *line, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    (void)vsnprintf(line->text, sizeof line->text, format, args);
    va_end(args);
}

/* The first fault is told. */
PRINTF(2, 3) static void fault(struct check_line *line, const char *format, ...)
{
    va_list args;

    if (!line->sound)
        return;
    line->sound = false;
    va_start(args, format);
    (void)vsnprintf(line->text, sizeof line->text, format, args);
    va_end(args);
}

struct text_row {
    const char *line;
};
static const struct field TEXT_FIELDS[] = {
    FIELD(struct text_row, line, FIELD_TEXT, .flags = 0),
    FIELD_END,
};

/* A statement that gives a row for each fault. */
static enum err_code no_rows(struct checking *checking, enum sql_id sql, struct err *err)
{
    AUTO(arena_done) struct arena arena = {0};
    AUTO(query_done) struct query q = {0};
    struct text_row row;

    arena_init(&arena, CHECK_ARENA_BYTES);
    TRY(db_query(checking->db, sql, NO_PARAMS, &q, err));
    if (query_next(&q, TEXT_FIELDS, &arena, &row)) {
        fault(&checking->line, "%s", row.line);
        query_done(&q);
        return ERR_NONE;
    }
    return query_end(&q, err);
}

/* A statement that counts faults. */
static enum err_code none(struct checking *checking, enum sql_id sql, const char *what,
                          struct err *err)
{
    int64_t count;

    TRY(db_int(checking->db, sql, NO_PARAMS, &count, err));
    if (count > 0)
        fault(&checking->line, "%" PRId64 " %s", count, what);
    return ERR_NONE;
}

static enum err_code check_file(struct checking *checking, struct err *err)
{
    bool is_file = db_backend(checking->db) == &DB_SQLITE;

    TRY(no_rows(checking, SQL_CHECK_ENGINE, err));
    if (checking->line.sound)
        sound(&checking->line, is_file ? "every page and every index entry was read"
                                       : "left to PostgreSQL (pg_amcheck); its indexes are valid");
    return ERR_NONE;
}

/* ---- indexes: those that the migrations make ---- */

/* The next word of text after at that follows the phrase; false when there is none. */
static bool next_name(const char **at, const char *end, const char *phrase,
                      char ret[static INDEX_NAME_BYTES_MAX])
{
    const char *found = memmem(*at, (size_t)(end - *at), phrase, strlen(phrase));
    size_t length = 0;

    if (found == NULL)
        return false;
    found += strlen(phrase);
    while (found + length < end && length + 1 < INDEX_NAME_BYTES_MAX &&
           (isalnum((unsigned char)found[length]) || found[length] == '_')) {
        ret[length] = found[length];
        length++;
    }
    ret[length] = '\0';
    *at = found + length;
    return true;
}

/* A later migration of the engine drops it. */
static bool is_dropped(const struct checking *checking, const char *name)
{
    const char *dir = db_backend(checking->db)->migrations_dir;
    char dropped[INDEX_NAME_BYTES_MAX];

    for (size_t i = 0; i < ASSET_COUNT; i++) {
        const char *at = (const char *)ASSETS[i].bytes, *end = at + ASSETS[i].length;

        while (str_starts(ASSETS[i].name, dir) && next_name(&at, end, "DROP INDEX ", dropped))
            if (strcmp(dropped, name) == 0)
                return true;
    }
    return false;
}

static enum err_code check_index(struct checking *checking, const char *name, struct err *err)
{
    int64_t count;

    if (is_dropped(checking, name))
        return ERR_NONE;
    TRY(db_int(checking->db, SQL_CHECK_INDEX, PARAMS(P_TEXT(name)), &count, err));
    if (count == 0)
        fault(&checking->line, "the index %s is missing", name);
    return ERR_NONE;
}

static enum err_code check_indexes(struct checking *checking, struct err *err)
{
    const char *dir = db_backend(checking->db)->migrations_dir;
    char name[INDEX_NAME_BYTES_MAX];
    int count = 0;

    for (size_t i = 0; i < ASSET_COUNT; i++) {
        const char *at = (const char *)ASSETS[i].bytes, *end = at + ASSETS[i].length;

        while (str_starts(ASSETS[i].name, dir) && next_name(&at, end, "\nCREATE INDEX ", name)) {
            TRY(check_index(checking, name, err));
            count++;
        }
    }
    if (checking->line.sound)
        sound(&checking->line, "all %d are there", count);
    return ERR_NONE;
}

static enum err_code check_plans(struct checking *checking, struct err *err)
{
    struct plan_result result;
    bool known;

    TRY(plan_check(checking->db, &result, &known, err));
    if (!known)
        sound(&checking->line, "left to PostgreSQL's planner, which goes by the sizes it finds");
    else if (result.faults > 0)
        fault(&checking->line, "%zu statements search a table from end to end: %s", result.faults,
              result.first);
    else
        sound(&checking->line, "none of %zu statements searches a large table", result.statements);
    return ERR_NONE;
}

static enum err_code check_chain(struct checking *checking, struct err *err)
{
    struct err why = {0};
    enum err_code code = change_verify(checking->db, &why);
    int64_t last, first;

    if (code == ERR_CORRUPT) {
        fault(&checking->line, "%.500s", why.text);
        return ERR_NONE;
    }
    if (code != ERR_NONE) {
        *err = why;
        return code;
    }
    TRY(change_last_seq(checking->db, &last, err));
    TRY(change_first_seq(checking->db, &first, err));
    sound(&checking->line, "changes %" PRId64 " to %" PRId64 " follow from each other", first,
          last);
    return ERR_NONE;
}

static enum err_code check_findings(struct checking *checking, struct err *err)
{
    TRY(none(checking, SQL_CHECK_FINDINGS, "findings and their sightings differ", err));
    TRY(none(checking, SQL_CHECK_FINDING_SEQ, "findings are not at their last change", err));
    if (checking->line.sound)
        sound(&checking->line, "each has its sightings and is at its last change");
    return ERR_NONE;
}

/* ---- recounts ---- */

static void take(struct checking *checking, const char *name, const char *wrong, const char *right)
{
    struct check_line line = {.name = name, .sound = *wrong == '\0'};

    (void)snprintf(line.text, sizeof line.text, "%s", line.sound ? right : wrong);
    checking->faults += !line.sound;
    checking->tell(checking->context, &line);
}

static enum err_code check_counts(struct checking *checking, struct err *err)
{
    struct recount recount;
    char text[160];

    TRY(recount_run(checking->db, &recount, err));
    (void)snprintf(text, sizeof text,
                   "%" PRId64 " hours by spec and model, %" PRId64 " observations counted again",
                   recount.hours, recount.observations);
    take(checking, "rollups", recount.rollups, text);
    take(checking, "counters", recount.counters, "equal to the sums");
    (void)snprintf(text, sizeof text, "%" PRId64 " objects have what the ledger says",
                   recount.objects);
    take(checking, "ledger", recount.ledger, text);
    (void)snprintf(checking->line.text, sizeof checking->line.text, "%s", recount.references);
    checking->line.sound = recount.references[0] == '\0';
    TRY(no_rows(checking, SQL_CHECK_FOREIGN_KEYS, err));
    TRY(none(checking, SQL_CHECK_LOST_SIGHTINGS, "sightings are of findings that are not there",
             err));
    if (checking->line.sound)
        sound(&checking->line, "no row leads nowhere");
    return ERR_NONE;
}

static const struct {
    const char *name;
    enum err_code (*run)(struct checking *checking, struct err *err);
} CHECKS[] = {
    {"file", check_file},   {"indexes", check_indexes},   {"plans", check_plans},
    {"chain", check_chain}, {"findings", check_findings}, {"references", check_counts},
};

enum err_code check_store(struct db *db, check_tell *tell, void *context, int *ret_faults,
                          struct err *err)
{
    struct checking checking = {.db = db, .tell = tell, .context = context};
    AUTO(tx_done) struct tx snapshot = {0};

    TRY(db_begin(db, &snapshot, err));
    for (size_t i = 0; i < ARRAY_LEN(CHECKS); i++) {
        checking.line = (struct check_line){.name = CHECKS[i].name, .sound = true};
        if (CHECKS[i].run(&checking, err) != ERR_NONE)
            return err_prefix(err, "checking the %s", CHECKS[i].name);
        checking.faults += !checking.line.sound;
        tell(context, &checking.line);
    }
    *ret_faults = checking.faults;
    return ERR_NONE;
}
