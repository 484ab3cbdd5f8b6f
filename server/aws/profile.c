/* A reader of the two INI files. */
#include "aws/profile.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/own.h"

static const struct {
    const char *name;
    size_t offset;
} SETTINGS[] = {
    {"aws_access_key_id", offsetof(struct profile, key_id)},
    {"aws_secret_access_key", offsetof(struct profile, secret)},
    {"aws_session_token", offsetof(struct profile, token)},
    {"role_arn", offsetof(struct profile, role)},
    {"role_session_name", offsetof(struct profile, role_session)},
    {"external_id", offsetof(struct profile, external_id)},
    {"source_profile", offsetof(struct profile, source_profile)},
    {"credential_source", offsetof(struct profile, credential_source)},
    {"web_identity_token_file", offsetof(struct profile, web_identity_file)},
    {"credential_process", offsetof(struct profile, process)},
    {"duration_seconds", offsetof(struct profile, duration)},
    {"region", offsetof(struct profile, region)},
};

const char *profile_name(void)
{
    const char *name = getenv("AWS_PROFILE");

    return name != NULL && name[0] != '\0' ? name : "default";
}

static const char *file_path(const char *variable, const char *name, struct arena *arena)
{
    const char *path = getenv(variable), *home = getenv("HOME");

    if (path != NULL && path[0] != '\0')
        return path;
    return home != NULL ? arena_printf(arena, "%s/.aws/%s", home, name) : NULL;
}

static char *trim(char *text)
{
    size_t length;

    text += strspn(text, " \t\r");
    length = strlen(text);
    while (length > 0 && strchr(" \t\r\n", text[length - 1]) != NULL)
        text[--length] = '\0';
    return text;
}

/* "[profile x]" and "[default]" in the config file, "[x]" in the credentials file. */
static bool is_section(char *line, const char *name, bool config)
{
    char *end = strchr(line, ']'), *title;

    if (end == NULL)
        return false;
    *end = '\0';
    title = trim(line + 1);
    if (config && strncmp(title, "profile", 7) == 0 && (title[7] == ' ' || title[7] == '\t'))
        title = trim(title + 7);
    else if (config && strcmp(title, "default") != 0)
        return false;
    return strcmp(title, name) == 0;
}

static void set(struct profile *profile, const char *name, const char *value, struct arena *arena)
{
    for (size_t i = 0; i < ARRAY_LEN(SETTINGS); i++) {
        const char **at = (const char **)(void *)((char *)profile + SETTINGS[i].offset);

        if (strcmp(name, SETTINGS[i].name) == 0 && *at == NULL && value[0] != '\0')
            *at = arena_strdup(arena, value);
    }
}

static void file_closep(FILE **file)
{
    if (*file != NULL)
        (void)fclose(*file);
}

static enum err_code read_lines(FILE *file, const char *path, const char *name, bool config,
                                struct arena *arena, struct profile *profile, struct err *err)
{
    AUTO(own_freep) char *line = own_alloc(KEYS_LINE_BYTES_MAX);
    bool inside = false;
    size_t bytes = 0;

    for (int number = 1; fgets(line, KEYS_LINE_BYTES_MAX, file) != NULL; number++) {
        bool indented = line[0] == ' ' || line[0] == '\t';
        char *text = trim(line), *equals;

        bytes += strlen(line);
        if (bytes > PROFILE_FILE_BYTES_MAX)
            return err_set(err, ERR_TOO_LARGE, "%s is larger than %d bytes", path,
                           PROFILE_FILE_BYTES_MAX);
        if (text[0] == '\0' || text[0] == '#' || text[0] == ';' || indented)
            continue; /* indented: a nested setting of some service */
        if (text[0] == '[') {
            inside = is_section(text, name, config);
            profile->found |= inside;
            continue;
        }
        equals = strchr(text, '=');
        if (equals == NULL)
            return err_set(err, ERR_INVALID, "%s, line %d: neither [name] nor name = value", path,
                           number);
        *equals = '\0';
        if (inside)
            set(profile, trim(text), trim(equals + 1), arena);
    }
    explicit_bzero(line, KEYS_LINE_BYTES_MAX);
    return ERR_NONE;
}

static enum err_code read_file(const char *path, const char *name, bool config, struct arena *arena,
                               struct profile *profile, struct err *err)
{
    AUTO(file_closep) FILE *file = path != NULL ? fopen(path, "re") : NULL;

    if (file == NULL && (path == NULL || errno == ENOENT || errno == ENOTDIR || errno == EACCES))
        return ERR_NONE;
    if (file == NULL)
        return err_errno(err, ERR_IO, "opening %s", path);
    return read_lines(file, path, name, config, arena, profile, err);
}

enum err_code profile_read(const char *name, struct arena *arena, struct profile *ret,
                           struct err *err)
{
    *ret = (struct profile){0};
    TRY(read_file(file_path("AWS_SHARED_CREDENTIALS_FILE", "credentials", arena), name, false,
                  arena, ret, err));
    return read_file(file_path("AWS_CONFIG_FILE", "config", arena), name, true, arena, ret, err);
}

enum err_code profile_region(char ret[static AWS_REGION_BYTES], struct err *err)
{
    AUTO(arena_done) struct arena arena = {0};
    struct profile profile;

    ret[0] = '\0';
    arena_init(&arena, 4 * PROFILE_FILE_BYTES_MAX);
    TRY(profile_read(profile_name(), &arena, &profile, err));
    if (profile.region != NULL && strlen(profile.region) < AWS_REGION_BYTES)
        (void)snprintf(ret, AWS_REGION_BYTES, "%s", profile.region);
    return ERR_NONE;
}
