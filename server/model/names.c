/* Entities' names, for people: a model finds entities by their hashes. */
#include <string.h>

#include "base/own.h"
#include "model/learn.h"

bool names_index(struct model *model)
{
    const struct model_parts *parts = &model->parts;
    uint64_t at = 0;

    own_freep(&model->name_starts);
    model->name_starts = own_array(parts->entity_count + 1, sizeof *model->name_starts);
    for (uint64_t i = 0; i < parts->entity_count; i++) {
        const char *end = at < parts->entity_names_length ? memchr(parts->entity_names + at, '\0',
                                                                   parts->entity_names_length - at)
                                                          : NULL;

        if (end == NULL)
            return false;
        model->name_starts[i] = at;
        at = (uint64_t)(end - parts->entity_names) + 1;
    }
    return at == parts->entity_names_length;
}

const char *entity_name(const struct model *model, uint64_t index)
{
    return model->parts.entity_names + model->name_starts[index];
}

void names_keep(const char *const *names, struct learned *ret)
{
    struct model_parts *parts = &ret->model.parts;
    uint64_t length = 0, at = 0;

    for (uint64_t i = 0; i < parts->entity_count; i++)
        length += strlen(names[i]) + 1;
    ret->names = own_array(length + 1, 1);
    for (uint64_t i = 0; i < parts->entity_count; i++) {
        size_t bytes = strlen(names[i]) + 1;

        memcpy(ret->names + at, names[i], bytes);
        at += bytes;
    }
    parts->entity_names = ret->names;
    parts->entity_names_length = length;
    ASSERT(names_index(&ret->model));
}
