#pragma once
/* Reading a FindingPatch of the contract, for one finding and for bulk. */
#include <stdbool.h>
#include <stdint.h>

struct arena;
struct finding_patch;
struct json;
struct json_faults;

enum { TAGS_MAX = 20 };

/* Faults point below pointer; a patch that names nothing is a fault too. Tags come out sorted.
 * Texts live in the arena. */
void triage_read(const struct json *node, struct arena *arena, const char *pointer,
                 struct json_faults *faults, struct finding_patch *ret);
/* A value of FIELD_JSON's tags: an array of 0 to TAGS_MAX different tags, to sorted JSON text. */
const char *triage_tags(const struct json *node, struct arena *arena, const char *pointer,
                        struct json_faults *faults);
