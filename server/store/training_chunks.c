/* Rows of chunks hold numbers for names, and say nothing of findings: a pair may have become one
 * later. The few findings are read once into memory; names are looked up as they change, and rows
 * come in runs of an entity. */
#include "store/training_chunks.h"

#include <stdlib.h>

#include "base/arena.h"
#include "base/field.h"
#include "base/own.h"
#include "store/db.h"
#include "store/finding.h"
#include "store/observation_chunk.h"

enum {
    PAGE_ROWS = 4096,
    FOUND_MAX = 10 * 1000 * 1000, /* findings kept in memory, of 64 bytes */
    NAMES_ARENA_BYTES = 1 << 20,
};
#define CHUNK_ARENA_BYTES ((size_t)32 << 20)

struct found { /* a finding */
    int64_t id, spec_id, entity_id;
    struct ip ip;
    int64_t verdict, source;
};
static const struct field FOUND_FIELDS[] = {
    FIELD(struct found, id, FIELD_INT, .flags = 0),
    FIELD(struct found, spec_id, FIELD_INT, .flags = 0),
    FIELD(struct found, entity_id, FIELD_INT, .flags = 0),
    FIELD(struct found, ip, FIELD_IP, .flags = 0),
    FIELD(struct found, verdict, FIELD_ENUM, .flags = FIELD_NULLABLE,
          .words = FINDING_VERDICT_WORDS),
    FIELD(struct found, source, FIELD_ENUM, .flags = FIELD_NULLABLE,
          .words = FINDING_VERDICT_SOURCE_WORDS),
    FIELD_END,
};

struct name { /* the last one looked up */
    int64_t id;
    const char *text;
};
static const struct field NAME_FIELDS[] = {
    {.name = "name", .type = FIELD_TEXT, .offset = offsetof(struct name, text)},
    FIELD_END,
};

struct reading {
    struct db *db;
    struct found *found; /* sorted by by_pair; owned */
    size_t count;
    struct name spec, entity;
    struct arena specs, entities; /* of their texts */
};

static void reading_done(struct reading *reading)
{
    free(reading->found);
    arena_done(&reading->specs);
    arena_done(&reading->entities);
}

static int by_pair(const void *a_, const void *b_)
{
    const struct found *a = a_, *b = b_;

    if (a->spec_id != b->spec_id)
        return a->spec_id < b->spec_id ? -1 : 1;
    if (a->entity_id != b->entity_id)
        return a->entity_id < b->entity_id ? -1 : 1;
    return ip_compare(&a->ip, &b->ip);
}

static enum err_code read_found_page(struct reading *reading, size_t *ret_rows, struct err *err)
{
    AUTO(query_done) struct query q = {0};
    AUTO(arena_done) struct arena arena = {0};
    int64_t last = reading->count > 0 ? reading->found[reading->count - 1].id : 0;

    arena_init(&arena, NAMES_ARENA_BYTES);
    if (reading->count + PAGE_ROWS > FOUND_MAX)
        return err_set(err, ERR_TOO_LARGE, "there are more than %d findings", FOUND_MAX);
    reading->found = own_resize(reading->found, reading->count + PAGE_ROWS, sizeof *reading->found);
    TRY(db_query(reading->db, SQL_TRAINING_FINDING_PAIRS, PARAMS(P_INT(last), P_INT(PAGE_ROWS)), &q,
                 err));
    for (*ret_rows = 0; *ret_rows < PAGE_ROWS &&
                        query_next(&q, FOUND_FIELDS, &arena, &reading->found[reading->count]);
         ++*ret_rows)
        reading->count++;
    return query_end(&q, err);
}

static enum err_code read_found(struct reading *reading, struct err *err)
{
    size_t rows = PAGE_ROWS;

    while (rows == PAGE_ROWS)
        TRY(read_found_page(reading, &rows, err));
    qsort(reading->found, reading->count, sizeof *reading->found, by_pair);
    return ERR_NONE;
}

static enum err_code look_up(struct db *db, enum sql_id sql, struct arena *arena, int64_t id,
                             struct name *name, struct err *err)
{
    if (name->text != NULL && name->id == id)
        return ERR_NONE;
    arena_reset(arena);
    name->text = NULL;
    name->id = id;
    if (db_row(db, sql, PARAMS(P_INT(id)), NAME_FIELDS, arena, name, err) != ERR_NONE)
        return err_prefix(err, "the name of an observation");
    return ERR_NONE;
}

static enum err_code visit_row(struct reading *reading, const struct observation *row,
                               training_visit *visit, void *context, struct err *err)
{
    struct found key = {.spec_id = row->spec_id, .entity_id = row->entity_id, .ip = row->ip};
    const struct found *found = reading->count > 0 ? bsearch(&key, reading->found, reading->count,
                                                             sizeof *reading->found, by_pair)
                                                   : NULL;

    TRY(look_up(reading->db, SQL_TRAINING_SPEC, &reading->specs, row->spec_id, &reading->spec,
                err));
    TRY(look_up(reading->db, SQL_TRAINING_ENTITY, &reading->entities, row->entity_id,
                &reading->entity, err));
    return visit(
        context,
        &(struct training_row){
            .spec = reading->spec.text,
            .entity = reading->entity.text,
            .ip = row->ip,
            .first_ms = row->first_ms,
            .count = row->count,
            .unanswered = row->unanswered != 0 && found == NULL,
            .use = found == NULL ? TRAINING_LEARN : training_use_of(found->verdict, found->source),
        },
        err);
}

enum err_code training_chunks(struct db *db, int64_t since_ms, int64_t until_ms,
                              training_visit *visit, void *context, struct err *err)
{
    AUTO(reading_done) struct reading reading = {.db = db};
    AUTO(arena_done) struct arena arena = {0};
    struct chunk chunk = {.id = 0};

    arena_init(&reading.specs, NAMES_ARENA_BYTES);
    arena_init(&reading.entities, NAMES_ARENA_BYTES);
    arena_init(&arena, CHUNK_ARENA_BYTES);
    TRY(read_found(&reading, err));
    for (;;) {
        TRY(chunk_next(db, &arena, chunk.id, since_ms, until_ms, &chunk, err));
        if (chunk.id == 0)
            return ERR_NONE;
        for (size_t i = 0; i < chunk.count; i++)
            if (chunk.rows[i].first_ms >= since_ms && chunk.rows[i].first_ms < until_ms)
                TRY(visit_row(&reading, &chunk.rows[i], visit, context, err));
        arena_reset(&arena);
    }
}
