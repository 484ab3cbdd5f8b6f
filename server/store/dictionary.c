#include "store/dictionary.h"

#include "store/db.h"

static enum err_code find_or_add(struct db *db, enum sql_id find, enum sql_id add, const char *name,
                                 int64_t *ret, struct err *err)
{
    enum err_code code = db_int(db, find, PARAMS(P_TEXT(name)), ret, err);

    if (code != ERR_NOT_FOUND)
        return code;
    return db_int(db, add, PARAMS(P_TEXT(name)), ret, err);
}

enum err_code dictionary_spec(struct db *db, const char *name, int64_t *ret, struct err *err)
{
    return find_or_add(db, SQL_SPEC_ID, SQL_SPEC_INSERT, name, ret, err);
}

enum err_code dictionary_entity(struct db *db, const char *uid, int64_t *ret, struct err *err)
{
    return find_or_add(db, SQL_ENTITY_ID, SQL_ENTITY_INSERT, uid, ret, err);
}

enum err_code dictionary_model(struct db *db, const char *uid, int64_t *ret, struct err *err)
{
    enum err_code code = db_int(db, SQL_MODEL_ID, PARAMS(P_TEXT(uid)), ret, err);

    if (code == ERR_NOT_FOUND)
        return err_set(err, code, "the model %.128s is not registered", uid);
    return code;
}
