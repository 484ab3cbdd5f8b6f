/* pairwatch score: pairs on standard input to dot products on standard output, in the formats of
 * SageMaker IP Insights' endpoint. Memory does not grow with the input. */
#include <errno.h>
#include <stddef.h>
#include <stdio.h>

#include "base/conf.h"
#include "base/str.h"
#include "command/command.h"
#include "command/model_spec.h"
#include "command/pairs_csv.h"
#include "command/pairs_reader.h"
#include "command/predictions.h"
#include "command/score_endpoint.h"
#include "command/score_explain.h"
#include "worker/endpoint_model.h"

enum { OUTPUT_BYTES_MAX = 1 << 20 };
/* Every row of a batch at its longest. */
#define BATCH_BYTES_MAX ((size_t)PREDICTIONS_MAX * (PAIRS_ENTITY_BYTES_MAX + 1))

#define ACCEPT_DEFAULT "application/jsonlines"

struct score_options {
    const char *model, *scorer, *spec, *accept, *content_type, *max_bad;
    bool explain;
};

#define AT(member) offsetof(struct score_options, member)
static const struct conf_setting SETTINGS[] = {
    {"model", CONF_TEXT, AT(model), 0, 0, 0, "FILE",
     "a file made by `pairwatch train`; this or --scorer is required"},
    {"scorer", CONF_TEXT, AT(scorer), CONF_FLAG_ONLY, 0, 0, "sagemaker:NAME",
     "an endpoint of SageMaker instead; JSON Lines come out, null for a row that it refuses"},
    {"spec", CONF_TEXT, AT(spec), CONF_FLAG_ONLY, 0, 0, "NAME",
     "the pairs' spec, where the model has several"},
    {"content-type", CONF_TEXT, AT(content_type), CONF_FLAG_ONLY, 0, 0, "TYPE",
     "text/csv, application/json or application/jsonlines; seen from the input unless given"},
    {"accept", CONF_TEXT, AT(accept), 0, 0, 0, "TYPE",
     "application/jsonlines or application/json; with ;verbose=true the vectors as well"},
    {"explain", CONF_BOOL, AT(explain), CONF_FLAG_ONLY, 0, 0, NULL,
     "instead of predictions a line of JSON for each pair: whether it is flagged, and why"},
    {"max-bad", CONF_TEXT, AT(max_bad), CONF_FLAG_ONLY, 0, 0, "N%",
     "pass over bad rows, up to so many of all; they are counted by reason on standard error"},
    {NULL, 0, 0, 0, 0, 0, NULL, NULL},
};

const struct conf_command COMMAND_SCORE = {
    .name = "score",
    .summary = "score pairs from standard input",
    .settings = SETTINGS,
    .more = "Input is entity,ip a line, {\"instances\":[…]}, or an instance a line:\n"
            "{\"features\":[entity, ip]} or {\"data\":{\"features\":{\"values\":[entity, ip]}}}; "
            "or what\n"
            "`pairwatch pairs` prints: its \"entity\" and \"ip\" count.\n"
            "Predictions come in the input's order. Higher dot products are more usual.\n",
};

struct scoring {
    struct pairs_reader reader;
    struct pairs_batch batch;
    struct str out;
};

static void scoring_done(struct scoring *scoring)
{
    pairs_reader_close(&scoring->reader);
    pairs_batch_done(&scoring->batch);
    str_done(&scoring->out);
}

static enum err_code choose_format(const char *type, enum pairs_format *ret, struct err *err)
{
    *ret = PAIRS_DETECT;
    if (type == NULL)
        return ERR_NONE;
    for (int i = PAIRS_DETECT + 1; i < PAIRS_FORMAT__MAX; i++)
        if (str_equal(type, PAIRS_FORMAT_TYPES[i])) {
            *ret = (enum pairs_format)i;
            return ERR_NONE;
        }
    return err_set(err, ERR_USAGE,
                   "--content-type must be text/csv, application/json or application/jsonlines, "
                   "not \"%s\"",
                   type);
}

static enum err_code print(struct scoring *scoring, struct err *err)
{
    TRY(str_check(&scoring->out, "the output", err));
    if (fwrite(scoring->out.text, 1, scoring->out.length, stdout) != scoring->out.length)
        return err_errno(err, ERR_IO, "writing to stdout");
    str_clear(&scoring->out);
    return ERR_NONE;
}

/* A piece at a time: what predictions of many numbers take is bounded. */
static enum err_code print_batch(struct scoring *scoring, struct predictions *predictions,
                                 struct err *err)
{
    size_t step = OUTPUT_BYTES_MAX / predictions_bytes_max(predictions->model, &predictions->form);

    step = step > PREDICTIONS_MAX ? PREDICTIONS_MAX : step;
    for (size_t at = 0; at < scoring->batch.count; at += step) {
        size_t last = at + step < scoring->batch.count ? at + step : scoring->batch.count;

        predictions_add(predictions, &scoring->batch, at, last, &scoring->out);
        TRY(print(scoring, err));
    }
    pairs_batch_clear(&scoring->batch);
    return ERR_NONE;
}

/* Predictions of the rows before a bad one are printed. */
static enum err_code score_rows(struct scoring *scoring, struct predictions *predictions,
                                struct err *err)
{
    enum err_code code = ERR_NONE;
    struct err ignored;
    bool more = true;

    predictions_begin(predictions, &scoring->out);
    while (more && code == ERR_NONE) {
        struct pairs_row row;

        code = pairs_reader_next(&scoring->reader, &row, &more, err);
        if (code == ERR_NONE && more && !pairs_batch_add(&scoring->batch, &row))
            return err_set(err, ERR_INTERNAL, "a batch's entities are too long");
        if (scoring->batch.count == PREDICTIONS_MAX || !more || code != ERR_NONE)
            TRY(print_batch(scoring, predictions, code == ERR_NONE ? err : &ignored));
    }
    TRY(code);
    predictions_end(predictions, &scoring->out);
    return print(scoring, err);
}

static enum err_code run_endpoint(const struct score_options *options,
                                  const struct pairs_options *reading, struct err *err)
{
    AUTO(pairs_reader_close) struct pairs_reader reader = {.file = -1};
    const char *endpoint = endpoint_name_of(options->scorer);

    if (endpoint == NULL || options->explain || !str_equal(options->accept, ACCEPT_DEFAULT))
        return err_set(err, ERR_USAGE,
                       "--scorer is sagemaker:NAME, and gives application/jsonlines alone");
    TRY(pairs_reader_open(&reader, NULL, reading, err));
    TRY(score_endpoint(&reader, endpoint, err));
    if (fflush(stdout) != 0)
        return err_errno(err, ERR_IO, "writing to stdout");
    return pairs_tally_check(reading->tally, err);
}

static enum err_code run(const struct score_options *options, struct err *err)
{
    AUTO(model_freep) struct model *model = NULL;
    AUTO(scoring_done) struct scoring scoring = {.reader = {.file = -1}};
    struct pairs_tally tally;
    struct pairs_options reading = {
        .columns_max = PAIRS_COLUMNS_BARE, .header = true, .tally = &tally};
    struct predictions predictions = {0};

    if ((options->model == NULL) == (options->scorer == NULL))
        return err_set(err, ERR_USAGE, "score needs --model or --scorer, and not both");
    if (!predictions_accept(options->accept, &predictions.form))
        return err_set(err, ERR_USAGE,
                       "--accept must be application/jsonlines or application/json, not \"%s\"",
                       options->accept);
    TRY(choose_format(options->content_type, &reading.format, err));
    TRY(pairs_tally_init(&tally, options->max_bad, err));
    if (options->scorer != NULL)
        return run_endpoint(options, &reading, err);
    TRY(model_load(options->model, &model, err));
    TRY(model_spec_choose(model, options->spec, &predictions.spec, err));
    predictions.model = model;
    str_init(&scoring.out, OUTPUT_BYTES_MAX + 1024);
    pairs_batch_init(&scoring.batch, BATCH_BYTES_MAX);
    TRY(pairs_reader_open(&scoring.reader, NULL, &reading, err));
    if (options->explain)
        TRY(score_explain(&scoring.reader, model, predictions.spec, err));
    else
        TRY(score_rows(&scoring, &predictions, err));
    if (!options->explain && !predictions.form.lines)
        (void)putchar('\n');
    if (fflush(stdout) != 0)
        return err_errno(err, ERR_IO, "writing to stdout");
    return pairs_tally_check(&tally, err);
}

int cmd_score(int argc, char **argv)
{
    struct score_options options = {.spec = "", .accept = ACCEPT_DEFAULT, .max_bad = "0%"};
    struct conf_args args = {0};
    struct err err = {0};
    enum err_code code = conf_read(&COMMAND_SCORE, argc, argv, &options, &args, &err);

    if (code != ERR_NONE || args.help)
        return command_exit(code, &err);
    return command_exit(run(&options, &err), &err);
}
