/* pairwatch token: secrets with which programs use the API. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "api/auth.h"
#include "base/arena.h"
#include "base/clock.h"
#include "base/conf.h"
#include "command/access.h"
#include "command/command.h"
#include "store/db.h"
#include "store/token.h"
#include "store/user.h"

enum { TOKEN_ARENA_BYTES_MAX = 64 * 1024 * 1024, TOKEN_ROLE_FIRST = 1, TOKEN_ROLE_LAST = 5 };

struct token_options {
    const char *database, *role;
    int64_t expires_ms;
};

static const struct conf_setting SETTINGS[] = {
    {"database", CONF_TEXT, offsetof(struct token_options, database), 0, 0, 0, "URL",
     "sqlite:FILE or postgresql://USER@HOST/NAME: the database"},
    {"role", CONF_TEXT, offsetof(struct token_options, role), CONF_FLAG_ONLY, 0, 0, "ROLE",
     "ingest (includes notify), read, triage (includes read), admin, or notify: announce "
     "objects, nothing else"},
    {"expires", CONF_DURATION, offsetof(struct token_options, expires_ms), CONF_FLAG_ONLY, 0, 0,
     "TIME", "ends after this time, as 90d; never unless given"},
    {NULL, 0, 0, 0, 0, 0, NULL, NULL},
};

const struct conf_command COMMAND_TOKEN = {
    .name = "token",
    .summary = "make, list and revoke API tokens",
    .positional = "ACTION [NAME]",
    .settings = SETTINGS,
    .more = "Actions:\n"
            "  create NAME --role ROLE [--expires 90d]  prints the secret, this once\n"
            "  list                                     all tokens, without their secrets\n"
            "  revoke NAME                              stops working at once\n",
};

static enum err_code create(const struct token_options *options, const char *name, struct err *err)
{
    AUTO(arena_done) struct arena arena = {.blocks = NULL};
    struct token_create_job job = {.actor = ACCESS_ACTOR, .now_ms = clock_now_ms(), .name = name};
    const char *secret;
    int role;

    arena_init(&arena, TOKEN_ARENA_BYTES_MAX);
    TRY(access_role(options->role, TOKEN_ROLE_FIRST, TOKEN_ROLE_LAST, &role, err));
    secret = auth_secret_new(&arena, TOKEN_PREFIX, job.digest);
    job.role = role;
    job.prefix = arena_strndup(&arena, secret, TOKEN_SHOWN_LENGTH);
    job.expires_ms = options->expires_ms > 0 ? job.now_ms + options->expires_ms : FIELD_NULL_INT;
    TRY(access_write(options->database, token_create_job_run, &job, err));
    (void)printf("%s\n", secret);
    return ERR_NONE;
}

static enum err_code revoke(const struct token_options *options, const char *name, struct err *err)
{
    struct token_revoke_job job = {.actor = ACCESS_ACTOR, .now_ms = clock_now_ms(), .name = name};

    return access_write(options->database, token_revoke_job_run, &job, err);
}

static void print_token(const struct token *token)
{
    char expires[TIME_TEXT_BYTES] = "never";

    if (token->expires != FIELD_NULL_INT)
        (void)time_format(expires, token->expires);
    (void)printf("%-24s %-7s %s…  %s, expires %s\n", token->name, USER_ROLE_WORDS[token->role],
                 token->prefix, token->revoked ? "revoked" : "good", expires);
}

static enum err_code list(const struct token_options *options, const char *name, struct err *err)
{
    AUTO(db_closep) struct db *db = NULL;
    AUTO(arena_done) struct arena arena = {.blocks = NULL};
    struct token_list tokens;

    (void)name;
    arena_init(&arena, TOKEN_ARENA_BYTES_MAX);
    TRY(db_open(options->database, DB_READ, &db, err));
    TRY(token_list(db, &arena, &tokens, err));
    for (size_t i = 0; i < tokens.count; i++)
        print_token(&tokens.items[i]);
    return ERR_NONE;
}

static const struct action {
    const char *word;
    enum err_code (*run)(const struct token_options *options, const char *name, struct err *err);
    bool named;
} ACTIONS[] = {{"create", create, true}, {"list", list, false}, {"revoke", revoke, true}};

static enum err_code run(const struct token_options *options, const struct conf_args *args,
                         struct err *err)
{
    for (size_t i = 0; i < ARRAY_LEN(ACTIONS); i++) {
        if (args->positional_count == 0 || strcmp(args->positional[0], ACTIONS[i].word) != 0)
            continue;
        if (args->positional_count != (ACTIONS[i].named ? 2U : 1U))
            return err_set(err, ERR_USAGE, "token %s takes %s", ACTIONS[i].word,
                           ACTIONS[i].named ? "one name" : "no name");
        if (ACTIONS[i].named)
            TRY(access_name(args->positional[1], err));
        return ACTIONS[i].run(options, ACTIONS[i].named ? args->positional[1] : NULL, err);
    }
    return err_set(err, ERR_USAGE, "say what to do: token create, list or revoke");
}

int cmd_token(int argc, char **argv)
{
    struct token_options options = {.database = "sqlite:pairwatch.db"};
    struct conf_args args = {0};
    struct err err = {0};
    enum err_code code = conf_read(&COMMAND_TOKEN, argc, argv, &options, &args, &err);

    if (code != ERR_NONE || args.help)
        return command_exit(code, &err);
    return command_exit(run(&options, &args, &err), &err);
}
