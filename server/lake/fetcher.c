#include "lake/fetcher.h"

#include <stdio.h>
#include <stdlib.h>

#include "aws/s3.h"
#include "base/own.h"
#include "lake/fetch.h"
#include "lake/notice.h"
#include "lake/object.h"
#include "lake/patience.h"

struct fetcher {
    const struct queue_options *options;
    struct aws *aws;
    struct fetch_links links;
    struct patience patience;
};

struct fetching {
    struct fetcher *fetcher;
    const struct s3_wanted *wanted;
    struct s3_object *ret;
};

static enum err_code get(void *context, struct err *err)
{
    struct fetching *fetching = context;
    struct aws_link *link = fetch_link_take(&fetching->fetcher->links);
    enum err_code code = s3_get(link, fetching->wanted, fetching->ret, err);

    fetch_link_give(&fetching->fetcher->links, link);
    return code;
}

enum err_code fetcher_get(struct fetcher *fetcher, const struct notice *notice, uint64_t bytes_max,
                          int *ret_fd, struct object_info *ret, struct err *err)
{
    AUTO(fd_closep) int fd = -1;
    struct s3_object object = {0};
    struct s3_wanted wanted = {
        .bucket = notice->bucket,
        .key = notice->key,
        .etag = notice->etag,
        .region = notice->region,
        .bytes_max = bytes_max,
        .stall_s = fetcher->options->stall_s,
        .stop = fetcher->options->stop,
    };

    TRY(fetch_room(notice, bytes_max, fetcher->options->temp_dir, &fd, err));
    wanted.file = fd;
    TRY(patience_run(&fetcher->patience, get, &(struct fetching){fetcher, &wanted, &object}, err));
    ret->size_bytes = object.size_bytes;
    (void)snprintf(ret->etag, sizeof ret->etag, "%s", object.etag);
    *ret_fd = fd;
    fd = -1;
    return ERR_NONE;
}

void fetcher_close(struct fetcher *fetcher)
{
    if (fetcher == NULL)
        return;
    fetch_links_close(&fetcher->links);
    aws_close(fetcher->aws);
    patience_done(&fetcher->patience);
    free(fetcher);
}

enum err_code fetcher_open(const struct queue_options *options, struct fetcher **ret,
                           struct err *err)
{
    struct aws_options aws = {.role = options->aws_role, .external_id = options->aws_external_id};
    struct fetcher *fetcher = own_alloc(sizeof *fetcher);
    enum err_code code;

    fetcher->options = options;
    patience_init(&fetcher->patience, options->stop, options->once);
    code = aws_open(&aws, &fetcher->aws, err);
    fetch_links_open(&fetcher->links, fetcher->aws);
    if (code == ERR_NONE)
        *ret = fetcher;
    else
        fetcher_close(fetcher);
    return code;
}
