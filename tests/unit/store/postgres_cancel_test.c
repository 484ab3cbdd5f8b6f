/* A query past its deadline ends in time, also when the server does not take the wish to cancel it:
 * a relay passes the first connection on, and takes the others without a word. */
#include "fixture.h"

#include "base/str.h"

#include <arpa/inet.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <unistd.h>

enum { DEADLINE_MS = 300, ENDED_MS_MAX = 10000, PIECE_BYTES = 4096, SILENT_MAX = 4 };

struct relay {
    int listener, client, server; /* sockets */
    int silent[SILENT_MAX];
    int silent_count;
    atomic_bool ending;
};

static uint16_t port_of_server(void)
{
    char digits[8];
    uint64_t port = 0;

    (void)snprintf(digits, sizeof digits, "%.*s",
                   (int)strspn(strrchr(store.postgres, ':') + 1, "0123456789"),
                   strrchr(store.postgres, ':') + 1);
    CHECK(str_to_u64(digits, &port) && port <= UINT16_MAX);
    return (uint16_t)port;
}

static int socket_to(uint16_t port, bool listens, uint16_t *ret_port)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons(port),
                                  .sin_addr = {.s_addr = htonl(INADDR_LOOPBACK)}};
    socklen_t length = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    CHECK(fd >= 0);
    if (!listens) {
        CHECK(connect(fd, (struct sockaddr *)&address, length) == 0);
        return fd;
    }
    CHECK(bind(fd, (struct sockaddr *)&address, length) == 0 && listen(fd, SILENT_MAX) == 0);
    CHECK(getsockname(fd, (struct sockaddr *)&address, &length) == 0);
    *ret_port = ntohs(address.sin_port);
    return fd;
}

static void take_one(struct relay *relay)
{
    int fd = accept(relay->listener, NULL, NULL);

    if (relay->client < 0) {
        relay->client = fd;
        relay->server = socket_to(port_of_server(), false, NULL);
    } else if (relay->silent_count < SILENT_MAX) {
        relay->silent[relay->silent_count++] = fd;
    }
}

static void pass_on(int from, int to)
{
    char piece[PIECE_BYTES];
    ssize_t length = recv(from, piece, sizeof piece, 0);

    if (length > 0)
        (void)send(to, piece, (size_t)length, MSG_NOSIGNAL);
}

static void *relay_main(void *argument)
{
    struct relay *relay = argument;

    while (!atomic_load(&relay->ending)) {
        struct pollfd fds[] = {{.fd = relay->listener, .events = POLLIN},
                               {.fd = relay->client, .events = POLLIN},
                               {.fd = relay->server, .events = POLLIN}};

        if (poll(fds, ARRAY_LEN(fds), 20) <= 0)
            continue;
        if ((fds[0].revents & POLLIN) != 0)
            take_one(relay);
        if ((fds[1].revents & POLLIN) != 0)
            pass_on(relay->client, relay->server);
        if ((fds[2].revents & POLLIN) != 0)
            pass_on(relay->server, relay->client);
    }
    return NULL;
}

TEST(a_cancel_that_nobody_answers_is_over_in_time)
{
    AUTO(db_closep) struct db *db = NULL;
    struct relay relay = {.client = -1, .server = -1};
    pthread_t thread;
    uint16_t port = 0;
    int64_t began_ms;
    char url[256];

    relay.listener = socket_to(0, true, &port);
    (void)snprintf(url, sizeof url, "postgresql://pairwatch@127.0.0.1:%u/postgres?sslmode=disable",
                   port);
    CHECK(pthread_create(&thread, NULL, relay_main, &relay) == 0);
    CHECK_OK(db_open_bare(url, DB_READ, &db, &err));
    began_ms = clock_mono_ms();
    db_deadline(db, began_ms + DEADLINE_MS);
    CHECK_ERR(ERR_TIMEOUT, db_script(db, "SELECT pg_sleep(60)", &err));
    CHECK(clock_mono_ms() - began_ms < ENDED_MS_MAX);
    CHECK(relay.silent_count == 1);
    atomic_store(&relay.ending, true);
    CHECK(pthread_join(thread, NULL) == 0);
    (void)close(relay.silent[0]);
    (void)close(relay.client);
    (void)close(relay.server);
    (void)close(relay.listener);
}

TEST(what_is_cancelled_ends_at_once)
{
    AUTO(db_closep) struct db *db = NULL;
    int64_t began_ms;

    CHECK_OK(db_open_bare(store.postgres, DB_READ, &db, &err));
    began_ms = clock_mono_ms();
    db_deadline(db, began_ms + DEADLINE_MS);
    CHECK_ERR(ERR_TIMEOUT, db_script(db, "SELECT pg_sleep(60)", &err));
    CHECK(clock_mono_ms() - began_ms < ENDED_MS_MAX);
    db_deadline(db, 0);
    CHECK_OK(db_script(db, "SELECT 1", &err)); /* on the same connection */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        STORE_TEST(a_cancel_that_nobody_answers_is_over_in_time),
        STORE_TEST(what_is_cancelled_ends_at_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
