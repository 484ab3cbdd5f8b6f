/* Settings from file, environment and flags. Each test runs in a directory of its own with an
 * environment of its own. */
#include "temp.h"

#include <stdlib.h>

#include "base/conf.h"
#include "base/str.h"

enum { HELP_BYTES = 16384 };

struct options {
    const char *listen, *password;
    int64_t threads, timeout_ms, bytes_max, since_ms;
    double rate;
    bool once;
    struct conf_list specs;
};

static const struct conf_setting SETTINGS[] = {
    {"listen", CONF_TEXT, offsetof(struct options, listen), 0, 0, 0, "HOST:PORT",
     "where to listen"},
    {"password", CONF_TEXT, offsetof(struct options, password), CONF_SECRET, 0, 0, NULL,
     "a secret"},
    {"threads", CONF_INT, offsetof(struct options, threads), 0, 1, 8, "N", "how many"},
    {"timeout", CONF_DURATION, offsetof(struct options, timeout_ms), 0, 1000, 3600000, "TIME", "t"},
    {"bytes-max", CONF_BYTES, offsetof(struct options, bytes_max), 0, 0, 0, "BYTES", "a limit"},
    {"since", CONF_TIME, offsetof(struct options, since_ms), CONF_FLAG_ONLY, 0, 0, "DATE", "from"},
    {"rate", CONF_REAL, offsetof(struct options, rate), 0, 0, 1, "R", "learning rate"},
    {"once", CONF_BOOL, offsetof(struct options, once), CONF_FLAG_ONLY, 0, 0, NULL, "end then"},
    {"spec", CONF_LIST, offsetof(struct options, specs), 0, 0, 0, "NAME", "pair specs"},
    {NULL, 0, 0, 0, 0, 0, NULL, NULL},
};
static const struct conf_command COMMAND = {.name = "serve",
                                            .summary = "answers",
                                            .positional = "PATH…",
                                            .settings = SETTINGS,
                                            .more = "More.\n"};
static const char *const KNOWN[] = {"queue", "object-bytes-max", "since", NULL};

static char directory[] = "/tmp/conf_test_XXXXXX";
static struct options options;
static struct conf_args args;
static struct err err;

static void write_text(const char *path, const char *text, size_t length)
{
    FILE *file = fopen(path, "we");

    assert_non_null(file);
    assert_int_equal(fwrite(text, 1, length, file), length);
    assert_int_equal(fclose(file), 0);
}

static void given_file(const char *text)
{
    write_text("pairwatch.conf", text, strlen(text));
}

static int enter(UNUSED void **state)
{
    (void)clearenv();
    (void)unlink("pairwatch.conf");
    options = (struct options){.listen = "127.0.0.1:8080",
                               .threads = 2,
                               .timeout_ms = 90000,
                               .bytes_max = 1 << 20,
                               .rate = 0.5};
    err = (struct err){0};
    conf_set_known(KNOWN);
    return 0;
}

/* Reads the words after the command's name; ends with NULL. */
static enum err_code read_words(char **words)
{
    char *argv[32] = {(char *)(uintptr_t) "serve"};
    int argc = 1;

    while (*words != NULL)
        argv[argc++] = *words++;
    return conf_read(&COMMAND, argc, argv, &options, &args, &err);
}

#define READ(...) read_words((char *[]){__VA_ARGS__ NULL})
#define W(text)   (char *)(uintptr_t)(text),

TEST(defaults_stay)
{
    CHECK_OK(READ());
    CHECK_STR(options.listen, "127.0.0.1:8080");
    CHECK(options.threads == 2 && !options.once && args.positional_count == 0 && !args.help);
}

TEST(flags_in_both_forms)
{
    CHECK_OK(READ(W("--listen") W(":1") W("--threads=8") W("--once") W("--spec") W("a")
                      W("--spec=b") W("--rate") W("0.25") W("--timeout") W("15m") W("--bytes-max")
                          W("64MiB") W("--since") W("2026-11-24") W("x") W("-") W("--") W("--y")));
    CHECK_STR(options.listen, ":1");
    CHECK(options.threads == 8 && options.once && options.rate == 0.25);
    CHECK(options.timeout_ms == 900000 && options.bytes_max == 64 << 20);
    CHECK(options.since_ms == INT64_C(1795478400000));
    CHECK(options.specs.count == 2);
    CHECK_STR(options.specs.items[0], "a");
    CHECK_STR(options.specs.items[1], "b");
    CHECK(args.positional_count == 3);
    CHECK_STR(args.positional[0], "x");
    CHECK_STR(args.positional[1], "-");
    CHECK_STR(args.positional[2], "--y");
}

TEST(flag_over_environment_over_file)
{
    given_file(
        "# comment\n\n listen = file:1 \r\nthreads=3\nbytes_max = 1GiB\nspec = a,b\nrate=0.1");
    write_text("other.conf", "threads = 4\n", 12);
    CHECK_OK(READ());
    CHECK_STR(options.listen, "file:1");
    CHECK(options.threads == 3 && options.bytes_max == 1 << 30 && options.rate == 0.1);
    CHECK(options.specs.count == 2);
    (void)setenv("PAIRWATCH_LISTEN", "env:1", 1);
    (void)setenv("PAIRWATCH_BYTES_MAX", "4096", 1);
    CHECK_OK(READ(W("--threads") W("5")));
    CHECK_STR(options.listen, "env:1");
    CHECK(options.threads == 5 && options.bytes_max == 4096);
    CHECK_OK(READ(W("--listen=flag:1") W("--config") W("other.conf")));
    CHECK_STR(options.listen, "flag:1");
    CHECK(options.threads == 4);
    (void)setenv("PAIRWATCH_CONFIG", "other.conf", 1);
    options.threads = 1;
    CHECK_OK(READ());
    CHECK(options.threads == 4);
}

TEST(a_flag_that_is_another_commands_setting)
{
    given_file("since = 2026-01-01\n");
    (void)setenv("PAIRWATCH_SINCE", "2026-01-02", 1);
    CHECK_OK(READ());
    CHECK(options.since_ms == 0);
    CHECK_OK(READ(W("--since=2026-01-03")));
    CHECK(options.since_ms > 0);
}

TEST(values_out_of_place)
{
    static const struct {
        const char *word, *wanted;
    } CASES[] = {
        {"--threads=0", "--threads must be a whole number from 1 to 8"},
        {"--threads=9", "from 1 to 8"},
        {"--threads=1.5", "--threads must"},
        {"--threads=", "--threads must"},
        {"--rate=1.01", "--rate must be a number from 0 to 1"},
        {"--rate=nan", "--rate must"},
        {"--timeout=1", "--timeout must be a duration"},
        {"--timeout=2h", "--timeout must"},
        {"--bytes-max=-1", "--bytes-max must be a size"},
        {"--bytes-max=1MB", "--bytes-max must"},
        {"--bytes-max=MiB", "--bytes-max must"},
        {"--bytes-max=9223372036854775807KiB", "--bytes-max must"},
        {"--since=2026-02-30", "--since must be a date"},
        {"--since=tomorrow", "--since must"},
        {"--once=maybe", "--once must be true or false"},
        {"--listen=", "--listen must be text"},
        {"--listen=a\nb", "--listen must be text"},
        {"--spec=", "--spec must be a list"},
        {"--listen", "--listen needs a value"},
        {"--config", "--config needs a value"},
        {"--lisen=x", "serve has no flag --lisen; did you mean --listen?"},
        {"--zzzzzzzz=x", "serve has no flag --zzzzzzzz; see --help"},
        {"-x", "serve has no flag -x"},
        {"-listen=x", "serve has no flag -listen"},
        {"--LISTEN=x", "serve has no flag --LISTEN"},
        {"--=x", "serve has no flag --"},
    };

    for (size_t i = 0; i < ARRAY_LEN(CASES); i++) {
        err = (struct err){0};
        CHECK_CASE(CASES[i].word, READ(W(CASES[i].word)) == ERR_USAGE);
        CHECK_HAS(err.text, CASES[i].wanted);
    }
}

TEST(a_flag_is_no_value_and_none_comes_twice)
{
    CHECK_ERR(ERR_USAGE, READ(W("--listen") W("--once")));
    CHECK_HAS(err.text, "--listen needs a value");
    CHECK_ERR(ERR_USAGE, READ(W("--listen=a") W("--listen=b")));
    CHECK_HAS(err.text, "--listen is given twice");
    CHECK_OK(READ(W("--rate") W("0")));
    CHECK_ERR(ERR_USAGE, READ(W("--threads") W("-1"))); /* a value, out of bounds */
    CHECK_HAS(err.text, "--threads must");
}

TEST(secrets_stay_off_the_command_line_and_out_of_sentences)
{
    CHECK_ERR(ERR_USAGE, READ(W("--password=hunter2")));
    CHECK_HAS(err.text, "PAIRWATCH_PASSWORD");
    CHECK(strstr(err.text, "hunter2") == NULL);
    CHECK_ERR(ERR_USAGE, READ(W("--pasword=hunter2")));
    CHECK_HAS(err.text, "did you mean --password?");
    CHECK(strstr(err.text, "hunter2") == NULL);
    (void)setenv("PAIRWATCH_PASSWORD", "hunter2", 1);
    CHECK_OK(READ());
    CHECK_STR(options.password, "hunter2");
    (void)setenv("PAIRWATCH_PASSWORD", "hunter2\n", 1);
    CHECK_ERR(ERR_INVALID, READ());
    CHECK_HAS(err.text, "PAIRWATCH_PASSWORD must be text");
    CHECK(strstr(err.text, "hunter2") == NULL);
}

TEST(bad_files_say_where)
{
    static const struct {
        const char *text, *wanted;
    } CASES[] = {
        {"\nlisten\n", "pairwatch.conf:2: a line must be \"key = value\""},
        {"= x\n", "pairwatch.conf:1: a line must"},
        {"listen =\n", "pairwatch.conf:1: listen must be text"},
        {"a = 1\n", "pairwatch.conf:1: a is not a setting"},
        {"thread = 1\n", "thread is not a setting; did you mean threads?"},
        {"threads = 1\nthreads = 2\n", "pairwatch.conf:2: threads is given twice"},
        {"threads = 9\n", "pairwatch.conf:1: threads must be a whole number from 1 to 8"},
        {"once = true\n", "pairwatch.conf:1: once can only be given as a flag"},
        {"spec = a,,b\n", "pairwatch.conf:1: spec must be a list"},
        {"listen = \xff\n", "pairwatch.conf:1: listen must be text"},
    };

    for (size_t i = 0; i < ARRAY_LEN(CASES); i++) {
        given_file(CASES[i].text);
        CHECK_CASE(CASES[i].wanted, READ() == ERR_INVALID);
        CHECK_HAS(err.text, CASES[i].wanted);
    }
    write_text("pairwatch.conf", "listen = a\0b\n", 13);
    CHECK_ERR(ERR_INVALID, READ());
    CHECK_HAS(err.text, "is not text");
}

TEST(a_file_that_is_too_large_or_not_there)
{
    size_t length = (1 << 20) + 1;
    AUTO(own_freep) char *text = own_alloc(length);

    (void)memset(text, '\n', length);
    write_text("pairwatch.conf", text, length);
    CHECK_ERR(ERR_INVALID, READ());
    CHECK_HAS(err.text, "larger than");
    write_text("pairwatch.conf", text, length - 1);
    CHECK_OK(READ());
    CHECK_ERR(ERR_NOT_FOUND, READ(W("--config") W("absent.conf")));
    CHECK_HAS(err.text, "absent.conf");
    (void)setenv("PAIRWATCH_CONFIG", "absent2.conf", 1);
    CHECK_ERR(ERR_NOT_FOUND, READ());
    CHECK_HAS(err.text, "absent2.conf");
}

TEST(names_of_other_commands_are_passed_over)
{
    given_file("queue = dir:x\nobject_bytes_max = 5\n");
    (void)setenv("PAIRWATCH_QUEUE", "dir:y", 1);
    (void)setenv("PAIRWATCH_OBJECT_BYTES_MAX", "5", 1);
    (void)setenv("PAIRWATCH_NOTHING", "", 1); /* empty is unset */
    CHECK_OK(READ());
    (void)setenv("PAIRWATCH_QUEU", "dir:y", 1);
    CHECK_ERR(ERR_INVALID, READ());
    CHECK_HAS(err.text, "PAIRWATCH_QUEU is not a setting");
    (void)unsetenv("PAIRWATCH_QUEU");
    (void)setenv("PAIRWATCH_ONCE", "true", 1);
    CHECK_ERR(ERR_INVALID, READ());
    CHECK_HAS(err.text, "PAIRWATCH_ONCE can only be given as a flag");
    (void)unsetenv("PAIRWATCH_ONCE");
    conf_set_known(NULL);
    CHECK_ERR(ERR_INVALID, READ());
}

TEST(lists_are_bounded_and_replaced)
{
    char text[400] = "spec = ";
    size_t at = strlen(text);

    for (int i = 0; i < CONF_LIST_MAX; i++)
        at += (size_t)snprintf(text + at, sizeof text - at, "s%d,", i);
    text[at - 1] = '\0';
    given_file(text);
    CHECK_OK(READ());
    CHECK(options.specs.count == CONF_LIST_MAX);
    CHECK_OK(READ(W("--spec") W("only")));
    CHECK(options.specs.count == 1);
    (void)setenv("PAIRWATCH_SPEC", "x,y", 1);
    CHECK_OK(READ());
    CHECK(options.specs.count == 2);
    CHECK_STR(options.specs.items[1], "y");
    text[at - 1] = ',';
    (void)snprintf(text + at, sizeof text - at, "more");
    given_file(text);
    CHECK_ERR(ERR_INVALID, READ());
}

TEST(required_settings_and_stray_arguments)
{
    static const struct conf_setting NEEDED[] = {
        {"out", CONF_TEXT, offsetof(struct options, listen), CONF_REQUIRED, 0, 0, "FILE", "h"},
        {"key", CONF_TEXT, offsetof(struct options, password), CONF_REQUIRED | CONF_SECRET, 0, 0,
         "K", "h"},
        {NULL, 0, 0, 0, 0, 0, NULL, NULL},
    };
    static const struct conf_command TRAIN = {.name = "train", .summary = "s", .settings = NEEDED};
    char *bare[] = {W("train") NULL}, *with[] = {W("train") W("--out=x") NULL};
    char *stray[] = {W("train") W("--out=x") W("stray") NULL};

    CHECK_ERR(ERR_USAGE, conf_read(&TRAIN, 1, bare, &options, &args, &err));
    CHECK_STR(err.text, "train needs --out; see --help");
    CHECK_ERR(ERR_USAGE, conf_read(&TRAIN, 2, with, &options, &args, &err));
    CHECK_STR(err.text, "train needs PAIRWATCH_KEY; see --help");
    CHECK_ERR(ERR_USAGE, conf_read(&TRAIN, 3, stray, &options, &args, &err));
    CHECK_HAS(err.text, "train takes no argument \"stray\"");
    (void)setenv("PAIRWATCH_KEY", "k", 1);
    CHECK_OK(conf_read(&TRAIN, 2, with, &options, &args, &err));
}

/* What --help prints; read back from a file that stands in for standard output. */
static void help_text(char ret[static HELP_BYTES])
{
    FILE *file = fopen("help", "w+e");
    int saved = dup(STDOUT_FILENO);
    size_t length;

    (void)fflush(stdout);
    (void)dup2(fileno(file), STDOUT_FILENO);
    CHECK_OK(READ(W("--threads=99") W("--help") W("--nonsense")));
    (void)fflush(stdout);
    (void)dup2(saved, STDOUT_FILENO);
    (void)close(saved);
    rewind(file);
    length = fread(ret, 1, HELP_BYTES - 1, file);
    ret[length] = '\0';
    (void)fclose(file);
}

TEST(help_comes_from_the_table)
{
    char text[HELP_BYTES];

    options.password = "hunter2";
    help_text(text);
    CHECK(args.help);
    CHECK_HAS(text, "usage: pairwatch serve [--flag VALUE]… PATH…\n\nanswers\n");
    CHECK_HAS(text, "  --listen HOST:PORT          where to listen [127.0.0.1:8080]\n");
    CHECK_HAS(text, "  --threads N                 how many [2]\n");
    CHECK_HAS(text, "  --timeout TIME              t [90s]\n");
    CHECK_HAS(text, "  --bytes-max BYTES           a limit [1MiB]\n");
    CHECK_HAS(text, "  --rate R                    learning rate [0.5]\n");
    CHECK_HAS(text, "  --once                      end then\n");
    CHECK_HAS(text, "  PAIRWATCH_PASSWORD          a secret (secret: environment or file only)\n");
    CHECK_HAS(text, "--config FILE");
    CHECK_HAS(text, "\nMore.\n");
    CHECK(strstr(text, "hunter2") == NULL);
    CHECK_OK(READ(W("--listen") W("--help"))); /* help wins even where a value was due */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(defaults_stay, enter),
        cmocka_unit_test_setup(flags_in_both_forms, enter),
        cmocka_unit_test_setup(flag_over_environment_over_file, enter),
        cmocka_unit_test_setup(a_flag_that_is_another_commands_setting, enter),
        cmocka_unit_test_setup(values_out_of_place, enter),
        cmocka_unit_test_setup(a_flag_is_no_value_and_none_comes_twice, enter),
        cmocka_unit_test_setup(secrets_stay_off_the_command_line_and_out_of_sentences, enter),
        cmocka_unit_test_setup(bad_files_say_where, enter),
        cmocka_unit_test_setup(a_file_that_is_too_large_or_not_there, enter),
        cmocka_unit_test_setup(names_of_other_commands_are_passed_over, enter),
        cmocka_unit_test_setup(lists_are_bounded_and_replaced, enter),
        cmocka_unit_test_setup(required_settings_and_stray_arguments, enter),
        cmocka_unit_test_setup(help_comes_from_the_table, enter),
    };
    int failed;

    if (temp_folder(directory) == NULL || chdir(directory) != 0)
        return 1;
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    return temp_folder_drop(directory) != 0 ? 1 : failed;
}
