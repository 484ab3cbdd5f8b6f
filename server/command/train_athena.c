#include "command/train_athena.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "aws/athena.h"
#include "aws/s3.h"
#include "base/clock.h"
#include "base/crypto.h"
#include "base/log.h"
#include "base/str.h"
#include "command/command.h"
#include "lake/athena_query.h"
#include "lake/object.h"
#include "lake/spec_load.h"

enum {
    RUN_ARENA_BYTES_MAX = 64 << 20,
    RUN_ID_BYTES = 16,
    TELL_MS = 10 * 1000,
    NAME_BYTES_MAX = 256
};

struct run {
    const struct athena_options *options;
    struct pairs_input *input;
    struct aws *aws;
    struct aws_link *link;
    struct arena arena; /* the texts of one source */
    char id[2 * RUN_ID_BYTES + 1];
    char bucket[S3_BUCKET_BYTES_MAX + 1], prefix[S3_KEY_BYTES_MAX + 1]; /* of this run's files */
    char region[AWS_REGION_BYTES]; /* with _ for -, as names of tables have it */
    size_t tables;                 /* that were read */
};

static void run_done(struct run *run)
{
    aws_link_closep(&run->link);
    aws_closep(&run->aws);
    arena_done(&run->arena);
}

static enum err_code open_run(struct run *run, struct err *err)
{
    const struct athena_options *options = run->options;
    struct aws_options aws = {.role = options->role, .external_id = options->external_id};
    uint8_t random[RUN_ID_BYTES];
    char key[S3_KEY_BYTES_MAX + 1];
    int length;

    if (options->output == NULL)
        return err_set(err, ERR_USAGE,
                       "say with --athena-output where in S3 a query may leave its results");
    if (!s3_uri_read(options->output, run->bucket, key))
        return err_set(err, ERR_USAGE,
                       "--athena-output must be s3://BUCKET/PREFIX/, not \"%.200s\"",
                       options->output);
    random_bytes(random, sizeof random);
    hex_encode(random, sizeof random, run->id);
    length = snprintf(run->prefix, sizeof run->prefix, "%s%spairwatch-%s/", key,
                      key[0] != '\0' && !str_ends(key, "/") ? "/" : "", run->id);
    if (length < 0 || (size_t)length >= sizeof run->prefix || strchr(run->prefix, '\'') != NULL)
        return err_set(err, ERR_USAGE, "--athena-output is too long, or has a quote in it");
    TRY(aws_open(&aws, &run->aws, err));
    aws_link_open(run->aws, &run->link);
    (void)snprintf(run->region, sizeof run->region, "%s", aws_region(run->aws));
    for (char *at = run->region; *at != '\0'; at++)
        *at = *at == '-' ? '_' : *at;
    return ERR_NONE;
}

static enum err_code pause_for(int64_t pause_ms, struct err *err)
{
    enum { SLICE_MS = 100 };

    for (int64_t end_ms = clock_mono_ms() + pause_ms; clock_mono_ms() < end_ms;) {
        if (atomic_load(&STOP_ASKED))
            return err_set(err, ERR_CANCELLED, "stopped while Athena was at work");
        clock_sleep_ms(SLICE_MS);
    }
    return ERR_NONE;
}

/* Polls ever more slowly. */
static enum err_code wait_for(struct run *run, const char *id, const char *table,
                              struct athena_status *ret, struct err *err)
{
    int64_t began_ms = clock_mono_ms(), told_ms = began_ms, pause_ms = ATHENA_POLL_FIRST_MS;

    for (;;) {
        TRY(athena_status(run->link, id, &STOP_ASKED, ret, err));
        if (ret->state != ATHENA_RUNNING)
            return ERR_NONE;
        if (clock_mono_ms() - began_ms > ATHENA_WAIT_MS_MAX)
            return err_set(err, ERR_TIMEOUT, "the query of %s has run for %d hours", table,
                           ATHENA_WAIT_MS_MAX / (int)HOUR_MS);
        if (clock_mono_ms() - told_ms >= TELL_MS) {
            told_ms = clock_mono_ms();
            log_info("Athena is at work", "table=%s seconds=%" PRId64 " scanned_bytes=%" PRId64,
                     table, (told_ms - began_ms) / 1000, ret->scanned_bytes);
        }
        TRY(pause_for(pause_ms, err));
        pause_ms = pause_ms + pause_ms / 2;
        pause_ms = pause_ms < ATHENA_POLL_LAST_MS ? pause_ms : ATHENA_POLL_LAST_MS;
    }
}

/* Whatever ends the waiting but the query's own end stops the query. */
static enum err_code run_query(struct run *run, const char *table, const char *database,
                               const char *query, struct athena_status *ret, struct err *err)
{
    char id[ATHENA_ID_BYTES], token[ATHENA_TOKEN_BYTES];
    struct athena_asked asked = {
        .query = query,
        .catalog = run->options->catalog,
        .database = database,
        .workgroup = run->options->workgroup,
        .output = run->options->output,
        .token = token,
        .stop = &STOP_ASKED,
    };
    struct err unused = {0};
    enum err_code code;

    (void)snprintf(token, sizeof token, "%s-%02zu", run->id, run->tables);
    TRY(athena_start(run->link, &asked, id, err));
    log_info("query started", "table=%s id=%s", table, id);
    code = wait_for(run, id, table, ret, err);
    if (code != ERR_NONE) {
        if (athena_stop(run->link, id, &unused) != ERR_NONE)
            log_warn("the query goes on", "id=%s reason=%s", id, log_quote(unused.text));
        return code;
    }
    log_info("query ended", "table=%s scanned_bytes=%" PRId64, table, ret->scanned_bytes);
    if (ret->state == ATHENA_SUCCEEDED)
        return ERR_NONE;
    return err_set(err, ret->state == ATHENA_CANCELLED ? ERR_CANCELLED : ERR_INVALID,
                   "the query of %s %s: %s", table,
                   ret->state == ATHENA_CANCELLED ? "was cancelled" : "failed", ret->reason);
}

static enum err_code fetch(struct run *run, const char *bucket, const char *key, uint64_t bytes_max,
                           int *ret_fd, struct err *err)
{
    struct s3_object object;
    struct s3_wanted wanted = {
        .bucket = bucket, .key = key, .bytes_max = bytes_max, .stop = &STOP_ASKED};

    TRY(file_nameless(run->input->temp_dir, ret_fd, err));
    wanted.file = *ret_fd;
    if (s3_get(run->link, &wanted, &object, err) != ERR_NONE)
        return err_prefix(err, "s3://%s/%s", bucket, key);
    return ERR_NONE;
}

/* Only below the place that this run told Athena to write to. */
static enum err_code read_file(struct run *run, const char *uri, struct err *err)
{
    char bucket[S3_BUCKET_BYTES_MAX + 1], key[S3_KEY_BYTES_MAX + 1], path[64];
    AUTO(fd_closep) int fd = -1;

    if (!s3_uri_read(uri, bucket, key) || strcmp(bucket, run->bucket) != 0 ||
        !str_starts(key, run->prefix))
        return err_set(err, ERR_CORRUPT, "the manifest names \"%.200s\", which is none of ours",
                       uri);
    TRY(fetch(run, bucket, key, run->input->object_bytes_max, &fd, err));
    (void)snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    if (pairs_input_add_object(run->input, path, err) != ERR_NONE)
        return err_prefix(err, "%s", uri);
    return ERR_NONE;
}

/* A file a line. */
static enum err_code read_manifest(struct run *run, FILE *manifest, struct err *err)
{
    char line[S3_URI_BYTES + 2];
    size_t files = 0;

    while (fgets(line, sizeof line, manifest) != NULL) {
        size_t length = strcspn(line, "\r\n");

        if (line[length] == '\0' && !feof(manifest))
            return err_set(err, ERR_CORRUPT, "a line of the manifest is longer than any name");
        line[length] = '\0';
        if (length == 0)
            continue;
        if (++files > ATHENA_FILES_MAX)
            return err_set(err, ERR_TOO_LARGE, "the query left more than %d files",
                           ATHENA_FILES_MAX);
        TRY(read_file(run, line, err));
    }
    return ferror(manifest) ? err_errno(err, ERR_IO, "reading the manifest") : ERR_NONE;
}

static enum err_code read_results(struct run *run, const struct athena_status *status,
                                  struct err *err)
{
    char bucket[S3_BUCKET_BYTES_MAX + 1], key[S3_KEY_BYTES_MAX + 1];
    AUTO(fd_closep) int fd = -1;
    enum err_code code;
    FILE *manifest;

    if (status->manifest[0] == '\0')
        return err_set(err, ERR_CORRUPT, "Athena does not say where the query's results are");
    if (!s3_uri_read(status->manifest, bucket, key))
        return err_set(err, ERR_CORRUPT, "\"%.200s\" is no place in S3", status->manifest);
    TRY(fetch(run, bucket, key, ATHENA_MANIFEST_BYTES_MAX, &fd, err));
    if (lseek(fd, 0, SEEK_SET) < 0 || (manifest = fdopen(fd, "r")) == NULL)
        return err_errno(err, ERR_IO, "reading the manifest");
    fd = -1;
    code = read_manifest(run, manifest, err);
    (void)fclose(manifest);
    return code;
}

static enum err_code read_table(struct run *run, const struct spec_set *set, const char *database,
                                const char *name, struct err *err)
{
    AUTO(str_done) struct str query = {0};
    struct athena_status status;
    struct athena_field *fields;
    struct athena_table table = {.database = database, .name = name};
    struct athena_span span = {run->input->since_ms, run->input->until_ms};
    struct athena_column *columns;

    TRY(athena_columns(run->link, run->options->catalog, database, name, run->options->workgroup,
                       &run->arena, &fields, &table.column_count, err));
    columns = ARENA_ARRAY(&run->arena, struct athena_column, table.column_count + 1);
    for (size_t i = 0; i < table.column_count; i++)
        columns[i] = (struct athena_column){fields[i].name, fields[i].type};
    table.columns = columns;
    str_init(&query, ATHENA_SQL_BYTES_MAX);
    TRY(athena_query(set, &table, &span,
                     arena_printf(&run->arena, "s3://%s/%s%s/", run->bucket, run->prefix, name),
                     &query, err));
    TRY(run_query(run, name, database, query.text, &status, err));
    run->tables++;
    return read_results(run, &status, err);
}

static enum err_code load_specs(const struct run *run, const struct athena_source *source,
                                struct arena *arena, struct spec_set *ret, struct err *err)
{
    size_t kept = 0;

    spec_set_init(ret, arena);
    TRY(spec_load(ret, run->input->spec_dir, err));
    TRY(spec_choose(ret, run->input->spec_names, err));
    for (size_t i = 0; source != NULL && i < ret->count; i++)
        if (athena_source_has(source, ret->specs[i]))
            ret->specs[kept++] = ret->specs[i];
    if (source != NULL) {
        const char *names[SPEC_COUNT_MAX + 1] = {NULL};

        ret->count = kept;
        for (size_t i = 0; i < kept; i++)
            names[i] = ret->specs[i]->name;
        return spec_choose(ret, names, err); /* their paths alone */
    }
    return ERR_NONE;
}

static const char *database_of(struct run *run)
{
    return run->options->database != NULL
               ? run->options->database
               : arena_printf(&run->arena, "amazon_security_lake_glue_db_%s", run->region);
}

/* The newest version that there is, or the one that was asked for. *ret_found: a table was read. */
static enum err_code read_source(struct run *run, const struct athena_source *source,
                                 bool *ret_found, struct err *err)
{
    AUTO(arena_done) struct arena specs = {0};
    struct spec_set *set;

    *ret_found = false;
    arena_init(&specs, RUN_ARENA_BYTES_MAX);
    arena_reset(&run->arena);
    set = ARENA_NEW(&specs, struct spec_set);
    TRY(load_specs(run, source, &specs, set, err));
    for (int64_t version = 2; version >= 1 && set->count > 0; version--) {
        const char *name = arena_printf(&run->arena, "amazon_security_lake_table_%s_%s_%d_0",
                                        run->region, source->name, (int)version);
        enum err_code code;

        if (run->options->version != 0 && run->options->version != version)
            continue;
        code = read_table(run, set, database_of(run), name, err);
        if (code != ERR_NOT_FOUND) {
            *ret_found = code == ERR_NONE;
            return code;
        }
        log_info("no such table", "table=%s reason=%s", name, log_quote(err->text));
    }
    return ERR_NONE;
}

static bool is_plain_name(const char *name)
{
    return *name != '\0' && strlen(name) < NAME_BYTES_MAX && strpbrk(name, "\"'/\\ \t\r\n") == NULL;
}

static enum err_code read_named(struct run *run, struct err *err)
{
    for (size_t i = 0; i < run->options->tables.count; i++) {
        AUTO(arena_done) struct arena specs = {0};
        struct spec_set *set;

        arena_init(&specs, RUN_ARENA_BYTES_MAX);
        arena_reset(&run->arena);
        set = ARENA_NEW(&specs, struct spec_set);
        TRY(load_specs(run, NULL, &specs, set, err));
        TRY(read_table(run, set, database_of(run), run->options->tables.items[i], err));
    }
    return ERR_NONE;
}

enum err_code train_athena(const struct athena_options *options, struct pairs_input *input,
                           struct err *err)
{
    AUTO(run_done) struct run run = {.options = options, .input = input};

    for (size_t i = 0; i < options->tables.count; i++)
        if (!is_plain_name(options->tables.items[i]))
            return err_set(err, ERR_USAGE, "--athena-table \"%.80s\" is no table's name",
                           options->tables.items[i]);
    if (options->database != NULL && !is_plain_name(options->database))
        return err_set(err, ERR_USAGE, "--athena-database \"%.80s\" is none's name",
                       options->database);
    arena_init(&run.arena, RUN_ARENA_BYTES_MAX);
    TRY(open_run(&run, err));
    if (options->tables.count > 0)
        return read_named(&run, err);
    for (const struct athena_source *source = ATHENA_SOURCES; source->name != NULL; source++) {
        bool found;

        TRY(read_source(&run, source, &found, err));
    }
    if (run.tables == 0)
        return err_set(err, ERR_NOT_FOUND,
                       "none of Security Lake's tables for these specs is in %s, "
                       "amazon_security_lake_table_%s_vpc_flow_2_0 and so on: is the region right, "
                       "and may this role see them (Lake Formation)?",
                       database_of(&run), run.region);
    log_info("results stay in S3", "prefix=s3://%s/%s", run.bucket, run.prefix);
    return ERR_NONE;
}
