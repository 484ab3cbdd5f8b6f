/* Users and tokens from the command line. */
#include "command/access.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "api/names.h"
#include "base/arena.h"
#include "base/clock.h"
#include "base/crypto.h"
#include "base/str.h"
#include "store/db.h"
#include "store/migrate.h"
#include "store/user.h"

enum {
    ONE_TIME_BYTES = 15, /* 20 letters */
    ACCESS_ARENA_BYTES_MAX = 1 << 20,
};

/* Without its line end; ERR_INVALID when there is none or it is too long. */
static enum err_code read_line(FILE *in, const char *what, char ret[static ACCESS_PASSWORD_BYTES],
                               struct err *err)
{
    size_t length;

    if (fgets(ret, ACCESS_PASSWORD_BYTES, in) == NULL)
        return err_set(err, ERR_INVALID, "%s holds no password", what);
    length = strlen(ret);
    if (length > 0 && ret[length - 1] == '\n')
        ret[--length] = '\0';
    else if (length == ACCESS_PASSWORD_BYTES - 1 && fgetc(in) != EOF)
        return err_set(err, ERR_INVALID, "a password has at most %d bytes",
                       ACCESS_PASSWORD_BYTES - 1);
    if (length > 0 && ret[length - 1] == '\r')
        ret[--length] = '\0';
    if (length < ACCESS_PASSWORD_MIN || !str_is_clean_utf8(ret, length))
        return err_set(err, ERR_INVALID, "a password has %d to %d bytes of UTF-8",
                       ACCESS_PASSWORD_MIN, ACCESS_PASSWORD_BYTES - 1);
    return ERR_NONE;
}

static volatile sig_atomic_t asking_ended_by; /* 0: by no signal */

static void end_asking(int number)
{
    asking_ended_by = number;
}

/* Signals are blocked but while this waits: one that comes just before it ends it too. */
static enum err_code read_typed(const sigset_t *unblocked, char ret[static ACCESS_PASSWORD_BYTES],
                                struct err *err)
{
    struct pollfd typed = {.fd = STDIN_FILENO, .events = POLLIN};

    if (ppoll(&typed, 1, NULL, unblocked) > 0) /* a whole line: the terminal hands out no less */
        return read_line(stdin, "standard input", ret, err);
    return err_set(err, ERR_CANCELLED, "stopped while asking for a password");
}

/* Without echo. What ends the program ends the reading first, so that the terminal shows again what
 * is typed. */
static enum err_code ask(char ret[static ACCESS_PASSWORD_BYTES], struct err *err)
{
    static const int SIGNALS[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT};
    const struct sigaction end = {.sa_handler = end_asking}; /* no SA_RESTART: read() ends */
    struct sigaction before[ARRAY_LEN(SIGNALS)];
    struct termios shown, hidden;
    sigset_t blocked, unblocked;
    enum err_code code;

    if (!isatty(STDIN_FILENO) || tcgetattr(STDIN_FILENO, &shown) != 0)
        return read_line(stdin, "standard input", ret, err);
    (void)sigemptyset(&blocked);
    for (size_t i = 0; i < ARRAY_LEN(SIGNALS); i++) {
        (void)sigaddset(&blocked, SIGNALS[i]);
        (void)sigaction(SIGNALS[i], &end, &before[i]);
    }
    (void)pthread_sigmask(SIG_BLOCK, &blocked, &unblocked);
    hidden = shown;
    hidden.c_lflag &= (tcflag_t)~ECHO;
    (void)tcsetattr(STDIN_FILENO, TCSAFLUSH, &hidden);
    (void)fprintf(stderr, "password: ");
    code = read_typed(&unblocked, ret, err);
    (void)tcsetattr(STDIN_FILENO, TCSAFLUSH, &shown);
    (void)pthread_sigmask(SIG_SETMASK, &unblocked, NULL);
    (void)fputc('\n', stderr);
    for (size_t i = 0; i < ARRAY_LEN(SIGNALS); i++)
        (void)sigaction(SIGNALS[i], &before[i], NULL);
    if (asking_ended_by == 0)
        return code;
    (void)raise(asking_ended_by);
    return err_set(err, ERR_CANCELLED, "stopped while asking for a password");
}

enum err_code access_password(const char *path, char ret[static ACCESS_PASSWORD_BYTES],
                              struct err *err)
{
    enum err_code code;
    FILE *in;

    if (path == NULL)
        return ask(ret, err);
    in = fopen(path, "re");
    if (in == NULL)
        return err_errno(err, ERR_IO, "opening the password file %s", path);
    code = read_line(in, path, ret, err);
    (void)fclose(in);
    return code;
}

enum err_code access_name(const char *name, struct err *err)
{
    if (name_is_valid(name))
        return ERR_NONE;
    return err_set(err, ERR_USAGE, "a name is a-z, 0-9, dot, _ and - (at most %d), not \"%.80s\"",
                   ACCESS_NAME_MAX, name);
}

enum err_code access_role(const char *word, int first, int last, int *ret, struct err *err)
{
    AUTO(str_done) struct str words = {.bytes_max = 200};

    for (int i = first; i <= last; i++) {
        if (word != NULL && strcmp(word, USER_ROLE_WORDS[i]) == 0) {
            *ret = i;
            return ERR_NONE;
        }
        str_addf(&words, "%s%s", i > first ? ", " : "", USER_ROLE_WORDS[i]);
    }
    return err_set(err, ERR_USAGE, "--role is one of %s", words.text);
}

static void writer_stopp(struct writer **writer)
{
    if (*writer != NULL)
        writer_stop(*writer);
}

enum err_code access_write(const char *database, writer_job *job, void *argument, struct err *err)
{
    AUTO(writer_stopp) struct writer *writer = NULL;

    TRY(migrate_run(database, err));
    TRY(writer_start(database, &writer, err));
    return writer_run(writer, job, argument, err);
}

static enum err_code count_users(const char *database, int64_t *ret, struct err *err)
{
    AUTO(db_closep) struct db *db = NULL;

    TRY(db_open(database, DB_READ, &db, err));
    return user_count(db, ret, err);
}

/* A password nobody knew before; the caller prints it once. */
static void make_password(char ret[static ACCESS_PASSWORD_BYTES])
{
    AUTO(arena_done) struct arena arena = {.blocks = NULL};
    uint8_t bytes[ONE_TIME_BYTES];

    arena_init(&arena, ACCESS_ARENA_BYTES_MAX);
    random_bytes(bytes, sizeof bytes);
    (void)snprintf(ret, ACCESS_PASSWORD_BYTES, "%s", base64url_encode(&arena, bytes, sizeof bytes));
}

enum err_code access_first_admin(struct writer *writer, const char *database,
                                 const char *password_file, struct err *err)
{
    char password[ACCESS_PASSWORD_BYTES], hash[PASSWORD_HASH_BYTES];
    struct user_create_job job = {
        .actor = ACCESS_ACTOR,
        .now_ms = clock_now_ms(),
        .name = "admin",
        .role = USER_ROLE_ADMIN,
        .password_hash = hash,
        .must_change_password = password_file == NULL,
        .only_first = true,
    };
    int64_t users;

    TRY(count_users(database, &users, err));
    if (users > 0)
        return ERR_NONE;
    if (password_file != NULL)
        TRY(access_password(password_file, password, err));
    else
        make_password(password);
    TRY(password_hash(password, hash, err));
    TRY(writer_run(writer, user_create_job_run, &job, err));
    if (password_file == NULL)
        (void)printf("first start: sign in as admin with the one-time password %s\n", password);
    (void)fflush(stdout);
    return ERR_NONE;
}
