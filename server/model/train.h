#pragma once
/* Training: pairs in, a model out. Pairs are put in an order of their own first, so the same pairs
 * in any order, with the same seed, give the same file. */
#include "model/hyper.h"
#include "model/model.h"

struct asn_table;
struct train_pair {
    const char *spec; /* "" for none */
    const char *entity;
    struct ip ip;
    int64_t time_ms; /* 0 = unknown */
    uint64_t count;  /* times it was observed, at least 1 */
};

#define THRESHOLD_BUDGET_DEFAULT 40.0
#define HALF_LIFE_DAYS_DEFAULT   30.0

/* How far IP Insights' training is. Twice over all epochs: first for the calibration, on the older
 * four fifths, then on everything. */
struct train_report {
    bool calibrating;      /* the first of the two */
    int64_t epoch, epochs; /* the one it is in, from 0 */
    bool epoch_ended;
    uint64_t records, epoch_records; /* done in it, in all of it; negatives count too */
    double loss, accuracy;           /* of it so far: SageMaker's cross-entropy and accuracy */
};
/* Called after each batch, on the thread that trains. False stops training: ERR_CANCELLED. */
struct train_watch {
    bool (*tell)(void *context, const struct train_report *report);
    void *context;
};

struct train_options {
    struct hyper hyper;
    uint64_t seed;
    struct threshold_rule threshold;
    enum detector detector;
    double half_life_days; /* of an address in the prefix tree, > 0 */
    bool scoped;           /* keep the entities of different specs apart */
    /* Autonomous systems, for a level of the prefix tree; kept in the model. NULL = none, or base's
     * when learning on. Must outlive the trained. */
    const struct asn_table *asn;
    int threads; /* 1 or 2 (0 = 1); the model is the same */
    /* Name of the loops (kernel.h); NULL = the processor's best; the model is the same. */
    const char *kernel;
    /* Kept from when a process is killed, to go on from; two files whose names begin with it.
     * NULL = none. train_checkpoint_remove removes them when the model is written. */
    const char *checkpoint;
    const struct train_watch *watch; /* NULL = none */
};
enum { TRAIN_THREADS_MAX = 2 };
enum { TRAIN_PAIRS_MAX = 400 * 1000 * 1000 };

struct trained;
/* Sorts pairs. ERR_INVALID: no pairs, too many, a hyperparameter out of its range, or training
 * diverged; ERR_CANCELLED: the watch had enough. */
NODISCARD enum err_code train_run(struct train_pair *pairs, size_t count,
                                  const struct train_options *options, struct trained **ret,
                                  struct err *err);
/* Learns on from base, whose vectors stay as they are: the prefix tree gains what pairs show, loses
 * what it has not seen for long and what is forgotten, entities become known. Each spec of which
 * pairs hold enough is calibrated by what base makes of them; the others keep their calibration.
 * base must outlive *ret. As train_run, and: ERR_INVALID when base does not know a pair's spec.
 * Sorts pairs. Of options the seed, the detector and hyper are base's. */
enum { TRAIN_UPDATE_SAMPLE_MIN = 1000 }; /* distinct pairs of a spec */
NODISCARD enum err_code train_update(const struct model *base, struct train_pair *pairs,
                                     size_t count, const struct train_pair *forgotten,
                                     size_t forgotten_count, const struct train_options *options,
                                     struct trained **ret, struct err *err);
/* base with other calibrations, and nothing else of it: by what it makes of pairs that it has not
 * learned. As train_update, whose sample of a spec it wants as well. */
NODISCARD enum err_code train_recalibrate(const struct model *base, struct train_pair *pairs,
                                          size_t count, const struct train_options *options,
                                          struct trained **ret, struct err *err);
void train_checkpoint_remove(const char *checkpoint); /* NULL and missing files are fine */
const struct model *trained_model(const struct trained *trained); /* its id is "" until written */
NODISCARD enum err_code trained_write(struct trained *trained, const char *path, struct err *err);
void trained_free(struct trained *trained);
void trained_freep(struct trained **trained);
