/* What SageMaker's training job says, held against what its documentation of IP Insights allows. */
#include "command/container_config.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "base/str.h"

enum {
    PATH_BYTES_MAX = 4096,
    FILE_BYTES_MAX = 1 << 20,
    PIECE_BYTES = 4096,
};

/* As documented, which are not this program's own. */
static const struct hyper DEFAULTS = {
    .epochs = 10,
    .learning_rate = 0.001,
    .mini_batch_size = 10000,
    .random_negative_sampling_rate = 1,
    .shuffled_negative_sampling_rate = 1,
    .weight_decay = 0.00001,
    .num_ip_encoder_layers = 1,
};
static const char *const REQUIRED[] = {"num_entity_vectors", "vector_dim"};
/* Those of the image's own machinery, and of a tuning job: nothing here follows from them. */
static const char *const PASSED_OVER[] = {"_kvstore", "_num_gpus", "_num_kv_servers",
                                          "_tuning_objective_metric"};
static const char PUBLISH_INTERVAL[] = "batch_metrics_publish_interval";

/* ---- files ---- */

struct config_file {
    const char *name;
    struct json_doc *doc;
};

static void config_file_done(struct config_file *file)
{
    json_doc_freep(&file->doc);
}

static enum err_code read_text(const char *path, struct str *ret, struct err *err)
{
    char piece[PIECE_BYTES];
    FILE *file = fopen(path, "re");
    size_t count;
    bool failed;

    if (file == NULL)
        return err_errno(err, ERR_IO, "opening \"%s\"", path);
    while ((count = fread(piece, 1, sizeof piece, file)) > 0 && !ret->failed)
        str_add_bytes(ret, piece, count);
    failed = ferror(file) != 0;
    (void)fclose(file);
    return failed ? err_errno(err, ERR_IO, "reading \"%s\"", path) : str_check(ret, path, err);
}

static enum err_code load(const char *dir, struct config_file *file, struct err *err)
{
    AUTO(str_done) struct str text = {.bytes_max = FILE_BYTES_MAX};
    char path[PATH_BYTES_MAX];
    int length = snprintf(path, sizeof path, "%s/input/config/%s", dir, file->name);

    if (length < 0 || (size_t)length >= sizeof path)
        return err_set(err, ERR_USAGE, "--sagemaker-dir is too long");
    TRY(read_text(path, &text, err));
    if (json_parse(text.text != NULL ? text.text : "", text.length, &file->doc, err) != ERR_NONE)
        return err_prefix(err, "%s", file->name);
    if (json_type(json_root(file->doc)) != JSON_OBJECT)
        return err_set(err, ERR_INVALID, "%s must be a JSON object", file->name);
    return ERR_NONE;
}

/* ---- hyperparameters.json ---- */

static const struct hyper_rule *find_rule(const char *name)
{
    for (const struct hyper_rule *rule = HYPER_RULES; rule->name != NULL; rule++)
        if (strcmp(rule->name, name) == 0)
            return rule;
    return NULL;
}

static bool is_among(const char *name, const char *const *names, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(names[i], name) == 0)
            return true;
    return false;
}

static enum err_code out_of_range(const char *name, const char *text, const char *kind, double min,
                                  double max, struct err *err)
{
    return err_set(err, ERR_INVALID,
                   "hyperparameters.json: %s is \"%.40s\", and must be %s from %.10g to %.10g",
                   name, text, kind, min, max);
}

static enum err_code set_hyper(struct hyper *hyper, const struct hyper_rule *rule, const char *text,
                               struct err *err)
{
    char *member = (char *)hyper + rule->offset;
    int64_t whole = 0;
    double real = 0;

    if (rule->real ? !str_to_double(text, &real) : !str_to_i64(text, &whole))
        return out_of_range(rule->name, text, rule->real ? "a number" : "a whole number", rule->min,
                            rule->max, err);
    real = rule->real ? real : (double)whole;
    if (real < rule->min || real > rule->max)
        return out_of_range(rule->name, text, rule->real ? "a number" : "a whole number", rule->min,
                            rule->max, err);
    if (rule->real)
        memcpy(member, &real, sizeof real);
    else
        memcpy(member, &whole, sizeof whole);
    return ERR_NONE;
}

static enum err_code check_interval(const char *text, struct err *err)
{
    int64_t interval;

    if (str_to_i64(text, &interval) && interval >= 1)
        return ERR_NONE;
    return err_set(err, ERR_INVALID,
                   "hyperparameters.json: %s is \"%.40s\", and must be a whole number from 1",
                   PUBLISH_INTERVAL, text);
}

static enum err_code read_hyper(const struct json *member, struct hyper *hyper, struct err *err)
{
    const char *name = json_name(member), *text = json_text_of(member);
    const struct hyper_rule *rule = find_rule(name);

    if (is_among(name, PASSED_OVER, ARRAY_LEN(PASSED_OVER)))
        return ERR_NONE;
    if (rule == NULL && strcmp(name, PUBLISH_INTERVAL) != 0)
        return err_set(err, ERR_INVALID,
                       "hyperparameters.json: %.80s is no hyperparameter of IP Insights", name);
    if (text == NULL)
        return err_set(err, ERR_INVALID,
                       "hyperparameters.json: %s must be a text, as SageMaker writes it", name);
    return rule != NULL ? set_hyper(hyper, rule, text, err) : check_interval(text, err);
}

static enum err_code read_hyperparameters(const char *dir, struct hyper *ret, struct err *err)
{
    AUTO(config_file_done) struct config_file file = {.name = "hyperparameters.json"};
    const struct json *root;

    TRY(load(dir, &file, err));
    root = json_root(file.doc);
    *ret = DEFAULTS;
    for (size_t i = 0; i < ARRAY_LEN(REQUIRED); i++)
        if (json_member(root, REQUIRED[i]) == NULL)
            return err_set(err, ERR_INVALID, "hyperparameters.json: %s is required", REQUIRED[i]);
    for (const struct json *member = json_first(root); member != NULL; member = json_next(member))
        TRY(read_hyper(member, ret, err));
    if (hyper_check(ret, err) != ERR_NONE)
        return err_prefix(err, "hyperparameters.json");
    return ERR_NONE;
}

/* ---- inputdataconfig.json ---- */

/* What a member must be when it is there. */
static const struct wanted {
    const char *member, *value, *why;
} WANTED[] = {
    {"ContentType", "text/csv", "IP Insights learns from text/csv only"},
    {"TrainingInputMode", "File", "IP Insights takes its channels as files only"},
    {"RecordWrapperType", "None", "IP Insights takes CSV without a record wrapper"},
};

static enum err_code check_channel(const struct json *channel, struct err *err)
{
    const char *name = json_name(channel);

    if (strcmp(name, "train") != 0 && strcmp(name, "validation") != 0)
        return err_set(err, ERR_INVALID,
                       "inputdataconfig.json: %.80s is no channel of IP Insights; train and "
                       "validation are",
                       name);
    for (size_t i = 0; i < ARRAY_LEN(WANTED); i++) {
        const struct json *member = json_member(channel, WANTED[i].member);

        if (json_type(member) != JSON_NULL && !str_equal(json_text_of(member), WANTED[i].value))
            return err_set(err, ERR_INVALID, "inputdataconfig.json: %s.%s must be %s: %s", name,
                           WANTED[i].member, WANTED[i].value, WANTED[i].why);
    }
    return ERR_NONE;
}

static enum err_code read_channels(const char *dir, struct err *err)
{
    AUTO(config_file_done) struct config_file file = {.name = "inputdataconfig.json"};
    enum err_code code = load(dir, &file, err);

    if (code == ERR_NOT_FOUND)
        return ERR_NONE;
    TRY(code);
    for (const struct json *channel = json_first(json_root(file.doc)); channel != NULL;
         channel = json_next(channel))
        TRY(check_channel(channel, err));
    if (json_member(json_root(file.doc), "train") == NULL)
        return err_set(err, ERR_INVALID, "inputdataconfig.json: the channel train is required");
    return ERR_NONE;
}

/* ---- resourceconfig.json ---- */

static enum err_code read_resources(const char *dir, char ret_host[static CONTAINER_HOST_BYTES],
                                    struct err *err)
{
    AUTO(config_file_done) struct config_file file = {.name = "resourceconfig.json"};
    enum err_code code = load(dir, &file, err);
    const char *host;
    size_t hosts;

    (void)snprintf(ret_host, CONTAINER_HOST_BYTES, "algo-1");
    if (code == ERR_NOT_FOUND)
        return ERR_NONE;
    TRY(code);
    hosts = json_count(json_member(json_root(file.doc), "hosts"));
    if (hosts > 1)
        return err_set(err, ERR_INVALID,
                       "resourceconfig.json: the job has %zu instances, and a model is learned on "
                       "one",
                       hosts);
    host = json_text_of(json_member(json_root(file.doc), "current_host"));
    if (host != NULL)
        (void)snprintf(ret_host, CONTAINER_HOST_BYTES, "%s", host);
    return ERR_NONE;
}

enum err_code container_config_read(const char *dir, struct container_config *ret, struct err *err)
{
    TRY(read_hyperparameters(dir, &ret->hyper, err));
    TRY(read_channels(dir, err));
    return read_resources(dir, ret->host, err);
}
