#include "worker/endpoint_model.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "base/own.h"
#include "base/str.h"
#include "store/db.h"
#include "worker/endpoint_file.h"

enum { ENDPOINT_ARENA_BYTES = 4 << 20 };

const char *endpoint_name_of(const char *path)
{
    return path != NULL && str_starts(path, ENDPOINT_SCHEME) ? path + strlen(ENDPOINT_SCHEME)
                                                             : NULL;
}

void endpoint_model_free(struct endpoint_model *model)
{
    if (model == NULL)
        return;
    arena_done(&model->texts);
    own_freep(&model);
}

void endpoint_model_freep(struct endpoint_model **model)
{
    endpoint_model_free(*model);
    *model = NULL;
}

static enum err_code read_info(struct endpoint_model *model, struct err *err)
{
    AUTO(json_doc_freep) struct json_doc *doc = NULL;

    TRY(json_parse(model->row.info, strlen(model->row.info), &doc, err));
    if (strcmp(model->row.detector, ENDPOINT_DETECTOR) != 0 ||
        !json_bool_of(json_member(json_root(doc), "ipv6"), &model->ipv6))
        return err_set(err, ERR_CORRUPT, "the model %.64s is not one of an endpoint",
                       model->row.id);
    return ERR_NONE;
}

enum err_code endpoint_model_load(struct db *db, const char *id, const char *path,
                                  struct endpoint_model **ret, struct err *err)
{
    AUTO(endpoint_model_freep) struct endpoint_model *model = own_alloc(sizeof *model);
    const char *name = endpoint_name_of(path);

    if (name == NULL || strlen(name) >= sizeof model->name)
        return err_set(err, ERR_CORRUPT, "\"%.80s\" names no endpoint", path);
    (void)snprintf(model->name, sizeof model->name, "%s", name);
    arena_init(&model->texts, ENDPOINT_ARENA_BYTES);
    TRY(model_row_get(db, &model->texts, id, &model->row, err));
    TRY(read_info(model, err));
    *ret = TAKE(model);
    return ERR_NONE;
}

static bool is_of(const struct endpoint_model *model, const char *name)
{
    AUTO(json_doc_freep) struct json_doc *doc = NULL;
    struct err unused;
    const char *found;

    if (json_parse(model->row.info, strlen(model->row.info), &doc, &unused) != ERR_NONE)
        return false;
    found = json_text_of(json_member(json_root(doc), "endpoint"));
    return found != NULL && strcmp(found, name) == 0;
}

enum err_code endpoint_model_read(const char *path, const char *name, struct endpoint_model **ret,
                                  struct err *err)
{
    AUTO(endpoint_model_freep) struct endpoint_model *model = own_alloc(sizeof *model);

    (void)snprintf(model->name, sizeof model->name, "%s", name);
    arena_init(&model->texts, ENDPOINT_ARENA_BYTES);
    TRY(endpoint_file_read(path, model, err));
    TRY(read_info(model, err));
    if (!is_of(model, name))
        return err_set(err, ERR_INVALID, "the calibration \"%.200s\" is not the endpoint %s's",
                       path, name);
    *ret = TAKE(model);
    return ERR_NONE;
}

struct model_score endpoint_model_judge(const struct model_spec_row *spec, double dot_product)
{
    struct model_score score = {
        .dot_product = dot_product,
        .score = -dot_product,
        .percentile = model_row_percentile(spec, -dot_product),
        .entity_known = true, /* the endpoint does not say, so nothing is claimed */
        .threshold = spec->threshold,
        .flagged = -dot_product > spec->threshold,
        .known_bits = -1,
        .opinion = OPINION_IP_INSIGHTS,
    };

    for (int i = 0; i < OPINION__MAX; i++)
        score.opinions[i] = (struct model_opinion){NAN, NAN, false};
    score.opinions[OPINION_IP_INSIGHTS] =
        (struct model_opinion){score.score, score.percentile, score.flagged};
    return score;
}
