#pragma once
/* One finding as the contract's Finding, with its ETag; shared by get and patch. */
#include "base/err.h"
#include "http/request.h"

struct finding;
struct reply;

enum { FINDING_ETAG_BYTES = 24 };

/* The ETag's text, "v" and the version. */
void finding_etag(const struct finding *finding, char ret[static FINDING_ETAG_BYTES]);
/* The finding of the path's id, from this thread's connection. */
NODISCARD enum err_code finding_of_path(struct request *req, struct finding *ret, struct err *err);
NODISCARD enum err_code finding_write(struct request *req, struct reply *reply,
                                      const struct finding *finding, struct err *err);
