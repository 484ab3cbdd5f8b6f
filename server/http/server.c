/* Start, stop and figures of the server; what happens to a request is exchange.c. */
#include "base/clock.h"
#include "base/crypto.h"
#include "http/bulk.h"
#include "http/exchange.h"
#include "http/head_watch.h"
#include "http/listen.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    TLS_FILE_BYTES_MAX = 1 << 20,
    STOP_MS_MAX = 10 * 1000, /* running requests are waited for so long */
    STOP_POLL_MS = 5,
    FILES_BESIDE_CONNECTIONS = 256,
    MHD_BYTES_BESIDE_HEAD = 12 << 10, /* its tables and the head of the answer */
};
static const char TLS_PRIORITIES[] = "NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2";

/* MHD's own messages say why it does not start; later ones are about single clients. */
static void PRINTF(2, 0) keep_message(void *cls, const char *format, va_list args)
{
    struct http_server *server = cls;

    if (atomic_load(&server->starting))
        (void)vsnprintf(server->message, sizeof server->message, format, args);
}

/* The target is decoded by uri.c. */
static size_t leave_escapes(void *cls, struct MHD_Connection *connection, char *text)
{
    (void)cls;
    (void)connection;
    return strlen(text);
}

static struct http_options with_defaults(const struct http_options *options)
{
    struct http_options all = *options;

    all.threads = all.threads > 0 ? all.threads : HTTP_THREADS;
    all.connections_max = all.connections_max > 0 ? all.connections_max : HTTP_CONNECTIONS_MAX;
    all.idle_s_max = all.idle_s_max > 0 ? all.idle_s_max : HTTP_IDLE_S_MAX;
    all.head_s_max = all.head_s_max > 0 ? all.head_s_max : HTTP_HEAD_S_MAX;
    all.upload_s_max = all.upload_s_max > 0 ? all.upload_s_max : HTTP_UPLOAD_S_MAX;
    all.bodies_bytes_max = all.bodies_bytes_max > 0 ? all.bodies_bytes_max : HTTP_BODIES_BYTES_MAX;
    return all;
}

/* Every connection is a file; the soft limit is often 1024. Best effort: MHD stops accepting when
 * files run out. */
static void raise_file_limit(int connections)
{
    struct rlimit limit;
    rlim_t wanted = (rlim_t)connections + FILES_BESIDE_CONNECTIONS;

    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= wanted)
        return;
    limit.rlim_cur = wanted < limit.rlim_max ? wanted : limit.rlim_max;
    (void)setrlimit(RLIMIT_NOFILE, &limit);
}

static enum err_code read_text(const char *path, struct str *ret, struct err *err)
{
    char buffer[4096];
    FILE *file = fopen(path, "re");
    size_t count;
    bool failed;

    if (file == NULL)
        return err_errno(err, ERR_IO, "reading %s", path);
    while ((count = fread(buffer, 1, sizeof buffer, file)) > 0 && !ret->failed)
        str_add_bytes(ret, buffer, count);
    failed = ferror(file) != 0;
    (void)fclose(file);
    if (failed)
        return err_errno(err, ERR_IO, "reading %s", path);
    return str_check(ret, path, err);
}

struct tls {
    struct str cert, key;
};

/* The key does not linger in freed memory. */
static void tls_done(struct tls *tls)
{
    if (tls->key.text != NULL)
        explicit_bzero(tls->key.text, tls->key.length);
    str_done(&tls->cert);
    str_done(&tls->key);
}

static enum err_code tls_read(const struct http_options *options, struct tls *ret, struct err *err)
{
    str_init(&ret->cert, TLS_FILE_BYTES_MAX);
    str_init(&ret->key, TLS_FILE_BYTES_MAX);
    if ((options->tls_cert_path == NULL) != (options->tls_key_path == NULL))
        return err_set(err, ERR_INVALID, "TLS needs both a certificate and a key");
    if (options->tls_cert_path == NULL)
        return ERR_NONE;
    TRY(read_text(options->tls_cert_path, &ret->cert, err));
    return read_text(options->tls_key_path, &ret->key, err);
}

/* A server that stops takes no more. MHD_quiesce_daemon would say so sooner, but it takes the
 * socket out of the threads' epoll sets at the same time as they do it themselves, and MHD 0.9.75
 * aborts when it is the second. */
static enum MHD_Result takes_more(void *cls, const struct sockaddr *address, socklen_t length)
{
    struct http_server *server = cls;

    (void)address;
    (void)length;
    return atomic_load(&server->stopping) ? MHD_NO : MHD_YES;
}

/* MHD owns the socket once it runs. It is left at its usual strictness: what that lets through is
 * refused by intake.c, with a problem for an answer instead of MHD's page. */
static struct MHD_Daemon *start_daemon(struct http_server *server, const struct tls *tls, int fd)
{
    const struct http_options *options = &server->options;
    unsigned flags = MHD_USE_EPOLL_INTERNAL_THREAD | MHD_USE_ERROR_LOG | MHD_ALLOW_SUSPEND_RESUME |
                     (server->tls ? (unsigned)MHD_USE_TLS : 0);
    struct MHD_OptionItem items[] = {
        {MHD_OPTION_NOTIFY_COMPLETED, (intptr_t)exchange_end, server},
        {MHD_OPTION_NOTIFY_CONNECTION, (intptr_t)head_watch_notify, server->heads},
        {MHD_OPTION_URI_LOG_CALLBACK, (intptr_t)exchange_new, server},
        {MHD_OPTION_UNESCAPE_CALLBACK, (intptr_t)leave_escapes, NULL},
        {MHD_OPTION_LISTEN_SOCKET, fd, NULL},
        {MHD_OPTION_THREAD_POOL_SIZE, options->threads, NULL},
        {MHD_OPTION_CONNECTION_LIMIT, options->connections_max, NULL},
        {MHD_OPTION_CONNECTION_TIMEOUT, options->idle_s_max, NULL},
        {MHD_OPTION_CONNECTION_MEMORY_LIMIT, HTTP_HEAD_BYTES_MAX + MHD_BYTES_BESIDE_HEAD, NULL},
        {server->tls ? MHD_OPTION_HTTPS_MEM_CERT : MHD_OPTION_END, 0, tls->cert.text},
        {MHD_OPTION_HTTPS_MEM_KEY, 0, tls->key.text},
        {MHD_OPTION_HTTPS_PRIORITIES, 0, (void *)(uintptr_t)TLS_PRIORITIES},
        {MHD_OPTION_END, 0, NULL},
    };

    return MHD_start_daemon(flags, 0, takes_more, server, exchange_step, server,
                            MHD_OPTION_EXTERNAL_LOGGER, keep_message, server, MHD_OPTION_ARRAY,
                            items, MHD_OPTION_END);
}

static enum err_code open_daemon(struct http_server *server, struct err *err)
{
    AUTO(tls_done) struct tls tls = {.cert.bytes_max = 1, .key.bytes_max = 1};
    int fd = -1;

    TRY(tls_read(&server->options, &tls, err));
    server->tls = server->options.tls_cert_path != NULL;
    TRY(listen_open(server->options.listen, &fd, &server->port, err));
    atomic_store(&server->starting, true);
    server->daemon = start_daemon(server, &tls, fd);
    atomic_store(&server->starting, false);
    if (server->daemon != NULL)
        return ERR_NONE;
    (void)close(fd);
    return err_set(err, server->tls ? ERR_INVALID : ERR_INTERNAL, "starting HTTP%s on %s: %s",
                   server->tls ? " with TLS" : "", server->options.listen,
                   server->message[0] != '\0' ? server->message : "no reason given");
}

/* Bodies are read as fast as there are processors, and each that is read takes memory. */
static int bulk_threads(const struct http_options *options)
{
    long processors = sysconf(_SC_NPROCESSORS_ONLN);

    return processors > 0 && processors < options->threads ? (int)processors : options->threads;
}

enum err_code http_server_start(const struct http_options *options, struct http_server **ret,
                                struct err *err)
{
    struct http_server *server;
    enum err_code code;

    if (options->routes == NULL || options->route_count > EXCHANGE_ROUTES_MAX)
        return err_set(err, ERR_INTERNAL, "starting HTTP: no table of routes was given");
    server = own_alloc(sizeof *server);
    server->options = with_defaults(options);
    server->id_base = random_u64();
    (void)pthread_mutex_init(&server->feeds_lock, NULL);
    if (pthread_key_create(&server->thread_contexts, options->thread_context_free) != 0) {
        (void)pthread_mutex_destroy(&server->feeds_lock);
        free(server);
        return err_set(err, ERR_INTERNAL, "starting HTTP: no thread key is left");
    }
    raise_file_limit(server->options.connections_max);
    code = static_open(options->web_dir, &server->files, err);
    if (code == ERR_NONE)
        code = bulk_start(bulk_threads(&server->options), exchange_handle, &server->bulk, err);
    if (code == ERR_NONE)
        code = head_watch_start(server->options.head_s_max, &server->heads, err);
    if (code == ERR_NONE)
        code = open_daemon(server, err);
    if (code != ERR_NONE) {
        http_server_stop(server);
        return code;
    }
    *ret = server;
    return ERR_NONE;
}

bool http_server_stops(const struct http_server *server)
{
    return server != NULL && atomic_load(&server->stopping);
}

int http_server_port(const struct http_server *server)
{
    return server->port;
}

void http_server_metrics(const struct http_server *server, struct http_metrics *ret)
{
    *ret = (struct http_metrics){
        .request_ms_sum = atomic_load(&server->request_ms_sum),
        .body_bytes = atomic_load(&server->body_bytes),
        .reply_bytes = atomic_load(&server->reply_bytes),
        .in_flight = atomic_load(&server->in_flight),
    };
    for (size_t i = 0; i < ARRAY_LEN(ret->requests); i++)
        ret->requests[i] = atomic_load(&server->requests[i]);
    for (size_t i = 0; i < ARRAY_LEN(ret->by_route); i++)
        ret->by_route[i] = atomic_load(&server->by_route[i]);
}

void http_server_wake(struct http_server *server)
{
    (void)pthread_mutex_lock(&server->feeds_lock);
    (void)atomic_fetch_add(&server->wakes, 1);
    for (struct exchange *x = server->resting, *next; x != NULL; x = next) {
        next = x->resting_next; /* once resumed it is its thread's again */
        MHD_resume_connection(x->connection);
    }
    server->resting = NULL;
    (void)pthread_mutex_unlock(&server->feeds_lock);
}

/* No new connections; what runs gets its answer sent, and each answer closes its connection. */
static void drain(struct http_server *server)
{
    int64_t until_ms = clock_mono_ms() + STOP_MS_MAX;

    atomic_store(&server->stopping, true);
    http_server_wake(server); /* a feed ends when it sees that */
    while (atomic_load(&server->in_flight) > 0 && clock_mono_ms() < until_ms)
        clock_sleep_ms(STOP_POLL_MS);
    bulk_stop(server->bulk);
    MHD_stop_daemon(server->daemon);
}

void http_server_stop(struct http_server *server)
{
    if (server == NULL)
        return;
    if (server->daemon != NULL)
        drain(server);
    else if (server->bulk != NULL)
        bulk_stop(server->bulk);
    head_watch_stop(server->heads);
    bulk_free(server->bulk);
    static_close(server->files);
    (void)pthread_key_delete(server->thread_contexts);
    (void)pthread_mutex_destroy(&server->feeds_lock);
    free(server);
}
