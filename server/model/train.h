#pragma once
/* Training: pairs in, a model out. Pairs are put in an order of their own first, so the same pairs
 * in any order, with the same seed, give the same file. One thread, but for the two that train. */
#include "model/hyper.h"
#include "model/model.h"

struct asn_table;
struct train_pair {
    const char *spec; /* "" for none */
    const char *entity;
    struct ip ip;
    int64_t time_ms; /* 0 = unknown */
    uint64_t count;  /* times it was observed, at least 1 */
    /* Refused traffic, or a call that nobody answered: it is scored like any other, so it counts
     * where a threshold is set, and it is never learned. */
    bool unanswered;
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
/* Called after every second batch, after a window's last one and at an epoch's end, on the thread
 * that trains. False stops training: ERR_CANCELLED. */
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
    /* Blocks of 4096 samples that are shuffled with each other (fit_window.h); 0 = 256, and only
     * tests have a reason for another number: the model is another one, too. */
    size_t window_blocks;
};
enum { TRAIN_THREADS_MAX = 2 };
enum { TRAIN_PAIRS_MAX = 2000 * 1000 * 1000, TRAIN_ENTITIES_MAX = 500 * 1000 * 1000 };

/* Pairs to learn from, of which only so many lie in memory: the others are in nameless files in a
 * folder, 40 bytes each. So are the numbers that are made of them: 8 bytes of each for IP Insights'
 * epochs, 16 for the prefix tree. The model does not depend on what lies where.
 * The memory is what those may take; beside it training takes that for the names of the entities
 * and thrice the model's vectors, its prefix tree, and some 40 MB. */
#define TRAIN_MEMORY_BYTES_DEFAULT (UINT64_C(1) << 30)
#define TRAIN_MEMORY_BYTES_MIN     (UINT64_C(4) << 20)
struct train_set;
struct train_set *train_set_new(uint64_t memory_bytes, const char *folder);
void train_set_freep(struct train_set **set); /* accepts NULL in it */
/* Copies. A count above INT32_MAX counts as that. ERR_INVALID: too many specs, or a name that is
 * too long; ERR_TOO_LARGE: too many pairs or entities; ERR_IO, ERR_FULL: of the folder. */
NODISCARD enum err_code train_set_add(struct train_set *set, const struct train_pair *pair,
                                      struct err *err);
uint64_t train_set_count(const struct train_set *set);
uint64_t train_set_unanswered(const struct train_set *set); /* of them, those not to be learned */
size_t train_set_specs(const struct train_set *set);        /* distinct ones */
bool train_set_spilled(const struct train_set *set);        /* whether pairs are in a file */

struct trained;
/* ERR_INVALID: no pairs to learn, a hyperparameter out of its range, or training diverged;
 * ERR_CANCELLED: the watch had enough; of the folder as train_set_add. The set may be used again.
 */
NODISCARD enum err_code train_set_run(struct train_set *set, const struct train_options *options,
                                      struct trained **ret, struct err *err);
/* The same of an array. */
NODISCARD enum err_code train_run(const struct train_pair *pairs, size_t count,
                                  const struct train_options *options, struct trained **ret,
                                  struct err *err);
/* Learns on from base, whose vectors stay as they are: the prefix tree gains what pairs show, loses
 * what it has not seen for long and what is forgotten, entities become known. Each spec of which
 * pairs hold enough is calibrated by what base makes of them; the others keep their calibration.
 * base must outlive *ret. As train_set_run, and: ERR_INVALID when base does not know a pair's spec.
 * Of options the seed, the detector and hyper are base's. */
enum { TRAIN_UPDATE_SAMPLE_MIN = 1000 }; /* distinct pairs of a spec */
NODISCARD enum err_code train_set_update(const struct model *base, struct train_set *set,
                                         const struct train_pair *forgotten, size_t forgotten_count,
                                         const struct train_options *options, struct trained **ret,
                                         struct err *err);
NODISCARD enum err_code train_update(const struct model *base, const struct train_pair *pairs,
                                     size_t count, const struct train_pair *forgotten,
                                     size_t forgotten_count, const struct train_options *options,
                                     struct trained **ret, struct err *err);
/* base with other calibrations, and nothing else of it: by what it makes of pairs that it has not
 * learned. As train_update, whose sample of a spec it wants as well. */
NODISCARD enum err_code train_recalibrate(const struct model *base, const struct train_pair *pairs,
                                          size_t count, const struct train_options *options,
                                          struct trained **ret, struct err *err);
void train_checkpoint_remove(const char *checkpoint); /* NULL and missing files are fine */
const struct model *trained_model(const struct trained *trained); /* its id is "" until written */
NODISCARD enum err_code trained_write(struct trained *trained, const char *path, struct err *err);
void trained_free(struct trained *trained);
void trained_freep(struct trained **trained);
