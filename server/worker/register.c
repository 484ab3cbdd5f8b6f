#include "worker/register.h"

#include <inttypes.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/str.h"
#include "model/model.h"
#include "store/model_row.h"
#include "store/writer.h"
#include "worker/batch.h"

_Static_assert((int)MODEL_QUANTILES == (int)MODEL_ROW_QUANTILES,
               "the store keeps the model's quantiles");
_Static_assert(WINDOW_RULE_BUDGET == (int)THRESHOLD_BUDGET + 1 &&
                   WINDOW_RULE_PERCENTILE == (int)THRESHOLD_PERCENTILE + 1 &&
                   WINDOW_RULE_SCORE == (int)THRESHOLD_SCORE + 1,
               "the store knows the model's rules");
enum { INFO_BYTES_MAX = 65536 };

static enum err_code info_json(const struct model_info *info, struct str *text, struct err *err)
{
    struct json_writer json;

    json_writer_init(&json, text);
    json_object(&json, NULL);
    json_raw(&json, "hyperparameters", info->hyperparameters_json);
    json_raw(&json, "metrics", info->metrics_json);
    json_int(&json, "training_pairs", (int64_t)info->training_pairs);
    json_int(&json, "entities", (int64_t)info->entities);
    json_time(&json, "trained_until",
              info->trained_until_ms > 0 ? info->trained_until_ms : FIELD_NULL_INT);
    json_end(&json);
    return str_check(text, "what the model says of itself", err);
}

struct window_rule register_rule(const struct threshold_rule *rule, double least)
{
    return (struct window_rule){
        .kind = (int64_t)rule->kind + 1, .value = rule->value, .least = least};
}

static size_t list_specs(const struct model *model, const char *const *names,
                         struct model_spec_row ret[static MODEL_SPECS_MAX])
{
    struct model_info info;
    size_t count = 0;

    model_info(model, &info);
    for (; *names != NULL && count < MODEL_SPECS_MAX; names++) {
        const char *model_spec = batch_model_spec(model, *names);
        struct model_calibration calibration;

        if (model_spec != NULL && model_calibration(model, model_spec, &calibration))
            ret[count++] = (struct model_spec_row){
                .spec = *names,
                .threshold = calibration.threshold,
                .sample_size = (int64_t)calibration.sample_size,
                .quantiles = calibration.sample_size > 0 ? calibration.quantiles : NULL,
                .usual_quantiles = calibration.usual_quantiles,
                .unknown_share = calibration.unknown_share,
                .unseen_share = calibration.unseen_share,
                .rule = register_rule(&info.threshold, calibration.threshold_least)};
    }
    return count;
}

enum err_code register_model(struct writer *writer, const struct model *model,
                             const char *const *spec_names, struct err *err)
{
    AUTO(str_done) struct str text = {0};
    struct model_spec_row specs[MODEL_SPECS_MAX];
    struct model_register_job job = {.actor = "worker", .now_ms = clock_now_ms()};
    struct model_info info;

    model_info(model, &info);
    str_init(&text, INFO_BYTES_MAX);
    TRY(info_json(&info, &text, err));
    job.model = (struct model_row){
        .id = info.id,
        .detector = DETECTOR_WORDS[info.detector],
        .info = text.text,
        .specs = specs,
        .spec_count = list_specs(model, spec_names, specs),
    };
    return writer_run(writer, model_register_job_run, &job, err);
}
