#pragma once
/* What a model may learn from the store: every pair that was observed, unless triage speaks against
 * it. An attacker must not become usual by being seen often, nor by a hasty close of the whole
 * queue. */
#include "base/err.h"
#include "base/ip.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct db;

enum training_use {
    TRAINING_LEARN, /* never flagged, or a person said of this finding that it is fine */
    TRAINING_HOLD,  /* flagged and not yet judged, or judged by a playbook or in bulk */
    TRAINING_NEVER, /* a true positive or security risk, whoever says so; learned before: forgotten
                     */
    TRAINING__MAX
};
extern const char *const TRAINING_USE_WORDS[TRAINING__MAX + 1];

/* The rule. verdict and source as in struct finding, -1 = none. */
enum training_use training_use_of(int64_t verdict, int64_t source);

struct training_row {
    const char *spec, *entity; /* until the callback returns */
    struct ip ip;
    int64_t first_ms;
    uint64_t count;
    bool unanswered; /* refused, or nobody answered, and it is no finding: scored, not learned */
    enum training_use use;
};
/* An error ends the reading and is passed on. */
typedef enum err_code training_visit(void *context, const struct training_row *row,
                                     struct err *err);

/* Observations that began in [since_ms, until_ms), on one snapshot: those that are rows as they
 * were stored, then the packed ones by day. */
NODISCARD enum err_code training_observations(struct db *db, int64_t since_ms, int64_t until_ms,
                                              training_visit *visit, void *context,
                                              struct err *err);
/* Findings that are not to be learned: their pairs, with first_ms and count of the finding. */
NODISCARD enum err_code training_findings(struct db *db, training_visit *visit, void *context,
                                          struct err *err);
