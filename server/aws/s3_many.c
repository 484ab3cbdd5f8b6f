/* One thread moves every ticket from try to try; the others ask, wait and drop under its lock. */
#include "aws/s3_many.h"

#include <curl/curl.h>
#include <pthread.h>
#include <stdlib.h>
#include <time.h>

#include "aws/attempt.h"
#include "aws/http_exchange.h"
#include "aws/s3_getting.h"
#include "base/arena.h"
#include "base/clock.h"
#include "base/own.h"

enum {
    POLL_MS_MAX = 500,
    WAIT_SLICE_MS = 100, /* between looks at the caller's stop */
    TICKET_ARENA_BYTES_MAX = 64 * 1024,
};

enum ticket_state { TICKET_DUE, TICKET_UNDER_WAY, TICKET_DONE };

struct s3_ticket {
    struct s3_many *many;
    struct arena arena; /* the texts of wanted */
    struct s3_wanted wanted;
    atomic_bool cancelled;

    /* The thread's until done */
    struct s3_getting getting;
    struct attempt attempt;
    struct exchange exchange;
    struct aws_reply reply;
    CURL *curl;             /* NULL unless under way */
    int64_t due_ms, end_ms; /* of the next try, of the whole, on the monotonic clock */

    /* Under the lock */
    struct s3_ticket *next;
    enum ticket_state state;
    enum err_code code;
    struct s3_object object;
    struct err err;
};

struct s3_many {
    struct aws *aws;
    CURLM *multi;
    pthread_t thread;
    pthread_mutex_t lock; /* guards the list, the tickets' states and what follows */
    pthread_cond_t done;
    struct s3_ticket *tickets; /* oldest first */
    size_t under_way;
    bool closing;
};

static void set_state(struct s3_ticket *ticket, enum ticket_state state)
{
    struct s3_many *many = ticket->many;

    (void)pthread_mutex_lock(&many->lock);
    many->under_way += (state == TICKET_UNDER_WAY) - (ticket->state == TICKET_UNDER_WAY);
    ticket->state = state;
    if (state == TICKET_DONE)
        (void)pthread_cond_broadcast(&many->done);
    (void)pthread_mutex_unlock(&many->lock);
}

/* The rest of aws_call's loop: another try later, another region now, or the end. */
static void decide(struct s3_ticket *ticket, enum err_code code, enum retry_class class_)
{
    struct aws *aws = ticket->many->aws;
    const struct aws_call *call = &ticket->getting.call;
    int64_t pause_ms = -1;
    bool again = false;

    if (code == ERR_NONE)
        attempt_paid(aws);
    else
        pause_ms =
            attempt_pause_ms(aws, call, &ticket->reply, class_, ticket->end_ms, &ticket->err);
    if (pause_ms < 0) {
        code = s3_getting_conclude(&ticket->getting, code, &ticket->reply, &ticket->object, &again,
                                   &ticket->err);
        pause_ms = 0;
        if (again)
            ticket->reply.tries = 0;
    } else {
        again = true;
    }
    ticket->code = code;
    ticket->due_ms = clock_mono_ms() + pause_ms;
    set_state(ticket, again ? TICKET_DUE : TICKET_DONE);
}

static enum err_code begin(struct s3_ticket *ticket, struct err *err)
{
    AUTO(signed_request_done) struct signed_request request = {0};
    struct aws *aws = ticket->many->aws;
    struct aws_call call = ticket->getting.call;
    int64_t left_ms = ticket->end_ms - clock_mono_ms();

    if (left_ms < call.try_timeout_ms)
        call.try_timeout_ms = left_ms > 0 ? left_ms : 1;
    ticket->reply.tries++;
    ticket->reply.code[0] = '\0';
    http_reply_done(&ticket->reply.http);
    ticket->reply.http = (struct http_reply){0};
    TRY(attempt_begin(aws, &call, &ticket->attempt, err));
    TRY(signed_build(&ticket->attempt.signing, &call, &request, err));
    ticket->curl = curl_easy_init();
    ASSERT(ticket->curl != NULL);
    ticket->exchange = (struct exchange){
        .curl = ticket->curl, .request = request.http, .reply = &ticket->reply.http};
    TRY(exchange_prepare(&ticket->exchange, aws_ca_bundle(aws), err));
    (void)curl_easy_setopt(ticket->curl, CURLOPT_PRIVATE, ticket);
    ASSERT(curl_multi_add_handle(ticket->many->multi, ticket->curl) == CURLM_OK);
    return ERR_NONE;
}

static void end_try(struct s3_ticket *ticket)
{
    exchange_done(&ticket->exchange);
    if (ticket->curl != NULL)
        curl_easy_cleanup(ticket->curl);
    ticket->curl = NULL;
    attempt_done(&ticket->attempt);
}

static void start(struct s3_ticket *ticket)
{
    enum err_code code;

    if (atomic_load(&ticket->cancelled)) {
        ticket->code = err_set(&ticket->err, ERR_CANCELLED, "a stop was asked for");
        set_state(ticket, TICKET_DONE);
        return;
    }
    set_state(ticket, TICKET_UNDER_WAY);
    code = begin(ticket, &ticket->err);
    if (code == ERR_NONE)
        return;
    end_try(ticket);
    decide(ticket, code, RETRY_NO);
}

static void conclude(struct s3_ticket *ticket, CURLcode result)
{
    struct aws_reply *reply = &ticket->reply;
    enum err_code code = exchange_conclude(&ticket->exchange, result, &ticket->err);
    enum retry_class class_;

    if (code == ERR_NONE && reply->http.status / 100 != 2)
        reply_read_code(reply);
    code = attempt_conclude(ticket->many->aws, &ticket->getting.call, &ticket->attempt, code, reply,
                            &class_, &ticket->err);
    (void)curl_multi_remove_handle(ticket->many->multi, ticket->curl);
    end_try(ticket);
    decide(ticket, code, class_);
}

/* A ticket whose time has come, while there is room; *ret_wait_ms is lowered to the next one's
 * time. */
static struct s3_ticket *next_due(struct s3_many *many, int *ret_wait_ms)
{
    struct s3_ticket *due = NULL;
    int64_t now_ms = clock_mono_ms();

    (void)pthread_mutex_lock(&many->lock);
    for (struct s3_ticket *at = many->tickets;
         at != NULL && due == NULL && many->under_way < S3_MANY_UNDER_WAY_MAX; at = at->next) {
        if (at->state != TICKET_DUE)
            continue;
        if (at->due_ms <= now_ms || atomic_load(&at->cancelled))
            due = at;
        else if (at->due_ms - now_ms < *ret_wait_ms)
            *ret_wait_ms = (int)(at->due_ms - now_ms);
    }
    (void)pthread_mutex_unlock(&many->lock);
    return due;
}

static bool is_closing(struct s3_many *many)
{
    bool closing;

    (void)pthread_mutex_lock(&many->lock);
    closing = many->closing;
    (void)pthread_mutex_unlock(&many->lock);
    return closing;
}

static void *many_main(void *argument)
{
    struct s3_many *many = argument;

    while (!is_closing(many)) {
        int wait_ms = POLL_MS_MAX, left = 0;
        struct s3_ticket *ticket;
        CURLMsg *message;

        while ((ticket = next_due(many, &wait_ms)) != NULL)
            start(ticket);
        (void)curl_multi_perform(many->multi, &left);
        while ((message = curl_multi_info_read(many->multi, &left)) != NULL) {
            CURLcode result = message->data.result;

            (void)curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &ticket);
            conclude(ticket, result);
            wait_ms = 0;
        }
        (void)curl_multi_poll(many->multi, NULL, 0, wait_ms, NULL);
    }
    return NULL;
}

static void many_freep(struct s3_many **many)
{
    if (*many == NULL)
        return;
    (void)curl_multi_cleanup((*many)->multi);
    (void)pthread_cond_destroy(&(*many)->done);
    (void)pthread_mutex_destroy(&(*many)->lock);
    free(*many);
}

enum err_code s3_many_open(struct aws *aws, struct s3_many **ret, struct err *err)
{
    AUTO(many_freep) struct s3_many *many = own_alloc(sizeof *many);
    pthread_condattr_t monotonic;

    http_start_once();
    many->aws = aws;
    many->multi = curl_multi_init();
    ASSERT(many->multi != NULL);
    (void)curl_multi_setopt(many->multi, CURLMOPT_MAXCONNECTS, (long)S3_MANY_UNDER_WAY_MAX);
    (void)pthread_mutex_init(&many->lock, NULL);
    (void)pthread_condattr_init(&monotonic);
    (void)pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&many->done, &monotonic);
    (void)pthread_condattr_destroy(&monotonic);
    if (pthread_create(&many->thread, NULL, many_main, many) != 0)
        return err_set(err, ERR_INTERNAL, "starting the thread that reads from S3");
    *ret = TAKE(many);
    return ERR_NONE;
}

void s3_many_close(struct s3_many *many)
{
    if (many == NULL)
        return;
    (void)pthread_mutex_lock(&many->lock);
    many->closing = true;
    (void)pthread_mutex_unlock(&many->lock);
    (void)curl_multi_wakeup(many->multi);
    (void)pthread_join(many->thread, NULL);
    many_freep(&many);
}

void s3_many_ask(struct s3_many *many, const struct s3_wanted *wanted, struct s3_ticket **ret)
{
    struct s3_ticket *ticket = own_alloc(sizeof *ticket);
    struct s3_ticket **at = &many->tickets;

    arena_init(&ticket->arena, TICKET_ARENA_BYTES_MAX);
    ticket->many = many;
    ticket->wanted = *wanted;
    ticket->wanted.bucket = arena_strdup(&ticket->arena, wanted->bucket);
    ticket->wanted.key = arena_strdup(&ticket->arena, wanted->key);
    ticket->wanted.region = arena_strdup(&ticket->arena, wanted->region);
    ticket->wanted.etag = arena_strdup(&ticket->arena, wanted->etag);
    ticket->wanted.stop = &ticket->cancelled;
    ticket->code = s3_getting_init(&ticket->getting, &ticket->wanted, &ticket->err);
    ticket->state = ticket->code == ERR_NONE ? TICKET_DUE : TICKET_DONE;
    ticket->end_ms = clock_mono_ms() + ticket->getting.call.deadline_ms;
    (void)pthread_mutex_lock(&many->lock);
    while (*at != NULL)
        at = &(*at)->next;
    *at = ticket;
    (void)pthread_mutex_unlock(&many->lock);
    (void)curl_multi_wakeup(many->multi);
    *ret = ticket;
}

static void wait_slice(struct s3_many *many)
{
    struct timespec until;

    (void)clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += WAIT_SLICE_MS * 1000000L;
    until.tv_sec += until.tv_nsec / 1000000000L;
    until.tv_nsec %= 1000000000L;
    (void)pthread_cond_timedwait(&many->done, &many->lock, &until);
}

enum err_code s3_many_wait(struct s3_ticket *ticket, const atomic_bool *stop, struct s3_object *ret,
                           struct err *err)
{
    struct s3_many *many = ticket->many;
    bool done;

    (void)pthread_mutex_lock(&many->lock);
    while (ticket->state != TICKET_DONE && (stop == NULL || !atomic_load(stop)))
        wait_slice(many);
    done = ticket->state == TICKET_DONE;
    (void)pthread_mutex_unlock(&many->lock);
    if (!done)
        return err_set(err, ERR_CANCELLED, "a stop was asked for");
    *ret = ticket->object;
    if (ticket->code != ERR_NONE && err != NULL)
        *err = ticket->err;
    return ticket->code;
}

void s3_many_drop(struct s3_ticket *ticket)
{
    struct s3_many *many;
    struct s3_ticket **at;

    if (ticket == NULL)
        return;
    many = ticket->many;
    atomic_store(&ticket->cancelled, true);
    (void)curl_multi_wakeup(many->multi);
    (void)pthread_mutex_lock(&many->lock);
    while (ticket->state != TICKET_DONE)
        wait_slice(many);
    at = &many->tickets;
    while (*at != ticket)
        at = &(*at)->next;
    *at = ticket->next;
    (void)pthread_mutex_unlock(&many->lock);
    s3_getting_done(&ticket->getting);
    aws_reply_done(&ticket->reply);
    arena_done(&ticket->arena);
    free(ticket);
}
