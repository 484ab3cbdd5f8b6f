#include "lake/fetch.h"

#include <inttypes.h>
#include <sys/mman.h>

#include "aws/client.h"
#include "base/file.h"
#include "lake/notice.h"

enum { MEMORY_OBJECT_BYTES_MAX = 32 << 20 /* larger ones go to a file */ };

void fetch_links_open(struct fetch_links *links, struct aws *aws)
{
    *links = (struct fetch_links){.aws = aws};
    (void)pthread_mutex_init(&links->lock, NULL);
}

void fetch_links_close(struct fetch_links *links)
{
    while (links->count > 0)
        aws_link_close(links->idle[--links->count]);
    (void)pthread_mutex_destroy(&links->lock);
}

struct aws_link *fetch_link_take(struct fetch_links *links)
{
    struct aws_link *link = NULL;

    (void)pthread_mutex_lock(&links->lock);
    if (links->count > 0)
        link = links->idle[--links->count];
    (void)pthread_mutex_unlock(&links->lock);
    if (link == NULL)
        aws_link_open(links->aws, &link);
    return link;
}

void fetch_link_give(struct fetch_links *links, struct aws_link *link)
{
    (void)pthread_mutex_lock(&links->lock);
    if (links->count < FETCH_LINKS_MAX) {
        links->idle[links->count++] = link;
        link = NULL;
    }
    (void)pthread_mutex_unlock(&links->lock);
    aws_link_close(link);
}

enum err_code fetch_room(const struct notice *notice, uint64_t bytes_max, const char *temp_dir,
                         int *ret_fd, struct err *err)
{
    const char *folder = temp_dir != NULL ? temp_dir : "/tmp";

    if (notice->size_bytes > bytes_max)
        return err_set(err, ERR_TOO_LARGE,
                       "the object has %" PRIu64 " bytes, more than the limit of %" PRIu64,
                       notice->size_bytes, bytes_max);
    if (notice->size_bytes > 0 && notice->size_bytes <= MEMORY_OBJECT_BYTES_MAX)
        *ret_fd = memfd_create("object", MFD_CLOEXEC);
    else
        return file_nameless(folder, ret_fd, err);
    if (*ret_fd < 0)
        return err_errno(err, ERR_IO, "making room for the object in memory");
    return ERR_NONE;
}
