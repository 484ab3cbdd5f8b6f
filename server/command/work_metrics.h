#pragma once
/* GET /metrics of a worker: its own counters by the names that `pairwatch serve` has for those of
 * all workers. Whoever reaches the address may read it. */
#include "base/err.h"

struct work_metrics;
struct worker_watch;

/* address: "127.0.0.1:9464"; the log says on which port when that is 0. The watch outlives it. */
NODISCARD enum err_code work_metrics_start(const char *address, struct worker_watch *watch,
                                           struct work_metrics **ret, struct err *err);
void work_metrics_stop(struct work_metrics *metrics); /* NULL is fine */
void work_metrics_stopp(struct work_metrics **metrics);
