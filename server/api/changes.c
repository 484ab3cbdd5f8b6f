/* GET /api/v1/changes: the feed of pollers. */
#include "api/app.h"
#include "gen/routes.h"
#include "store/change.h"

enum { CHANGES_DEFAULT = 100 };

enum err_code list_changes(struct request *req, struct reply *reply, struct err *err)
{
    struct change_list changes;
    struct db *db;
    int64_t after = 0, limit = CHANGES_DEFAULT, last_seq;

    query_int(req, "after", 0, INT64_MAX, &after);
    query_int(req, "limit", 1, CHANGE_LIST_MAX, &limit);
    TRY(query_check(req, err));
    TRY(app_db(req, &db, err));
    TRY(change_list(db, req->arena, after, limit, &changes, err));
    TRY(change_last_seq(db, &last_seq, err));
    json_object(&reply->json, NULL);
    json_array(&reply->json, "changes");
    for (size_t i = 0; i < changes.count; i++)
        json_row(&reply->json, NULL, CHANGE_FIELDS, &changes.items[i]);
    json_end(&reply->json);
    json_int(&reply->json, "last_seq", last_seq);
    json_end(&reply->json);
    return ERR_NONE;
}
