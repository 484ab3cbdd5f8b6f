/* The socket is made here and not by MHD, which would say no more than "failed". */
#include "http/listen.h"

#include "base/str.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { HOST_BYTES_MAX = 256, BACKLOG = 511 };

/* "HOST:PORT" into its two texts, brackets off. */
static bool split(const char *address, char host[static HOST_BYTES_MAX], const char **ret_port)
{
    const char *colon = strrchr(address, ':');
    size_t length;
    int64_t port;

    if (colon == NULL || !str_to_i64(colon + 1, &port) || port < 0 || port > 65535)
        return false;
    *ret_port = colon + 1;
    length = (size_t)(colon - address);
    if (address[0] == '[') {
        if (length < 3 || address[length - 1] != ']')
            return false;
        address++;
        length -= 2;
    } else if (memchr(address, ':', length) != NULL) {
        return false;
    }
    if (length >= HOST_BYTES_MAX)
        return false;
    (void)memcpy(host, address, length);
    host[length] = '\0';
    return true;
}

static enum err_code open_one(const char *address, const struct addrinfo *info, int *ret,
                              struct err *err)
{
    int on = 1;
    int fd = socket(info->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    enum err_code code = ERR_NONE;

    if (fd < 0)
        return err_errno(err, ERR_IO, "opening a socket for %s", address);
    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(fd, info->ai_addr, info->ai_addrlen) == 0 && listen(fd, BACKLOG) == 0) {
        *ret = fd;
        return ERR_NONE;
    }
    if (errno == EADDRINUSE)
        code = err_set(err, ERR_CONFLICT,
                       "listening on %s: the port is in use; stop what uses it or choose another "
                       "with --listen",
                       address);
    else if (errno == EACCES)
        code = err_errno(err, ERR_FORBIDDEN, "listening on %s", address);
    else
        code = err_errno(err, ERR_IO, "listening on %s", address);
    (void)close(fd);
    return code;
}

static enum err_code read_port(int fd, int *ret, struct err *err)
{
    union {
        struct sockaddr any;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
    } name = {.any.sa_family = AF_UNSPEC};
    socklen_t length = sizeof name;

    if (getsockname(fd, &name.any, &length) != 0)
        return err_errno(err, ERR_IO, "reading the port of a listening socket");
    *ret = ntohs(name.any.sa_family == AF_INET6 ? name.v6.sin6_port : name.v4.sin_port);
    return ERR_NONE;
}

enum err_code listen_open(const char *address, int *ret_socket, int *ret_port, struct err *err)
{
    struct addrinfo hints = {.ai_flags = AI_PASSIVE | AI_NUMERICSERV, .ai_socktype = SOCK_STREAM};
    struct addrinfo *found = NULL;
    char host[HOST_BYTES_MAX];
    const char *port = NULL;
    enum err_code code;
    int status;

    if (!split(address, host, &port))
        return err_set(err, ERR_INVALID, "listening on %.100s: not HOST:PORT", address);
    status = getaddrinfo(host[0] != '\0' ? host : NULL, port, &hints, &found);
    if (status != 0)
        return err_set(err, ERR_INVALID, "listening on %s: %s", address, gai_strerror(status));
    code = open_one(address, found, ret_socket, err);
    freeaddrinfo(found);
    if (code == ERR_NONE)
        code = read_port(*ret_socket, ret_port, err);
    return code;
}
