#include "worker/explain.h"

#include "base/arena.h"
#include "base/ip.h"
#include "base/json.h"
#include "base/str.h"

enum { EXPLANATION_BYTES_MAX = 8192 }; /* MODEL_NETWORKS_MAX networks take about 1200 */

const char *explain_pair(const struct model *model, const char *model_spec, const char *entity,
                         const struct model_score *score, struct arena *arena)
{
    AUTO(str_done) struct str text = {0};
    struct json_writer json;
    struct model_network networks[MODEL_NETWORKS_MAX];
    size_t count = model_entity_networks(model, model_spec, entity, networks);

    str_init(&text, EXPLANATION_BYTES_MAX);
    json_writer_init(&json, &text);
    json_object(&json, NULL);
    json_int(&json, "known_bits", score->known_bits);
    json_array(&json, "networks");
    for (size_t i = 0; i < count; i++) {
        char cidr[CIDR_TEXT_BYTES];

        (void)cidr_format(cidr, &networks[i].cidr);
        json_object(&json, NULL);
        json_text(&json, "network", cidr);
        json_int(&json, "observations", (int64_t)networks[i].observations);
        json_real(&json, "share", networks[i].share);
        json_end(&json);
    }
    json_end(&json);
    json_end(&json);
    return arena_strndup(arena, text.text, text.length);
}
