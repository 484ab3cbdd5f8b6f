#pragma once
/* How far the days of now are from those of training. Arithmetic over rollups, by model and spec.
 */
#include "store/model_row.h"

struct arena;
struct db;
struct rollup;

struct drift {
    int64_t observations;               /* looked at */
    double psi;                         /* of their scores against training; NAN = not known */
    double unknown_share, unseen_share; /* now; NAN without observations */
};
/* Population stability index: the sum over DRIFT_PARTS parts of the scores, each a tenth or more in
 * training, of (now - then) * ln(now / then). Parts end where training has few scores, so that what
 * a model says a little more firmly after it learned on is not taken for drift. Below 0.1 nothing
 * has changed, above 0.25 much has.
 */
enum { DRIFT_PARTS = 10 };
struct drift drift_of(const struct model_spec_row *spec, const struct rollup *now);

struct drift_row {
    const struct model_spec_row *spec; /* of the model given */
    struct drift drift;
};
struct drift_list {
    struct drift_row *items; /* one per spec of the model */
    size_t count;
};
NODISCARD enum err_code drift_list(struct db *db, struct arena *arena,
                                   const struct model_row *model, int64_t since_ms,
                                   int64_t until_ms, struct drift_list *ret, struct err *err);
