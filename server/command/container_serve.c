/* The inference half of a SageMaker container, and the runtime's own path for clients that speak to
 * it directly. Errors of the container are plain sentences, which SageMaker hands to its caller as
 * OriginalMessage; on the runtime's path they are its ModelError. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "api/app.h"
#include "base/arena.h"
#include "command/command.h"
#include "command/container.h"
#include "command/pairs_csv.h"
#include "command/pairs_reader.h"
#include "command/predictions.h"
#include "http/problem.h"
#include "http/reply.h"
#include "http/server.h"
#include "model/model.h"

enum {
    PATH_BYTES_MAX = 4096,
    PIECE_BYTES = 128 << 10,   /* of a streamed answer, at least */
    WHOLE_BYTES_MAX = 1 << 20, /* shorter answers go in one */
    BATCH_BYTES_BESIDE_BODY = 1 << 10,
};
_Static_assert((int)PIECE_BYTES < (int)REPLY_PIECE_BYTES_MAX, "a piece fits");

struct container {
    struct model *model;
    struct http_server *server;
    int64_t concurrent, body_bytes_max;
};

static void container_done(struct container *container)
{
    if (container->server != NULL)
        http_server_stop(container->server);
    model_freep(&container->model);
}

/* ---- predictions ---- */

struct answer {
    struct pairs_batch batch;
    struct predictions predictions;
    size_t at; /* rows told so far */
    bool begun, ended;
};

static void answer_free(void *context)
{
    struct answer *answer = context;

    pairs_batch_done(&answer->batch);
    own_freep(&answer);
}

static void answer_freep(struct answer **answer)
{
    if (*answer != NULL)
        answer_free(*answer);
}

static void add_rows(struct answer *answer, struct str *out)
{
    size_t bytes = predictions_bytes_max(answer->predictions.model, &answer->predictions.form);
    size_t step = PIECE_BYTES / bytes, left = answer->batch.count - answer->at;

    step = step == 0 ? 1 : step > PREDICTIONS_MAX ? PREDICTIONS_MAX : step;
    step = step < left ? step : left;
    predictions_add(&answer->predictions, &answer->batch, answer->at, answer->at + step, out);
    answer->at += step;
}

static enum err_code next_piece(void *context, struct str *out, struct err *err)
{
    struct answer *answer = context;

    (void)err;
    if (answer->ended)
        return ERR_NONE;
    if (!answer->begun)
        predictions_begin(&answer->predictions, out);
    answer->begun = true;
    while (answer->at < answer->batch.count && out->length == 0)
        add_rows(answer, out);
    if (answer->at == answer->batch.count) {
        predictions_end(&answer->predictions, out);
        answer->ended = true;
    }
    return ERR_NONE;
}

static enum err_code read_rows(const struct request *req, struct pairs_batch *batch,
                               struct err *err)
{
    AUTO(pairs_reader_close) struct pairs_reader reader = {.file = -1};
    struct pairs_options options = {.columns_max = PAIRS_COLUMNS_BARE};
    struct pairs_row row;
    bool more = true;

    for (int i = PAIRS_DETECT + 1; i < PAIRS_FORMAT__MAX; i++)
        if (strcmp(req->content_type, PAIRS_FORMAT_TYPES[i]) == 0)
            options.format = (enum pairs_format)i;
    if (options.format == PAIRS_DETECT)
        return err_set(err, ERR_MEDIA_TYPE,
                       "the content type must be text/csv, application/json or "
                       "application/jsonlines, not \"%.80s\"",
                       req->content_type);
    pairs_reader_memory(&reader, req->body, req->body_length, &options);
    for (;;) {
        TRY(pairs_reader_next(&reader, &row, &more, err));
        if (!more)
            break;
        if (!pairs_batch_add(batch, &row))
            return err_set(err, ERR_INTERNAL, "the rows are larger than their body");
    }
    if (batch->count == 0 && options.format != PAIRS_JSON)
        return err_set(err, ERR_INVALID, "there is no row in the body");
    return ERR_NONE;
}

static enum err_code predict(struct request *req, struct reply *reply, struct err *err)
{
    const struct container *container = req->app;
    const char *accept = request_header(req, "Accept");
    AUTO(answer_freep) struct answer *answer = own_alloc(sizeof *answer);

    pairs_batch_init(&answer->batch, req->body_length + BATCH_BYTES_BESIDE_BODY);
    answer->predictions = (struct predictions){.model = container->model, .spec = ""};
    if (!predictions_accept(accept, &answer->predictions.form))
        return err_set(err, ERR_NOT_ACCEPTABLE,
                       "what is accepted must be application/json or application/jsonlines, with "
                       ";verbose=true or without, not \"%.80s\"",
                       accept);
    TRY(read_rows(req, &answer->batch, err));
    reply->content_type = predictions_type(&answer->predictions.form);
    if (answer->batch.count >
        WHOLE_BYTES_MAX / predictions_bytes_max(container->model, &answer->predictions.form)) {
        reply->stream =
            (struct reply_stream){.next = next_piece, .free = answer_free, .context = TAKE(answer)};
        return ERR_NONE;
    }
    predictions_begin(&answer->predictions, &reply->body);
    while (answer->at < answer->batch.count)
        add_rows(answer, &reply->body);
    predictions_end(&answer->predictions, &reply->body);
    return ERR_NONE;
}

/* ---- routes ---- */

static enum err_code invocations(struct request *req, struct reply *reply, struct err *err)
{
    enum err_code code = predict(req, reply, err);

    if (code == ERR_NONE || !problem_is_for_client(code))
        return code;
    reply->status = problem_status(code, NULL);
    reply->content_type = "text/plain; charset=utf-8";
    str_add(&reply->body, err->text);
    return ERR_NONE;
}

/* InvokeEndpoint of the SageMaker runtime, whatever the endpoint's name. */
static enum err_code endpoint_invocations(struct request *req, struct reply *reply, struct err *err)
{
    enum err_code code = predict(req, reply, err);
    int status = problem_status(code, NULL);
    struct json_writer *w = &reply->json;

    if (code == ERR_NONE)
        reply_header(reply, "x-Amzn-Invoked-Production-Variant", "AllTraffic");
    if (code == ERR_NONE || !problem_is_for_client(code))
        return code;
    reply->status = 424;
    reply_header(reply, "x-amzn-ErrorType", "ModelError");
    json_object(w, NULL);
    json_text(w, "ErrorCode", "CLIENT_ERROR_FROM_MODEL");
    json_text(w, "LogStreamArn", "");
    json_text(w, "Message",
              arena_printf(req->arena,
                           "Received client error (%d) from primary with message \"%s\"", status,
                           err->text));
    json_text(w, "OriginalMessage", err->text);
    json_int(w, "OriginalStatusCode", status);
    json_end(w);
    return ERR_NONE;
}

static enum err_code ping(struct request *req, struct reply *reply, struct err *err)
{
    (void)req;
    (void)reply;
    (void)err;
    return ERR_NONE;
}

static enum err_code execution_parameters(struct request *req, struct reply *reply, struct err *err)
{
    const struct container *container = req->app;
    int64_t megabytes = container->body_bytes_max >> 20;

    (void)err;
    json_object(&reply->json, NULL);
    json_int(&reply->json, "MaxConcurrentTransforms", container->concurrent);
    json_text(&reply->json, "BatchStrategy", "MULTI_RECORD");
    json_int(&reply->json, "MaxPayloadInMB", megabytes > 0 ? megabytes : 1);
    json_end(&reply->json);
    return ERR_NONE;
}

/* ---- start ---- */

/* An endpoint's request names no spec, so every entity would be unknown to such a model. */
static enum err_code load(const struct container_options *options, struct container *container,
                          struct err *err)
{
    char path[PATH_BYTES_MAX];
    struct model_info info;
    int length = snprintf(path, sizeof path, "%s/model/%s", options->dir, CONTAINER_MODEL_NAME);

    if (length < 0 || (size_t)length >= sizeof path)
        return err_set(err, ERR_USAGE, "--sagemaker-dir is too long");
    TRY(model_load(options->model != NULL ? options->model : path, &container->model, err));
    model_info(container->model, &info);
    if (info.spec_count > 1)
        return err_set(err, ERR_INVALID,
                       "the model keeps %zu pair specs apart, and the rows of an endpoint name "
                       "none: train it on a CSV file, or with one --spec",
                       info.spec_count);
    return ERR_NONE;
}

static int64_t larger(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

enum err_code container_serve(const struct container_options *options, struct err *err)
{
    AUTO(container_done)
    struct container container = {.concurrent = options->threads,
                                  .body_bytes_max = options->body_bytes_max};
    const uint64_t body = (uint64_t)options->body_bytes_max;
    const struct route routes[] = {
        /* by path */
        {"POST", "/endpoints/{name}/invocations", "invokeEndpoint", endpoint_invocations, ROLE_NONE,
         body},
        {"GET", "/execution-parameters", "executionParameters", execution_parameters, ROLE_NONE, 0},
        {"POST", "/invocations", "invocations", invocations, ROLE_NONE, body},
        {"GET", "/ping", "ping", ping, ROLE_NONE, 0},
    };
    const struct http_options http = {
        .listen = options->listen,
        .routes = routes,
        .route_count = ARRAY_LEN(routes),
        .threads = options->threads,
        .connections_max = options->connections,
        /* Each thread may hold a body and what it inflates to. */
        .bodies_bytes_max =
            larger(HTTP_BODIES_BYTES_MAX, 2 * options->body_bytes_max * options->threads),
        .tls_cert_path = options->tls_cert,
        .tls_key_path = options->tls_key,
        .no_files = true,
        .app = &container,
        .access_log = app_access_log,
    };

    TRY(load(options, &container, err));
    TRY(http_server_start(&http, &container.server, err));
    (void)printf("pairwatch serves %s://%.*s:%d\n", options->tls_cert != NULL ? "https" : "http",
                 (int)(strrchr(options->listen, ':') - options->listen), options->listen,
                 http_server_port(container.server));
    (void)fflush(stdout);
    stop_wait();
    return ERR_NONE;
}
