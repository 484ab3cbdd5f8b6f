/* Keys from the environment, the profile and a process. */
#include "aws/provider.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "aws/profile.h"
#include "base/arena.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/own.h"
#include "base/str.h"

enum {
    PROCESS_MS_MAX = 60 * 1000,
    PROCESS_BYTES_MAX = 64 * 1024,
    TOKEN_FILE_BYTES_MAX = 64 * 1024,
    PROFILE_ARENA_BYTES_MAX = 4 * PROFILE_FILE_BYTES_MAX,
};

static bool has(const char *text)
{
    return text != NULL && text[0] != '\0';
}

static enum err_code check_keys(const char *id, const char *secret, const char *token,
                                const char *what, struct err *err)
{
    if (id == NULL || id[0] == '\0')
        return err_set(err, ERR_UNAUTHORIZED, "%s has no access key id", what);
    if (secret == NULL || secret[0] == '\0')
        return err_set(err, ERR_UNAUTHORIZED, "%s has no secret access key", what);
    if (strlen(id) > KEY_ID_BYTES_MAX || strlen(secret) > KEY_SECRET_BYTES_MAX ||
        (token != NULL && strlen(token) > KEY_TOKEN_BYTES_MAX) || strpbrk(id, " \r\n/,") != NULL ||
        (token != NULL && strpbrk(token, "\r\n") != NULL))
        return err_set(err, ERR_UNAUTHORIZED, "%s has keys that cannot be any", what);
    return ERR_NONE;
}

enum err_code provider_environment(const struct provider *provider, struct keys **ret,
                                   struct err *err)
{
    const char *id = getenv("AWS_ACCESS_KEY_ID"), *secret = getenv("AWS_SECRET_ACCESS_KEY");
    const char *token = getenv("AWS_SESSION_TOKEN"), *expires = getenv("AWS_CREDENTIAL_EXPIRATION");
    int64_t expires_ms = INT64_MAX;

    (void)provider;
    if (has(getenv("AWS_PROFILE")) || (!has(id) && !has(secret)))
        return ERR_NONE;
    TRY(check_keys(id, secret, token, "the environment", err));
    if (has(expires) && !time_parse(expires, &expires_ms))
        return err_set(err, ERR_INVALID, "AWS_CREDENTIAL_EXPIRATION is no time");
    *ret = keys_new(id, secret, token, expires_ms);
    return ERR_NONE;
}

enum err_code keys_from_json(const char *text, size_t length, const char *token_name,
                             const char *what, struct keys **ret, struct err *err)
{
    AUTO(json_doc_freep) struct json_doc *doc = NULL;
    struct err unused = {0};
    const struct json *root;
    const char *id, *secret, *token, *expires, *code;
    int64_t expires_ms = INT64_MAX;

    if (json_parse(text, length, &doc, &unused) != ERR_NONE) /* its sentence may hold a secret */
        return err_set(err, ERR_UNAUTHORIZED, "%s did not give JSON", what);
    root = json_root(doc);
    code = json_text_of(json_member(root, "Code"));
    if (code != NULL && strcmp(code, "Success") != 0)
        return err_set(err, ERR_UNAUTHORIZED, "%s answered %.64s", what, code);
    id = json_text_of(json_member(root, "AccessKeyId"));
    secret = json_text_of(json_member(root, "SecretAccessKey"));
    token = json_text_of(json_member(root, token_name));
    expires = json_text_of(json_member(root, "Expiration"));
    TRY(check_keys(id, secret, token, what, err));
    if (expires != NULL && !time_parse(expires, &expires_ms))
        return err_set(err, ERR_UNAUTHORIZED, "%s gave keys with an unreadable expiration", what);
    *ret = keys_new(id, secret, token, expires_ms);
    return ERR_NONE;
}

static void close_fd(int *fd)
{
    if (*fd >= 0)
        (void)close(*fd);
    *fd = -1;
}

enum err_code token_file_read(const char *path, struct arena *arena, const char **ret,
                              struct err *err)
{
    AUTO(close_fd) int fd = open(path, O_RDONLY | O_CLOEXEC);
    char *text = arena_alloc(arena, TOKEN_FILE_BYTES_MAX + 1);
    size_t length = 0;
    ssize_t count;

    if (fd < 0)
        return err_errno(err, ERR_IO, "opening the token file %s", path);
    while ((count = read(fd, text + length, TOKEN_FILE_BYTES_MAX - length)) > 0)
        length += (size_t)count;
    if (count < 0)
        return err_errno(err, ERR_IO, "reading the token file %s", path);
    if (length == TOKEN_FILE_BYTES_MAX)
        return err_set(err, ERR_TOO_LARGE, "the token file %s is larger than %d bytes", path,
                       TOKEN_FILE_BYTES_MAX);
    while (length > 0 && strchr(" \r\n", text[length - 1]) != NULL)
        text[--length] = '\0';
    *ret = text;
    return ERR_NONE;
}

static enum err_code start_process(const char *command, int *ret_fd, pid_t *ret_pid,
                                   struct err *err)
{
    char shell[] = "sh", flag[] = "-c";
    char *arguments[] = {shell, flag, own_strdup(command), NULL};
    posix_spawn_file_actions_t actions;
    int ends[2], failed;

    if (pipe2(ends, O_CLOEXEC) != 0) {
        free(arguments[2]);
        return err_errno(err, ERR_IO, "starting credential_process");
    }
    (void)posix_spawn_file_actions_init(&actions);
    (void)posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
    failed = posix_spawn(ret_pid, "/bin/sh", &actions, NULL, arguments, environ);
    (void)posix_spawn_file_actions_destroy(&actions);
    (void)close(ends[1]);
    free(arguments[2]);
    *ret_fd = ends[0];
    if (failed != 0)
        return err_set(err, ERR_IO, "starting credential_process: %s", strerror(failed));
    return ERR_NONE;
}

static enum err_code read_process(int fd, struct str *out, struct err *err)
{
    int64_t end_ms = clock_mono_ms() + PROCESS_MS_MAX;

    for (;;) {
        struct pollfd wait = {.fd = fd, .events = POLLIN};
        int64_t left_ms = end_ms - clock_mono_ms();
        char bytes[4096];
        ssize_t count;

        if (left_ms <= 0 || poll(&wait, 1, (int)left_ms) == 0)
            return err_set(err, ERR_TIMEOUT, "credential_process took more than %d s",
                           PROCESS_MS_MAX / 1000);
        count = read(fd, bytes, sizeof bytes);
        if (count > 0)
            str_add_bytes(out, bytes, (size_t)count);
        explicit_bzero(bytes, sizeof bytes);
        if (count == 0)
            return str_check(out, "what credential_process prints", err);
        if (count < 0 && errno != EINTR)
            return err_errno(err, ERR_IO, "reading from credential_process");
    }
}

static enum err_code run_process(const char *command, struct keys **ret, struct err *err)
{
    AUTO(close_fd) int fd = -1;
    AUTO(str_done) struct str out = {0};
    pid_t pid = -1;
    int status = 0;
    enum err_code code;

    str_init(&out, PROCESS_BYTES_MAX);
    TRY(start_process(command, &fd, &pid, err));
    code = read_process(fd, &out, err);
    if (code != ERR_NONE)
        (void)kill(pid, SIGKILL);
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        continue;
    TRY(code);
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
        return err_set(err, ERR_UNAUTHORIZED, "credential_process failed");
    code = keys_from_json(out.text != NULL ? out.text : "", out.length, "SessionToken",
                          "credential_process", ret, err);
    if (out.text != NULL)
        explicit_bzero(out.text, out.capacity);
    return code;
}

static enum err_code from_profile(const struct provider *provider, const char *name, int depth,
                                  struct arena *arena, struct keys **ret, struct err *err);

static enum err_code source_of(const struct provider *provider, const struct profile *profile,
                               const char *name, int depth, struct arena *arena, struct keys **ret,
                               struct err *err)
{
    const char *from = profile->credential_source;

    if (profile->source_profile != NULL && strcmp(profile->source_profile, name) != 0)
        return from_profile(provider, profile->source_profile, depth + 1, arena, ret, err);
    if (profile->source_profile != NULL || profile->key_id != NULL) {
        TRY(check_keys(profile->key_id, profile->secret, profile->token, "the profile", err));
        *ret = keys_new(profile->key_id, profile->secret, profile->token, INT64_MAX);
        return ERR_NONE;
    }
    if (from != NULL && strcmp(from, "EcsContainer") == 0)
        return provider_container(provider, ret, err);
    if (from != NULL && strcmp(from, "Ec2InstanceMetadata") == 0)
        return provider_instance(provider, ret, err);
    if (from != NULL && strcmp(from, "Environment") == 0 && getenv("AWS_ACCESS_KEY_ID") != NULL) {
        const char *id = getenv("AWS_ACCESS_KEY_ID"), *secret = getenv("AWS_SECRET_ACCESS_KEY");

        TRY(check_keys(id, secret, getenv("AWS_SESSION_TOKEN"), "the environment", err));
        *ret = keys_new(id, secret, getenv("AWS_SESSION_TOKEN"), INT64_MAX);
        return ERR_NONE;
    }
    return err_set(err, ERR_UNAUTHORIZED,
                   "the profile %s has a role_arn and neither source_profile nor a "
                   "credential_source that gives keys",
                   name);
}

static enum err_code from_profile(const struct provider *provider, const char *name, int depth,
                                  struct arena *arena, struct keys **ret, struct err *err)
{
    AUTO(keys_dropp) struct keys *source = NULL;
    struct profile profile;
    struct assume assume;

    if (depth == PROFILE_CHAIN_MAX)
        return err_set(err, ERR_INVALID,
                       "source_profile leads from profile to profile without end");
    TRY(profile_read(name, arena, &profile, err));
    if (!profile.found && (depth > 0 || has(getenv("AWS_PROFILE"))))
        return err_set(err, ERR_UNAUTHORIZED, "there is no profile %s", name);
    assume = (struct assume){
        .role = profile.role,
        .session = profile.role_session,
        .external_id = profile.external_id,
        .duration = profile.duration,
        .token_file = profile.web_identity_file,
    };
    if (profile.role != NULL && profile.web_identity_file == NULL) {
        TRY(source_of(provider, &profile, name, depth, arena, &source, err));
        if (source == NULL)
            return err_set(err, ERR_UNAUTHORIZED, "credential_source %s is not there",
                           profile.credential_source);
        assume.source = source;
    }
    if (profile.role != NULL)
        return sts_assume(provider, &assume, ret, err);
    if (profile.key_id != NULL || profile.secret != NULL) {
        TRY(check_keys(profile.key_id, profile.secret, profile.token, "the profile", err));
        *ret = keys_new(profile.key_id, profile.secret, profile.token, INT64_MAX);
        return ERR_NONE;
    }
    return profile.process != NULL ? run_process(profile.process, ret, err) : ERR_NONE;
}

enum err_code provider_profile(const struct provider *provider, struct keys **ret, struct err *err)
{
    AUTO(arena_done) struct arena arena = {0};

    arena_init(&arena, PROFILE_ARENA_BYTES_MAX);
    return from_profile(provider, profile_name(), 0, &arena, ret, err);
}
