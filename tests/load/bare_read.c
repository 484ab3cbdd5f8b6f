/* What fetching objects and reading their columns costs by itself: libcurl into memory, DuckDB's
 * stream over what came, nothing done with it. bare_read THREADS COLUMNS < URLS Prints the rows,
 * the seconds, and those of processors. */
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

enum { URLS_MAX = 100000, URL_BYTES = 2048, THREADS_MAX = 32, SQL_BYTES = 8192 };

static char *urls[URLS_MAX];
static size_t url_count;
static atomic_size_t next_url;
static _Atomic uint64_t rows;
static const char *columns;

static size_t keep(char *bytes, size_t unit, size_t length, void *argument)
{
    ssize_t written = write(*(const int *)argument, bytes, length * unit);

    return written < 0 ? 0 : (size_t)written;
}

static void fetch(CURL *curl, const char *url, int *fd)
{
    ASSERT(ftruncate(*fd, 0) == 0 && lseek(*fd, 0, SEEK_SET) == 0);
    (void)curl_easy_setopt(curl, CURLOPT_URL, url);
    (void)curl_easy_setopt(curl, CURLOPT_FAILONERROR, 1L);
    (void)curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, keep);
    (void)curl_easy_setopt(curl, CURLOPT_WRITEDATA, fd);
    ASSERT(curl_easy_perform(curl) == CURLE_OK);
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
    CURL *curl = curl_easy_init();
    int fd = memfd_create("object", MFD_CLOEXEC);

    ASSERT(curl != NULL && fd >= 0 && api->create_config(&config) == 0);
    ASSERT(api->set_config(config, "threads", "1") == 0);
    ASSERT(api->set_config(config, "enable_external_file_cache", "false") == 0);
    ASSERT(api->open_ext(NULL, &database, config, NULL) == 0);
    ASSERT(api->connect(database, &connection) == 0);
    api->destroy_config(&config);
    for (size_t at; (at = atomic_fetch_add(&next_url, 1)) < url_count;) {
        fetch(curl, urls[at], &fd);
        read_all(api, connection, fd);
    }
    api->disconnect(&connection);
    api->close(&database);
    curl_easy_cleanup(curl);
    (void)close(fd);
    return NULL;
}

static double seconds_of(const struct timeval *time)
{
    return (double)time->tv_sec + (double)time->tv_usec / 1e6;
}

int main(int argc, char **argv)
{
    const struct duckdb_api *api;
    pthread_t threads[THREADS_MAX];
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
    for (int64_t i = 0; i < count; i++)
        ASSERT(pthread_create(&threads[i], NULL, run, (void *)(uintptr_t)api) == 0);
    for (int64_t i = 0; i < count; i++)
        (void)pthread_join(threads[i], NULL);
    (void)getrusage(RUSAGE_SELF, &usage);
    (void)printf("%llu %.3f %.3f\n", (unsigned long long)rows,
                 (double)(clock_mono_ms() - begun_ms) / 1000.0,
                 seconds_of(&usage.ru_utime) + seconds_of(&usage.ru_stime));
    for (size_t i = 0; i < url_count; i++)
        free(urls[i]);
    return 0;
}
