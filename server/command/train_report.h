#pragma once
/* What people and SageMaker see of a training that runs: progress with rate and time left on
 * stderr, and after each epoch of the training proper SageMaker's metric lines on stdout. */
#include "base/log.h"
#include "model/train.h"

struct train_printer {
    struct train_watch watch; /* goes into the train_options */
    const char *host;         /* in the metric lines; SageMaker's is algo-1 */
    struct progress progress;
    long long told; /* records of this stage */
    long long epoch_started_ms;
    bool started, calibrating;
};

/* Stays where it is and lives as long as the training, which ends when STOP_ASKED. */
void train_printer_init(struct train_printer *printer, const char *host);
