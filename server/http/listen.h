#pragma once
/* A listening TCP socket from "HOST:PORT". */
#include "base/err.h"

/* HOST is an IPv4 address, an IPv6 address in brackets, a name, or empty for every address; port 0
 * picks a free one. ERR_INVALID for text that is no address, ERR_CONFLICT when the port is in use,
 * ERR_FORBIDDEN for a port this user may not open. */
NODISCARD enum err_code listen_open(const char *address, int *ret_socket, int *ret_port,
                                    struct err *err);
