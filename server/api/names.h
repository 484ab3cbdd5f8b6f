#pragma once
/* The patterns of names in the contract (components/schemas: Name, SpecName, ModelId, Tag).
 * Pure, any thread. */
#include <stdbool.h>

enum {
    NAME_LENGTH_MAX = 64,
    SPEC_NAME_LENGTH_MAX = 64,
    MODEL_ID_LENGTH_MAX = 128,
    TAG_LENGTH_MAX = 50
};

bool name_is_valid(const char *text);      /* of a user or token: ^[a-z0-9][a-z0-9._-]{0,63}$ */
bool spec_name_is_valid(const char *text); /* ^[a-z0-9][a-z0-9-]{0,63}$ */
bool model_id_is_valid(const char *text);  /* ^[A-Za-z0-9][A-Za-z0-9._:-]{0,127}$ */
bool tag_is_valid(const char *text);       /* ^[a-z0-9][a-z0-9._:-]{0,49}$ */
