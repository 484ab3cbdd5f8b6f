#include "worker/endpoints.h"

#include "aws/client.h"
#include "base/log.h"
#include "worker/endpoint_model.h"
#include "worker/models.h"

void endpoints_aws_init(struct endpoints_aws *shared)
{
    *shared = (struct endpoints_aws){.aws = NULL};
    (void)pthread_mutex_init(&shared->lock, NULL);
}

void endpoints_aws_done(struct endpoints_aws *shared)
{
    aws_close(shared->aws);
    (void)pthread_mutex_destroy(&shared->lock);
}

static enum err_code open_shared(struct endpoints_aws *shared, struct aws **ret, struct err *err)
{
    const struct aws_options options = {.region = NULL};
    enum err_code code = ERR_NONE;

    (void)pthread_mutex_lock(&shared->lock);
    if (shared->aws == NULL)
        code = aws_open(&options, &shared->aws, err);
    *ret = shared->aws;
    (void)pthread_mutex_unlock(&shared->lock);
    return code;
}

static enum err_code open_one(struct endpoints_aws *shared, const struct endpoint_model *endpoint,
                              struct remote_options options, struct remote **ret, struct err *err)
{
    if (endpoint == NULL)
        return ERR_NONE;
    TRY(open_shared(shared, &options.aws, err));
    options.endpoint = endpoint->name;
    options.ipv6 = endpoint->ipv6;
    remote_open(&options, ret);
    return ERR_NONE;
}

static int64_t smaller(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

enum err_code endpoints_open(struct endpoints *endpoints, struct endpoints_aws *shared,
                             const struct model_set *set, const struct remote_options *like,
                             struct err *err)
{
    struct remote_options shadow = *like;
    struct err reason = {0};

    shadow.answer_ms = smaller(like->answer_ms, SHADOW_ANSWER_MS_MAX);
    shadow.wait_ms = smaller(like->wait_ms, SHADOW_ANSWER_MS_MAX);
    endpoints_close(endpoints);
    TRY(open_one(shared, set->endpoint, *like, &endpoints->scorer, err));
    if (open_one(shared, set->shadow_endpoint, shadow, &endpoints->shadow.remote, &reason) !=
        ERR_NONE)
        log_warn("no shadow is scored", "reason=%s", log_quote(reason.text));
    return ERR_NONE;
}

void endpoints_close(struct endpoints *endpoints)
{
    remote_closep(&endpoints->scorer);
    remote_closep(&endpoints->shadow.remote);
    endpoints->shadow.rests_until_ms = 0;
}
