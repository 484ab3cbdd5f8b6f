#pragma once
/* The text form of a setting: reading it into the options struct, showing a default. Private to
 * conf*.c. Any thread. */
#include "base/conf.h"

struct str;

/* Reads text into the setting's member. False with the reason ("must be a whole number from 1 to
 * 8") in ret_why, which is never the value itself, so a secret does not leak. */
enum { CONF_WHY_BYTES = 160 };
bool conf_value_read(const struct conf_setting *setting, const char *text, void *options,
                     char ret_why[static CONF_WHY_BYTES]);
/* The default as it would be written; nothing for an empty one, a secret, or one out of bounds. */
void conf_value_format(const struct conf_setting *setting, const void *options, struct str *ret);
/* One more item of a CONF_LIST; false when it is full or empty. */
bool conf_list_add(struct conf_list *list, const char *item);
/* "object-bytes-max" to "PAIRWATCH_OBJECT_BYTES_MAX". */
enum { CONF_NAME_BYTES = 80 };
void conf_env_name(const char *name, char ret[static CONF_NAME_BYTES]);
/* The name of the setting that was probably meant, or NULL when none is near. */
const char *conf_nearest(const struct conf_command *command, const char *name);
