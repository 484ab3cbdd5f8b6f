#include "aws/athena.h"

#include <stdio.h>
#include <string.h>

#include "aws/json_call.h"
#include "base/arena.h"
#include "base/json.h"
#include "base/own.h"
#include "base/str.h"

enum { BODY_BYTES_MAX = JSON_CALL_BYTES_MAX };

static void begin(struct str *body, struct json_writer *json)
{
    str_init(body, BODY_BYTES_MAX);
    json_writer_init(json, body);
    json_object(json, NULL);
}

enum err_code athena_start(struct aws_link *link, const struct athena_asked *asked,
                           char ret_id[static ATHENA_ID_BYTES], struct err *err)
{
    AUTO(str_done) struct str body = {0};
    AUTO(json_doc_freep) struct json_doc *doc = NULL;
    struct json_writer json;
    const char *id;

    begin(&body, &json);
    json_text(&json, "QueryString", asked->query);
    json_text(&json, "ClientRequestToken", asked->token);
    json_object(&json, "QueryExecutionContext");
    json_text(&json, "Catalog", asked->catalog);
    json_text(&json, "Database", asked->database);
    json_end(&json);
    if (asked->workgroup != NULL)
        json_text(&json, "WorkGroup", asked->workgroup);
    if (asked->output != NULL) {
        json_object(&json, "ResultConfiguration");
        json_text(&json, "OutputLocation", asked->output);
        json_end(&json);
    }
    json_end(&json);
    TRY(json_call(
        link,
        &(struct json_call){AWS_ATHENA, "AmazonAthena.StartQueryExecution", &body, asked->stop},
        &doc, NULL, err));
    id = json_text_of(json_member(json_root(doc), "QueryExecutionId"));
    if (id == NULL || strlen(id) >= ATHENA_ID_BYTES)
        return err_set(err, ERR_CORRUPT, "Athena gave the query no id");
    (void)snprintf(ret_id, ATHENA_ID_BYTES, "%s", id);
    return ERR_NONE;
}

static bool read_state(const char *word, enum athena_state *ret)
{
    static const struct {
        const char *word;
        enum athena_state state;
    } WORDS[] = {{"QUEUED", ATHENA_RUNNING},
                 {"RUNNING", ATHENA_RUNNING},
                 {"SUCCEEDED", ATHENA_SUCCEEDED},
                 {"FAILED", ATHENA_FAILED},
                 {"CANCELLED", ATHENA_CANCELLED}};

    for (size_t i = 0; i < ARRAY_LEN(WORDS); i++)
        if (word != NULL && strcmp(word, WORDS[i].word) == 0) {
            *ret = WORDS[i].state;
            return true;
        }
    return false;
}

static void one_id(const char *id, struct str *body)
{
    struct json_writer json;

    begin(body, &json);
    json_text(&json, "QueryExecutionId", id);
    json_end(&json);
}

enum err_code athena_status(struct aws_link *link, const char *id, const atomic_bool *stop,
                            struct athena_status *ret, struct err *err)
{
    AUTO(str_done) struct str body = {0};
    AUTO(json_doc_freep) struct json_doc *doc = NULL;
    const struct json *execution;
    const char *reason, *manifest;

    *ret = (struct athena_status){.state = ATHENA_RUNNING};
    one_id(id, &body);
    TRY(json_call(link,
                  &(struct json_call){AWS_ATHENA, "AmazonAthena.GetQueryExecution", &body, stop},
                  &doc, NULL, err));
    execution = json_member(json_root(doc), "QueryExecution");
    if (!read_state(json_text_of(json_path(execution, "Status.State")), &ret->state))
        return err_set(err, ERR_CORRUPT, "Athena says of the query %s no state that there is", id);
    reason = json_text_of(json_path(execution, "Status.StateChangeReason"));
    manifest = json_text_of(json_path(execution, "Statistics.DataManifestLocation"));
    (void)json_int_of(json_path(execution, "Statistics.DataScannedInBytes"), &ret->scanned_bytes);
    (void)snprintf(ret->reason, sizeof ret->reason, "%s", reason != NULL ? reason : "");
    if (manifest != NULL && strlen(manifest) >= sizeof ret->manifest)
        return err_set(err, ERR_CORRUPT, "the manifest's location is too long");
    (void)snprintf(ret->manifest, sizeof ret->manifest, "%s", manifest != NULL ? manifest : "");
    return ERR_NONE;
}

enum err_code athena_stop(struct aws_link *link, const char *id, struct err *err)
{
    AUTO(str_done) struct str body = {0};
    AUTO(json_doc_freep) struct json_doc *doc = NULL;

    one_id(id, &body);
    return json_call(
        link, &(struct json_call){AWS_ATHENA, "AmazonAthena.StopQueryExecution", &body, NULL}, &doc,
        NULL, err);
}

static enum err_code read_columns(const struct json *list, struct arena *arena,
                                  struct athena_field *ret, size_t *count, struct err *err)
{
    for (const struct json *node = json_first(list); node != NULL; node = json_next(node)) {
        const char *name = json_text_of(json_member(node, "Name"));
        const char *type = json_text_of(json_member(node, "Type"));

        if (name == NULL || type == NULL)
            continue; /* a column may come without a type */
        if (*count == ATHENA_TABLE_COLUMNS_MAX)
            return err_set(err, ERR_TOO_LARGE, "a table has more than %d columns",
                           ATHENA_TABLE_COLUMNS_MAX);
        ret[(*count)++] =
            (struct athena_field){arena_strdup(arena, name), arena_strdup(arena, type)};
    }
    return ERR_NONE;
}

enum err_code athena_columns(struct aws_link *link, const char *catalog, const char *database,
                             const char *table, const char *workgroup, struct arena *arena,
                             struct athena_field **ret, size_t *ret_count, struct err *err)
{
    AUTO(str_done) struct str body = {0};
    AUTO(json_doc_freep) struct json_doc *doc = NULL;
    struct json_call_fault fault;
    struct json_writer json;
    const struct json *found;
    enum err_code code;

    begin(&body, &json);
    json_text(&json, "CatalogName", catalog);
    json_text(&json, "DatabaseName", database);
    json_text(&json, "TableName", table);
    if (workgroup != NULL)
        json_text(&json, "WorkGroup", workgroup);
    json_end(&json);
    code = json_call(link,
                     &(struct json_call){AWS_ATHENA, "AmazonAthena.GetTableMetadata", &body, NULL},
                     &doc, &fault, err);
    if (strcmp(fault.code, "MetadataException") == 0)
        return err_set(err, ERR_NOT_FOUND, "the table %s.%s: %s", database, table, fault.message);
    TRY(code);
    *ret = ARENA_ARRAY(arena, struct athena_field, ATHENA_TABLE_COLUMNS_MAX);
    *ret_count = 0;
    found = json_member(json_root(doc), "TableMetadata");
    TRY(read_columns(json_member(found, "Columns"), arena, *ret, ret_count, err));
    return read_columns(json_member(found, "PartitionKeys"), arena, *ret, ret_count, err);
}
