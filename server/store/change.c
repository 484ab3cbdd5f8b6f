#include "store/change.h"

#include <inttypes.h>
#include <string.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/crypto.h"
#include "store/db.h"

enum { CHANGE_ROW_ARENA_BYTES = 1 << 20, CHANGE_TEXT_CHARS_MAX = 65536 };
enum { CHAIN_PAGE_ROWS = 1000 }; /* an engine may hold a page of them in memory */

const char *const CHANGE_KIND_WORDS[] = {
    "finding_created",
    "finding_sighted",
    "finding_updated",
    "note_added",
    "model_registered",
    "user_created",
    "user_updated",
    "token_created",
    "token_revoked",
    "model_moved",
    "let_go",
    "object_retried",
    NULL,
};

const struct field CHANGE_FIELDS[] = {
    FIELD(struct change, seq, FIELD_INT, .flags = 0),
    FIELD(struct change, time, FIELD_TIME, .flags = 0),
    FIELD(struct change, kind, FIELD_ENUM, .words = CHANGE_KIND_WORDS),
    FIELD(struct change, actor, FIELD_TEXT, .flags = 0),
    FIELD(struct change, finding, FIELD_INT, .flags = FIELD_NULLABLE),
    FIELD(struct change, body, FIELD_JSON, .flags = 0),
    FIELD_END,
};

/* A change with its link of the chain. */
struct chained {
    int64_t seq, time, kind;
    const char *actor;
    int64_t finding;
    const char *body;
    struct blob hash;
};
static const struct field CHAINED_FIELDS[] = {
    FIELD(struct chained, seq, FIELD_INT, .flags = 0),
    FIELD(struct chained, time, FIELD_INT, .flags = 0),
    FIELD(struct chained, kind, FIELD_INT, .flags = 0),
    FIELD(struct chained, actor, FIELD_TEXT, .flags = 0),
    FIELD(struct chained, finding, FIELD_INT, .flags = FIELD_NULLABLE),
    FIELD(struct chained, body, FIELD_TEXT, .flags = 0),
    FIELD(struct chained, hash, FIELD_BLOB, .flags = 0),
    FIELD_END,
};

struct last { /* what the next change follows */
    int64_t seq;
    struct blob hash;
};
static const struct field LAST_FIELDS[] = {
    FIELD(struct last, seq, FIELD_INT, .flags = 0),
    FIELD(struct last, hash, FIELD_BLOB, .flags = 0),
    FIELD_END,
};

static void add_number(struct sha256 *sha, int64_t value)
{
    uint8_t bytes[8];

    for (int i = 0; i < 8; i++)
        bytes[i] = (uint8_t)((uint64_t)value >> (56 - 8 * i));
    sha256_add(sha, bytes, sizeof bytes);
}

/* The text with its NUL, so that no two rows of different fields have the same bytes. */
static void add_text(struct sha256 *sha, const char *text)
{
    sha256_add(sha, text, strlen(text) + 1);
}

/* The canonical content: previous hash, numbers big-endian, texts with their NUL. */
static void hash_of(const struct chained *row, const uint8_t previous[static SHA256_BYTES],
                    uint8_t ret[static SHA256_BYTES])
{
    struct sha256 *sha = sha256_new();

    sha256_add(sha, previous, SHA256_BYTES);
    add_number(sha, row->seq);
    add_number(sha, row->time);
    add_number(sha, row->kind);
    add_text(sha, row->actor);
    add_number(sha, row->finding);
    add_text(sha, row->body);
    sha256_end(sha, ret);
}

static enum err_code list(struct query *q, struct arena *arena, size_t limit,
                          struct change_list *ret, struct err *err)
{
    *ret = (struct change_list){.items = ARENA_ARRAY(arena, struct change, limit)};
    while (ret->count < limit && query_next(q, CHANGE_FIELDS, arena, &ret->items[ret->count]))
        ret->count++;
    return query_end(q, err);
}

enum err_code change_list(struct db *db, struct arena *arena, int64_t after_seq, int64_t limit,
                          struct change_list *ret, struct err *err)
{
    AUTO(query_done) struct query q = {0};

    ASSERT(limit > 0 && limit <= CHANGE_LIST_MAX);
    TRY(db_query(db, SQL_CHANGE_LIST, PARAMS(P_INT(after_seq), P_INT(limit)), &q, err));
    return list(&q, arena, (size_t)limit, ret, err);
}

enum err_code change_history(struct db *db, struct arena *arena, int64_t finding_id,
                             struct change_list *ret, struct err *err)
{
    AUTO(query_done) struct query q = {0};

    TRY(db_query(db, SQL_CHANGE_HISTORY, PARAMS(P_INT(finding_id), P_INT(CHANGE_LIST_MAX)), &q,
                 err));
    return list(&q, arena, CHANGE_LIST_MAX, ret, err);
}

enum err_code change_last_seq(struct db *db, int64_t *ret, struct err *err)
{
    return db_int(db, SQL_CHANGE_LAST_SEQ, NO_PARAMS, ret, err);
}

enum err_code change_first_seq(struct db *db, int64_t *ret, struct err *err)
{
    return db_int(db, SQL_CHANGE_FIRST_SEQ, NO_PARAMS, ret, err);
}

enum err_code change_end(struct db *db, struct arena *arena, int64_t *ret_seq,
                         const char **ret_hash, struct err *err)
{
    struct last last = {0};
    enum err_code code = db_row(db, SQL_CHANGE_LAST, NO_PARAMS, LAST_FIELDS, arena, &last, err);
    char *hex;

    *ret_seq = last.seq;
    *ret_hash = NULL;
    if (code == ERR_NOT_FOUND)
        return ERR_NONE;
    TRY(code);
    hex = arena_alloc(arena, 2 * last.hash.length + 1);
    hex_encode(last.hash.bytes, last.hash.length, hex);
    *ret_hash = hex;
    return ERR_NONE;
}

static enum err_code check_link(const struct chained *row, int64_t seq,
                                uint8_t previous[static SHA256_BYTES], struct err *err)
{
    uint8_t hash[SHA256_BYTES];

    if (row->seq != seq)
        return err_set(err, ERR_CORRUPT, "the change feed lacks seq %" PRId64, seq);
    hash_of(row, previous, hash);
    if (row->hash.length != SHA256_BYTES || memcmp(hash, row->hash.bytes, SHA256_BYTES) != 0)
        return err_set(err, ERR_CORRUPT,
                       "change %" PRId64 " or one before it was altered: its hash does not follow",
                       row->seq);
    (void)memcpy(previous, hash, SHA256_BYTES);
    return ERR_NONE;
}

/* The rows after *after, of which the first should be *expected; moves both on. */
static enum err_code verify_page(struct db *db, int64_t *after, int64_t *expected,
                                 uint8_t previous[static SHA256_BYTES], struct err *err)
{
    AUTO(query_done) struct query q = {0};
    AUTO(arena_done) struct arena arena = {0};
    struct chained row;

    arena_init(&arena, CHANGE_ROW_ARENA_BYTES);
    TRY(db_query(db, SQL_CHANGE_CHAIN,
                 PARAMS(P_INT(CHANGE_TEXT_CHARS_MAX), P_INT(*after), P_INT(CHAIN_PAGE_ROWS)), &q,
                 err));
    while (query_next(&q, CHAINED_FIELDS, &arena, &row)) {
        TRY(check_link(&row, *expected, previous, err));
        *after = row.seq;
        ++*expected;
        arena_reset(&arena);
    }
    return query_end(&q, err);
}

/* What the first row that is kept follows. */
static enum err_code read_start(struct db *db, int64_t *ret_seq,
                                uint8_t ret_hash[static SHA256_BYTES], struct err *err)
{
    AUTO(arena_done) struct arena arena = {0};
    struct last start;
    enum err_code code;

    arena_init(&arena, CHANGE_ROW_ARENA_BYTES);
    code = db_row(db, SQL_CHANGE_START, NO_PARAMS, LAST_FIELDS, &arena, &start, err);
    if (code == ERR_NOT_FOUND)
        return ERR_NONE;
    TRY(code);
    if (start.hash.length != SHA256_BYTES)
        return err_set(err, ERR_CORRUPT, "what the change feed begins after is no hash");
    *ret_seq = start.seq;
    (void)memcpy(ret_hash, start.hash.bytes, SHA256_BYTES);
    return ERR_NONE;
}

enum err_code change_verify(struct db *db, struct err *err)
{
    uint8_t previous[SHA256_BYTES] = {0};
    int64_t after = INT64_MIN, expected = 0, before;

    TRY(read_start(db, &expected, previous, err));
    expected++;
    do {
        before = expected;
        TRY(verify_page(db, &after, &expected, previous, err));
    } while (expected - before == CHAIN_PAGE_ROWS);
    return ERR_NONE;
}

enum err_code change_chain_read(struct db *db, struct change_chain *ret, struct err *err)
{
    AUTO(arena_done) struct arena arena = {0};
    struct last last = {0};
    enum err_code code;

    arena_init(&arena, CHANGE_ROW_ARENA_BYTES);
    *ret = (struct change_chain){0};
    code = db_row(db, SQL_CHANGE_LAST, NO_PARAMS, LAST_FIELDS, &arena, &last, err);
    if (code == ERR_NOT_FOUND)
        return ERR_NONE;
    TRY(code);
    ret->seq = last.seq;
    if (last.hash.length == SHA256_BYTES)
        (void)memcpy(ret->hash, last.hash.bytes, SHA256_BYTES);
    return ERR_NONE;
}

static enum err_code append(struct db *db, enum sql_id sql, struct change_chain *chain,
                            const struct chained *row, struct err *err)
{
    uint8_t hash[SHA256_BYTES];

    hash_of(row, chain->hash, hash);
    TRY(db_exec(db, sql,
                PARAMS(P_INT(row->seq), P_INT(row->time), P_TEXT(row->actor), P_INT(row->kind),
                       P_INT_OR_NULL(row->finding), P_TEXT(row->body), P_BLOB(hash, sizeof hash)),
                NULL, err));
    chain->seq = row->seq;
    (void)memcpy(chain->hash, hash, sizeof hash);
    return ERR_NONE;
}

enum err_code change_chain_add(struct db *db, struct change_chain *chain, enum change_kind kind,
                               const char *actor, int64_t finding_id, const char *body,
                               struct err *err)
{
    struct chained row = {chain->seq + 1, clock_now_ms(), kind, actor, finding_id, body, {0}};

    return append(db, SQL_CHANGE_INSERT_MANY, chain, &row, err);
}

enum err_code change_add(struct db *db, enum change_kind kind, const char *actor,
                         int64_t finding_id, const char *body, int64_t *ret_seq, struct err *err)
{
    struct change_chain chain;
    struct chained row;

    TRY(change_chain_read(db, &chain, err));
    row = (struct chained){chain.seq + 1, clock_now_ms(), kind, actor, finding_id, body, {0}};
    TRY(append(db, SQL_CHANGE_INSERT, &chain, &row, err));
    if (ret_seq != NULL)
        *ret_seq = row.seq;
    return ERR_NONE;
}
