#pragma once
/* Training pairs from CSV files, lines of `pairwatch pairs`, objects of the lake (Parquet, OCSF
 * JSON) and folders of them. One thread. */
#include "base/arena.h"
#include "command/pairs_reader.h"
#include "model/train.h"
#include "worker/triage_filter.h"

struct pairs_input {
    /* Where pairs go, one after the other; NULL: into the array, as long as memory lasts. */
    enum err_code (*take)(void *taker, const struct train_pair *pair, struct err *err);
    void *taker;
    struct train_pair *pairs; /* owned; none that is unanswered */
    size_t count, capacity;
    struct arena texts;
    uint64_t objects, failed;        /* objects read, unreadable */
    uint64_t rejected, one_way;      /* pairs of refused traffic; those that nobody answered */
    const char *const *spec_names;   /* NULL-terminated, or NULL for all */
    const char *spec_dir, *temp_dir; /* or NULL */
    int64_t since_ms, until_ms;      /* [since, until); 0 = none */
    uint64_t object_bytes_max;
    uint64_t pairs_max;       /* distinct ones of an object; 0 = the lake's own */
    bool bare;                /* CSV is entity,ip without a header and nothing else */
    struct pairs_tally tally; /* of CSV: bad_percent_max is set beforehand; check it at the end */
    struct triage_filter triage; /* what it speaks against is left out */
    uint64_t held_back;          /* pairs that were */
    struct lake *lake;           /* opened when first needed */
    const char *spec, *entity;   /* the last ones, which often come again */
};

/* Set take, taker and the members from spec_names on beforehand. */
void pairs_input_init(struct pairs_input *input);
/* Takes them into a train_set. */
NODISCARD enum err_code pairs_input_take(void *set, const struct train_pair *pair, struct err *err);
void pairs_input_done(struct pairs_input *input);
/* Observations of the store, by a read connection of its own. */
NODISCARD enum err_code pairs_input_add_store(struct pairs_input *input, const char *url,
                                              struct err *err);
/* Whatever the file's first bytes. ERR_INVALID with file, line and column. */
NODISCARD enum err_code pairs_input_add_csv(struct pairs_input *input, const char *path,
                                            struct err *err);
/* An object, whatever it is called. */
NODISCARD enum err_code pairs_input_add_object(struct pairs_input *input, const char *path,
                                               struct err *err);
/* path "-": rows from standard input. ERR_INVALID with file, line and column, or what is wrong with
 * an object; in a folder an object that cannot be read is told on stderr and passed over. */
NODISCARD enum err_code pairs_input_add(struct pairs_input *input, const char *path,
                                        struct err *err);
