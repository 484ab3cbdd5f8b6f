#include "worker/endpoint_calibrate.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "aws/client.h"
#include "base/clock.h"
#include "base/crypto.h"
#include "base/hash.h"
#include "base/json.h"
#include "base/log.h"
#include "base/str.h"
#include "store/model_life.h"
#include "store/model_row.h"
#include "store/writer.h"
#include "worker/endpoint_file.h"
#include "worker/endpoint_model.h"
#include "worker/register.h"
#include "worker/remote.h"

enum { INFO_BYTES_MAX = 4096, STEP_PAIRS = 40 * 1000 };

/* A spec's part of the sorted pairs. */
struct group {
    const char *spec;
    const struct train_pair *pairs;
    size_t count;
};

static int by_pair(const void *a, const void *b)
{
    const struct train_pair *x = a, *y = b;
    int order = strcmp(x->spec, y->spec);

    if (order == 0)
        order = strcmp(x->entity, y->entity);
    return order != 0 ? order : ip_compare(&x->ip, &y->ip);
}

/* Each pair once, at the front; *ret_span_ms is from the first sighting to the last. */
static size_t distinct(struct train_pair *pairs, size_t count, int64_t *ret_span_ms)
{
    int64_t first = INT64_MAX, last = 0;
    size_t used = 0;

    for (size_t i = 0; i < count; i++) {
        if (pairs[i].time_ms > 0 && pairs[i].time_ms < first)
            first = pairs[i].time_ms;
        if (pairs[i].time_ms > last)
            last = pairs[i].time_ms;
    }
    *ret_span_ms = last > first ? last - first : 0;
    qsort(pairs, count, sizeof *pairs, by_pair);
    for (size_t i = 0; i < count; i++)
        if (used == 0 || by_pair(&pairs[used - 1], &pairs[i]) != 0)
            pairs[used++] = pairs[i];
    return used;
}

static enum err_code split(const struct train_pair *pairs, size_t count,
                           struct group ret[static MODEL_SPECS_MAX], size_t *ret_count,
                           struct err *err)
{
    size_t groups = 0;

    for (size_t i = 0; i < count; i++) {
        if (groups > 0 && strcmp(ret[groups - 1].spec, pairs[i].spec) == 0) {
            ret[groups - 1].count++;
            continue;
        }
        if (groups == MODEL_SPECS_MAX)
            return err_set(err, ERR_INVALID, "there are more than %d pair specs", MODEL_SPECS_MAX);
        ret[groups++] = (struct group){pairs[i].spec, &pairs[i], 1};
    }
    *ret_count = groups;
    return ERR_NONE;
}

/* sample_max of them, each as likely as another (Knuth, The Art of Computer Programming, volume 2,
 * 3.4.2, algorithm S). */
static size_t draw(const struct group *group, size_t wanted, struct rng *rng,
                   struct model_pair *ret)
{
    size_t taken = 0;

    for (size_t i = 0; i < group->count && taken < wanted; i++)
        if (rng_below(rng, group->count - i) < wanted - taken)
            ret[taken++] =
                (struct model_pair){group->spec, group->pairs[i].entity, group->pairs[i].ip};
    return taken;
}

/* SageMaker's own algorithm takes IPv4 alone; our container takes both. */
static enum err_code probe_ipv6(struct remote *remote, const struct train_pair *pair, bool *ret,
                                struct err *err)
{
    struct model_pair asked = {.spec = "", .entity = pair->entity};
    double dot_product;
    uint8_t why;
    struct remote_result result = {.dot_products = &dot_product, .why = &why};
    enum err_code code;

    (void)ip_parse("2001:db8::1", &asked.ip);
    code = remote_score(remote, &asked, 1, &result, err);
    *ret = code == ERR_NONE && why == REMOTE_SCORED;
    return code == ERR_INVALID && why == REMOTE_REFUSED ? ERR_NONE : code;
}

static enum err_code open_remote(const struct calibrate_options *options,
                                 const struct train_pair *pair, struct remote **ret, bool *ret_ipv6,
                                 struct err *err)
{
    AUTO(remote_closep) struct remote *probe = NULL;
    struct remote_options remote = {
        .aws = options->aws,
        .endpoint = options->endpoint,
        .ipv6 = true,
        .rows_max = options->rows_max,
        .answer_ms = options->answer_ms,
        .wait_ms = options->wait_ms,
        .stop = options->stop,
    };

    remote_open(&remote, &probe);
    TRY(probe_ipv6(probe, pair, ret_ipv6, err));
    remote.ipv6 = *ret_ipv6;
    remote_open(&remote, ret);
    return ERR_NONE;
}

/* Scores of those that got one, at the front of ret. */
static enum err_code score(struct remote *remote, const struct model_pair *pairs, size_t count,
                           struct progress *progress, double *ret, struct calibrated_spec *spec,
                           struct err *err)
{
    AUTO(own_freep) uint8_t *why = own_array(count + 1, sizeof *why);
    size_t used = 0;

    for (size_t at = 0; at < count; at += STEP_PAIRS) {
        size_t step = count - at < STEP_PAIRS ? count - at : STEP_PAIRS;
        struct remote_result result = {.dot_products = ret + at, .why = why + at};

        TRY(remote_score(remote, pairs + at, step, &result, err));
        if (spec->refused == 0 && result.refused > 0)
            log_warn("the endpoint refused pairs", "spec=%s reason=%s", spec->name,
                     log_quote(result.reason));
        spec->refused += result.refused;
        progress_add(progress, (long long)step);
    }
    for (size_t i = 0; i < count; i++) {
        spec->ipv6 += why[i] == REMOTE_IPV6;
        if (why[i] == REMOTE_SCORED)
            ret[used++] = -ret[i];
    }
    spec->sample.size = used;
    return ERR_NONE;
}

static enum err_code calibrate_group(const struct calibrate_options *options, struct remote *remote,
                                     const struct group *group, int64_t span_ms,
                                     struct calibrated_spec *ret, struct err *err)
{
    size_t wanted = group->count < options->sample_max ? group->count : options->sample_max;
    AUTO(own_freep) struct model_pair *pairs = own_array(wanted + 1, sizeof *pairs);
    AUTO(own_freep) double *scores = own_array(wanted + 1, sizeof *scores);
    struct progress progress;
    struct rng rng;
    enum err_code code;

    *ret = (struct calibrated_spec){.name = group->spec, .distinct = group->count};
    rng_init(&rng, options->seed);
    wanted = draw(group, wanted, &rng, pairs);
    progress_start(&progress, "scoring", "pairs", (long long)wanted);
    code = score(remote, pairs, wanted, &progress, scores, ret, err);
    progress_end(&progress);
    TRY(code);
    if (ret->sample.size < CALIBRATE_SAMPLE_MIN)
        return err_set(err, ERR_INVALID,
                       "%zu distinct pairs%s%s were scored, %zu refused, %zu of IPv6 left out: at "
                       "least %d are needed to tell what is usual",
                       (size_t)ret->sample.size, *group->spec != '\0' ? " of " : "", group->spec,
                       ret->refused, ret->ipv6, CALIBRATE_SAMPLE_MIN);
    return score_sample_take(scores, ret->sample.size, group->count, span_ms, &options->rule,
                             &ret->sample, err);
}

/* Pairs without a spec stand for each that was named. */
static enum err_code name_specs(const struct calibrate_options *options, struct calibrated *ret,
                                struct err *err)
{
    struct calibrated_spec bare;
    size_t count = 0;

    if (ret->spec_count == 0 || *ret->specs[0].name != '\0')
        return ERR_NONE;
    while (options->spec_names != NULL && options->spec_names[count] != NULL)
        count++;
    if (count == 0 || ret->spec_count > 1 || count > MODEL_SPECS_MAX)
        return err_set(err, ERR_INVALID,
                       "pairs without a spec come alone, and --spec names the specs they stand "
                       "for, at most %d",
                       MODEL_SPECS_MAX);
    bare = ret->specs[0];
    for (size_t i = 0; i < count; i++) {
        ret->specs[i] = bare;
        ret->specs[i].name = options->spec_names[i];
    }
    ret->spec_count = count;
    return ERR_NONE;
}

static enum err_code info_json(const struct calibrate_options *options,
                               const struct calibrated *calibrated, int64_t now_ms,
                               struct str *text, struct err *err)
{
    struct json_writer json;

    json_writer_init(&json, text);
    json_object(&json, NULL);
    json_text(&json, "endpoint", options->endpoint);
    json_text(&json, "region", aws_region(options->aws));
    json_bool(&json, "ipv6", calibrated->ipv6);
    json_time(&json, "calibrated", now_ms);
    json_array(&json, "specs");
    for (size_t i = 0; i < calibrated->spec_count; i++) {
        const struct calibrated_spec *spec = &calibrated->specs[i];

        json_object(&json, NULL);
        json_text(&json, "spec", spec->name);
        json_int(&json, "distinct_pairs", (int64_t)spec->distinct);
        json_int(&json, "refused", (int64_t)spec->refused);
        json_end(&json);
    }
    json_end(&json);
    json_end(&json);
    return str_check(text, "what is known of the endpoint", err);
}

/* By everything that makes this run another than the last. */
static void make_id(const struct str *info, struct calibrated *calibrated)
{
    uint8_t digest[SHA256_BYTES], random[SHA256_BYTES];
    struct sha256 *sha = sha256_new();

    random_bytes(random, sizeof random);
    sha256_add(sha, random, sizeof random);
    sha256_add(sha, info->text, info->length);
    sha256_end(sha, digest);
    hex_encode(digest, (MODEL_ID_BYTES - 1) / 2, calibrated->id);
}

static enum err_code store(const struct calibrate_options *options, struct calibrated *calibrated,
                           struct err *err)
{
    AUTO(str_done) struct str info = {0};
    struct model_spec_row specs[MODEL_SPECS_MAX];
    char path[ENDPOINT_PATH_BYTES];
    struct model_register_job job = {.actor = options->actor, .now_ms = clock_now_ms()};
    struct model_move_job move = {.actor = options->actor,
                                  .id = calibrated->id,
                                  .path = path,
                                  .state = MODEL_CANDIDATE,
                                  .now_ms = job.now_ms};

    str_init(&info, INFO_BYTES_MAX);
    TRY(info_json(options, calibrated, job.now_ms, &info, err));
    make_id(&info, calibrated);
    for (size_t i = 0; i < calibrated->spec_count; i++) {
        const struct calibrated_spec *spec = &calibrated->specs[i];

        specs[i] = (struct model_spec_row){.spec = spec->name,
                                           .threshold = spec->sample.threshold,
                                           .sample_size = (int64_t)spec->sample.size,
                                           .quantiles = spec->sample.quantiles,
                                           .unknown_share = NAN,
                                           .unseen_share = NAN,
                                           .rule = register_rule(&options->rule, NAN)};
    }
    job.model = (struct model_row){.id = calibrated->id,
                                   .detector = ENDPOINT_DETECTOR,
                                   .info = info.text,
                                   .specs = specs,
                                   .spec_count = calibrated->spec_count};
    (void)snprintf(path, sizeof path, "%s%s", ENDPOINT_SCHEME, options->endpoint);
    if (options->writer == NULL)
        return endpoint_file_write(options->out, &job.model, err);
    TRY(writer_run(options->writer, model_register_job_run, &job, err));
    return writer_run(options->writer, model_move_job_run, &move, err);
}

enum err_code endpoint_calibrate(const struct calibrate_options *options, struct calibrated *ret,
                                 struct err *err)
{
    AUTO(remote_closep) struct remote *remote = NULL;
    struct group groups[MODEL_SPECS_MAX];
    int64_t span_ms;
    size_t count = distinct(options->pairs, options->count, &span_ms);

    *ret = (struct calibrated){.ipv6 = false};
    if (count == 0)
        return err_set(err, ERR_INVALID, "there are no pairs to calibrate by");
    TRY(split(options->pairs, count, groups, &ret->spec_count, err));
    for (size_t i = 0; i < ret->spec_count; i++)
        ret->specs[i].name = groups[i].spec;
    if (*groups[0].spec == '\0' && options->spec_names == NULL)
        return name_specs(options, ret, err);
    TRY(open_remote(options, &options->pairs[0], &remote, &ret->ipv6, err));
    for (size_t i = 0; i < ret->spec_count; i++)
        TRY(calibrate_group(options, remote, &groups[i], span_ms, &ret->specs[i], err));
    TRY(name_specs(options, ret, err));
    return store(options, ret, err);
}
