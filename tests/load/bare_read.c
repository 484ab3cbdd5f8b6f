/* What fetching objects and reading their columns costs by itself: libcurl into memory, ahead of
 * need as a worker does it, DuckDB's stream over what came, nothing done with it. bare_read THREADS
 * COLUMNS < URLS Prints the rows, the seconds, and those of processors. */
#include <curl/curl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/own.h"
#include "base/str.h"
#include "lake/duckdb_api.h"

enum { URLS_MAX = 100000, URL_BYTES = 2048, THREADS_MAX = 32, SQL_BYTES = 8192, AHEAD_MAX = 4 };

static char *urls[URLS_MAX];
static size_t url_count;
/* Objects that were fetched, in their order; one thread fetches. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* guards what follows */
static pthread_cond_t moved = PTHREAD_COND_INITIALIZER;
static int fetched[AHEAD_MAX];
static size_t fetched_count, taken_count;

static _Atomic uint64_t rows;
static const char *columns;

static size_t keep(char *bytes, size_t unit, size_t length, void *argument)
{
    ssize_t written = write(*(const int *)argument, bytes, length * unit);

    return written < 0 ? 0 : (size_t)written;
}

static int fetch(CURL *curl, const char *url)
{
    int fd = memfd_create("object", MFD_CLOEXEC);

    ASSERT(fd >= 0);
    (void)curl_easy_setopt(curl, CURLOPT_URL, url);
    (void)curl_easy_setopt(curl, CURLOPT_FAILONERROR, 1L);
    (void)curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, keep);
    (void)curl_easy_setopt(curl, CURLOPT_WRITEDATA, &fd);
    ASSERT(curl_easy_perform(curl) == CURLE_OK);
    return fd;
}

static void *fetch_all(void *unused)
{
    CURL *curl = curl_easy_init();

    (void)unused;
    ASSERT(curl != NULL);
    for (size_t i = 0; i < url_count; i++) {
        int fd = fetch(curl, urls[i]);

        (void)pthread_mutex_lock(&lock);
        while (fetched_count - taken_count == AHEAD_MAX)
            (void)pthread_cond_wait(&moved, &lock);
        fetched[fetched_count++ % AHEAD_MAX] = fd;
        (void)pthread_cond_broadcast(&moved);
        (void)pthread_mutex_unlock(&lock);
    }
    curl_easy_cleanup(curl);
    return NULL;
}

/* -1 when there is none left. */
static int take(void)
{
    int fd = -1;

    (void)pthread_mutex_lock(&lock);
    while (taken_count == fetched_count && taken_count < url_count)
        (void)pthread_cond_wait(&moved, &lock);
    if (taken_count < url_count)
        fd = fetched[taken_count++ % AHEAD_MAX];
    (void)pthread_cond_broadcast(&moved);
    (void)pthread_mutex_unlock(&lock);
    return fd;
}

static void read_all(const struct duckdb_api *api, struct duckdb *connection, int fd)
{
    struct duckdb *statement = NULL, *pending = NULL, *chunk;
    struct duckdb_answer answer = {0};
    char sql[SQL_BYTES];

    (void)snprintf(sql, sizeof sql,
                   "SELECT %s FROM read_parquet('/proc/self/fd/%d', hive_partitioning = false)",
                   columns, fd);
    ASSERT(api->prepare(connection, sql, &statement) == 0);
    ASSERT(api->pending_prepared_streaming(statement, &pending) == 0);
    ASSERT(api->execute_pending(pending, &answer) == 0);
    while ((chunk = api->fetch_chunk(answer)) != NULL) {
        (void)atomic_fetch_add(&rows, api->data_chunk_get_size(chunk));
        api->destroy_data_chunk(&chunk);
    }
    ASSERT(api->result_error(&answer) == NULL);
    api->destroy_result(&answer);
    api->destroy_pending(&pending);
    api->destroy_prepare(&statement);
}

static void *run(void *argument)
{
    const struct duckdb_api *api = argument;
    struct duckdb *database = NULL, *connection = NULL, *config = NULL;

    ASSERT(api->create_config(&config) == 0);
    ASSERT(api->set_config(config, "threads", "1") == 0);
    ASSERT(api->set_config(config, "enable_external_file_cache", "false") == 0);
    ASSERT(api->open_ext(NULL, &database, config, NULL) == 0);
    ASSERT(api->connect(database, &connection) == 0);
    api->destroy_config(&config);
    for (int fd; (fd = take()) >= 0;) {
        read_all(api, connection, fd);
        (void)close(fd);
    }
    api->disconnect(&connection);
    api->close(&database);
    return NULL;
}

static double seconds_of(const struct timeval *time)
{
    return (double)time->tv_sec + (double)time->tv_usec / 1e6;
}

int main(int argc, char **argv)
{
    const struct duckdb_api *api;
    pthread_t threads[THREADS_MAX], fetcher;
    struct rusage usage;
    char line[URL_BYTES];
    int64_t begun_ms, count = 0;
    struct err err = {0};

    ASSERT(argc == 3 && str_to_i64(argv[1], &count) && count >= 1 && count <= THREADS_MAX);
    ASSERT(duckdb_load(&api, &err) == ERR_NONE &&
           curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK);
    columns = argv[2];
    while (url_count < URLS_MAX && fgets(line, sizeof line, stdin) != NULL) {
        line[strcspn(line, "\n")] = '\0';
        urls[url_count++] = own_strdup(line);
    }
    begun_ms = clock_mono_ms();
    ASSERT(pthread_create(&fetcher, NULL, fetch_all, NULL) == 0);
    for (int64_t i = 0; i < count; i++)
        ASSERT(pthread_create(&threads[i], NULL, run, (void *)(uintptr_t)api) == 0);
    for (int64_t i = 0; i < count; i++)
        (void)pthread_join(threads[i], NULL);
    (void)pthread_join(fetcher, NULL);
    (void)getrusage(RUSAGE_SELF, &usage);
    (void)printf("%llu %.3f %.3f\n", (unsigned long long)rows,
                 (double)(clock_mono_ms() - begun_ms) / 1000.0,
                 seconds_of(&usage.ru_utime) + seconds_of(&usage.ru_stime));
    for (size_t i = 0; i < url_count; i++)
        free(urls[i]);
    return 0;
}
