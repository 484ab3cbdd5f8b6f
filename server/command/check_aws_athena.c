/* What `pairwatch train --from athena` asks for: the tables, a query, its results. */
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "aws/athena.h"
#include "aws/s3.h"
#include "base/clock.h"
#include "base/crypto.h"
#include "base/str.h"
#include "command/check_aws.h"
#include "command/command.h"
#include "lake/athena_query.h"
#include "lake/object.h"

enum {
    QUERY_MS_MAX = 5 * 60 * 1000,
    POLL_MS = 500,
    RUN_ID_BYTES = 16,
    MANIFEST_BYTES_MAX = 1 << 20,
    RESULT_BYTES_MAX = 1 << 20,
    PROBE_DAYS = 2, /* that a row is looked for in */
};
static const char CATALOG[] = "AwsDataCatalog";

struct asking {
    struct checking *checking;
    struct checking_place place;
    char database[256], region[AWS_REGION_BYTES]; /* with _ for - */
    char run[2 * RUN_ID_BYTES + 1];               /* of the names of what is left in S3 */
    char workgroup_arn[CHECK_ARN_BYTES], output_arn[CHECK_ARN_BYTES], bucket_arn[CHECK_ARN_BYTES];
    size_t tables;
    bool told;   /* of a query's permissions: once, with the first table */
    bool denied; /* what every table needs */
};

static void grant_in_lake_formation(const struct asking *asking, const char *table)
{
    (void)printf(
        "       grant it in Lake Formation: SELECT and DESCRIBE on the table %s.%s to %s\n",
        asking->database, table, asking->checking->identity);
}

/* A sentence of Glue's or Lake Formation's behind Athena's. */
static bool is_denial(const struct err *reason)
{
    return strstr(reason->text, "not authorized to perform") != NULL ||
           strstr(reason->text, "Lake Formation") != NULL ||
           strstr(reason->text, "Access Denied") != NULL ||
           strstr(reason->text, "AccessDenied") != NULL ||
           strstr(reason->text, "Access denied") != NULL;
}

/* Athena asks others on the caller's behalf, and says by their words what they refused. */
static void tell_denial(struct asking *asking, const char *action, const char *table,
                        enum err_code code, const struct err *reason)
{
    struct checking *checking = asking->checking;

    if (strstr(reason->text, "not authorized to perform") != NULL) {
        checking_outcome(checking, action, code, reason, asking->workgroup_arn);
    } else if (strstr(reason->text, "output bucket") != NULL) {
        checking_fault(checking, "s3:GetBucketLocation", reason, "s3:GetBucketLocation",
                       asking->bucket_arn);
    } else if (strstr(reason->text, "writing output") != NULL ||
               strstr(reason->text, asking->place.bucket) != NULL) {
        checking_fault(checking, "s3:PutObject", reason, "s3:PutObject", asking->output_arn);
    } else {
        checking_fault(checking, "the table", reason, NULL, NULL);
        grant_in_lake_formation(asking, table);
    }
}

static enum err_code wait_for(struct asking *asking, const char *id, struct athena_status *ret,
                              struct err *err)
{
    int64_t end_ms = clock_mono_ms() + QUERY_MS_MAX;

    for (;;) {
        TRY(athena_status(asking->checking->link, id, &STOP_ASKED, ret, err));
        if (ret->state != ATHENA_RUNNING)
            return ERR_NONE;
        if (clock_mono_ms() >= end_ms || atomic_load(&STOP_ASKED))
            return err_set(err, ERR_TIMEOUT, "the query has not ended after %d s; it was stopped",
                           QUERY_MS_MAX / 1000);
        clock_sleep_ms(POLL_MS);
    }
}

static enum err_code get(struct asking *asking, const char *uri, uint64_t bytes_max, int fd,
                         struct err *err)
{
    char bucket[S3_BUCKET_BYTES_MAX + 1], key[S3_KEY_BYTES_MAX + 1];
    struct s3_object object;

    if (!s3_uri_read(uri, bucket, key))
        return err_set(err, ERR_CORRUPT, "\"%.200s\" is no place in S3", uri);
    return s3_get(
        asking->checking->link,
        &(struct s3_wanted){.bucket = bucket, .key = key, .bytes_max = bytes_max, .file = fd},
        &object, err);
}

static void check_results(struct asking *asking, const struct athena_status *status)
{
    AUTO(fd_closep) int fd = memfd_create("manifest", MFD_CLOEXEC);
    struct err err = {0};
    enum err_code code;

    if (status->manifest[0] == '\0') {
        (void)err_set(&err, ERR_NOT_FOUND, "not tried: the query found no row, so it left no file");
        checking_fault(asking->checking, "s3:GetObject", &err, NULL, NULL);
        return;
    }
    code = get(asking, status->manifest, MANIFEST_BYTES_MAX, fd, &err);
    checking_outcome(asking->checking, "s3:GetObject", code, &err, asking->output_arn);
}

/* What the first query showed about all of them. */
static void tell_query(struct asking *asking, const char *id, const struct athena_status *status)
{
    struct checking *checking = asking->checking;
    struct err err = {0};
    enum err_code code;

    checking_fine("athena:StartQueryExecution", asking->workgroup_arn);
    checking_fine("athena:GetQueryExecution", asking->workgroup_arn);
    code = athena_stop(checking->link, id, &err); /* of a query that ended: nothing happens */
    checking_permitted(checking, "athena:StopQueryExecution", code, &err, asking->workgroup_arn);
    if (status->state == ATHENA_SUCCEEDED) {
        checking_fine("s3:PutObject", asking->output_arn);
        check_results(asking, status);
    }
}

static enum err_code probe_query(struct asking *asking, const struct athena_table *table,
                                 struct str *ret, struct err *err)
{
    const struct athena_span span = {.since_ms = clock_now_ms() - PROBE_DAYS * DAY_MS};

    str_init(ret, ATHENA_SQL_BYTES_MAX);
    return athena_probe(table, &span,
                        arena_printf(&asking->checking->arena, "s3://%s/%spairwatch-check-%s/%s/",
                                     asking->place.bucket, asking->place.prefix, asking->run,
                                     table->name),
                        ret, err);
}

/* A query of one row, and whether it could be read. */
static void check_reading(struct asking *asking, const struct athena_table *table)
{
    AUTO(str_done) struct str query = {0};
    char id[ATHENA_ID_BYTES], token[ATHENA_TOKEN_BYTES];
    struct athena_status status = {.state = ATHENA_RUNNING};
    struct athena_asked asked = {
        .catalog = CATALOG,
        .database = asking->database,
        .workgroup = asking->checking->options->athena_workgroup,
        .output = asking->checking->options->athena_output,
        .token = token,
        .stop = &STOP_ASKED,
    };
    struct err err = {0}, unused = {0};
    enum err_code code = probe_query(asking, table, &query, &err);

    (void)snprintf(token, sizeof token, "%s-%02zu", asking->run, asking->tables);
    asked.query = query.text;
    if (code == ERR_NONE)
        code = athena_start(asking->checking->link, &asked, id, &err);
    if (code != ERR_NONE) {
        asking->denied = true; /* none of the others would start */
        if (is_denial(&err) || strstr(err.text, "output bucket") != NULL)
            tell_denial(asking, "athena:StartQueryExecution", table->name, code, &err);
        else
            checking_fault(asking->checking, "athena:StartQueryExecution", &err, NULL, NULL);
        return;
    }
    code = wait_for(asking, id, &status, &err);
    if (code != ERR_NONE) {
        asking->denied = true;
        checking_outcome(asking->checking, "athena:GetQueryExecution", code, &err,
                         asking->workgroup_arn);
        code = athena_stop(asking->checking->link, id, &unused);
        checking_permitted(asking->checking, "athena:StopQueryExecution", code, &unused,
                           asking->workgroup_arn);
        return;
    }
    if (!asking->told)
        tell_query(asking, id, &status);
    asking->told = true;
    if (status.state == ATHENA_SUCCEEDED) {
        checking_fine("the table", table->name);
        return;
    }
    (void)err_set(&err, ERR_INVALID, "the query of %s did not succeed: %s", table->name,
                  status.reason);
    if (is_denial(&err))
        tell_denial(asking, "athena:StartQueryExecution", table->name, ERR_INVALID, &err);
    else
        checking_fault(asking->checking, "the table", &err, NULL, NULL);
}

static void check_table(struct asking *asking, const char *name)
{
    struct checking *checking = asking->checking;
    struct athena_table table = {.database = asking->database, .name = name};
    struct athena_field *fields;
    struct athena_column *columns;
    char resource[CHECK_ARN_BYTES];
    struct err err = {0};
    enum err_code code = athena_columns(checking->link, CATALOG, asking->database, name,
                                        checking->options->athena_workgroup, &checking->arena,
                                        &fields, &table.column_count, &err);

    if (code == ERR_NOT_FOUND && !is_denial(&err))
        return; /* not every lake has every source in both versions */
    (void)snprintf(resource, sizeof resource, "arn:%s:athena:%s:*:datacatalog/%s",
                   check_partition(aws_region(checking->aws)), aws_region(checking->aws), CATALOG);
    if (code == ERR_NOT_FOUND) {
        tell_denial(asking, "athena:GetTableMetadata", name, code, &err);
        asking->tables++;
        return;
    }
    if (code != ERR_NONE || asking->tables == 0)
        checking_outcome(checking, "athena:GetTableMetadata", code, &err, resource);
    asking->denied = code != ERR_NONE;
    if (code != ERR_NONE)
        return;
    asking->tables++;
    columns = ARENA_ARRAY(&checking->arena, struct athena_column, table.column_count + 1);
    for (size_t i = 0; i < table.column_count; i++)
        columns[i] = (struct athena_column){fields[i].name, fields[i].type};
    table.columns = columns;
    check_reading(asking, &table);
}

static enum err_code prepare(struct asking *asking, struct err *err)
{
    struct checking *checking = asking->checking;
    const struct check_options *options = checking->options;
    const char *region = aws_region(checking->aws), *partition = check_partition(region);
    uint8_t random[RUN_ID_BYTES];

    TRY(checking_place_read("athena-output", options->athena_output, &asking->place, err));
    if (strchr(asking->place.prefix, '\'') != NULL ||
        (options->athena_database != NULL &&
         (strlen(options->athena_database) >= sizeof asking->database ||
          strpbrk(options->athena_database, "\"'/\\ ") != NULL)))
        return err_set(err, ERR_USAGE, "--athena-output or --athena-database has a quote in it");
    random_bytes(random, sizeof random);
    hex_encode(random, sizeof random, asking->run);
    (void)snprintf(asking->region, sizeof asking->region, "%s", region);
    for (char *at = asking->region; *at != '\0'; at++)
        *at = *at == '-' ? '_' : *at;
    if (options->athena_database != NULL)
        (void)snprintf(asking->database, sizeof asking->database, "%s", options->athena_database);
    else
        (void)snprintf(asking->database, sizeof asking->database, "amazon_security_lake_glue_db_%s",
                       asking->region);
    (void)snprintf(asking->workgroup_arn, sizeof asking->workgroup_arn,
                   "arn:%s:athena:%s:*:workgroup/%s", partition, region,
                   options->athena_workgroup != NULL ? options->athena_workgroup : "primary");
    (void)snprintf(asking->output_arn, sizeof asking->output_arn, "arn:%s:s3:::%.63s/%.400s*",
                   partition, asking->place.bucket, asking->place.prefix);
    (void)snprintf(asking->bucket_arn, sizeof asking->bucket_arn, "arn:%s:s3:::%s", partition,
                   asking->place.bucket);
    return ERR_NONE;
}

enum err_code check_part_athena(struct checking *checking, struct err *err)
{
    struct asking asking = {.checking = checking};
    struct err reason = {0};

    TRY(prepare(&asking, err));
    for (const struct athena_source *source = ATHENA_SOURCES; source->name != NULL; source++)
        for (int version = 2; version >= 1 && !asking.denied; version--)
            check_table(&asking,
                        arena_printf(&checking->arena, "amazon_security_lake_table_%s_%s_%d_0",
                                     asking.region, source->name, version));
    if (asking.tables > 0 || asking.denied)
        return ERR_NONE;
    (void)err_set(
        &reason, ERR_NOT_FOUND,
        "none of Security Lake's tables is to be seen in %s: is the region right, and may "
        "%s DESCRIBE them (Lake Formation)?",
        asking.database, checking->identity);
    checking_fault(checking, "the tables", &reason, NULL, NULL);
    return ERR_NONE;
}
