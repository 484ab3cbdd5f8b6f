/* Settings of one command, from the file, then the environment, then the flags: later ones win.
 *
 * The file is --config FILE, or PAIRWATCH_CONFIG, or ./pairwatch.conf when there is one; its lines
 * are "key = value", "# comment" or blank, UTF-8. A list given by a later source replaces the
 * earlier one. Called once, before threads start; what texts point to is never freed. */
#include "base/conf.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/conf_value.h"
#include "base/str.h"

enum {
    CONF_SETTINGS_MAX = 64,
    CONF_FILE_BYTES_MAX = 1 << 20,
};

extern char **environ;

static const char ENV_PREFIX[] = "PAIRWATCH_";
static const char *const *known_names;

/* Where a value comes from; also the index of what was seen. */
enum source { SOURCE_FILE, SOURCE_ENV, SOURCE_FLAG };

struct reading {
    const struct conf_command *command;
    void *options;
    int seen[CONF_SETTINGS_MAX]; /* 1 + enum source of the value in place, 0 = the default */
    const char *path;            /* of the file, NULL = none */
    int line;
    struct err *err;
};

/* Memory for the life of the process stays reachable from here. */
struct kept {
    struct kept *older;
    void *memory;
};
static struct kept *kept;

static void *keep(void *memory)
{
    struct kept *node = own_alloc(sizeof *node);

    *node = (struct kept){kept, memory};
    kept = node;
    return memory;
}

void conf_set_known(const char *const *names)
{
    known_names = names;
}

static bool is_known(const char *name)
{
    for (const char *const *known = known_names; known != NULL && *known != NULL; known++)
        if (strcmp(*known, name) == 0)
            return true;
    return false;
}

static const struct conf_setting *find_setting(const struct conf_command *command, const char *name)
{
    for (const struct conf_setting *s = command->settings; s->name != NULL; s++)
        if (strcmp(s->name, name) == 0)
            return s;
    return NULL;
}

/* The place in front of a sentence about a value: "pairwatch.conf:3: listen". */
static void place_of(const struct reading *reading, enum source source, const char *name,
                     char ret[static ERR_TEXT_BYTES])
{
    char env[CONF_NAME_BYTES];

    if (source == SOURCE_FILE) {
        (void)snprintf(ret, ERR_TEXT_BYTES, "%s:%d: %s", reading->path, reading->line, name);
    } else if (source == SOURCE_ENV) {
        conf_env_name(name, env);
        (void)snprintf(ret, ERR_TEXT_BYTES, "%s", env);
    } else {
        (void)snprintf(ret, ERR_TEXT_BYTES, "--%s", name);
    }
}

static enum err_code refuse(struct reading *reading, enum source source, const char *name,
                            const char *why)
{
    char place[ERR_TEXT_BYTES];

    place_of(reading, source, name, place);
    return err_set(reading->err, source == SOURCE_FLAG ? ERR_USAGE : ERR_INVALID, "%s %s", place,
                   why);
}

/* A list outside the command line is one text with commas. */
static bool read_list(struct conf_list *list, const char *text)
{
    char *copy = keep(own_strdup(text));

    for (;;) {
        char *comma = strchr(copy, ',');

        if (comma != NULL)
            *comma = '\0';
        if (!conf_list_add(list, copy))
            return false;
        if (comma == NULL)
            return true;
        copy = comma + 1;
    }
}

static enum err_code put(struct reading *reading, enum source source,
                         const struct conf_setting *setting, const char *text)
{
    char why[CONF_WHY_BYTES] = "must be a list without empty items, at most 64";
    struct conf_list *list = (void *)((char *)reading->options + setting->offset);
    int *seen = &reading->seen[setting - reading->command->settings];
    bool again = *seen == 1 + (int)source;
    bool fine;

    if (source != SOURCE_FLAG && (setting->flags & CONF_FLAG_ONLY)) {
        if (is_known(setting->name)) /* it is there for another command */
            return ERR_NONE;
        return refuse(reading, source, setting->name, "can only be given as a flag");
    }
    if (again && setting->type != CONF_LIST)
        return refuse(reading, source, setting->name, "is given twice");
    if (setting->type == CONF_LIST && !again)
        list->count = 0;
    *seen = 1 + (int)source;
    if (setting->type == CONF_LIST && source != SOURCE_FLAG)
        fine = !again && read_list(list, text);
    else
        fine = conf_value_read(setting, text, reading->options, why);
    return fine ? ERR_NONE : refuse(reading, source, setting->name, why);
}

/* ---- file ---- */

static char *trim(char *text)
{
    size_t length;

    text += strspn(text, " \t\r");
    length = strlen(text);
    while (length > 0 && strchr(" \t\r", text[length - 1]) != NULL)
        length--;
    text[length] = '\0';
    return text;
}

static enum err_code unknown_name(struct reading *reading, enum source source, const char *name)
{
    const char *near = conf_nearest(reading->command, name);
    char why[CONF_WHY_BYTES] = "is not a setting";

    if (near != NULL)
        (void)snprintf(why, sizeof why, "is not a setting; did you mean %s?", near);
    return refuse(reading, source, name, why);
}

static enum err_code read_line(struct reading *reading, char *line)
{
    const struct conf_setting *setting;
    char *equals, *name = trim(line);

    if (*name == '\0' || *name == '#')
        return ERR_NONE;
    equals = strchr(name, '=');
    if (equals == NULL || equals == name)
        return err_set(reading->err, ERR_INVALID, "%s:%d: a line must be \"key = value\"",
                       reading->path, reading->line);
    *equals = '\0';
    name = trim(name);
    for (char *at = name; *at != '\0'; at++)
        if (*at == '_')
            *at = '-';
    setting = find_setting(reading->command, name);
    if (setting != NULL)
        return put(reading, SOURCE_FILE, setting, trim(equals + 1));
    return is_known(name) ? ERR_NONE : unknown_name(reading, SOURCE_FILE, name);
}

static void file_closep(FILE **file)
{
    if (*file != NULL)
        (void)fclose(*file);
}

/* The whole file as text that stays. must_exist false: *ret NULL when there is none. */
static enum err_code load_file(const char *path, bool must_exist, char **ret, struct err *err)
{
    AUTO(file_closep) FILE *file = fopen(path, "re");
    char *text;
    size_t length;

    *ret = NULL;
    if (file == NULL && errno == ENOENT && !must_exist)
        return ERR_NONE;
    if (file == NULL)
        return err_errno(err, ERR_IO, "opening the configuration file %s", path);
    text = keep(own_alloc(CONF_FILE_BYTES_MAX + 1));
    length = fread(text, 1, CONF_FILE_BYTES_MAX + 1, file);
    if (ferror(file))
        return err_errno(err, ERR_IO, "reading the configuration file %s", path);
    if (length > CONF_FILE_BYTES_MAX)
        return err_set(err, ERR_INVALID, "the configuration file %s is larger than %d bytes", path,
                       CONF_FILE_BYTES_MAX);
    if (memchr(text, '\0', length) != NULL)
        return err_set(err, ERR_INVALID, "the configuration file %s is not text", path);
    *ret = text;
    return ERR_NONE;
}

static enum err_code read_file(struct reading *reading, const char *flag_path)
{
    const char *from_env = getenv("PAIRWATCH_CONFIG");
    bool named = flag_path != NULL || (from_env != NULL && *from_env != '\0');
    char *text, *end;

    reading->path = flag_path != NULL ? flag_path : named ? from_env : "pairwatch.conf";
    TRY(load_file(reading->path, named, &text, reading->err));
    for (; text != NULL; text = end) {
        end = strchr(text, '\n');
        if (end != NULL)
            *end++ = '\0';
        reading->line++;
        TRY(read_line(reading, text));
    }
    return ERR_NONE;
}

/* ---- environment ---- */

/* The setting's name of a variable: PAIRWATCH_OBJECT_BYTES_MAX=… to object-bytes-max. */
static bool name_of_env(const char *entry, char ret[static CONF_NAME_BYTES])
{
    size_t at = 0;

    for (entry += sizeof ENV_PREFIX - 1; *entry != '\0' && *entry != '='; entry++) {
        if (at + 1 == CONF_NAME_BYTES)
            return false;
        if (*entry == '_')
            ret[at++] = '-';
        else
            ret[at++] = *entry >= 'A' && *entry <= 'Z' ? (char)(*entry - 'A' + 'a') : *entry;
    }
    ret[at] = '\0';
    return true;
}

/* An empty variable is one that is not set. */
static enum err_code read_environment(struct reading *reading)
{
    for (char **entry = environ; entry != NULL && *entry != NULL; entry++) {
        char name[CONF_NAME_BYTES];
        const struct conf_setting *setting;
        const char *value = strchr(*entry, '=');

        if (!str_starts(*entry, ENV_PREFIX) || value == NULL || value[1] == '\0')
            continue;
        if (!name_of_env(*entry, name))
            return err_set(reading->err, ERR_INVALID, "the environment: %.100s… is not a setting",
                           *entry);
        setting = find_setting(reading->command, name);
        if (setting != NULL)
            TRY(put(reading, SOURCE_ENV, setting, value + 1));
        else if (strcmp(name, "config") != 0 && !is_known(name))
            return unknown_name(reading, SOURCE_ENV, name);
    }
    return ERR_NONE;
}

/* ---- flags ---- */

/* One word of the command line: "--name", "--name=value", or an argument when name is empty. */
struct flag {
    char name[CONF_NAME_BYTES];
    const char *value; /* after the =, or NULL */
    const struct conf_setting *setting;
    bool wants_value; /* the next word, when value is NULL */
};

static bool is_flag(const char *word)
{
    return word[0] == '-' && word[1] != '\0';
}

static struct flag flag_of(const struct conf_command *command, const char *word)
{
    struct flag flag = {.value = strchr(word, '=')};
    const char *start = word + (str_starts(word, "--") ? 2 : 0); /* keeps the - of "-x" */
    size_t length = flag.value != NULL ? (size_t)(flag.value - start) : strlen(start);

    if (flag.value != NULL)
        flag.value++;
    if (strcmp(word, "-h") == 0) {
        start = "help";
        length = strlen(start);
    }
    if (length >= sizeof flag.name)
        length = sizeof flag.name - 1;
    (void)memcpy(flag.name, start, length);
    flag.setting = find_setting(command, flag.name);
    flag.wants_value =
        flag.value == NULL && (strcmp(flag.name, "config") == 0 ||
                               (flag.setting != NULL && flag.setting->type != CONF_BOOL));
    return flag;
}

/* --help and --config count before everything else is read. */
static bool look_ahead(const struct conf_command *command, int argc, char **argv,
                       const char **ret_config)
{
    for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++) {
        struct flag flag = flag_of(command, argv[i]);

        if (!is_flag(argv[i]))
            continue;
        if (flag.wants_value && i + 1 < argc && !str_starts(argv[i + 1], "--"))
            flag.value = argv[++i];
        if (strcmp(flag.name, "help") == 0)
            return true;
        if (strcmp(flag.name, "config") == 0)
            *ret_config = flag.value;
    }
    return false;
}

static enum err_code unknown_flag(struct reading *reading, const char *word, const char *name)
{
    const char *near = conf_nearest(reading->command, name);
    size_t shown = strcspn(word, "="); /* a value given to a misspelt secret is not echoed */

    if (shown > CONF_NAME_BYTES)
        shown = CONF_NAME_BYTES;
    return err_set(reading->err, ERR_USAGE, "%s has no flag %.*s; %s%s%s", reading->command->name,
                   (int)shown, word, near != NULL ? "did you mean --" : "see --help",
                   near != NULL ? near : "", near != NULL ? "?" : "");
}

static enum err_code read_flag(struct reading *reading, const char *word, const struct flag *flag)
{
    char env[CONF_NAME_BYTES];
    bool is_config = strcmp(flag->name, "config") == 0;

    if (!str_starts(word, "--") || (flag->setting == NULL && !is_config))
        return unknown_flag(reading, word, flag->name);
    if (flag->setting != NULL && (flag->setting->flags & CONF_SECRET)) {
        conf_env_name(flag->name, env);
        return err_set(reading->err, ERR_USAGE,
                       "--%s is a secret and never on the command line: set %s, or %s in the "
                       "configuration file",
                       flag->name, env, flag->name);
    }
    if (flag->value == NULL && (is_config || flag->setting->type != CONF_BOOL))
        return refuse(reading, SOURCE_FLAG, flag->name, "needs a value");
    if (flag->setting == NULL)
        return ERR_NONE; /* --config, read before */
    return put(reading, SOURCE_FLAG, flag->setting, flag->value != NULL ? flag->value : "true");
}

static enum err_code add_positional(struct reading *reading, const char *word,
                                    struct conf_args *ret)
{
    if (reading->command->positional == NULL)
        return err_set(reading->err, ERR_USAGE, "%s takes no argument \"%.100s\"; see --help",
                       reading->command->name, word);
    if (ret->positional_count == CONF_POSITIONAL_MAX)
        return err_set(reading->err, ERR_USAGE, "more than %d arguments", CONF_POSITIONAL_MAX);
    ret->positional[ret->positional_count++] = word;
    return ERR_NONE;
}

/* A flag's value may be the next word; one that starts with -- needs the = form. */
static enum err_code read_words(struct reading *reading, int argc, char **argv,
                                struct conf_args *ret)
{
    bool flags_ended = false;

    for (int i = 1; i < argc; i++) {
        struct flag flag;
        const char *word = argv[i];

        if (flags_ended || !is_flag(word)) {
            TRY(add_positional(reading, word, ret));
            continue;
        }
        flags_ended = strcmp(word, "--") == 0;
        if (flags_ended)
            continue;
        flag = flag_of(reading->command, word);
        if (flag.wants_value && i + 1 < argc && !str_starts(argv[i + 1], "--"))
            flag.value = argv[++i];
        TRY(read_flag(reading, word, &flag));
    }
    return ERR_NONE;
}

static enum err_code check_required(const struct reading *reading)
{
    const struct conf_setting *settings = reading->command->settings;
    char env[CONF_NAME_BYTES];

    for (size_t i = 0; settings[i].name != NULL; i++) {
        bool secret = (settings[i].flags & CONF_SECRET) != 0;

        if (!(settings[i].flags & CONF_REQUIRED) || reading->seen[i] != 0)
            continue;
        conf_env_name(settings[i].name, env);
        return err_set(reading->err, ERR_USAGE, "%s needs %s%s; see --help", reading->command->name,
                       secret ? "" : "--", secret ? env : settings[i].name);
    }
    return ERR_NONE;
}

enum err_code conf_read(const struct conf_command *command, int argc, char **argv, void *options,
                        struct conf_args *ret, struct err *err)
{
    struct reading reading = {.command = command, .options = options, .err = err};
    const char *config_path = NULL;
    size_t count = 0;

    while (command->settings[count].name != NULL)
        count++;
    ASSERT(count <= CONF_SETTINGS_MAX && argc >= 1);
    *ret = (struct conf_args){.positional = keep(own_array((size_t)argc, sizeof(char *)))};
    ret->help = look_ahead(command, argc, argv, &config_path);
    if (ret->help) {
        conf_help(command, options);
        return ERR_NONE;
    }
    TRY(read_file(&reading, config_path));
    TRY(read_environment(&reading));
    TRY(read_words(&reading, argc, argv, ret));
    return check_required(&reading);
}
