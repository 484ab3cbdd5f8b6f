#pragma once
/* What serve, user and token share: passwords from files and standard input, the first
 * administrator. Passwords and secrets never come from argv. */
#include <stddef.h>

#include "base/err.h"
#include "store/writer.h"

struct arena;

enum { ACCESS_PASSWORD_BYTES = 1025, ACCESS_PASSWORD_MIN = 12, ACCESS_NAME_MAX = 64 };
#define ACCESS_ACTOR "cli" /* as changes name it */

/* The first line of a file, or of standard input when path is NULL (asked for without echo on a
 * terminal). ERR_INVALID unless it has ACCESS_PASSWORD_MIN to 1024 bytes. */
NODISCARD enum err_code access_password(const char *path, char ret[static ACCESS_PASSWORD_BYTES],
                                        struct err *err);
NODISCARD enum err_code access_name(const char *name, struct err *err);
/* Index of a role's word in USER_ROLE_WORDS from first to last; ERR_USAGE says which there are. */
NODISCARD enum err_code access_role(const char *word, int first, int last, int *ret,
                                    struct err *err);

/* Brings the database to this version and runs one writer_job on it. */
NODISCARD enum err_code access_write(const char *database, writer_job *job, void *argument,
                                     struct err *err);

/* Makes the user "admin" when there is no user: with the password of the file, or with a one-time
 * one that is printed. */
NODISCARD enum err_code access_first_admin(struct writer *writer, const char *database,
                                           const char *password_file, struct err *err);
