#pragma once
/* A limit on the time that the head of a request takes as a whole. MHD counts silence only: a
 * client that sends a byte now and then would keep its connection for ever. Private to the HTTP
 * layer. */
#include "base/err.h"
#include <microhttpd.h>

struct head_watch;

/* seconds: from the start of a connection, or from the end of its last answer, to the end of the
 * next head. Later the connection is shut, which MHD sees as its end. */
NODISCARD enum err_code head_watch_start(int seconds, struct head_watch **ret, struct err *err);
/* After the last connection. Accepts NULL. */
void head_watch_stop(struct head_watch *watch);
/* For MHD_OPTION_NOTIFY_CONNECTION; cls is the watch. */
void head_watch_notify(void *cls, struct MHD_Connection *connection, void **socket_context,
                       enum MHD_ConnectionNotificationCode code);
/* On the connection's thread: its head is read; its answer is over. */
void head_watch_pause(struct head_watch *watch, struct MHD_Connection *connection);
void head_watch_begin(struct head_watch *watch, struct MHD_Connection *connection);
