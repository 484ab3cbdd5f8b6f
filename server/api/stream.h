#pragma once
/* What wakes the streams of changes: a thread that hears of this process's commits at once and
 * looks for those of others (`work`, another `serve`) several times a second. */
#include "base/err.h"

struct app;
struct stream_watch;

/* app->server runs and outlives the watch, as app->writer does. */
NODISCARD enum err_code stream_watch_start(struct app *app, struct stream_watch **ret,
                                           struct err *err);
void stream_watch_stop(struct stream_watch *watch); /* ends the thread; frees */
