#pragma once
/* What the two sides of an SQS queue share: the threads that take objects and settle them, and the
 * keeper that tells SQS. */
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "lake/announce.h"
#include "lake/notice_backend.h"
#include "lake/patience.h"

struct aws;
struct aws_link;
struct s3_many;
struct s3_ticket;
struct sqs_queue;

enum {
    SQS_LINKS_MAX = 64, /* idle connections kept */
    SQS_TICK_MS = 500,  /* between the keeper's rounds */
    SQS_AHEAD_MAX = 16, /* objects asked for and not settled */
};

enum message_state { MESSAGE_IN_HAND, MESSAGE_DELETE, MESSAGE_GIVE_BACK, MESSAGE_LEAVE };

/* An object that is or will be handed out. Asked for ahead while there is room, otherwise when it
 * is fetched. It is the receiving thread's, and once handed out its taker's. */
struct handed {
    struct message *message;
    const struct announced *object;
    struct s3_ticket *ticket; /* NULL = not asked for yet */
    int fd;                   /* what it is written to, -1 = none */
    uint64_t memory_bytes;    /* of the budget */
    uint64_t bytes_max;       /* that it was asked for with, 0 = not yet */
    bool placed;              /* counts among those asked for ahead */
};

struct message {
    struct message *next;
    struct arena arena; /* the texts */
    const char *id, *receipt;
    struct announcement announcement;
    struct handed *handed;      /* one for each object announced, in their order */
    size_t handed_out, settled; /* objects */
    bool keep, failed;
    enum message_state state;
    int64_t hidden_until_ms; /* on the monotonic clock; the keeper's */
};

struct sqs_source {
    struct queue queue; /* first: the same address */
    struct queue_options options;
    struct aws *aws;
    struct sqs_queue *sqs;
    struct s3_many *s3;
    struct patience patience;
    int64_t queue_visibility_s; /* of a message just received */
    int64_t visibility_s;       /* that it is given while work lasts */

    pthread_mutex_t lock; /* guards what follows */
    pthread_cond_t wake;
    struct message *messages; /* oldest first */
    size_t message_count;
    struct aws_link *links[SQS_LINKS_MAX];
    size_t link_count;
    size_t ahead;          /* objects asked for and not settled */
    uint64_t memory_bytes; /* that those in memory take */
    bool closing;

    pthread_t keeper;
    bool keeper_started;
};

/* Asks for the object unless it is asked for or too many are under way. bytes_max: of one object.
 */
void sqs_fetch_ahead(struct sqs_source *source, struct handed *handed);
NODISCARD enum err_code sqs_fetch(struct sqs_source *source, struct handed *handed,
                                  uint64_t bytes_max, int *ret_fd, struct object_info *ret,
                                  struct err *err);
/* Gives back what the object takes here. */
void sqs_fetch_end(struct sqs_source *source, struct handed *handed);
void sqs_message_free(struct message *message);
/* The keeper's thread: deletes and gives back what is settled, keeps the rest hidden; ends when the
 * queue closes and all is told. */
void *sqs_keeper_main(void *argument);
