/* What the user reads about a command: --help, and what a misspelt name may have meant. */
#include <stdio.h>
#include <string.h>

#include "base/conf.h"
#include "base/conf_value.h"
#include "base/str.h"

enum {
    CONF_WORD_MAX = 40, /* longer words get no suggestion */
    CONF_NEAR_MAX = 2,  /* edits a suggestion may be away */
    HELP_COLUMNS = 96,
    HELP_INDENT = 30, /* where the explanations start */
    HELP_BYTES_MAX = 64 * 1024,
};

static int smallest(int a, int b, int c)
{
    int least = a < b ? a : b;

    return least < c ? least : c;
}

/* Levenshtein's distance, one row at a time. */
static int edits_between(const char *a, const char *b)
{
    int row[CONF_WORD_MAX + 1];
    int width = (int)strlen(b);

    if (strlen(a) > CONF_WORD_MAX || width > CONF_WORD_MAX)
        return CONF_WORD_MAX;
    for (int j = 0; j <= width; j++)
        row[j] = j;
    for (int i = 1; a[i - 1] != '\0'; i++) {
        int diagonal = row[0];

        row[0] = i;
        for (int j = 1; j <= width; j++) {
            int above = row[j];

            row[j] = smallest(above + 1, row[j - 1] + 1, diagonal + (a[i - 1] != b[j - 1]));
            diagonal = above;
        }
    }
    return row[width];
}

const char *conf_nearest(const struct conf_command *command, const char *name)
{
    const char *best = NULL;
    int best_edits = CONF_NEAR_MAX + 1;

    for (const struct conf_setting *s = command->settings; s->name != NULL; s++) {
        int edits = edits_between(s->name, name);

        if (edits < best_edits) {
            best = s->name;
            best_edits = edits;
        }
    }
    return best;
}

/* Adds text word by word, each line HELP_COLUMNS at most, from column HELP_INDENT. */
static void add_wrapped(struct str *out, const char *text, size_t column)
{
    while (*text != '\0') {
        size_t length = strcspn(text, " ");

        if (column + length > HELP_COLUMNS && column > HELP_INDENT) {
            str_addf(out, "\n%*s", HELP_INDENT, "");
            column = HELP_INDENT;
        }
        if (column > HELP_INDENT) {
            str_add_char(out, ' ');
            column++;
        }
        str_add_bytes(out, text, length);
        column += length;
        text += length + strspn(text + length, " ");
    }
}

/* "  --name WORD" and the explanation beside it, or below when there is no room. */
static void add_row(struct str *out, const char *flag, const char *word, const char *text)
{
    size_t start = out->length;

    str_addf(out, "  %s%s%s", flag, word != NULL ? " " : "", word != NULL ? word : "");
    if (out->length - start > HELP_INDENT - 2)
        str_addf(out, "\n%*s", HELP_INDENT, "");
    else
        str_addf(out, "%*s", (int)(HELP_INDENT - (out->length - start)), "");
    add_wrapped(out, text, HELP_INDENT);
    str_add_char(out, '\n');
}

/* The help, then in brackets what else there is to know. */
static void add_setting(struct str *out, const struct conf_setting *setting, const void *options)
{
    AUTO(str_done) struct str text = {0}, value = {0};
    char env[CONF_NAME_BYTES], flag[CONF_NAME_BYTES];
    bool secret = (setting->flags & CONF_SECRET) != 0;

    str_init(&text, HELP_BYTES_MAX);
    str_init(&value, HELP_BYTES_MAX);
    conf_env_name(setting->name, env);
    conf_value_format(setting, options, &value);
    str_add(&text, setting->help);
    if (setting->flags & CONF_REQUIRED)
        str_add(&text, " (required)");
    if (setting->type == CONF_LIST)
        str_add(&text, " (may be repeated)");
    if (value.length > 0)
        str_addf(&text, " [%s]", value.text);
    if (secret)
        str_add(&text, " (secret: environment or file only)");
    (void)snprintf(flag, sizeof flag, "--%s", setting->name);
    add_row(out, secret ? env : flag, secret ? NULL : setting->value_word, text.text);
}

static void add_usage(struct str *out, const struct conf_command *command)
{
    str_addf(out, "usage: pairwatch %s [--flag VALUE]…", command->name);
    if (command->positional != NULL)
        str_addf(out, " %s", command->positional);
    str_addf(out, "\n\n%s\n\n", command->summary);
}

void conf_help(const struct conf_command *command, const void *options)
{
    AUTO(str_done) struct str out = {0};

    str_init(&out, HELP_BYTES_MAX);
    add_usage(&out, command);
    for (const struct conf_setting *s = command->settings; s->name != NULL; s++)
        add_setting(&out, s, options);
    add_row(&out, "--config", "FILE",
            "settings as \"key = value\" lines; ./pairwatch.conf when there is one");
    add_row(&out, "--help", NULL, "this text");
    str_add(&out, "\nDefaults are in [brackets]. A setting is also read from the environment "
                  "(--some-name as PAIRWATCH_SOME_NAME)\nand from the file; a flag wins over the "
                  "environment, the environment over the file.\n");
    if (command->more != NULL)
        str_addf(&out, "\n%s", command->more);
    (void)fputs(out.text, stdout);
}
