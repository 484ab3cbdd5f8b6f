#include "command/score_endpoint.h"

#include <math.h>
#include <stdio.h>

#include "aws/client.h"
#include "aws/sagemaker_runtime.h"
#include "base/own.h"
#include "command/command.h"
#include "command/pairs_batch.h"
#include "worker/remote.h"

#define TEXT_BYTES_MAX ((size_t)REMOTE_ROWS_DEFAULT * (PAIRS_ENTITY_BYTES_MAX + 1))

struct asking {
    struct aws *aws;
    struct remote *remote;
    struct pairs_batch batch;
    size_t refused;
    bool told; /* why */
};

static void asking_done(struct asking *asking)
{
    remote_closep(&asking->remote);
    aws_closep(&asking->aws);
    pairs_batch_done(&asking->batch);
}

static enum err_code ask(struct asking *asking, struct err *err)
{
    size_t count = asking->batch.count;
    AUTO(own_freep) struct model_pair *pairs = own_array(count + 1, sizeof *pairs);
    AUTO(own_freep) double *dot_products = own_array(count + 1, sizeof *dot_products);
    AUTO(own_freep) uint8_t *why = own_array(count + 1, sizeof *why);
    struct remote_result result = {.dot_products = dot_products, .why = why};
    char text[32];

    for (size_t i = 0; i < count; i++)
        pairs[i] = pairs_batch_pair(&asking->batch, i, "");
    TRY(remote_score(asking->remote, pairs, count, &result, err));
    for (size_t i = 0; i < count; i++) {
        if (!isnan(dot_products[i]))
            (void)str_from_double(text, dot_products[i]);
        (void)printf("{\"dot_product\": %s}\n", isnan(dot_products[i]) ? "null" : text);
    }
    if (result.refused > 0 && !asking->told)
        (void)fprintf(stderr, "pairwatch: refused: %s\n", result.reason);
    asking->told = asking->told || result.refused > 0;
    asking->refused += result.refused;
    pairs_batch_clear(&asking->batch);
    return ERR_NONE;
}

enum err_code score_endpoint(struct pairs_reader *reader, const char *endpoint, struct err *err)
{
    AUTO(asking_done) struct asking asking = {.refused = 0};
    struct remote_options options = {
        .endpoint = endpoint,
        .ipv6 = true,
        .rows_max = REMOTE_ROWS_DEFAULT,
        .answer_ms = SAGEMAKER_ANSWER_MS,
        .wait_ms = REMOTE_WAIT_DEFAULT_MS,
        .stop = &STOP_ASKED,
    };
    bool more = true;

    if (!sagemaker_name_ok(endpoint))
        return err_set(err, ERR_USAGE, "\"%.80s\" is no name of an endpoint", endpoint);
    stop_catch();
    pairs_batch_init(&asking.batch, TEXT_BYTES_MAX);
    TRY(aws_open(&(struct aws_options){.region = NULL}, &asking.aws, err));
    options.aws = asking.aws;
    remote_open(&options, &asking.remote);
    while (more) {
        struct pairs_row row;

        TRY(pairs_reader_next(reader, &row, &more, err));
        if (more && !pairs_batch_add(&asking.batch, &row))
            return err_set(err, ERR_INTERNAL, "a batch's entities are too long");
        if (asking.batch.count == REMOTE_ROWS_DEFAULT || (!more && asking.batch.count > 0))
            TRY(ask(&asking, err));
    }
    if (asking.refused > 0)
        (void)fprintf(stderr, "pairwatch: %zu rows have no score\n", asking.refused);
    return ERR_NONE;
}
