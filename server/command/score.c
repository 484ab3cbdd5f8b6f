/* pairwatch score: pairs on standard input to dot products on standard output, in the formats of
 * SageMaker IP Insights' endpoint. */
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "base/conf.h"
#include "base/json.h"
#include "base/str.h"
#include "command/command.h"
#include "command/pairs_csv.h"
#include "model/model.h"

enum { INPUT_LINE_BYTES_MAX = 32 * 1024 * 1024 };

struct score_options {
    const char *model, *spec, *accept;
};

static const struct conf_setting SETTINGS[] = {
    {"model", CONF_TEXT, offsetof(struct score_options, model), CONF_REQUIRED, 0, 0, "FILE",
     "a file made by `pairwatch train`"},
    {"spec", CONF_TEXT, offsetof(struct score_options, spec), CONF_FLAG_ONLY, 0, 0, "NAME",
     "the pairs' spec, where the model has several"},
    {"accept", CONF_TEXT, offsetof(struct score_options, accept), 0, 0, 0, "TYPE",
     "application/jsonlines or application/json"},
    {NULL, 0, 0, 0, 0, 0, NULL, NULL},
};

const struct conf_command COMMAND_SCORE = {
    .name = "score",
    .summary = "score pairs from standard input",
    .settings = SETTINGS,
    .more = "A line is entity,ip, or JSON: {\"data\":{\"features\":{\"values\":[entity, ip]}}}, "
            "or an object whose\n\"instances\" are such objects. Higher dot products are more "
            "usual.\n",
};

struct scorer {
    const struct model *model;
    const char *spec;
    bool lines; /* one object a line, else one for all */
    bool any;   /* something was printed */
};

static enum err_code print_score(struct scorer *scorer, const char *entity, const struct ip *ip,
                                 struct err *err)
{
    struct model_pair pair = {.spec = scorer->spec, .entity = entity, .ip = *ip};
    struct model_score score;
    char number[32];
    int printed;

    model_score_pairs(scorer->model, &pair, 1, &score);
    (void)str_from_double(number, score.dot_product);
    printed = scorer->lines ? printf("{\"dot_product\":%s}\n", number)
                            : printf("%s{\"dot_product\":%s}", scorer->any ? "," : "", number);
    scorer->any = true;
    return printed < 0 ? err_errno(err, ERR_IO, "writing to stdout") : ERR_NONE;
}

/* {"data":{"features":{"values":[entity, ip]}}}, or without the "data". */
static enum err_code score_instance(struct scorer *scorer, const struct json *node, long line,
                                    struct err *err)
{
    const struct json *values = json_path(node, "data.features.values");
    const char *entity, *text;
    struct ip ip;

    if (values == NULL)
        values = json_path(node, "features.values");
    if (values == NULL)
        values = json_member(node, "features");
    entity = json_text_of(json_first(values));
    if (entity == NULL || json_count(values) != 2)
        return err_set(err, ERR_INVALID,
                       "line %ld: data.features.values must be an entity and an IP address", line);
    text = json_text_of(json_next(json_first(values)));
    if (text == NULL || !ip_parse(text, &ip))
        return err_set(err, ERR_INVALID, "line %ld: the second value is not an IP address", line);
    return print_score(scorer, entity, &ip, err);
}

static enum err_code score_json(struct scorer *scorer, const char *text, long line, struct err *err)
{
    AUTO(json_doc_freep) struct json_doc *doc = NULL;
    const struct json *instances;

    if (json_parse(text, strlen(text), &doc, err) != ERR_NONE)
        return err_prefix(err, "line %ld", line);
    instances = json_member(json_root(doc), "instances");
    if (instances == NULL)
        return score_instance(scorer, json_root(doc), line, err);
    if (json_type(instances) != JSON_ARRAY)
        return err_set(err, ERR_INVALID, "line %ld: instances must be an array", line);
    for (const struct json *node = json_first(instances); node != NULL; node = json_next(node))
        TRY(score_instance(scorer, node, line, err));
    return ERR_NONE;
}

static enum err_code score_line(struct scorer *scorer, char *text, long line, struct err *err)
{
    struct pairs_row row;
    bool header = false;

    text[strcspn(text, "\r\n")] = '\0';
    if (*text == '\0')
        return ERR_NONE;
    if (*text == '{')
        return score_json(scorer, text, line, err);
    TRY(pairs_csv_parse(text, "stdin", line, &row, &header, err));
    return header ? ERR_NONE : print_score(scorer, row.entity, &row.ip, err);
}

static enum err_code score_lines(struct scorer *scorer, struct err *err)
{
    AUTO(own_freep) char *text = NULL;
    size_t capacity = 0;
    ssize_t length;

    for (long line = 1; (length = getline(&text, &capacity, stdin)) >= 0; line++) {
        if (length > INPUT_LINE_BYTES_MAX || memchr(text, '\0', (size_t)length) != NULL)
            return err_set(err, ERR_INVALID, "line %ld is not a line of text", line);
        TRY(score_line(scorer, text, line, err));
    }
    return ferror(stdin) ? err_errno(err, ERR_IO, "reading stdin") : ERR_NONE;
}

static enum err_code run(const struct score_options *options, struct err *err)
{
    AUTO(model_freep) struct model *model = NULL;
    struct scorer scorer = {.spec = options->spec,
                            .lines = !str_equal(options->accept, "application/json")};
    enum err_code code;

    if (scorer.lines && !str_equal(options->accept, "application/jsonlines"))
        return err_set(err, ERR_USAGE,
                       "--accept must be application/jsonlines or application/json, not \"%s\"",
                       options->accept);
    TRY(model_load(options->model, &model, err));
    scorer.model = model;
    if (!scorer.lines)
        (void)fputs("{\"predictions\":[", stdout);
    code = score_lines(&scorer, err);
    if (!scorer.lines && code == ERR_NONE)
        (void)fputs("]}\n", stdout);
    if (fflush(stdout) != 0 && code == ERR_NONE)
        return err_errno(err, ERR_IO, "writing to stdout");
    return code;
}

int cmd_score(int argc, char **argv)
{
    struct score_options options = {.spec = "", .accept = "application/jsonlines"};
    struct conf_args args = {0};
    struct err err = {0};
    enum err_code code = conf_read(&COMMAND_SCORE, argc, argv, &options, &args, &err);

    if (code != ERR_NONE || args.help)
        return command_exit(code, &err);
    return command_exit(run(&options, &err), &err);
}
