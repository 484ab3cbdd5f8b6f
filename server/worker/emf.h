#pragma once
/* A batch as a line of CloudWatch's embedded metric format on standard output: CloudWatch Logs
 * makes metrics of it, so a function needs nothing that asks it for them. Any thread.
 * CloudWatch user guide, "Specification: Embedded metric format". */
#include "base/tally.h"
#include "worker/totals.h"
#include <pthread.h>

struct emf {
    const char *function;           /* value of the dimension FunctionName; kept, not copied */
    pthread_mutex_t lock;           /* guards what follows */
    uint64_t told[TALLY_NAMES_MAX]; /* of each tally, what earlier lines said */
};
void emf_init(struct emf *emf, const char *function);
void emf_done(struct emf *emf);
/* lag_s: of the objects stored, lag_count of them, 100 at most. */
void emf_write(struct emf *emf, const struct worker_totals *batch, size_t received,
               const double *lag_s, size_t lag_count);
