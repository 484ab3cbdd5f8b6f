#include "store/access_body.h"

#include "base/arena.h"
#include "base/json.h"
#include "base/str.h"

enum { ACCESS_BODY_BYTES_MAX = 1024 };

const char *access_body(struct arena *arena, const char *name, const char *changed,
                        const char *role)
{
    AUTO(str_done) struct str text = {0};
    struct json_writer json;

    str_init(&text, ACCESS_BODY_BYTES_MAX);
    json_writer_init(&json, &text);
    json_object(&json, NULL);
    json_text(&json, "name", name);
    if (changed != NULL)
        json_text(&json, "changed", changed);
    if (role != NULL)
        json_text(&json, "role", role);
    json_end(&json);
    ASSERT(!text.failed);
    return arena_strndup(arena, text.text, text.length);
}
