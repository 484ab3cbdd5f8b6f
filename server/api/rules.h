#pragma once
/* One row of a table that reads a JSON body (base/json.h): RULE(struct, member, "name", type,
 * .flags = …, .length_max = …). At least .flags is given. */
#include <stddef.h>

#include "base/json.h"

#define RULE(struct_, member_, name_, type_, ...)                                                  \
    {                                                                                              \
        .name = (name_), .type = (type_), .offset = offsetof(struct_, member_), __VA_ARGS__        \
    }
#define RULE_END                                                                                   \
    {                                                                                              \
        .name = NULL                                                                               \
    }
