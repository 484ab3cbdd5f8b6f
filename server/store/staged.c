#include "store/staged.h"

#include "store/chunk.h"

const struct field STAGED_FIELDS[] = {
    FIELD(struct staged_row, id, FIELD_INT, .flags = 0),
    FIELD(struct staged_row, entity_id, FIELD_INT, .flags = 0),
    FIELD(struct staged_row, ip, FIELD_IP, .flags = 0),
    FIELD(struct staged_row, spec_id, FIELD_INT, .flags = 0),
    FIELD(struct staged_row, model_id, FIELD_INT, .flags = 0),
    FIELD(struct staged_row, object_id, FIELD_INT, .flags = FIELD_NULLABLE),
    FIELD(struct staged_row, first_ms, FIELD_INT, .flags = 0),
    FIELD(struct staged_row, last_ms, FIELD_INT, .flags = 0),
    FIELD(struct staged_row, count, FIELD_INT, .flags = 0),
    FIELD(struct staged_row, score, FIELD_REAL, .flags = 0),
    FIELD(struct staged_row, percentile, FIELD_REAL, .flags = FIELD_NULLABLE),
    FIELD(struct staged_row, unanswered, FIELD_INT, .flags = 0),
    FIELD_END,
};

struct observation staged_observation(const struct staged_row *row)
{
    return (struct observation){
        .entity_id = row->entity_id,
        .ip = row->ip,
        .spec_id = row->spec_id,
        .model_id = row->model_id,
        .object_id = row->object_id,
        .first_ms = row->first_ms,
        .last_ms = row->last_ms,
        .count = (uint64_t)row->count,
        .score = row->score,
        .percentile = row->percentile,
        .unanswered = row->unanswered,
    };
}
