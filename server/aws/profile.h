#pragma once
/* The shared files of AWS's tools: ~/.aws/credentials and ~/.aws/config, or where
 * AWS_SHARED_CREDENTIALS_FILE and AWS_CONFIG_FILE say. INI: [name] in the one, [profile name] (and
 * [default]) in the other, name = value, comments from # or ;. Read anew each time: other
 * tools rewrite them. */
#include "aws/client.h"

enum {
    PROFILE_FILE_BYTES_MAX = 1 << 20,
    KEYS_LINE_BYTES_MAX = 64 * 1024,
    PROFILE_CHAIN_MAX = 8, /* source_profile upon source_profile */
};

struct profile { /* texts live in the arena; NULL = not set */
    const char *key_id, *secret, *token;
    const char *role, *role_session, *external_id, *source_profile, *credential_source;
    const char *web_identity_file, *process, *region, *duration;
    bool found;
};
/* AWS_PROFILE, or "default". */
const char *profile_name(void);
/* Of both files; the credentials file goes before. Missing files are empty. ERR_INVALID says file
 * and line. */
NODISCARD enum err_code profile_read(const char *name, struct arena *arena, struct profile *ret,
                                     struct err *err);
/* The profile's region, "" when it has none. */
NODISCARD enum err_code profile_region(char ret[static AWS_REGION_BYTES], struct err *err);
