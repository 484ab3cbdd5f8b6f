/* pairwatch serve: the REST API and the dashboard. */
#include <malloc.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/app.h"
#include "api/names.h"
#include "api/stream.h"
#include "base/conf.h"
#include "base/crypto.h"
#include "base/str.h"
#include "command/access.h"
#include "command/command.h"
#include "command/container.h"
#include "command/retain_settings.h"
#include "http/server.h"
#include "model/model.h"
#include "store/db.h"
#include "store/migrate.h"
#include "store/writer.h"
#include "worker/register.h"

enum { HEAP_MMAP_BYTES_MIN = 4 << 20, HEAP_TRIM_BYTES = 16 << 20, HEAP_ARENAS_MAX = 4 };

struct serve_options {
    const char *listen, *database, *read_database, *web_dir, *model, *tls_cert, *tls_key,
        *admin_password_file;
    const char *sagemaker_dir;
    int64_t threads, connections, body_bytes_max;
    bool sagemaker, behind_proxy;
    struct conf_list specs;
    struct retain_options retain;
};

static const char LISTEN_DEFAULT[] = "127.0.0.1:8080";

#define SERVE(member) offsetof(struct serve_options, member)
static const struct conf_setting SETTINGS[] = {
    {"listen", CONF_TEXT, SERVE(listen), 0, 0, 0, "HOST:PORT",
     "address to answer on; port 0 picks a free one"},
    {"database", CONF_TEXT, SERVE(database), 0, 0, 0, "URL",
     "sqlite:FILE or postgresql://USER@HOST/NAME: where results are kept"},
    {"read-database", CONF_TEXT, SERVE(read_database), 0, 0, 0, "URL",
     "read from here: a standby of the PostgreSQL server"},
    {"model", CONF_TEXT, SERVE(model), 0, 0, 0, "FILE",
     "register this model, so that posted scores of it get threshold and percentile"},
    {"spec", CONF_LIST, SERVE(specs), 0, 0, 0, "NAME",
     "of that model: pair spec whose scores are posted; may be repeated. Unless given, those it "
     "was trained on"},
    {"web-dir", CONF_TEXT, SERVE(web_dir), 0, 0, 0, "DIR",
     "serve the dashboard from a folder instead of the built-in files"},
    {"tls-cert", CONF_TEXT, SERVE(tls_cert), 0, 0, 0, "FILE",
     "certificate chain in PEM; with --tls-key the server speaks https"},
    {"tls-key", CONF_TEXT, SERVE(tls_key), 0, 0, 0, "FILE", "its private key in PEM"},
    {"behind-proxy", CONF_BOOL, SERVE(behind_proxy), 0, 0, 0, NULL,
     "believe X-Forwarded-For and X-Forwarded-Proto: only when clients reach it through a proxy "
     "alone"},
    {"admin-password-file", CONF_TEXT, SERVE(admin_password_file), 0, 0, 0, "FILE",
     "the first line is the first administrator's password; used when there is no user yet"},
    RETAIN_SETTINGS(struct serve_options, retain),
    {"retention-every", CONF_DURATION, SERVE(retain.every_ms), 0, 0, 0, "TIME",
     "how often old rows are looked for, when anything above says that they go"},
    {"threads", CONF_INT, SERVE(threads), 0, 1, 64, "N", "requests answered at the same time"},
    {"connections", CONF_INT, SERVE(connections), 0, 10, 100000, "N", "open connections at most"},
    {"sagemaker", CONF_BOOL, SERVE(sagemaker), 0, 0, 0, NULL,
     "be an IP Insights container of SageMaker instead: no database, no "
     "sign-in, " CONTAINER_LISTEN_DEFAULT " unless --listen is given"},
    {"sagemaker-dir", CONF_TEXT, SERVE(sagemaker_dir), 0, 0, 0, "DIR",
     "where SageMaker puts things; the model is DIR/model/" CONTAINER_MODEL_NAME
     " unless --model is given"},
    {"body-bytes-max", CONF_BYTES, SERVE(body_bytes_max), 0, 1024, CONTAINER_BODY_BYTES_MAX,
     "BYTES", "with --sagemaker: larger requests are refused"},
    {NULL, 0, 0, 0, 0, 0, NULL, NULL},
};

const struct conf_command COMMAND_SERVE = {
    .name = "serve",
    .summary = "the REST API and the dashboard",
    .settings = SETTINGS,
    .more = "The first start makes the user \"admin\" and prints its one-time password once, on "
            "standard output.\nSIGINT and SIGTERM finish the requests that run and end.\n",
};

struct keeper { /* the thread of retention */
    struct retain_options options;
    pthread_t thread;
    bool started;
};

struct serving { /* in the order of making; ended in the reverse */
    struct writer *writer;
    struct app app;
    struct http_server *server;
    struct stream_watch *watch;
    struct keeper keeper;
};

static void serving_done(struct serving *serving)
{
    if (serving->keeper.started)
        (void)pthread_join(serving->keeper.thread, NULL);
    if (serving->watch != NULL)
        stream_watch_stop(serving->watch);
    if (serving->server != NULL)
        http_server_stop(serving->server);
    app_done(&serving->app);
    if (serving->writer != NULL)
        writer_stop(serving->writer);
}

static enum err_code start_http(const struct serve_options *options, struct serving *serving,
                                struct err *err)
{
    struct http_options http = {
        .listen = options->listen,
        .routes = ROUTES,
        .route_count = ROUTE_COUNT,
        .threads = (int)options->threads,
        .connections_max = (int)options->connections,
        .tls_cert_path = options->tls_cert,
        .tls_key_path = options->tls_key,
        .behind_proxy = options->behind_proxy,
        .web_dir = options->web_dir,
        .app = &serving->app,
        .access_log = app_access_log,
        .thread_context_new = app_thread_new,
        .thread_context_free = app_thread_free,
        .authenticate = app_authenticate,
    };

    TRY(http_server_start(&http, &serving->server, err));
    atomic_store(&serving->app.server, serving->server);
    return ERR_NONE;
}

static void *keeper_main(void *options)
{
    retain_loop(options);
    return NULL;
}

static enum err_code start_keeper(const struct serve_options *options, struct serving *serving,
                                  struct err *err)
{
    struct keeper *keeper = &serving->keeper;

    keeper->options = options->retain;
    keeper->options.database_url = options->database;
    keeper->options.writer = serving->writer;
    keeper->options.stop = &STOP_ASKED;
    if (!retain_is_wanted(&keeper->options))
        return ERR_NONE;
    keeper->started = pthread_create(&keeper->thread, NULL, keeper_main, &keeper->options) == 0;
    return keeper->started ? ERR_NONE
                           : err_set(err, ERR_INTERNAL, "no thread for retention could be made");
}

static void print_address(const struct serve_options *options, const struct serving *serving)
{
    int host = (int)(strrchr(options->listen, ':') - options->listen);

    (void)printf("pairwatch serves %s://%.*s:%d\n", options->tls_cert != NULL ? "https" : "http",
                 host, options->listen, http_server_port(serving->server));
    (void)fflush(stdout);
}

/* The specs asked for, or those the model was trained on; pairs of a CSV file belong to none. */
static enum err_code choose_specs(const struct conf_list *asked, const struct model_info *info,
                                  const char *ret[static MODEL_SPECS_MAX + 1], struct err *err)
{
    size_t count = 0;

    if (asked->count > MODEL_SPECS_MAX)
        return err_set(err, ERR_USAGE, "--spec is given more than %d times", MODEL_SPECS_MAX);
    for (; count < asked->count; count++)
        ret[count] = asked->items[count];
    for (size_t i = 0; asked->count == 0 && i < info->spec_count; i++)
        if (*info->specs[i] != '\0')
            ret[count++] = info->specs[i];
    if (count == 0)
        return err_set(
            err, ERR_USAGE,
            "the model was trained on bare pairs: say with --spec which pairs it scores");
    return ERR_NONE;
}

static enum err_code register_file(struct writer *writer, const struct serve_options *options,
                                   struct err *err)
{
    AUTO(model_freep) struct model *model = NULL;
    const char *names[MODEL_SPECS_MAX + 1] = {NULL};
    struct model_info info;

    TRY(model_load(options->model, &model, err));
    model_info(model, &info);
    TRY(choose_specs(&options->specs, &info, names, err));
    for (size_t i = 0; names[i] != NULL; i++)
        if (!spec_name_is_valid(names[i]))
            return err_set(err, ERR_USAGE, "\"%.80s\" is not a spec's name", names[i]);
    return register_model(writer, model, names, err);
}

/* What one large body took is given back when it is answered, instead of being kept for the next.
 */
static void bound_heap(void)
{
    (void)mallopt(M_MMAP_THRESHOLD, HEAP_MMAP_BYTES_MIN);
    (void)mallopt(M_TRIM_THRESHOLD, HEAP_TRIM_BYTES);
    (void)mallopt(M_ARENA_MAX, HEAP_ARENAS_MAX);
}

static enum err_code run(const struct serve_options *options, struct err *err)
{
    AUTO(serving_done) struct serving serving = {.writer = NULL};

    bound_heap();
    TRY(migrate_run(options->database, err));
    TRY(writer_start(options->database, &serving.writer, err));
    TRY(app_init(&serving.app,
                 options->read_database != NULL ? options->read_database : options->database,
                 serving.writer, err));
    if (options->model != NULL)
        TRY(register_file(serving.writer, options, err));
    TRY(start_http(options, &serving, err));
    TRY(stream_watch_start(&serving.app, &serving.watch, err));
    /* Not before the port is ours: a password that is shown once must not be lost in a failure. */
    TRY(access_first_admin(serving.writer, options->database, options->admin_password_file, err));
    TRY(start_keeper(options, &serving, err));
    print_address(options, &serving);
    stop_wait();
    return ERR_NONE;
}

static enum err_code run_container(const struct serve_options *options, struct err *err)
{
    const struct container_options container = {
        .listen = options->listen == LISTEN_DEFAULT ? CONTAINER_LISTEN_DEFAULT : options->listen,
        .model = options->model,
        .dir = options->sagemaker_dir,
        .tls_cert = options->tls_cert,
        .tls_key = options->tls_key,
        .threads = (int)options->threads,
        .connections = (int)options->connections,
        .body_bytes_max = options->body_bytes_max,
    };

    return container_serve(&container, err);
}

static enum err_code check(const struct serve_options *options, struct err *err)
{
    if (strrchr(options->listen, ':') == NULL)
        return err_set(err, ERR_USAGE, "--listen must be HOST:PORT, not \"%s\"", options->listen);
    if (options->read_database != NULL &&
        (str_starts(options->read_database, "sqlite:") || str_starts(options->database, "sqlite:")))
        return err_set(err, ERR_USAGE, "--read-database is for PostgreSQL");
    if ((options->tls_cert == NULL) != (options->tls_key == NULL))
        return err_set(err, ERR_USAGE, "--tls-cert and --tls-key belong together");
    return ERR_NONE;
}

int cmd_serve(int argc, char **argv)
{
    struct serve_options options = {
        .listen = LISTEN_DEFAULT,
        .database = "sqlite:pairwatch.db",
        .threads = HTTP_THREADS,
        .connections = HTTP_CONNECTIONS_MAX,
        .sagemaker_dir = CONTAINER_DIR_DEFAULT,
        .retain = {.archive = ARCHIVE_DEFAULT, .every_ms = 10 * 60 * 1000},
        .body_bytes_max = CONTAINER_BODY_BYTES_DEFAULT,
    };
    struct conf_args args = {0};
    struct err err = {0};
    enum err_code code = conf_read(&COMMAND_SERVE, argc, argv, &options, &args, &err);

    if (code == ERR_NONE && !args.help)
        code = check(&options, &err);
    if (code != ERR_NONE || args.help)
        return command_exit(code, &err);
    stop_catch();
    code = options.sagemaker ? run_container(&options, &err) : run(&options, &err);
    return command_exit(code, &err);
}
