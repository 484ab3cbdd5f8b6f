/* Step by step for all of them, so that each step is one exchange with an engine that is far away:
 * which findings there are, those that are new, the changes, what is added to the others. */
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

enum { UID_HEX = 32, GROUP_BODY_BYTES_MAX = 1024, SCRATCH_BYTES_MAX = 1 << 20 };

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

struct groups {
    struct db *db;
    struct sighting_group *all;
    size_t count;
    struct found *found;  /* of each */
    bool *known;          /* whether there was one */
    const size_t *chosen; /* those that a step is about */
    int64_t before_seq;   /* of the last change before theirs */
    struct arena scratch; /* of one run */
};

/* A group has one change, so its number is known before it is written. */
static int64_t seq_of(const struct groups *groups, size_t at)
{
    return groups->before_seq + 1 + (int64_t)at;
}

static void find_params(void *context, size_t run, struct param *ret)
{
    const struct sighting_group *group = &((const struct groups *)context)->all[run];

    ret[0] = P_INT(group->spec_id);
    ret[1] = P_INT(group->entity_id);
    ret[2] = P_IP(&group->highest->ip);
}

static enum err_code find_all(struct groups *groups, struct err *err)
{
    struct db_runs runs = {
        .sql = SQL_FINDING_FIND,
        .count = groups->count,
        .params = find_params,
        .context = groups,
        .fields = FOUND_FIELDS,
        .arena = &groups->scratch,
        .rows = groups->found,
        .row_bytes = sizeof *groups->found,
        .found = groups->known,
    };

    TRY(db_run_all(groups->db, &runs, err));
    for (size_t i = 0; i < groups->count; i++) {
        groups->all[i].is_new = !groups->known[i];
        groups->all[i].finding_id = groups->found[i].id;
    }
    return ERR_NONE;
}

/* ---- new ones ---- */

static void insert_params(void *context, size_t run, struct param *ret)
{
    struct groups *groups = context;
    const struct sighting_group *group = &groups->all[groups->chosen[run]];
    const struct scored_pair *pair = group->highest;
    char *ip;

    arena_reset(&groups->scratch);
    ip = arena_alloc(&groups->scratch, IP_TEXT_BYTES);
    (void)ip_format(ip, &pair->ip);
    (void)memcpy(ret,
                 (struct param[]){
                     P_TEXT(uid_of(&groups->scratch, pair)),
                     P_INT(group->spec_id),
                     P_INT(group->entity_id),
                     P_IP(&pair->ip),
                     P_TEXT(ip),
                     P_INT(group->model_id),
                     P_REAL(pair->score),
                     P_REAL_OR_NULL(pair->percentile),
                     rank_of(pair),
                     P_INT(pair->entity_known),
                     P_INT(group->first_ms),
                     P_INT(group->last_ms),
                     P_INT(group->sightings),
                     P_INT(group->events),
                     text_or_null(pair->account),
                     text_or_null(pair->region),
                     P_INT(group->now_ms),
                     P_INT(seq_of(groups, groups->chosen[run])),
                 },
                 18 * sizeof *ret);
}

struct made {
    int64_t id;
};
static const struct field MADE_FIELDS[] = {
    FIELD(struct made, id, FIELD_INT, .flags = 0),
    FIELD_END,
};

static enum err_code insert_new(struct groups *groups, struct arena *arena, struct err *err)
{
    size_t *chosen = ARENA_ARRAY(arena, size_t, groups->count), count = 0;
    struct made *made = ARENA_ARRAY(arena, struct made, groups->count);
    struct db_runs runs = {
        .sql = SQL_FINDING_INSERT,
        .params = insert_params,
        .context = groups,
        .fields = MADE_FIELDS,
        .arena = arena,
        .rows = made,
        .row_bytes = sizeof *made,
    };

    for (size_t i = 0; i < groups->count; i++)
        if (groups->all[i].is_new)
            chosen[count++] = i;
    groups->chosen = chosen;
    runs.count = count;
    TRY(db_run_all(groups->db, &runs, err));
    for (size_t i = 0; i < count; i++)
        groups->all[chosen[i]].finding_id = made[i].id;
    for (size_t i = 0; i < count; i++) {
        const struct sighting_group *group = &groups->all[chosen[i]];

        if (group->highest->explanation_json != NULL)
            TRY(db_exec(groups->db, SQL_FINDING_EXPLAIN_NEW,
                        PARAMS(P_INT(group->finding_id), P_TEXT(group->highest->explanation_json)),
                        NULL, err));
    }
    return ERR_NONE;
}

/* ---- the changes ---- */

static enum err_code add_changes(struct groups *groups, struct change_chain *chain, struct err *err)
{
    for (size_t i = 0; i < groups->count; i++) {
        const struct sighting_group *group = &groups->all[i];
        const char *body;

        arena_reset(&groups->scratch);
        body = group->is_new
                   ? created_body(&groups->scratch, group)
                   : sighted_body(&groups->scratch, group, opens_again(&groups->found[i]));
        ASSERT(chain->seq + 1 == seq_of(groups, i));
        TRY(change_chain_add(groups->db, chain,
                             group->is_new ? CHANGE_FINDING_CREATED : CHANGE_FINDING_SIGHTED,
                             group->actor, group->finding_id, body, err));
    }
    return ERR_NONE;
}

/* ---- those that were there ---- */

static void sighted_params(void *context, size_t run, struct param *ret)
{
    const struct groups *groups = context;
    size_t at = groups->chosen[run];
    const struct sighting_group *group = &groups->all[at];
    const struct found *found = &groups->found[at];

    ret[0] = P_INT(opens_again(found) ? FINDING_NEW : found->status);
    ret[1] = P_INT(group->first_ms);
    ret[2] = P_INT(group->last_ms);
    ret[3] = P_INT(group->sightings);
    ret[4] = P_INT(group->events);
    ret[5] = P_INT(group->now_ms);
    ret[6] = P_INT(seq_of(groups, at));
    ret[7] = P_INT(found->id);
}

static void higher_params(void *context, size_t run, struct param *ret)
{
    const struct groups *groups = context;
    const struct sighting_group *group = &groups->all[groups->chosen[run]];
    const struct scored_pair *pair = group->highest;

    ret[0] = P_REAL(pair->score);
    ret[1] = P_REAL_OR_NULL(pair->percentile);
    ret[2] = rank_of(pair);
    ret[3] = P_INT(group->model_id);
    ret[4] = P_INT(pair->entity_known);
    ret[5] = P_INT(group->finding_id);
}

static void explain_params(void *context, size_t run, struct param *ret)
{
    const struct groups *groups = context;
    const struct sighting_group *group = &groups->all[groups->chosen[run]];

    ret[0] = P_INT(group->finding_id);
    ret[1] = P_TEXT(group->highest->explanation_json);
}

/* Scores of two models are not compared: the newer model's opinion replaces the older one's. */
static bool is_higher(const struct groups *groups, size_t at)
{
    const struct sighting_group *group = &groups->all[at];

    return !group->is_new && (groups->found[at].model_id != group->model_id ||
                              group->highest->score > groups->found[at].score);
}

static bool is_explained_anew(const struct groups *groups, size_t at)
{
    return is_higher(groups, at) && groups->all[at].highest->explanation_json != NULL;
}

static bool is_known(const struct groups *groups, size_t at)
{
    return !groups->all[at].is_new;
}

static enum err_code add_to_known(struct groups *groups, struct arena *arena, struct err *err)
{
    static const struct {
        enum sql_id sql;
        bool (*is_chosen)(const struct groups *groups, size_t at);
        void (*params)(void *context, size_t run, struct param *ret);
    } STEPS[] = {
        {SQL_FINDING_HIGHER, is_higher, higher_params},
        {SQL_FINDING_EXPLAIN, is_explained_anew, explain_params},
        {SQL_FINDING_SIGHTED, is_known, sighted_params},
    };
    size_t *chosen = ARENA_ARRAY(arena, size_t, groups->count);

    groups->chosen = chosen;
    for (size_t step = 0; step < ARRAY_LEN(STEPS); step++) {
        struct db_runs runs = {
            .sql = STEPS[step].sql, .params = STEPS[step].params, .context = groups};

        for (size_t i = 0; i < groups->count; i++)
            if (STEPS[step].is_chosen(groups, i))
                chosen[runs.count++] = i;
        TRY(db_run_all(groups->db, &runs, err));
    }
    return ERR_NONE;
}

static enum err_code store_all(struct groups *groups, struct arena *arena, struct err *err)
{
    struct change_chain chain;

    TRY(find_all(groups, err));
    TRY(change_chain_read(groups->db, &chain, err));
    groups->before_seq = chain.seq;
    TRY(insert_new(groups, arena, err));
    TRY(add_changes(groups, &chain, err));
    return add_to_known(groups, arena, err);
}

enum err_code sighting_groups_store(struct db *db, struct arena *arena,
                                    struct sighting_group *groups_, size_t count, struct err *err)
{
    struct groups groups = {.db = db, .all = groups_, .count = count};
    enum err_code code;

    if (count == 0)
        return ERR_NONE;
    groups.found = ARENA_ARRAY(arena, struct found, count);
    groups.known = ARENA_ARRAY(arena, bool, count);
    arena_init(&groups.scratch, SCRATCH_BYTES_MAX);
    code = store_all(&groups, arena, err);
    arena_done(&groups.scratch);
    return code;
}
