/* GET /api/v1/objects: the ledger. */
#include "api/app.h"
#include "api/cursor.h"
#include "gen/routes.h"
#include "store/arrival.h"
#include "store/object_row.h"

enum { OBJECTS_DEFAULT = 50, OBJECTS_MAX = 500 };

static const char *const STATE_WORDS[] = {
    [OBJECT_STORED] = "stored", [OBJECT_FAILED] = "failed", NULL};

static void read_filter(struct request *req, struct object_filter *ret)
{
    int64_t state = OBJECT_ANY;

    *ret = (struct object_filter){.source = NULL};
    query_enum(req, "state", STATE_WORDS, &state);
    query_text(req, "source", ARRIVAL_PLACE_BYTES_MAX - 1, &ret->source);
    query_time(req, "since", &ret->since_ms);
    query_time(req, "until", &ret->until_ms);
    ret->state = (enum object_state)state;
}

enum err_code list_objects(struct request *req, struct reply *reply, struct err *err)
{
    int64_t limit = OBJECTS_DEFAULT;
    struct cursor cursor = {.id = INT64_MAX};
    struct object_filter filter;
    struct object_page page;
    struct db *db;
    bool given;

    read_filter(req, &filter);
    query_int(req, "limit", 1, OBJECTS_MAX, &limit);
    cursor_read(req, &cursor, &given);
    TRY(query_check(req, err));
    TRY(app_db(req, &db, err));
    TRY(object_list(db, req->arena, &filter, cursor.id, (size_t)limit, &page, err));
    json_object(&reply->json, NULL);
    json_array(&reply->json, "objects");
    for (size_t i = 0; i < page.count; i++)
        json_row(&reply->json, NULL, OBJECT_FIELDS, &page.items[i]);
    json_end(&reply->json);
    cursor = (struct cursor){.id = page.count > 0 ? page.items[page.count - 1].id : 0};
    cursor_write(reply, page.more ? cursor_next(req, &cursor) : NULL);
    json_end(&reply->json);
    return ERR_NONE;
}

enum err_code get_object(struct request *req, struct reply *reply, struct err *err)
{
    struct object_row object;
    struct db *db;
    int64_t id;

    TRY(path_int(req, "id", &id, err));
    TRY(query_check(req, err));
    TRY(app_db(req, &db, err));
    TRY(object_get(db, req->arena, id, &object, err));
    json_row(&reply->json, NULL, OBJECT_FIELDS, &object);
    return ERR_NONE;
}
