/* pairwatch user: people who sign in. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/conf.h"
#include "base/crypto.h"
#include "command/access.h"
#include "command/command.h"
#include "store/db.h"
#include "store/user.h"

enum {
    USER_ARENA_BYTES_MAX = 64 * 1024 * 1024,
    USER_ROLE_FIRST = 2 /* people do not ingest */,
    USER_ROLE_LAST = 4
};

struct user_options {
    const char *database, *role, *password_file;
    bool one_time;
};

static const struct conf_setting SETTINGS[] = {
    {"database", CONF_TEXT, offsetof(struct user_options, database), 0, 0, 0, "URL",
     "sqlite:FILE or postgresql://USER@HOST/NAME: the database"},
    {"role", CONF_TEXT, offsetof(struct user_options, role), CONF_FLAG_ONLY, 0, 0, "ROLE",
     "read, triage (includes read) or admin"},
    {"password-file", CONF_TEXT, offsetof(struct user_options, password_file), CONF_FLAG_ONLY, 0, 0,
     "FILE", "its first line is the password; standard input unless given"},
    {"one-time", CONF_BOOL, offsetof(struct user_options, one_time), CONF_FLAG_ONLY, 0, 0, NULL,
     "the password must be changed at the first sign-in"},
    {NULL, 0, 0, 0, 0, 0, NULL, NULL},
};

const struct conf_command COMMAND_USER = {
    .name = "user",
    .summary = "add, list and change users",
    .positional = "ACTION [NAME]",
    .settings = SETTINGS,
    .more = "Actions:\n"
            "  add NAME --role ROLE   a new user\n"
            "  list                   all users\n"
            "  passwd NAME            another password; ends the user's sessions\n"
            "  role NAME --role ROLE  another role\n"
            "  disable NAME           no more sign-in; ends the user's sessions\n"
            "  enable NAME            the reverse\n",
};

static enum err_code add(const struct user_options *options, const char *name, struct err *err)
{
    char password[ACCESS_PASSWORD_BYTES], hash[PASSWORD_HASH_BYTES];
    struct user_create_job job = {
        .actor = ACCESS_ACTOR,
        .now_ms = clock_now_ms(),
        .name = name,
        .password_hash = hash,
        .must_change_password = options->one_time,
    };
    int role;

    TRY(access_role(options->role, USER_ROLE_FIRST, USER_ROLE_LAST, &role, err));
    TRY(access_password(options->password_file, password, err));
    TRY(password_hash(password, hash, err));
    job.role = role;
    return access_write(options->database, user_create_job_run, &job, err);
}

static struct user_update_job update_of(const struct user_options *options, const char *name)
{
    return (struct user_update_job){
        .actor = ACCESS_ACTOR,
        .now_ms = clock_now_ms(),
        .name = name,
        .role = -1,
        .disabled = -1,
        .must_change_password = options->one_time,
    };
}

static enum err_code passwd(const struct user_options *options, const char *name, struct err *err)
{
    char password[ACCESS_PASSWORD_BYTES], hash[PASSWORD_HASH_BYTES];
    struct user_update_job job = update_of(options, name);

    TRY(access_password(options->password_file, password, err));
    TRY(password_hash(password, hash, err));
    job.password_hash = hash;
    return access_write(options->database, user_update_job_run, &job, err);
}

static enum err_code change_role(const struct user_options *options, const char *name,
                                 struct err *err)
{
    struct user_update_job job = update_of(options, name);
    int role;

    TRY(access_role(options->role, USER_ROLE_FIRST, USER_ROLE_LAST, &role, err));
    job.role = role;
    return access_write(options->database, user_update_job_run, &job, err);
}

static enum err_code disable(const struct user_options *options, const char *name, struct err *err)
{
    struct user_update_job job = update_of(options, name);

    job.disabled = 1;
    return access_write(options->database, user_update_job_run, &job, err);
}

static enum err_code enable(const struct user_options *options, const char *name, struct err *err)
{
    struct user_update_job job = update_of(options, name);

    job.disabled = 0;
    return access_write(options->database, user_update_job_run, &job, err);
}

static enum err_code list(const struct user_options *options, const char *name, struct err *err)
{
    AUTO(db_closep) struct db *db = NULL;
    AUTO(arena_done) struct arena arena = {.blocks = NULL};
    struct user_list users;
    char last[TIME_TEXT_BYTES];

    (void)name;
    arena_init(&arena, USER_ARENA_BYTES_MAX);
    TRY(db_open(options->database, DB_READ, &db, err));
    TRY(user_list(db, &arena, &users, err));
    for (size_t i = 0; i < users.count; i++) {
        const struct user *user = &users.items[i];

        if (user->last_sign_in != FIELD_NULL_INT)
            (void)time_format(last, user->last_sign_in);
        (void)printf("%-24s %-7s %-8s %s\n", user->name, USER_ROLE_WORDS[user->role],
                     user->disabled ? "disabled" : "enabled",
                     user->last_sign_in != FIELD_NULL_INT ? last : "never signed in");
    }
    return ERR_NONE;
}

static const struct action {
    const char *word;
    enum err_code (*run)(const struct user_options *options, const char *name, struct err *err);
    bool named;
} ACTIONS[] = {
    {"add", add, true},          {"list", list, false},      {"passwd", passwd, true},
    {"role", change_role, true}, {"disable", disable, true}, {"enable", enable, true},
};

static enum err_code run(const struct user_options *options, const struct conf_args *args,
                         struct err *err)
{
    for (size_t i = 0; i < ARRAY_LEN(ACTIONS); i++) {
        if (args->positional_count == 0 || strcmp(args->positional[0], ACTIONS[i].word) != 0)
            continue;
        if (args->positional_count != (ACTIONS[i].named ? 2U : 1U))
            return err_set(err, ERR_USAGE, "user %s takes %s", ACTIONS[i].word,
                           ACTIONS[i].named ? "one name" : "no name");
        if (ACTIONS[i].named)
            TRY(access_name(args->positional[1], err));
        return ACTIONS[i].run(options, ACTIONS[i].named ? args->positional[1] : NULL, err);
    }
    return err_set(err, ERR_USAGE,
                   "say what to do: user add, list, passwd, role, disable or enable");
}

int cmd_user(int argc, char **argv)
{
    struct user_options options = {.database = "sqlite:pairwatch.db"};
    struct conf_args args = {0};
    struct err err = {0};
    enum err_code code = conf_read(&COMMAND_USER, argc, argv, &options, &args, &err);

    if (code != ERR_NONE || args.help)
        return command_exit(code, &err);
    return command_exit(run(&options, &args, &err), &err);
}
