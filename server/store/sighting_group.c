#include "store/sighting_group.h"

#include <math.h>
#include <string.h>

#include "base/arena.h"
#include "base/crypto.h"
#include "base/json.h"
#include "base/str.h"
#include "store/change.h"
#include "store/db.h"
#include "store/finding.h"
#include "store/ingest.h"

enum { UID_HEX = 32, GROUP_BODY_BYTES_MAX = 1024 };

struct found {
    int64_t id, status, verdict;
    double score;
    int64_t model_id;
};
static const struct field FOUND_FIELDS[] = {
    FIELD(struct found, id, FIELD_INT, .flags = 0),
    FIELD(struct found, status, FIELD_INT, .flags = 0),
    FIELD(struct found, verdict, FIELD_ENUM, .flags = FIELD_NULLABLE,
          .words = FINDING_VERDICT_WORDS),
    FIELD(struct found, score, FIELD_REAL, .flags = 0),
    FIELD(struct found, model_id, FIELD_INT, .flags = 0),
    FIELD_END,
};

/* From what a finding is about, so the same pair has the same uid wherever it is found. */
static const char *uid_of(struct arena *arena, const struct scored_pair *pair)
{
    char hex[SHA256_HEX_BYTES], ip[IP_TEXT_BYTES];
    const char *text;

    (void)ip_format(ip, &pair->ip);
    text = arena_printf(arena, "%s\n%s\n%s", pair->spec, pair->entity, ip);
    sha256_hex(text, strlen(text), hex);
    hex[UID_HEX] = '\0';
    return arena_strdup(arena, hex);
}

static struct param rank_of(const struct scored_pair *pair)
{
    return P_REAL(finding_rank(pair->percentile));
}

static struct param text_or_null(const char *text)
{
    return text != NULL && *text != '\0' ? P_TEXT(text) : P_NULL;
}

static const char *created_body(struct arena *arena, const struct sighting_group *group)
{
    AUTO(str_done) struct str text = {0};
    struct json_writer json;

    str_init(&text, GROUP_BODY_BYTES_MAX);
    json_writer_init(&json, &text);
    json_object(&json, NULL);
    json_real(&json, "score", group->highest->score);
    json_real(&json, "percentile", group->highest->percentile);
    json_end(&json);
    return arena_strndup(arena, text.text, text.length);
}

static enum err_code explain(struct db *db, int64_t id, const struct scored_pair *pair,
                             struct err *err)
{
    if (pair->explanation_json == NULL)
        return ERR_NONE;
    return db_exec(db, SQL_FINDING_EXPLAIN, PARAMS(P_INT(id), P_TEXT(pair->explanation_json)), NULL,
                   err);
}

static enum err_code create(struct db *db, struct arena *arena, const struct sighting_group *group,
                            int64_t *ret_id, struct err *err)
{
    const struct scored_pair *pair = group->highest;
    char ip[IP_TEXT_BYTES];
    int64_t seq;

    (void)ip_format(ip, &pair->ip);
    TRY(db_int(db, SQL_FINDING_INSERT,
               PARAMS(P_TEXT(uid_of(arena, pair)), P_INT(group->spec_id), P_INT(group->entity_id),
                      P_IP(&pair->ip), P_TEXT(ip), P_INT(group->model_id), P_REAL(pair->score),
                      P_REAL_OR_NULL(pair->percentile), rank_of(pair), P_INT(pair->entity_known),
                      P_INT(group->first_ms), P_INT(group->last_ms), P_INT(group->sightings),
                      P_INT(group->events), text_or_null(pair->account), text_or_null(pair->region),
                      P_INT(group->now_ms)),
               ret_id, err));
    TRY(explain(db, *ret_id, pair, err));
    TRY(change_add(db, CHANGE_FINDING_CREATED, group->actor, *ret_id, created_body(arena, group),
                   &seq, err));
    return db_exec(db, SQL_FINDING_SEQ, PARAMS(P_INT(seq), P_INT(*ret_id)), NULL, err);
}

/* Resolved as harmless stays resolved; anything else that comes back is news. */
static bool opens_again(const struct found *found)
{
    static const char *const NEWS[] = {"true_positive", "suspicious"};

    if (found->status != FINDING_RESOLVED)
        return false;
    for (size_t i = 0; found->verdict >= 0 && i < ARRAY_LEN(NEWS); i++)
        if (strcmp(FINDING_VERDICT_WORDS[found->verdict], NEWS[i]) == 0)
            return true;
    return found->verdict < 0;
}

static const char *sighted_body(struct arena *arena, const struct sighting_group *group,
                                bool reopened)
{
    AUTO(str_done) struct str text = {0};
    struct json_writer json;

    str_init(&text, GROUP_BODY_BYTES_MAX);
    json_writer_init(&json, &text);
    json_object(&json, NULL);
    json_int(&json, "sightings", group->sightings);
    json_int(&json, "observations", group->events);
    json_time(&json, "last_seen", group->last_ms);
    if (reopened) {
        json_object(&json, "status");
        json_text(&json, "old", FINDING_STATUS_WORDS[FINDING_RESOLVED]);
        json_text(&json, "new", FINDING_STATUS_WORDS[FINDING_NEW]);
        json_end(&json);
    }
    json_end(&json);
    return arena_strndup(arena, text.text, text.length);
}

/* Scores of two models are not compared: the newer model's opinion replaces the older one's. */
static enum err_code raise_score(struct db *db, const struct sighting_group *group,
                                 const struct found *found, struct err *err)
{
    const struct scored_pair *pair = group->highest;

    if (found->model_id == group->model_id && pair->score <= found->score)
        return ERR_NONE;
    TRY(db_exec(db, SQL_FINDING_HIGHER,
                PARAMS(P_REAL(pair->score), P_REAL_OR_NULL(pair->percentile), rank_of(pair),
                       P_INT(group->model_id), P_INT(pair->entity_known), P_INT(found->id)),
                NULL, err));
    return explain(db, found->id, pair, err);
}

static enum err_code add_to(struct db *db, struct arena *arena, const struct sighting_group *group,
                            const struct found *found, struct err *err)
{
    bool reopened = opens_again(found);
    int64_t seq;

    TRY(change_add(db, CHANGE_FINDING_SIGHTED, group->actor, found->id,
                   sighted_body(arena, group, reopened), &seq, err));
    TRY(raise_score(db, group, found, err));
    return db_exec(db, SQL_FINDING_SIGHTED,
                   PARAMS(P_INT(reopened ? FINDING_NEW : found->status), P_INT(group->first_ms),
                          P_INT(group->last_ms), P_INT(group->sightings), P_INT(group->events),
                          P_INT(group->now_ms), P_INT(seq), P_INT(found->id)),
                   NULL, err);
}

enum err_code sighting_group_store(struct db *db, struct arena *arena,
                                   const struct sighting_group *group, int64_t *ret_id,
                                   bool *ret_new, struct err *err)
{
    struct found found;
    enum err_code code =
        db_row(db, SQL_FINDING_FIND,
               PARAMS(P_INT(group->spec_id), P_INT(group->entity_id), P_IP(&group->highest->ip)),
               FOUND_FIELDS, arena, &found, err);

    *ret_new = code == ERR_NOT_FOUND;
    if (*ret_new)
        return create(db, arena, group, ret_id, err);
    TRY(code);
    *ret_id = found.id;
    return add_to(db, arena, group, &found, err);
}
