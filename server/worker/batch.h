#pragma once
/* One object on its way through the pipeline. Belongs to one worker thread. */
#include "base/arena.h"
#include "base/err.h"
#include "worker/worker.h"
#include <stdint.h>

struct db;
struct endpoints;
struct lake;
struct model;
struct model_set;
struct notice;
struct post_link;
struct queue;
struct turns;
struct windows;
struct writer;

struct batch_context {
    struct lake *lake;
    struct queue *queue; /* where notices without a path are fetched from */
    const struct model_set *set;
    struct endpoints *endpoints; /* of the set */
    struct db *db;               /* reads; NULL with post */
    struct writer *writer;
    const struct windows *windows; /* of the set; NULL: the model's own calibration alone */
    struct post_link *post;        /* where results go instead of the database, or NULL */
    uint64_t object_bytes_max;
    size_t explanation_bytes_max; /* of one object; what is flagged beyond goes without */
    struct turns *turns;          /* to compute; NULL: at once */
    const atomic_bool *stop;
};

/* Adds to *totals. Fails only for what another object would meet as well; what is wrong with this
 * one goes into its ledger entry. */
NODISCARD enum err_code batch_run(const struct batch_context *context, const struct notice *notice,
                                  struct arena *arena, struct worker_totals *totals,
                                  struct err *err);
/* The name under which the model knows the spec: the spec, "" for a model of bare pairs, or NULL.
 */
const char *batch_model_spec(const struct model *model, const char *spec);
