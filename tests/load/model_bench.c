/* What the model's loops do on this machine, each against something simpler of the same run, and
 * what is aimed at:
 *
 *     make model-bench                       simulated logins, of BENCH_USERS
 *     build/release/tests/load/model_bench PAIRS.csv [training|prefix|scoring]
 *
 * PAIRS.csv has a line for each pair: entity,ip and what else it likes; they are put in a random
 * order that is always the same. Rates are of the best stretch of some tens of milliseconds and,
 * but where two threads are held against one, by the thread's own processor time, as the machine
 * may have other work. */
#include "check.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <time.h>

#include "base/hash.h"
#include "base/own.h"
#include "model/fit.h"
#include "model/learn.h"
#include "model/prefix_fit.h"
#include "model/vector.h"

enum {
    PAIRS_MAX = 8 * 1000 * 1000,
    LINE_BYTES_MAX = 1024,
    NAME_BYTES = 40,
    DIM = 128,
    BATCH_RECORDS = 7000
};
enum { SCORED_MAX = 1000 * 1000, SCORED_BATCH = 1000, TRAINED_MAX = 1000 * 1000 };
enum { STRETCH_CALLS = 12, BATCHES = 300, RUNS = 5, SCORE_RUNS = 10, TURNS = 3 };
enum { GATHERED_ROWS = FACTORS_MAX, LINE_FLOATS = 16 };
/* In the log of SageMaker's own run of its tutorial on a GPU (ml.p3.2xlarge). */
static const double GPU_RATE = 133783;
enum { MANY_ENTITIES = 5000 }; /* whose vectors and prefixes no cache holds */

struct line {
    char entity[NAME_BYTES];
    struct ip ip;
};

static struct line *lines;
static size_t line_count;

static void show(const char *name, double rate, const char *unit, double ratio, const char *of,
                 double goal)
{
    (void)printf("  %-34s %12.0f %-9s", name, rate, unit);
    if (ratio > 0)
        (void)printf(" %6.2f x %-16s", ratio, of);
    if (goal > 0)
        (void)printf("%s aim %.4g", ratio > 0 ? "" : "                          ", goal);
    (void)printf("\n");
    (void)fflush(stdout);
}

static double seconds_of(clockid_t clock)
{
    struct timespec now;

    (void)clock_gettime(clock, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void read_lines(const char *path)
{
    FILE *file = fopen(path, "re");
    char text[LINE_BYTES_MAX];
    size_t room = 0;

    CHECK(file != NULL);
    while (fgets(text, sizeof text, file) != NULL && line_count < PAIRS_MAX) {
        char *comma = strchr(text, ','), *end;
        struct line line = {.entity = ""};

        if (comma == NULL || comma - text >= NAME_BYTES)
            continue;
        *comma = '\0';
        end = comma + 1 + strcspn(comma + 1, ",\n");
        *end = '\0';
        if (!ip_parse(comma + 1, &line.ip))
            continue; /* the header */
        memcpy(line.entity, text, (size_t)(comma - text));
        if (line_count == room) {
            room = room * 2 + 1024;
            lines = own_resize(lines, room, sizeof *lines);
        }
        lines[line_count++] = line;
    }
    (void)fclose(file);
    CHECK(line_count > 1000);
}

/* As they might arrive, whatever the file's order is. */
static void shuffle_lines(void)
{
    struct rng rng;

    rng_init(&rng, 7);
    for (size_t i = line_count; i > 1; i--) {
        size_t j = (size_t)rng_below(&rng, i);
        struct line kept = lines[i - 1];

        lines[i - 1] = lines[j];
        lines[j] = kept;
    }
}

/* ---- training ---- */

struct numbers {
    struct spool_pool pool;
    struct spool samples;
    struct fit_input input;
    uint32_t *entities, counts[IP_LEVELS];
    struct ip_encoder encoder;
    uint64_t *hashes, *keys;
    size_t entity_count;
};

static int by_value(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

    return (x > y) - (x < y);
}

static uint64_t hash_of(const struct line *line)
{
    return hash_bytes(line->entity, strlen(line->entity), 0);
}

static void encode_lines(struct numbers *ret)
{
    struct spool keys[IP_FAMILIES];
    struct ip_tree tree;
    struct err err = {0};

    for (int f = 0; f < IP_FAMILIES; f++)
        spool_init(&keys[f], &ret->pool, sizeof(uint64_t));
    for (size_t i = 0; i < line_count; i++) {
        int length;
        uint64_t key = prefix_key(&lines[i].ip, &length);

        CHECK_OK(spool_add(&keys[length != PREFIX_BITS_V4], &key, &err));
    }
    CHECK_OK(ip_prefixes_of(keys, &ret->keys, ret->counts, &err));
    for (int f = 0; f < IP_FAMILIES; f++)
        spool_done(&keys[f]);
    CHECK_OK(ip_encoder_init(&ret->encoder, ret->keys, ret->counts, &err));
    ip_tree_init(&tree, &ret->encoder);
    spool_init(&ret->samples, &ret->pool, sizeof(struct fit_sample));
    for (size_t i = 0; i < line_count; i++) {
        struct ip ip = prefix_ip(&lines[i].ip);
        struct fit_sample sample = {ret->entities[i], ip_tree_leaf(&tree, &ip)};

        CHECK_OK(spool_add(&ret->samples, &sample, &err));
    }
    ip_tree_done(&tree);
}

static void number_lines(struct numbers *ret)
{
    uint64_t *hashes = own_array(line_count, sizeof *hashes);
    size_t entities = 0;

    *ret = (struct numbers){.entities = own_array(line_count, sizeof(uint32_t)), .hashes = hashes};
    spool_pool_init(&ret->pool, UINT64_MAX, "/tmp");
    for (size_t i = 0; i < line_count; i++)
        hashes[i] = hash_of(&lines[i]);
    qsort(hashes, line_count, sizeof *hashes, by_value);
    for (size_t i = 0; i < line_count; i++)
        if (i == 0 || hashes[i] != hashes[entities - 1])
            hashes[entities++] = hashes[i];
    for (size_t i = 0; i < line_count; i++) {
        uint64_t hash = hash_of(&lines[i]);
        const uint64_t *found = bsearch(&hash, hashes, entities, sizeof hash, by_value);

        ret->entities[i] = (uint32_t)(found - hashes);
    }
    ret->entity_count = entities;
    encode_lines(ret);
    ret->input = (struct fit_input){&ret->samples, entities};
}

static void numbers_done(struct numbers *numbers)
{
    spool_done(&numbers->samples);
    ip_encoder_done(&numbers->encoder);
    own_freep(&numbers->entities);
    own_freep(&numbers->hashes);
    own_freep(&numbers->keys);
}

struct stretch {
    clockid_t clock;
    uint64_t records_max;
    double began, now, best; /* seconds; records a second */
    uint64_t calls, began_at, records;
};

static bool time_stretch(void *context, const struct train_report *report)
{
    struct stretch *stretch = context;

    stretch->now = seconds_of(stretch->clock);
    stretch->records = (uint64_t)report->epoch * report->epoch_records + report->records;
    if (stretch->calls++ == 0) {
        stretch->began = stretch->now;
        stretch->began_at = stretch->records;
    } else if (stretch->calls % STRETCH_CALLS == 0) {
        double rate =
            (double)(stretch->records - stretch->began_at) / (stretch->now - stretch->began);

        stretch->best = rate > stretch->best ? rate : stretch->best;
        stretch->began = stretch->now;
        stretch->began_at = stretch->records;
    }
    return stretch->records < stretch->records_max;
}

/* Records a second, by the clock; what it learns is the same every time. */
static double fit_rate(const struct numbers *numbers, const struct kernel *kernel, int threads,
                       clockid_t clock)
{
    static uint64_t first;
    AUTO(fit_done) struct fit fit = {0};
    struct stretch stretch = {.clock = clock, .records_max = (uint64_t)BATCHES * BATCH_RECORDS};
    struct train_watch watch = {time_stretch, &stretch};
    struct hyper hyper = HYPER_DEFAULT;
    struct fit_options options = {
        .hyper = &hyper, .seed = 1, .threads = threads, .kernel = kernel, .watch = &watch};
    struct err err = {0};
    uint64_t sum;

    hyper.vector_dim = DIM;
    hyper.mini_batch_size = 1000;
    hyper.epochs = 1000;
    CHECK_ERR(ERR_CANCELLED, fit_run(&numbers->input, &numbers->encoder, &options, &fit, &err));
    sum =
        hash_bytes(fit.prefixes.values, fit.prefixes.rows * fit.prefixes.stride * sizeof(float), 0);
    CHECK(first == 0 || sum == first);
    first = sum;
    return stretch.best;
}

static double aim_of(const struct kernel *kernel, const struct numbers *numbers)
{
    if (numbers->entity_count > MANY_ENTITIES)
        return strcmp(kernel->name, "x86-64-v4") == 0 ? 5 : 0;
    return strcmp(kernel->name, "x86-64-v4") == 0   ? 12
           : strcmp(kernel->name, "x86-64-v3") == 0 ? 6
                                                    : 0;
}

static void bench_training(const struct numbers *numbers)
{
    size_t count;
    const struct kernel *const *all = kernels(&count);
    double one = 0, two = 0;
    char name[40];

    for (size_t k = 0; k < count; k++) {
        double rate = 0;

        for (int turn = 0; turn < TURNS; turn++)
            rate = fmax(rate, fit_rate(numbers, all[k], 1, CLOCK_THREAD_CPUTIME_ID));
        (void)snprintf(name, sizeof name, "training, %s", all[k]->name);
        show(name, rate, "records/s", rate / GPU_RATE, "the GPU run", aim_of(all[k], numbers));
    }
    for (int turn = 0; turn < TURNS; turn++) { /* by turns: both meet the same machine */
        one = fmax(one, fit_rate(numbers, all[0], 1, CLOCK_MONOTONIC));
        two = fmax(two, fit_rate(numbers, all[0], 2, CLOCK_MONOTONIC));
    }
    show("training, two threads", two, "records/s", two / one, "one thread", 1.7);
}

/* ---- the prefix tree ---- */

enum { PREFIX_BATCH = 64 };

/* Line i's address with line i * step's entity. */
static double prefix_seconds(const struct prefix_tree *tree, const struct numbers *numbers,
                             size_t count, size_t step, double *sum)
{
    double began = seconds_of(CLOCK_THREAD_CPUTIME_ID);

    for (size_t first = 0; first < count; first += PREFIX_BATCH) {
        size_t here = count - first < PREFIX_BATCH ? count - first : PREFIX_BATCH;
        struct prefix_pair pairs[PREFIX_BATCH] = {{0, NULL}};
        struct prefix_score scores[PREFIX_BATCH];

        for (size_t i = 0; i < here; i++)
            pairs[i] = (struct prefix_pair){numbers->entities[(first + i) * step % line_count],
                                            &lines[first + i].ip};
        prefix_score_pairs(tree, pairs, here, scores);
        for (size_t i = 0; i < here; i++)
            *sum += scores[i].both;
    }
    return seconds_of(CLOCK_THREAD_CPUTIME_ID) - began;
}

static void bench_prefix(const struct numbers *numbers)
{
    struct spool_pool pool;
    struct err err = {0};
    size_t scored = line_count < SCORED_MAX ? line_count : SCORED_MAX;
    double best_fit = INFINITY, best_own = INFINITY, best_other = INFINITY, sum = 0;

    spool_pool_init(&pool, UINT64_MAX, "/tmp");
    for (int run = 0; run < RUNS; run++) {
        AUTO(prefix_arrays_done) struct prefix_arrays arrays = {0};
        AUTO(prefix_tree_done) struct prefix_tree tree = {0};
        AUTO(prefix_events_done) struct prefix_events events = {.last = NULL};
        double began;

        prefix_events_init(&events, &pool, numbers->entity_count);
        began = seconds_of(CLOCK_THREAD_CPUTIME_ID);
        for (size_t i = 0; i < line_count; i++) {
            struct prefix_event event = prefix_event(numbers->entities[i], &lines[i].ip, 20000);

            CHECK_OK(prefix_events_add(&events, &event, &err));
        }
        CHECK_OK(prefix_fit(&events, 0, 30, &tree, &arrays, &err));
        best_fit = fmin(best_fit, seconds_of(CLOCK_THREAD_CPUTIME_ID) - began);
        best_own = fmin(best_own, prefix_seconds(&tree, numbers, scored, 1, &sum));
        best_other = fmin(best_other, prefix_seconds(&tree, numbers, scored, 7919, &sum));
    }
    CHECK(isfinite(sum));
    show("prefix tree, fit", (double)line_count / best_fit, "events/s", 0, "", 5e6);
    show("prefix tree, own addresses", (double)scored / best_own, "pairs/s", 0, "", 1.5e6);
    show("prefix tree, others' addresses", (double)scored / best_other, "pairs/s", 0, "", 1.5e6);
}

/* ---- scoring ---- */

/* What memory gives: rows at random, asked for some ahead, each read once and multiplied by another
 * that is at hand. */
static double gather_seconds(const float *table, size_t rows)
{
    const struct kernel *kernel = kernel_named(NULL);
    double began = seconds_of(CLOCK_THREAD_CPUTIME_ID), sum = 0;
    float vector[DIM];
    struct rng rng;

    for (size_t i = 0; i < DIM; i++)
        vector[i] = 1;
    rng_init(&rng, 5);
    for (size_t i = 0; i < SCORED_MAX; i += GATHERED_ROWS) {
        struct factors gathered = {.count = GATHERED_ROWS}, none = {.count = 0};
        double dots[GATHERED_ROWS];

        for (size_t k = 0; k < GATHERED_ROWS; k++) {
            gathered.first[k] = table + (rng_u64(&rng) >> 32) * rows / (1ULL << 32) * DIM;
            gathered.second[k] = vector;
            for (size_t f = 0; f < DIM; f += LINE_FLOATS)
                __builtin_prefetch(gathered.first[k] + f);
        }
        kernel->dots(&gathered, &none, DIM, dots);
        sum += dots[0];
    }
    CHECK(sum >= 0 && sum <= 0);
    return seconds_of(CLOCK_THREAD_CPUTIME_ID) - began;
}

static int by_pair(const void *a, const void *b)
{
    const struct line *x = a, *y = b;
    int order = strcmp(x->entity, y->entity);

    return order != 0 ? order : ip_compare(&x->ip, &y->ip);
}

static double dot_seconds(const struct model *model, const struct model_pair *pairs, size_t count,
                          double *dots)
{
    double began = seconds_of(CLOCK_THREAD_CPUTIME_ID);

    for (size_t i = 0; i < count; i += SCORED_BATCH)
        model_dot_products(model, pairs + i, count - i < SCORED_BATCH ? count - i : SCORED_BATCH,
                           dots + i);
    return seconds_of(CLOCK_THREAD_CPUTIME_ID) - began;
}

static double score_seconds(const struct model *model, const struct model_pair *pairs, size_t count,
                            struct model_score *scores)
{
    double began = seconds_of(CLOCK_THREAD_CPUTIME_ID);

    for (size_t i = 0; i < count; i += SCORED_BATCH)
        model_score_pairs(model, pairs + i, count - i < SCORED_BATCH ? count - i : SCORED_BATCH,
                          scores);
    return seconds_of(CLOCK_THREAD_CPUTIME_ID) - began;
}

/* By turns, as memory is shared with other machines. */
static void show_scoring(const struct model *model, const struct model_pair *arrived,
                         const struct model_pair *ordered, size_t count, size_t rows)
{
    AUTO(own_freep) float *table = own_aligned(rows * DIM, sizeof *table);
    AUTO(own_freep) double *dots = own_array(count, sizeof *dots);
    AUTO(own_freep) struct model_score *scores = own_array(SCORED_BATCH, sizeof *scores);
    double gather = INFINITY, arrive = INFINITY, order = INFINITY, score = INFINITY;

    for (int run = 0; run < SCORE_RUNS; run++) {
        gather = fmin(gather, gather_seconds(table, rows));
        arrive = fmin(arrive, dot_seconds(model, arrived, count, dots));
        gather = fmin(gather, gather_seconds(table, rows));
        order = fmin(order, dot_seconds(model, ordered, count, dots));
        score = fmin(score, score_seconds(model, arrived, count, scores));
    }
    gather = SCORED_MAX / gather;
    arrive = (double)count / arrive;
    order = (double)count / order;
    show("rows gathered at random", gather, "rows/s", 0, "", 0);
    show("dot products, as they arrive", arrive, "pairs/s", arrive / gather, "rows gathered", 0.4);
    show("dot products, in order", order, "pairs/s", order / gather, "rows gathered", 1);
    show("scores with all opinions", (double)count / score, "pairs/s", 0, "", 0);
}

static void bench_scoring(const struct numbers *numbers, size_t rows)
{
    AUTO(trained_freep) struct trained *trained = NULL;
    size_t count = line_count < TRAINED_MAX ? line_count : TRAINED_MAX;
    AUTO(own_freep) struct train_pair *learned = own_array(count, sizeof *learned);
    AUTO(own_freep) struct model_pair *arrived = own_array(count, sizeof *arrived);
    AUTO(own_freep) struct model_pair *ordered = own_array(count, sizeof *ordered);
    AUTO(own_freep) struct line *sorted = own_array(count, sizeof *sorted);
    struct train_options options = {.hyper = HYPER_DEFAULT,
                                    .seed = 1,
                                    .threshold = {THRESHOLD_PERCENTILE, 99},
                                    .half_life_days = 30};
    AUTO(model_freep) struct model *model = NULL;
    char path[64];
    struct err err = {0};

    options.hyper.epochs = 1;
    options.hyper.vector_dim = DIM;
    memcpy(sorted, lines, count * sizeof *lines);
    qsort(sorted, count, sizeof *sorted, by_pair); /* names lie as pairs come, as in a file read */
    for (size_t i = 0; i < count; i++) {
        arrived[i] = (struct model_pair){"", lines[i].entity, lines[i].ip};
        ordered[i] = (struct model_pair){"", sorted[i].entity, sorted[i].ip};
        learned[i] = (struct train_pair){"", lines[i].entity, lines[i].ip, 0, 1, false};
    }
    CHECK_OK(train_run(learned, count, &options, &trained, &err));
    (void)snprintf(path, sizeof path, "/tmp/pairwatch-bench-%d.model", (int)getpid());
    CHECK_OK(trained_write(trained, path, &err));
    CHECK_OK(model_load(path, &model, &err));
    (void)unlink(path);
    show_scoring(model, arrived, ordered, count, rows + numbers->entity_count);
}

static bool wanted(const char *part, int argc, char **argv)
{
    return argc < 3 || strcmp(argv[2], part) == 0;
}

int main(int argc, char **argv)
{
    AUTO(numbers_done) struct numbers numbers = {0};

    if (argc != 2 && argc != 3)
        return 2;
    read_lines(argv[1]);
    shuffle_lines();
    number_lines(&numbers);
    (void)printf("%zu pairs, %zu entities, %zu rows of %d\n", line_count, numbers.entity_count,
                 ip_encoder_rows(&numbers.encoder), DIM);
    if (wanted("training", argc, argv))
        bench_training(&numbers);
    if (wanted("prefix", argc, argv))
        bench_prefix(&numbers);
    if (wanted("scoring", argc, argv))
        bench_scoring(&numbers, ip_encoder_rows(&numbers.encoder));
    own_freep(&lines);
    return 0;
}
