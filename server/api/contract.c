/* GET /api/openapi.json: api/openapi.yaml, turned into JSON when the program was built. */
#include "base/asset.h"
#include "base/hash.h"
#include "gen/routes.h"

#include <inttypes.h>

enum err_code get_contract(struct request *req, struct reply *reply, struct err *err)
{
    const struct asset *contract = asset_find("api/openapi.json");

    TRY(query_check(req, err));
    if (contract == NULL)
        return err_set(err, ERR_INTERNAL, "api/openapi.json was not built in");
    str_add_bytes(&reply->body, contract->bytes, contract->length);
    reply_etag(reply, "%016" PRIx64, hash_bytes(contract->bytes, contract->length, 0));
    return ERR_NONE;
}
