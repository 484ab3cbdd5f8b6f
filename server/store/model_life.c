#include "store/model_life.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/field.h"
#include "base/hash.h"
#include "base/json.h"
#include "base/str.h"
#include "store/change.h"
#include "store/db.h"
#include "store/dictionary.h"

const char *const MODEL_STATE_WORDS[] = {"candidate", "shadow", "active", "retired", NULL};

enum { MOVE_BODY_BYTES_MAX = 1024, MOVE_ARENA_BYTES = 1 << 16 };

static const struct field SEAT_FIELDS[] = {
    FIELD(struct model_seat, id, FIELD_TEXT, .flags = 0),
    FIELD(struct model_seat, path, FIELD_TEXT, .flags = FIELD_NULLABLE),
    FIELD(struct model_seat, state, FIELD_ENUM, .flags = 0, .words = MODEL_STATE_WORDS),
    FIELD(struct model_seat, activated, FIELD_TIME, .flags = FIELD_NULLABLE),
    FIELD_END,
};
static const struct field COMPARISON_FIELDS[] = {
    FIELD(struct comparison_sum, spec, FIELD_TEXT, .flags = 0),
    FIELD(struct comparison_sum, active, FIELD_TEXT, .flags = 0),
    FIELD(struct comparison_sum, shadow, FIELD_TEXT, .flags = 0),
    FIELD(struct comparison_sum, first_day, FIELD_TIME, .flags = 0),
    FIELD(struct comparison_sum, last_day, FIELD_TIME, .flags = 0),
    FIELD(struct comparison_sum, pairs, FIELD_INT, .flags = 0),
    FIELD(struct comparison_sum, by_both, FIELD_INT, .flags = 0),
    FIELD(struct comparison_sum, only_active, FIELD_INT, .flags = 0),
    FIELD(struct comparison_sum, only_shadow, FIELD_INT, .flags = 0),
    FIELD_END,
};
static const struct field DIFFERENCE_FIELDS[] = {
    FIELD(struct difference_row, spec, FIELD_TEXT, .flags = 0),
    FIELD(struct difference_row, entity, FIELD_TEXT, .flags = 0),
    FIELD(struct difference_row, ip, FIELD_IP, .flags = 0),
    FIELD(struct difference_row, time, FIELD_TIME, .flags = 0),
    FIELD(struct difference_row, active, FIELD_TEXT, .flags = 0),
    FIELD(struct difference_row, active_score, FIELD_REAL, .flags = 0),
    FIELD(struct difference_row, shadow_score, FIELD_REAL, .flags = 0),
    FIELD(struct difference_row, active_threshold, FIELD_REAL, .flags = FIELD_NULLABLE),
    FIELD(struct difference_row, shadow_threshold, FIELD_REAL, .flags = FIELD_NULLABLE),
    FIELD(struct difference_row, shadow_flagged, FIELD_INT, .flags = 0),
    FIELD_END,
};

enum err_code model_seat(struct db *db, struct arena *arena, enum model_state state,
                         struct model_seat *ret, struct err *err)
{
    enum err_code code =
        db_row(db, SQL_MODEL_SEAT, PARAMS(P_INT(state)), SEAT_FIELDS, arena, ret, err);

    if (code == ERR_NOT_FOUND)
        return err_set(err, code, "no model is %s", MODEL_STATE_WORDS[state]);
    return code;
}

enum err_code model_of_path(struct db *db, struct arena *arena, const char *path,
                            struct model_seat *ret, struct err *err)
{
    enum err_code code =
        db_row(db, SQL_MODEL_OF_PATH, PARAMS(P_TEXT(path)), SEAT_FIELDS, arena, ret, err);

    if (code == ERR_NOT_FOUND)
        return err_set(err, code, "no model is scored by \"%.128s\"", path);
    return code;
}

enum err_code model_seats(struct db *db, struct arena *arena, struct model_seat_list *ret,
                          struct err *err)
{
    AUTO(query_done) struct query q = {0};

    *ret =
        (struct model_seat_list){.items = ARENA_ARRAY(arena, struct model_seat, MODEL_SEATS_MAX)};
    TRY(db_query(db, SQL_MODEL_SEATS, PARAMS(P_INT(MODEL_SEATS_MAX)), &q, err));
    while (ret->count < MODEL_SEATS_MAX &&
           query_next(&q, SEAT_FIELDS, arena, &ret->items[ret->count]))
        ret->count++;
    return query_end(&q, err);
}

static enum err_code tell(struct db *db, const char *actor, const char *id, int64_t before,
                          enum model_state after, struct err *err)
{
    AUTO(str_done) struct str body = {0};
    struct json_writer json;

    str_init(&body, MOVE_BODY_BYTES_MAX);
    json_writer_init(&json, &body);
    json_object(&json, NULL);
    json_text(&json, "model", id);
    json_object(&json, "state");
    json_text(&json, "old", MODEL_STATE_WORDS[before]);
    json_text(&json, "new", MODEL_STATE_WORDS[after]);
    json_end(&json);
    json_end(&json);
    TRY(str_check(&body, "a model's name", err));
    return change_add(db, CHANGE_MODEL_MOVED, actor, FIELD_NULL_INT, body.text, NULL, err);
}

static enum err_code move(struct db *db, const struct model_move_job *job,
                          const struct model_seat *seat, struct err *err)
{
    bool active = job->state == MODEL_ACTIVE;

    if (job->path == NULL && seat->path == NULL && job->state <= MODEL_ACTIVE &&
        job->state != MODEL_CANDIDATE)
        return err_set(err, ERR_INVALID, "the model %.64s has no file: it is scored elsewhere",
                       seat->id);
    if (job->state == MODEL_ACTIVE || job->state == MODEL_SHADOW)
        TRY(db_exec(db, SQL_MODEL_EMPTY_SEAT,
                    PARAMS(P_INT(active ? MODEL_RETIRED : MODEL_CANDIDATE), P_INT(job->state)),
                    NULL, err));
    TRY(db_exec(db, SQL_MODEL_MOVE,
                PARAMS(P_INT(job->state), P_TEXT(job->path), active ? P_INT(job->now_ms) : P_NULL,
                       P_TEXT(seat->id)),
                NULL, err));
    return tell(db, job->actor, seat->id, seat->state, job->state, err);
}

static enum err_code add_seat(struct db *db, struct arena *arena, enum model_state state,
                              uint64_t *hash, struct err *err)
{
    struct model_seat seat;
    enum err_code code = model_seat(db, arena, state, &seat, err);

    if (code == ERR_NOT_FOUND)
        return ERR_NONE;
    TRY(code);
    *hash = hash_bytes(seat.id, strlen(seat.id), *hash + (uint64_t)state);
    return ERR_NONE;
}

enum err_code model_tag(struct db *db, const char *id, char ret[static MODEL_TAG_BYTES],
                        struct err *err)
{
    AUTO(arena_done) struct arena arena = {0};
    struct model_seat seat;
    uint64_t hash;
    enum err_code code;

    arena_init(&arena, MOVE_ARENA_BYTES);
    code = db_row(db, SQL_MODEL_STATE, PARAMS(P_TEXT(id)), SEAT_FIELDS, &arena, &seat, err);
    if (code == ERR_NOT_FOUND)
        return err_set(err, code, "the model %.64s is not registered", id);
    TRY(code);
    hash = hash_bytes(seat.id, strlen(seat.id), (uint64_t)seat.state);
    TRY(add_seat(db, &arena, MODEL_ACTIVE, &hash, err));
    TRY(add_seat(db, &arena, MODEL_SHADOW, &hash, err));
    (void)snprintf(ret, MODEL_TAG_BYTES, "%016" PRIx64, hash);
    return ERR_NONE;
}

static enum err_code check_tag(struct db *db, const struct model_move_job *job, struct err *err)
{
    char tag[MODEL_TAG_BYTES];

    if (job->tag == NULL)
        return ERR_NONE;
    TRY(model_tag(db, job->id, tag, err));
    return strcmp(tag, job->tag) == 0
               ? ERR_NONE
               : err_set(err, ERR_PRECONDITION, "models were moved meanwhile");
}

enum err_code model_move_job_run(struct db *db, void *job_, struct err *err)
{
    AUTO(arena_done) struct arena arena = {0};
    const struct model_move_job *job = job_;
    struct model_seat seat;
    enum err_code code;

    arena_init(&arena, MOVE_ARENA_BYTES);
    code = db_row(db, SQL_MODEL_STATE, PARAMS(P_TEXT(job->id)), SEAT_FIELDS, &arena, &seat, err);
    if (code == ERR_NOT_FOUND)
        return err_set(err, code, "the model %.64s is not registered", job->id);
    TRY(code);
    TRY(check_tag(db, job, err));
    return move(db, job, &seat, err);
}

enum err_code model_rollback_job_run(struct db *db, void *job_, struct err *err)
{
    AUTO(arena_done) struct arena arena = {0};
    struct model_rollback_job *job = job_;
    struct model_move_job back = {
        .actor = job->actor, .state = MODEL_ACTIVE, .now_ms = job->now_ms};
    struct model_seat seat;
    enum err_code code;

    arena_init(&arena, MOVE_ARENA_BYTES);
    code =
        db_row(db, SQL_MODEL_BEFORE, PARAMS(P_INT(MODEL_RETIRED)), SEAT_FIELDS, &arena, &seat, err);
    if (code == ERR_NOT_FOUND)
        return err_set(err, code, "no model was active before");
    TRY(code);
    (void)snprintf(job->id, sizeof job->id, "%s", seat.id);
    back.id = seat.id;
    return move(db, &back, &seat, err);
}

static enum err_code add_difference(struct db *db, int64_t active_id, int64_t shadow_id,
                                    const struct difference_row *row, struct err *err)
{
    int64_t spec_id, entity_id;

    TRY(dictionary_spec(db, row->spec, &spec_id, err));
    TRY(dictionary_entity(db, row->entity, &entity_id, err));
    return db_exec(db, SQL_DIFFERENCE_ADD,
                   PARAMS(P_INT(shadow_id), P_INT(active_id), P_INT(spec_id), P_INT(entity_id),
                          P_IP(&row->ip), P_INT(row->time), P_REAL(row->active_score),
                          P_REAL(row->shadow_score), P_INT(row->shadow_flagged),
                          P_REAL_OR_NULL(row->active_threshold),
                          P_REAL_OR_NULL(row->shadow_threshold)),
                   NULL, err);
}

enum err_code comparison_add(struct db *db, const char *active_id_,
                             const struct comparison *comparison, int64_t time_ms, struct err *err)
{
    int64_t active_id, shadow_id, kept;

    TRY(dictionary_model(db, active_id_, &active_id, err));
    TRY(dictionary_model(db, comparison->shadow_id, &shadow_id, err));
    for (size_t i = 0; i < comparison->count; i++) {
        const struct comparison_row *row = &comparison->rows[i];
        int64_t spec_id;

        TRY(dictionary_spec(db, row->spec, &spec_id, err));
        TRY(db_exec(db, SQL_COMPARISON_ADD,
                    PARAMS(P_INT(time_ms - time_ms % DAY_MS), P_INT(spec_id), P_INT(active_id),
                           P_INT(shadow_id), P_INT(row->pairs), P_INT(row->by_both),
                           P_INT(row->only_active), P_INT(row->only_shadow)),
                    NULL, err));
    }
    TRY(db_int(db, SQL_DIFFERENCE_COUNT, PARAMS(P_INT(shadow_id), P_INT(active_id)), &kept, err));
    for (size_t i = 0; i < comparison->difference_count && kept < DIFFERENCES_MAX; i++, kept++)
        TRY(add_difference(db, active_id, shadow_id, &comparison->differences[i], err));
    return ERR_NONE;
}

enum err_code comparison_list(struct db *db, struct arena *arena, const char *model_id,
                              int64_t since_ms, struct comparison_list *ret, struct err *err)
{
    AUTO(query_done) struct query q = {0};

    *ret = (struct comparison_list){.items =
                                        ARENA_ARRAY(arena, struct comparison_sum, COMPARISONS_MAX)};
    TRY(db_query(db, SQL_COMPARISON_LIST,
                 PARAMS(P_INT(since_ms), P_TEXT(model_id), P_INT(COMPARISONS_MAX)), &q, err));
    while (ret->count < COMPARISONS_MAX &&
           query_next(&q, COMPARISON_FIELDS, arena, &ret->items[ret->count]))
        ret->count++;
    return query_end(&q, err);
}

enum err_code difference_list(struct db *db, struct arena *arena, const char *model_id,
                              int64_t limit, struct difference_list *ret, struct err *err)
{
    AUTO(query_done) struct query q = {0};
    size_t room = limit < DIFFERENCE_LIST_MAX ? (size_t)limit : DIFFERENCE_LIST_MAX;

    *ret = (struct difference_list){.items = ARENA_ARRAY(arena, struct difference_row, room)};
    TRY(db_query(db, SQL_DIFFERENCE_LIST, PARAMS(P_TEXT(model_id), P_INT((int64_t)room)), &q, err));
    while (ret->count < room && query_next(&q, DIFFERENCE_FIELDS, arena, &ret->items[ret->count]))
        ret->count++;
    return query_end(&q, err);
}
