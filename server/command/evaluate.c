/* pairwatch evaluate: how well a model tells the labelled pairs of a CSV file, as JSON. */
#include <math.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "base/conf.h"
#include "base/hash.h"
#include "base/json.h"
#include "base/str.h"
#include "command/command.h"
#include "command/pairs_csv.h"
#include "command/pairs_input.h"
#include "model/baseline.h"
#include "model/metrics.h"

enum { OUTPUT_BYTES_MAX = 64 * 1024, CAPACITY_MIN = 1024, TOP = 100 };

struct evaluate_options {
    const char *model, *train, *spec;
};

static const struct conf_setting SETTINGS[] = {
    {"model", CONF_TEXT, offsetof(struct evaluate_options, model), CONF_REQUIRED, 0, 0, "FILE",
     "a file made by `pairwatch train`"},
    {"spec", CONF_TEXT, offsetof(struct evaluate_options, spec), CONF_FLAG_ONLY, 0, 0, "NAME",
     "the pairs' spec, where the model has several"},
    {"train", CONF_TEXT, offsetof(struct evaluate_options, train), CONF_FLAG_ONLY, 0, 0, "FILE",
     "the CSV file it was trained on, for baselines from it"},
    {NULL, 0, 0, 0, 0, 0, NULL, NULL},
};

const struct conf_command COMMAND_EVALUATE = {
    .name = "evaluate",
    .summary = "measure a model on labelled pairs",
    .positional = "FILE.csv",
    .settings = SETTINGS,
    .more =
        "Lines are entity,ip,time,label: 1 = anomalous, 0 = not, -1 = left out. auc is over all "
        "pairs,\nmacro_auc the mean of the entities'.\n",
};

/* One scorer's samples of all rows. */
struct samples {
    struct sample *items;
    size_t count, capacity;
};
/* What is held against the labels: what decides, each opinion, the prefix tree's own sum, and the
 * baselines. */
enum scorer {
    SCORER_MODEL,
    SCORER_OPINIONS,
    SCORER_PREFIX = SCORER_OPINIONS + OPINION__MAX,
    SCORER_BASELINES,
    SCORER__MAX = SCORER_BASELINES + BASELINE__MAX
};
/* Where an opinion has nothing to say, it finds nothing unusual. */
#define SCORE_LEAST (-1e6)

struct evaluation {
    const struct model *model;
    const struct baseline *baseline; /* or NULL */
    const char *spec;
    struct samples samples[SCORER__MAX];
    int64_t positives, unknown_entities, flagged;
};

static void evaluation_done(struct evaluation *evaluation)
{
    for (int i = 0; i < SCORER__MAX; i++)
        own_freep(&evaluation->samples[i].items);
}

static void add_sample(struct samples *samples, double score, const struct pairs_row *row)
{
    if (samples->count == samples->capacity) {
        samples->capacity = samples->capacity > 0 ? 2 * samples->capacity : CAPACITY_MIN;
        samples->items = own_resize(samples->items, samples->capacity, sizeof *samples->items);
    }
    samples->items[samples->count++] =
        (struct sample){.score = score,
                        .positive = row->label == 1,
                        .group = (uint32_t)hash_bytes(row->entity, strlen(row->entity), 0)};
}

static void add_row(struct evaluation *evaluation, const struct pairs_row *row)
{
    struct model_pair pair = {.spec = evaluation->spec, .entity = row->entity, .ip = row->ip};
    struct model_explanation explained;
    const struct model_score *score = &explained.score;

    model_explain(evaluation->model, &pair, &explained);
    add_sample(&evaluation->samples[SCORER_MODEL], score->score, row);
    for (int i = 0; i < OPINION__MAX; i++) {
        double opinion = score->opinions[i].score;

        add_sample(&evaluation->samples[SCORER_OPINIONS + i],
                   isnan(opinion) ? SCORE_LEAST : opinion, row);
    }
    add_sample(&evaluation->samples[SCORER_PREFIX], -explained.both, row);
    for (int kind = 0; evaluation->baseline != NULL && kind < BASELINE__MAX; kind++)
        add_sample(
            &evaluation->samples[SCORER_BASELINES + kind],
            baseline_score(evaluation->baseline, (enum baseline_kind)kind, row->entity, &row->ip),
            row);
    evaluation->positives += row->label == 1;
    evaluation->unknown_entities += !score->entity_known;
    evaluation->flagged += score->flagged;
}

static enum err_code add_rows(struct evaluation *evaluation, const char *path, struct err *err)
{
    AUTO(pairs_csv_close) struct pairs_csv csv = {0};
    struct pairs_row row;
    bool more = true;

    TRY(pairs_csv_open(&csv, path, err));
    for (;;) {
        TRY(pairs_csv_next(&csv, &row, &more, err));
        if (!more)
            return ERR_NONE;
        if (row.label >= 0)
            add_row(evaluation, &row);
    }
}

static void write_metrics(struct json_writer *w, const struct samples *samples)
{
    struct sample *items = samples->items;

    json_real(w, "auc", metrics_auc(items, samples->count));
    json_real(w, "macro_auc", metrics_macro_auc(items, samples->count, NULL));
    json_real(w, "tpr_at_fpr_1pct", metrics_tpr_at_fpr(items, samples->count, 0.01));
    json_real(w, "tpr_at_fpr_01pct", metrics_tpr_at_fpr(items, samples->count, 0.001));
    json_real(w, "precision_at_100", metrics_precision_at(items, samples->count, TOP));
}

static void write_scorer(struct json_writer *w, const char *name, const struct samples *samples)
{
    json_object(w, name);
    write_metrics(w, samples);
    json_end(w);
}

static void write_scorers(struct json_writer *w, const struct evaluation *evaluation)
{
    const struct samples *samples = evaluation->samples;

    json_object(w, "scorers");
    for (int i = 0; i < OPINION__MAX; i++)
        write_scorer(w, OPINION_WORDS[i], &samples[SCORER_OPINIONS + i]);
    write_scorer(w, "prefix", &samples[SCORER_PREFIX]);
    json_end(w);
    if (evaluation->baseline == NULL)
        return;
    json_object(w, "baselines");
    for (int kind = 0; kind < BASELINE__MAX; kind++)
        write_scorer(w, BASELINE_WORDS[kind], &samples[SCORER_BASELINES + kind]);
    json_end(w);
}

static enum err_code print_report(const struct evaluation *evaluation, struct err *err)
{
    AUTO(str_done) struct str text;
    struct json_writer writer;
    const struct samples *samples = &evaluation->samples[SCORER_MODEL];

    str_init(&text, OUTPUT_BYTES_MAX);
    json_writer_init(&writer, &text);
    json_object(&writer, NULL);
    json_int(&writer, "rows", (int64_t)samples->count);
    json_int(&writer, "positives", evaluation->positives);
    json_int(&writer, "unknown_entities", evaluation->unknown_entities);
    json_int(&writer, "flagged", evaluation->flagged);
    write_metrics(&writer, samples);
    write_scorers(&writer, evaluation);
    json_end(&writer);
    TRY(str_check(&text, "the report", err));
    if (printf("%s\n", text.text) < 0 || fflush(stdout) != 0)
        return err_errno(err, ERR_IO, "writing to stdout");
    return ERR_NONE;
}

static enum err_code read_baseline(const char *path, struct baseline **ret, struct err *err)
{
    AUTO(pairs_input_done) struct pairs_input input = {0};

    pairs_input_init(&input);
    TRY(pairs_input_add(&input, path, err));
    *ret = baseline_new(input.pairs, input.count);
    return ERR_NONE;
}

static enum err_code run(const struct evaluate_options *options, const struct conf_args *args,
                         struct err *err)
{
    AUTO(model_freep) struct model *model = NULL;
    AUTO(baseline_freep) struct baseline *baseline = NULL;
    AUTO(evaluation_done) struct evaluation evaluation = {.spec = options->spec};

    if (args->positional_count != 1)
        return err_set(err, ERR_USAGE, "evaluate needs one CSV file of labelled pairs");
    TRY(model_load(options->model, &model, err));
    evaluation.model = model;
    if (options->train != NULL)
        TRY(read_baseline(options->train, &baseline, err));
    evaluation.baseline = baseline;
    TRY(add_rows(&evaluation, args->positional[0], err));
    if (evaluation.samples[SCORER_MODEL].count == 0)
        return err_set(err, ERR_INVALID, "\"%s\" has no labelled pairs", args->positional[0]);
    return print_report(&evaluation, err);
}

int cmd_evaluate(int argc, char **argv)
{
    struct evaluate_options options = {.spec = ""};
    struct conf_args args = {0};
    struct err err = {0};
    enum err_code code = conf_read(&COMMAND_EVALUATE, argc, argv, &options, &args, &err);

    if (code != ERR_NONE || args.help)
        return command_exit(code, &err);
    return command_exit(run(&options, &args, &err), &err);
}
