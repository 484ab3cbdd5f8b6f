/* pairwatch check store. */
#include "command/check.h"
#include "store/check.h"
#include "store/db.h"

static void tell(UNUSED void *context, const struct check_line *line)
{
    check_print(line->name, line->sound, line->text);
}

enum err_code check_subject_store(const struct check_options *options, int *ret_faults,
                                  struct err *err)
{
    AUTO(db_closep) struct db *db = NULL;

    TRY(db_open(options->database, DB_READ, &db, err));
    check_print("version", true, "the schema is the one of pairwatch " PAIRWATCH_VERSION);
    return check_store(db, tell, NULL, ret_faults, err);
}
