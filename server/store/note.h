#pragma once
/* Notes of findings: plain text, added and never changed. */
#include "base/err.h"
#include "base/field.h"
#include <stdint.h>

struct arena;
struct db;

struct note {
    int64_t id;
    const char *author;
    int64_t time;
    const char *text;
};
extern const struct field NOTE_FIELDS[];
struct note_list {
    struct note *items;
    size_t count;
};
enum { NOTES_MAX = 1000 }; /* of one finding; one more is ERR_CONFLICT */

/* ERR_NOT_FOUND when there is no such finding. Oldest first. */
NODISCARD enum err_code note_list(struct db *db, struct arena *arena, int64_t finding_id,
                                  struct note_list *ret, struct err *err);
struct note_job { /* a writer_job: note_add_job */
    struct arena *arena;
    int64_t finding_id;
    const char *author;
    int64_t now_ms;
    const char *text;
    struct note note; /* filled in */
};
enum err_code note_add_job(struct db *db, void *job, struct err *err);
