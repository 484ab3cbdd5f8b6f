#include "worker/explain.h"

#include <math.h>
#include <string.h>

#include "base/arena.h"
#include "base/ip.h"
#include "base/json.h"
#include "base/str.h"
#include "store/window.h"

enum {
    EXPLANATION_BYTES_MAX = 32 * 1024, /* of IPv6 with all networks: about 4,500 without names */
    BEARER_NAME_BYTES_MAX = 512,
};

static void write_opinions(struct json_writer *json, const struct model_score *score)
{
    json_array(json, "opinions");
    for (int i = 0; i < OPINION__MAX; i++) {
        const struct model_opinion *opinion = &score->opinions[i];

        if (isnan(opinion->score))
            continue;
        json_object(json, NULL);
        json_text(json, "name", OPINION_WORDS[i]);
        json_real(json, "score", opinion->score);
        json_real(json, "percentile", opinion->percentile);
        json_bool(json, "flagged", opinion->flagged);
        json_end(json);
    }
    json_end(json);
}

static void write_cidr(struct json_writer *json, const char *name, const struct cidr *cidr)
{
    char text[CIDR_TEXT_BYTES];

    (void)cidr_format(text, cidr);
    json_text(json, name, text);
}

static void write_levels(struct json_writer *json, const struct model_explanation *explanation)
{
    json_array(json, "levels");
    for (size_t i = 0; i < explanation->level_count; i++) {
        const struct model_level *level = &explanation->levels[i];

        json_object(json, NULL);
        write_cidr(json, "prefix", &level->prefix);
        json_real(json, "entity", level->entity);
        json_real(json, "others", level->others);
        json_real(json, "ip_insights", level->ip_insights);
        json_end(json);
    }
    json_end(json);
}

static void write_nearest(struct json_writer *json, const struct model_explanation *explanation)
{
    char text[IP_TEXT_BYTES];

    if (!explanation->has_nearest) {
        json_null(json, "nearest");
        return;
    }
    (void)ip_format(text, &explanation->nearest);
    json_object(json, "nearest");
    json_text(json, "ip", text);
    json_time(json, "last_seen", explanation->nearest_seen_ms);
    json_end(json);
}

/* The first few; one that is very long is left out. */
static void write_bearers(struct json_writer *json, const struct model_explanation *explanation)
{
    json_array(json, "bearer_names");
    for (size_t i = 0; i < explanation->bearer_count; i++)
        if (strlen(explanation->bearers[i]) <= BEARER_NAME_BYTES_MAX)
            json_text(json, NULL, explanation->bearers[i]);
    json_end(json);
}

static void write_system(struct json_writer *json, const struct model_explanation *explanation)
{
    const struct model_system *asn = &explanation->asn;

    if (!explanation->has_asn) {
        json_null(json, "system");
        return;
    }
    json_object(json, "system");
    json_int(json, "asn", asn->number);
    json_text(json, "name", asn->name);
    json_bool(json, "known", asn->known);
    json_real(json, "share", fmin(1, asn->share));
    json_int(json, "entities", (int64_t)asn->entities);
    json_real(json, "evidence", asn->evidence);
    json_end(json);
}

static void write_networks(struct json_writer *json, const struct model *model,
                           const struct model_pair *pair)
{
    struct model_network networks[MODEL_NETWORKS_MAX];
    size_t count = model_entity_networks(model, pair->spec, pair->entity, networks);

    json_array(json, "networks");
    for (size_t i = 0; i < count; i++) {
        json_object(json, NULL);
        write_cidr(json, "network", &networks[i].cidr);
        json_int(json, "observations", (int64_t)networks[i].observations);
        json_real(json, "share", networks[i].share);
        json_end(json);
    }
    json_end(json);
}

static void write_judged(struct json_writer *json, const struct explain_judged *judged)
{
    const struct window *window = judged->window;

    json_object(json, "judged_by");
    json_real(json, "threshold", judged->threshold);
    if (window == NULL) {
        json_null(json, "window");
    } else {
        json_object(json, "window");
        json_time(json, "first_day", window->first_day_ms);
        json_time(json, "last_day", window->last_day_ms);
        json_int(json, "days", window->days);
        json_int(json, "sample_size", (int64_t)window->sample_size);
        json_end(json);
    }
    json_end(json);
}

const char *explain_pair(const struct model *model, const struct model_pair *pair,
                         const struct explain_judged *judged, struct arena *arena)
{
    AUTO(str_done) struct str text = {0};
    struct json_writer json;
    struct model_explanation explanation;

    model_explain(model, pair, &explanation);
    str_init(&text, EXPLANATION_BYTES_MAX);
    json_writer_init(&json, &text);
    json_object(&json, NULL);
    json_text(&json, "opinion", OPINION_WORDS[explanation.score.opinion]);
    json_int(&json, "known_bits", explanation.score.known_bits);
    json_int(&json, "bearers", (int64_t)explanation.score.bearers);
    json_int(&json, "neighbours", (int64_t)explanation.neighbours);
    write_bearers(&json, &explanation);
    write_system(&json, &explanation);
    write_nearest(&json, &explanation);
    write_opinions(&json, &explanation.score);
    write_levels(&json, &explanation);
    write_networks(&json, model, pair);
    if (judged != NULL && !isnan(judged->threshold))
        write_judged(&json, judged);
    json_end(&json);
    return arena_strndup(arena, text.text, text.length);
}
