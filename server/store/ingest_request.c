#include "store/ingest_request.h"

#include <string.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/str.h"
#include "store/db.h"

enum { REQUEST_ARENA_BYTES = 1 << 16, RESULT_BYTES_MAX = 512 };
enum { REQUEST_KEPT_MS = 7 * DAY_MS }; /* how long an Idempotency-Key is remembered */
/* How long a key that is only for parts, after the last of them: for the same body in another
 * request, which may have got as far. */
enum { PARTS_KEPT_MS = HOUR_MS };
static const char STORED[] = "stored"; /* in the result of one that is not whole */

struct kept_request {
    const char *digest, *result;
};
static const struct field KEPT_FIELDS[] = {
    FIELD(struct kept_request, digest, FIELD_TEXT, .flags = 0),
    FIELD(struct kept_request, result, FIELD_TEXT, .flags = 0),
    FIELD_END,
};

static uint64_t count_of(const struct json *json, const char *name)
{
    int64_t value = 0;

    (void)json_int_of(json_member(json, name), &value);
    return (uint64_t)value;
}

static void read_result(const struct json *json, struct ingest_kept *ret)
{
    ret->found = true;
    ret->whole = json_member(json, STORED) == NULL;
    ret->stored = count_of(json, STORED);
    ret->counts = (struct ingest_result){
        .observations = count_of(json, "observations"),
        .flagged = count_of(json, "flagged"),
        .findings_new = count_of(json, "findings_new"),
        .findings_updated = count_of(json, "findings_updated"),
    };
}

enum err_code ingest_recall(struct db *db, const struct ingest_batch *batch,
                            struct ingest_kept *ret, struct err *err)
{
    AUTO(arena_done) struct arena arena = {0};
    AUTO(json_doc_freep) struct json_doc *doc = NULL;
    struct kept_request kept;
    enum err_code code;

    *ret = (struct ingest_kept){0};
    arena_init(&arena, REQUEST_ARENA_BYTES);
    code =
        db_row(db, SQL_REQUEST_GET, PARAMS(P_TEXT(batch->origin), P_TEXT(batch->idempotency_key)),
               KEPT_FIELDS, &arena, &kept, err);
    if (code != ERR_NONE)
        return code == ERR_NOT_FOUND ? ERR_NONE : code;
    if (strcmp(kept.digest, batch->request_digest) != 0)
        return err_set(err, ERR_CONFLICT, "the Idempotency-Key was used before, with another body");
    TRY(json_parse(kept.result, strlen(kept.result), &doc, err));
    read_result(json_root(doc), ret);
    return ERR_NONE;
}

static void write_result(const struct ingest_batch *batch, uint64_t stored,
                         const struct ingest_result *counts, struct str *ret)
{
    struct json_writer json;

    json_writer_init(&json, ret);
    json_object(&json, NULL);
    json_int(&json, "observations", (int64_t)counts->observations);
    json_int(&json, "flagged", (int64_t)counts->flagged);
    json_int(&json, "findings_new", (int64_t)counts->findings_new);
    json_int(&json, "findings_updated", (int64_t)counts->findings_updated);
    if (batch->more)
        json_int(&json, STORED, (int64_t)stored);
    json_end(&json);
}

enum err_code ingest_remember(struct db *db, const struct ingest_batch *batch, uint64_t stored,
                              const struct ingest_result *counts, int64_t now_ms, struct err *err)
{
    AUTO(str_done) struct str text = {0};
    int64_t made_ms = now_ms;

    if (batch->offset == 0)
        TRY(db_exec(db, SQL_REQUEST_PURGE, PARAMS(P_INT(now_ms - REQUEST_KEPT_MS)), NULL, err));
    if (batch->forget && !batch->more)
        made_ms -= REQUEST_KEPT_MS - PARTS_KEPT_MS;
    str_init(&text, RESULT_BYTES_MAX);
    write_result(batch, stored, counts, &text);
    return db_exec(db, SQL_REQUEST_PUT,
                   PARAMS(P_TEXT(batch->origin), P_TEXT(batch->idempotency_key),
                          P_TEXT(batch->request_digest), P_TEXT(text.text), P_INT(made_ms)),
                   NULL, err);
}
