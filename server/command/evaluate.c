/* pairwatch evaluate: how well a model tells the labelled pairs of a CSV file, as JSON. */
#include <inttypes.h>
#include <math.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "base/conf.h"
#include "base/hash.h"
#include "base/json.h"
#include "base/str.h"
#include "command/asn_file.h"
#include "command/command.h"
#include "command/model_spec.h"
#include "command/pairs_csv.h"
#include "command/pairs_input.h"
#include "command/pairs_reader.h"
#include "model/baseline.h"
#include "model/metrics.h"

enum { OUTPUT_BYTES_MAX = 64 * 1024, CAPACITY_MIN = 1024, TOP = 100, BOOTSTRAP_SEED = 1 };

struct evaluate_options {
    const char *model, *train, *spec, *format, *asn, *max_bad;
};

static const struct conf_setting SETTINGS[] = {
    {"model", CONF_TEXT, offsetof(struct evaluate_options, model), CONF_REQUIRED, 0, 0, "FILE",
     "a file made by `pairwatch train`"},
    {"spec", CONF_TEXT, offsetof(struct evaluate_options, spec), CONF_FLAG_ONLY, 0, 0, "NAME",
     "the pairs' spec, where the model has several"},
    {"train", CONF_TEXT, offsetof(struct evaluate_options, train), CONF_FLAG_ONLY, 0, 0, "FILE",
     "the CSV file it was trained on, for baselines from it"},
    {"asn", CONF_TEXT, offsetof(struct evaluate_options, asn), CONF_FLAG_ONLY, 0, 0, "FILE",
     "a table of autonomous systems, for the baseline by them; the model's own unless given"},
    {"format", CONF_TEXT, offsetof(struct evaluate_options, format), CONF_FLAG_ONLY, 0, 0, "WORD",
     "json or table"},
    {"max-bad", CONF_TEXT, offsetof(struct evaluate_options, max_bad), CONF_FLAG_ONLY, 0, 0, "N%",
     "pass over bad rows, up to so many of all; they are counted by reason on standard error"},
    {NULL, 0, 0, 0, 0, 0, NULL, NULL},
};

const struct conf_command COMMAND_EVALUATE = {
    .name = "evaluate",
    .summary = "measure a model on labelled pairs",
    .positional = "FILE.csv",
    .settings = SETTINGS,
    .more =
        "Lines are entity,ip,time,label: 1 = anomalous, 0 = not, -1 = left out. A fifth field is "
        "the\npair's spec, as in labels.csv of `simulate`. auc is over all pairs, macro_auc the "
        "mean of\nthe entities'. Intervals hold 95 % of what drawing the lines anew gives. First "
        "what decides,\nthen each opinion, the prefix tree's plain sums, and with --train the "
        "baselines on the same\nlines.\n",
};

/* One scorer's samples of all rows. */
struct samples {
    struct sample *items;
    size_t count, capacity;
};
/* What is held against the labels: what decides, each opinion, the prefix tree's plain sums, and
 * the baselines. */
enum scorer {
    SCORER_MODEL,
    SCORER_OPINIONS,
    SCORER_PREFIX = SCORER_OPINIONS + OPINION__MAX,
    SCORER_PREFIX_ENTITY,
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

/* The spec a row is judged by; NULL when it has one that was not asked for or the model lacks. */
static enum err_code spec_of(const struct evaluation *evaluation, const struct pairs_row *row,
                             const char **ret, struct err *err)
{
    const char *asked = evaluation->spec;
    struct model_calibration unused;

    *ret = NULL;
    if (row->spec == NULL)
        return model_spec_choose(evaluation->model, asked, ret, err);
    if (*asked != '\0' && strcmp(asked, row->spec) != 0)
        return ERR_NONE;
    if (model_calibration(evaluation->model, row->spec, &unused))
        *ret = row->spec;
    else if (model_calibration(evaluation->model, "", &unused))
        *ret = "";
    return ERR_NONE;
}

static bool has_baseline(const struct evaluation *evaluation, int kind)
{
    return evaluation->baseline != NULL &&
           baseline_has(evaluation->baseline, (enum baseline_kind)kind);
}

static void add_row(struct evaluation *evaluation, const struct pairs_row *row, const char *spec)
{
    struct model_pair pair = {.spec = spec, .entity = row->entity, .ip = row->ip};
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
    add_sample(&evaluation->samples[SCORER_PREFIX_ENTITY], -explained.entity, row);
    for (int kind = 0; kind < BASELINE__MAX; kind++)
        if (has_baseline(evaluation, kind))
            add_sample(&evaluation->samples[SCORER_BASELINES + kind],
                       baseline_score(evaluation->baseline, (enum baseline_kind)kind, row->entity,
                                      &row->ip),
                       row);
    evaluation->positives += row->label == 1;
    evaluation->unknown_entities += !score->entity_known;
    evaluation->flagged += score->flagged;
}

static enum err_code add_rows(struct evaluation *evaluation, const char *path,
                              struct pairs_tally *tally, struct err *err)
{
    const struct pairs_options reading = {
        .format = PAIRS_CSV, .columns_max = PAIRS_COLUMNS_LABELS, .header = true, .tally = tally};
    AUTO(pairs_reader_close) struct pairs_reader reader = {.file = -1};
    struct pairs_row row;
    const char *spec;
    bool more = true;

    TRY(pairs_reader_open(&reader, path, &reading, err));
    for (;;) {
        TRY(pairs_reader_next(&reader, &row, &more, err));
        if (!more)
            return pairs_tally_check(tally, err);
        TRY(spec_of(evaluation, &row, &spec, err));
        if (row.label >= 0 && spec != NULL)
            add_row(evaluation, &row, spec);
    }
}

/* A row of the report. */
struct measure {
    const char *name;
    double auc, macro_auc, tpr_1pct, tpr_01pct, precision;
    double recall_at_0, fpr_at_0; /* flagged when the score is above 0 */
    struct interval auc_interval, tpr_interval;
};

static struct measure measure(const char *name, const struct samples *samples)
{
    struct sample *items = samples->items;
    size_t count = samples->count;
    struct measure ret = {
        .name = name,
        .auc = metrics_auc(items, count),
        .macro_auc = metrics_macro_auc(items, count, NULL),
        .tpr_1pct = metrics_tpr_at_fpr(items, count, 0.01),
        .tpr_01pct = metrics_tpr_at_fpr(items, count, 0.001),
        .precision = metrics_precision_at(items, count, TOP),
    };

    metrics_above(items, count, 0, &ret.recall_at_0, &ret.fpr_at_0);

    metrics_bootstrap(items, count, 0.01, BOOTSTRAP_SEED, &ret.auc_interval, &ret.tpr_interval);
    return ret;
}

static size_t measure_all(const struct evaluation *evaluation, const char *detector,
                          struct measure ret[static SCORER__MAX])
{
    const struct samples *samples = evaluation->samples;
    size_t count = 0;

    ret[count++] = measure(detector, &samples[SCORER_MODEL]);
    for (int i = 0; i < OPINION__MAX; i++)
        ret[count++] = measure(OPINION_WORDS[i], &samples[SCORER_OPINIONS + i]);
    ret[count++] = measure("prefix_all", &samples[SCORER_PREFIX]);
    ret[count++] = measure("prefix_entity", &samples[SCORER_PREFIX_ENTITY]);
    for (int i = 0; i < BASELINE__MAX; i++)
        if (has_baseline(evaluation, i))
            ret[count++] = measure(BASELINE_WORDS[i], &samples[SCORER_BASELINES + i]);
    return count;
}

static void write_interval(struct json_writer *w, const char *name, const struct interval *interval)
{
    json_array(w, name);
    json_real(w, NULL, interval->low);
    json_real(w, NULL, interval->high);
    json_end(w);
}

static void write_measure(struct json_writer *w, const struct measure *measure)
{
    json_real(w, "auc", measure->auc);
    write_interval(w, "auc_interval", &measure->auc_interval);
    json_real(w, "macro_auc", measure->macro_auc);
    json_real(w, "tpr_at_fpr_1pct", measure->tpr_1pct);
    write_interval(w, "tpr_at_fpr_1pct_interval", &measure->tpr_interval);
    json_real(w, "tpr_at_fpr_01pct", measure->tpr_01pct);
    json_real(w, "precision_at_100", measure->precision);
    json_real(w, "recall_above_0", measure->recall_at_0);
    json_real(w, "fpr_above_0", measure->fpr_at_0);
}

static void write_measures(struct json_writer *w, const char *name, const struct measure *measures,
                           size_t count)
{
    json_object(w, name);
    for (size_t i = 0; i < count; i++) {
        json_object(w, measures[i].name);
        write_measure(w, &measures[i]);
        json_end(w);
    }
    json_end(w);
}

static enum err_code print_json(const struct evaluation *evaluation, const struct measure *measures,
                                size_t count, struct err *err)
{
    AUTO(str_done) struct str text;
    struct json_writer writer;

    str_init(&text, OUTPUT_BYTES_MAX);
    json_writer_init(&writer, &text);
    json_object(&writer, NULL);
    json_int(&writer, "rows", (int64_t)evaluation->samples[SCORER_MODEL].count);
    json_int(&writer, "positives", evaluation->positives);
    json_int(&writer, "unknown_entities", evaluation->unknown_entities);
    json_int(&writer, "flagged", evaluation->flagged);
    json_text(&writer, "detector", measures[SCORER_MODEL].name);
    write_measure(&writer, &measures[SCORER_MODEL]);
    write_measures(&writer, "scorers", measures + SCORER_OPINIONS,
                   SCORER_BASELINES - SCORER_OPINIONS);
    if (count > SCORER_BASELINES)
        write_measures(&writer, "baselines", measures + SCORER_BASELINES, count - SCORER_BASELINES);
    json_end(&writer);
    TRY(str_check(&text, "the report", err));
    (void)printf("%s\n", text.text);
    return ERR_NONE;
}

static void print_table(const struct evaluation *evaluation, const struct measure *measures,
                        size_t count)
{
    (void)printf("%zu pairs, %" PRId64 " anomalous, %" PRId64
                 " of entities without history, %" PRId64 " flagged\n\n",
                 evaluation->samples[SCORER_MODEL].count, evaluation->positives,
                 evaluation->unknown_entities, evaluation->flagged);
    (void)printf("%-14s %-22s %-9s %-22s %-9s %-17s %s\n", "", "AUC", "macro", "TPR at 1 % FPR",
                 "at 0.1 %", "precision at 100", "TPR, FPR above 0");
    for (size_t i = 0; i < count; i++) {
        const struct measure *m = &measures[i];

        if (i == SCORER_OPINIONS || i == SCORER_BASELINES)
            (void)printf("\n");
        (void)printf("%-14s %.4f (%.4f-%.4f) %-9.4f %.4f (%.4f-%.4f) %-9.4f %-17.2f %.4f %.4f\n",
                     m->name, m->auc, m->auc_interval.low, m->auc_interval.high, m->macro_auc,
                     m->tpr_1pct, m->tpr_interval.low, m->tpr_interval.high, m->tpr_01pct,
                     m->precision, m->recall_at_0, m->fpr_at_0);
    }
}

static enum err_code print_report(const struct evaluation *evaluation, const char *format,
                                  struct err *err)
{
    struct measure measures[SCORER__MAX];
    struct model_info info;
    size_t count;

    model_info(evaluation->model, &info);
    count = measure_all(evaluation, DETECTOR_WORDS[info.detector], measures);
    if (str_equal(format, "table"))
        print_table(evaluation, measures, count);
    else
        TRY(print_json(evaluation, measures, count, err));
    if (ferror(stdout) || fflush(stdout) != 0)
        return err_errno(err, ERR_IO, "writing to stdout");
    return ERR_NONE;
}

static enum err_code read_baseline(const struct evaluate_options *options,
                                   const struct asn_table *asn, struct baseline **ret,
                                   struct err *err)
{
    AUTO(pairs_input_done) struct pairs_input input = {0};

    pairs_input_init(&input);
    TRY(pairs_tally_init(&input.tally, options->max_bad, err));
    TRY(pairs_input_add(&input, options->train, err));
    TRY(pairs_tally_check(&input.tally, err));
    *ret = baseline_new(input.pairs, input.count, asn);
    return ERR_NONE;
}

static enum err_code run(const struct evaluate_options *options, const struct conf_args *args,
                         struct err *err)
{
    AUTO(model_freep) struct model *model = NULL;
    AUTO(asn_file_done) struct asn_file asn = {.numbers = NULL};
    AUTO(baseline_freep) struct baseline *baseline = NULL;
    AUTO(evaluation_done) struct evaluation evaluation = {.spec = options->spec};
    struct pairs_tally tally;

    if (args->positional_count != 1)
        return err_set(err, ERR_USAGE, "evaluate needs one CSV file of labelled pairs");
    if (!str_equal(options->format, "json") && !str_equal(options->format, "table"))
        return err_set(err, ERR_USAGE, "--format must be json or table, not \"%s\"",
                       options->format);
    TRY(pairs_tally_init(&tally, options->max_bad, err));
    TRY(model_load(options->model, &model, err));
    evaluation.model = model;
    if (options->asn != NULL)
        TRY(asn_file_read(options->asn, &asn, err));
    if (options->train != NULL)
        TRY(read_baseline(options, options->asn != NULL ? &asn.table : model_asn(model), &baseline,
                          err));
    evaluation.baseline = baseline;
    TRY(add_rows(&evaluation, args->positional[0], &tally, err));
    if (evaluation.samples[SCORER_MODEL].count == 0)
        return err_set(err, ERR_INVALID, "\"%s\" has no labelled pairs of a spec the model knows",
                       args->positional[0]);
    return print_report(&evaluation, options->format, err);
}

int cmd_evaluate(int argc, char **argv)
{
    struct evaluate_options options = {.spec = "", .format = "json", .max_bad = "0%"};
    struct conf_args args = {0};
    struct err err = {0};
    enum err_code code = conf_read(&COMMAND_EVALUATE, argc, argv, &options, &args, &err);

    if (code != ERR_NONE || args.help)
        return command_exit(code, &err);
    return command_exit(run(&options, &args, &err), &err);
}
