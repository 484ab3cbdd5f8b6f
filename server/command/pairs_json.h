#pragma once
/* One JSON instance as a pair, in the forms of SageMaker's endpoints:
 *   {"data": {"features": {"values": [entity, ip]}}}    {"features": {"values": [entity, ip]}}
 *   {"data": {"features": [entity, ip]}}                {"features": [entity, ip]}
 * and nothing beside them; or a line of `pairwatch pairs`, of which time, spec, count, rejected and
 * one_way are read too and the other members passed over. Pure, any thread. */
#include "command/pairs_row.h"

struct json_doc;

/* *ret_doc holds the entity's text: the caller frees it, also after a failure. */
bool pairs_json_parse(const char *text, size_t length, struct pairs_row *ret,
                      struct json_doc **ret_doc, struct pairs_fault *ret_fault);
