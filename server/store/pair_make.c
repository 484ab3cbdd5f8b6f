/* Runs of pairs are made here, a step at a time. Of what a run is made of, a step reads so much
 * that every pair up to some point is known, sorts it, puts the sightings of a pair together, and
 * appends; the run remembers the point. Nothing else is kept between steps. */
#include <string.h>

#include "base/arena.h"
#include "base/clock.h"
#include "store/db.h"
#include "store/observation_chunk.h"
#include "store/pair_making.h"

static int compare(const struct making *making, const struct observation *row,
                   const struct pair_point *point)
{
    struct observation at = {.entity_id = point->entity_id, .ip = point->ip};

    return pair_compare(making->order, row, &at);
}

/* Of what part an error tells, if it tells of damage. */
static enum err_code note_damage(struct making *making, enum err_code code, int64_t part_id,
                                 bool is_run)
{
    if (code == ERR_CORRUPT)
        *making->damage = (struct pair_damage){making->id, part_id, is_run};
    return code;
}

/* ---- sources ---- */

struct source_row {
    int64_t id, entity_low, day_ms;
};
static const struct field SOURCE_FIELDS[] = {
    FIELD(struct source_row, id, FIELD_INT, .flags = 0),
    FIELD(struct source_row, entity_low, FIELD_INT, .flags = 0),
    FIELD(struct source_row, day_ms, FIELD_INT, .flags = 0),
    FIELD_END,
};

static enum err_code list_sources(struct making *making, struct source_row *ret, size_t *ret_count,
                                  struct err *err)
{
    AUTO(query_done) struct query q = {0};

    *ret_count = 0;
    TRY(db_query(making->db, SQL_PAIR_SOURCES_OF_RUN,
                 PARAMS(P_INT(making->id), P_INT(making->at.entity_id)), &q, err));
    while (*ret_count < PAIR_SOURCES_MAX &&
           query_next(&q, SOURCE_FIELDS, making->arena, &ret[*ret_count]))
        ++*ret_count;
    return query_end(&q, err);
}

static enum err_code read_source(struct making *making, const struct source_row *source,
                                 struct err *err)
{
    struct chunk_place place = {source->id, source->day_ms};
    struct chunk chunk;

    enum err_code code = chunk_read(making->db, making->arena, &place, &chunk, err);

    if (code == ERR_NOT_FOUND) /* its source would have gone with it */
        code =
            err_set(err, ERR_CORRUPT, "observation_chunk %lld is missing", (long long)source->id);
    TRY(note_damage(making, code, source->id, false));
    for (size_t i = 0; i < chunk.count; i++) {
        if (chunk.rows[i].entity_id > making->at.entity_id)
            pair_add_sighting(making, &chunk.rows[i]);
    }
    return ERR_NONE;
}

/* *ret: every pair up to here is known. Sources come by their first entity, so entities before that
 * of the next one are complete. */
static enum err_code read_sources(struct making *making, struct pair_point *ret, struct err *err)
{
    struct source_row *sources = ARENA_ARRAY(making->arena, struct source_row, PAIR_SOURCES_MAX);
    size_t count, i;

    (void)memset(ret->ip.bytes, 0xff, sizeof ret->ip.bytes);
    TRY(list_sources(making, sources, &count, err));
    for (i = 0; i < count; i++) {
        if (making->pairs.count >= making->sizes->step_rows &&
            sources[i].entity_low > making->at.entity_id + 1)
            break;
        TRY(read_source(making, &sources[i], err));
    }
    making->whole = i == count;
    ret->entity_id = i < count ? sources[i].entity_low - 1 : INT64_MAX;
    return ERR_NONE;
}

/* ---- runs ---- */

struct input { /* a run, read so far */
    int64_t id;
    struct pair_point low, end; /* of the last chunk that was read */
    bool is_read;
};
struct input_row {
    int64_t id, last_ms;
};
static const struct field INPUT_FIELDS[] = {
    FIELD(struct input_row, id, FIELD_INT, .flags = 0),
    FIELD(struct input_row, last_ms, FIELD_INT, .flags = 0),
    FIELD_END,
};

/* Of the newest day that a part has, PAIR_DAYS are kept. */
static void note_newest(struct making *making, int64_t last_ms)
{
    int64_t since_ms = last_ms - last_ms % DAY_MS - (int64_t)(PAIR_DAYS - 1) * DAY_MS;

    if (since_ms > making->days_since_ms)
        making->days_since_ms = since_ms;
}

static enum err_code list_inputs(struct making *making, struct input ret[static PAIR_INPUTS_MAX],
                                 size_t *ret_count, struct err *err)
{
    AUTO(query_done) struct query q = {0};
    struct input_row row;

    *ret_count = 0;
    TRY(db_query(making->db, SQL_PAIR_RUNS_OF_RUN, PARAMS(P_INT(making->id)), &q, err));
    while (query_next(&q, INPUT_FIELDS, making->arena, &row)) {
        if (*ret_count == PAIR_INPUTS_MAX) /* of a query that is to be ended */
            return note_damage(making,
                               err_set(err, ERR_CORRUPT, "pair_run %lld is made of more than %d",
                                       (long long)making->id, PAIR_INPUTS_MAX),
                               0, true);
        ret[(*ret_count)++] = (struct input){.id = row.id};
        note_newest(making, row.last_ms);
    }
    return query_end(&q, err);
}

static enum err_code read_body(struct making *making, enum pair_seek seek, int64_t run_id,
                               const struct pair_point *at, struct pair_body *ret, struct err *err)
{
    return pair_body_read(making->db, making->arena, making->order, seek, run_id, at, true, ret,
                          err);
}

/* Those after the point the run has come to. */
static void add_rows(struct making *making, struct input *input, struct observation *rows,
                     size_t count, struct rows *ret)
{
    for (size_t i = 0; i < count; i++)
        if (compare(making, &rows[i], &making->at) > 0)
            pair_add_row(making, ret, &rows[i]);
    if (count > 0 && compare(making, &rows[count - 1], &input->end) > 0)
        input->end = (struct pair_point){rows[count - 1].entity_id, rows[count - 1].ip};
}

/* The chunk with the point the run has come to, or the one after the last that was read. */
static enum err_code read_input(struct making *making, struct input *input, bool is_first,
                                struct err *err)
{
    const struct pair_point *at = is_first ? &making->at : &input->low;
    struct pair_body body;
    enum err_code code = ERR_NOT_FOUND;

    if (is_first)
        code = read_body(making, PAIR_AT, input->id, at, &body, err);
    if (code == ERR_NOT_FOUND)
        code = read_body(making, PAIR_AFTER, input->id, at, &body, err);
    input->is_read = code == ERR_NOT_FOUND;
    if (code != ERR_NONE)
        return code == ERR_NOT_FOUND ? ERR_NONE : code;
    input->low = body.low;
    input->end = body.low;
    add_rows(making, input, body.rows.pairs, body.rows.pair_count, &making->pairs);
    add_rows(making, input, body.rows.days, body.rows.day_count, &making->days);
    return ERR_NONE;
}

/* The one that ends first: nothing after its end is complete. NULL: all are read. */
static struct input *shortest(const struct making *making, struct input *inputs, size_t count)
{
    struct input *first = NULL;

    for (size_t i = 0; i < count; i++) {
        struct observation end = {.entity_id = inputs[i].end.entity_id, .ip = inputs[i].end.ip};

        if (!inputs[i].is_read && (first == NULL || compare(making, &end, &first->end) < 0))
            first = &inputs[i];
    }
    return first;
}

static bool is_after(const struct making *making, const struct pair_point *a,
                     const struct pair_point *b)
{
    struct observation row = {.entity_id = a->entity_id, .ip = a->ip};

    return compare(making, &row, b) > 0;
}

static enum err_code read_inputs(struct making *making, struct pair_point *ret, struct err *err)
{
    struct input inputs[PAIR_INPUTS_MAX], *first;
    size_t count;

    (void)memset(ret->ip.bytes, 0xff, sizeof ret->ip.bytes);
    TRY(list_inputs(making, inputs, &count, err));
    for (size_t i = 0; i < count; i++)
        TRY(note_damage(making, read_input(making, &inputs[i], true, err), inputs[i].id, true));
    while ((first = shortest(making, inputs, count)) != NULL &&
           (making->pairs.count < making->sizes->step_rows ||
            !is_after(making, &first->end, &making->at)))
        TRY(note_damage(making, read_input(making, first, false, err), first->id, true));
    making->whole = first == NULL;
    ret->entity_id = INT64_MAX;
    if (first != NULL)
        *ret = first->end;
    return ERR_NONE;
}

/* ---- putting together ---- */

/* The same pairs in the order of addresses: a run of their own. */
static enum err_code write_beside(const struct making *making, struct making *beside,
                                  struct err *err)
{
    struct pair_point end = {.entity_id = INT64_MAX};

    if (beside->pairs.count == 0)
        return ERR_NONE;
    (void)memset(end.ip.bytes, 0xff, sizeof end.ip.bytes);
    pair_join(beside, &end);
    pair_join_days(beside, &end);
    TRY(pair_run_add(beside->db, beside->level, beside->order, making->id, &beside->id, err));
    return pair_write(beside, &end, err);
}

/* Up to the point: what is behind it is read again by the next step. */
static struct making beside_of(const struct making *making, const struct pair_point *through)
{
    struct making ret = {.db = making->db,
                         .arena = making->arena,
                         .sizes = making->sizes,
                         .order = PAIRS_BY_ADDRESS,
                         .level = making->level,
                         .since_ms = making->since_ms,
                         .days_since_ms = making->days_since_ms};

    ret.pairs.count = ret.pairs.room = making->pairs.count;
    ret.pairs.items = ARENA_ARRAY(making->arena, struct observation *, ret.pairs.count + 1);
    if (ret.pairs.count > 0)
        (void)memcpy(ret.pairs.items, making->pairs.items,
                     ret.pairs.count * sizeof *ret.pairs.items);
    for (size_t i = 0; i < making->days.count; i++) {
        struct observation *day;

        if (compare(making, making->days.items[i], through) > 0)
            continue;
        day = ARENA_NEW(making->arena, struct observation);
        *day = *making->days.items[i];
        pair_add_row(making, &ret.days, day);
    }
    return ret;
}

/* Of what was read, PAIR_DAYS days are kept. */
static void note_newest_of_rows(struct making *making)
{
    for (size_t i = 0; i < making->pairs.count; i++)
        note_newest(making, making->pairs.items[i]->last_ms);
}

enum err_code pair_make_further(struct making *making, struct err *err)
{
    struct pair_point through = {.entity_id = 0};
    struct making beside;
    bool of_sources = making->level == 1;

    making->days_since_ms = 0;
    TRY(db_int(making->db, SQL_COUNTER_GET, PARAMS(P_TEXT(PAIRS_SINCE)), &making->since_ms, err));
    TRY((of_sources ? read_sources : read_inputs)(making, &through, err));
    note_newest_of_rows(making);
    pair_join(making, &through);
    if (of_sources)
        beside = beside_of(making, &through);
    pair_join_days(making, &through);
    TRY(pair_write(making, &through, err));
    if (of_sources)
        TRY(write_beside(making, &beside, err));
    return making->whole ? pair_write_end(making, err) : ERR_NONE;
}
