/* Keys from the container's agent, the instance's metadata, and STS. */
#include "aws/provider.h"

#include <stdlib.h>
#include <string.h>

#include "aws/credentials.h"
#include "aws/retry.h"
#include "aws/signed.h"
#include "aws/sigv4.h"
#include "base/arena.h"
#include "base/clock.h"
#include "base/own.h"
#include "base/str.h"

enum {
    AGENT_MS_MAX = 2000,
    METADATA_MS_MAX = 1000,
    LOCAL_TRIES_MAX = 3,
    LOCAL_REPLY_BYTES_MAX = 64 * 1024,
    STS_MS_MAX = 10 * 1000,
    STS_TRIES_MAX = 4,
    STS_BODY_BYTES_MAX = 64 * 1024,
};

/* One GET or PUT to a link-local service, tried again on a timeout and on 5xx. */
static enum err_code ask_local(const struct provider *provider, const char *method, const char *url,
                               const char *header, int64_t timeout_ms, struct http_reply *reply,
                               struct err *err)
{
    struct http_request request = {
        .method = method,
        .url = url,
        .headers = &header,
        .header_count = header != NULL ? 1 : 0,
        .timeout_ms = timeout_ms,
        .connect_ms = timeout_ms,
        .no_proxy = true,
        .reply_bytes_max = LOCAL_REPLY_BYTES_MAX,
        .file = -1,
    };
    enum err_code code = ERR_NONE;

    for (int try = 1; try <= LOCAL_TRIES_MAX; try++) {
        code = http_exchange(provider->http, &request, reply, err);
        if (code == ERR_NONE && reply->status < 500)
            return ERR_NONE;
        if (retry_class_of_failure(code) == RETRY_NO && code != ERR_NONE)
            return code;
        if (try < LOCAL_TRIES_MAX)
            clock_sleep_ms(retry_pause_ms(RETRY_TRANSIENT, try, 0));
    }
    return code;
}

/* Plain HTTP only to this machine and to the agents of ECS and EKS. */
static bool is_allowed_agent(const char *url)
{
    static const char *const HOSTS[] = {"127.",          "localhost",      "[::1]",
                                        "169.254.170.2", "169.254.170.23", "[fd00:ec2::23]"};
    const char *host;
    size_t length;

    if (str_starts(url, "https://"))
        return true;
    if (!str_starts(url, "http://"))
        return false;
    host = url + strlen("http://");
    length = host[0] == '[' ? strcspn(host, "]") + 1 : strcspn(host, ":/");
    if (memchr(host, '@', strcspn(host, "/")) != NULL)
        return false;
    if (strncmp(host, HOSTS[0], 4) == 0 && strspn(host, "0123456789.") == length)
        return true;
    for (size_t i = 1; i < ARRAY_LEN(HOSTS); i++)
        if (strlen(HOSTS[i]) == length && strncmp(host, HOSTS[i], length) == 0)
            return true;
    return false;
}

static enum err_code agent_header(struct arena *arena, const char **ret, struct err *err)
{
    const char *file = getenv("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE");
    const char *token = getenv("AWS_CONTAINER_AUTHORIZATION_TOKEN");

    if (file != NULL && file[0] != '\0')
        TRY(token_file_read(file, arena, &token, err));
    if (token == NULL || token[0] == '\0')
        return ERR_NONE;
    if (strpbrk(token, "\r\n") != NULL)
        return err_set(err, ERR_INVALID, "the container's authorization token holds a line break");
    *ret = arena_printf(arena, "Authorization: %s", token);
    return ERR_NONE;
}

enum err_code provider_container(const struct provider *provider, struct keys **ret,
                                 struct err *err)
{
    const char *relative = getenv("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI");
    const char *url = getenv("AWS_CONTAINER_CREDENTIALS_FULL_URI"), *header = NULL;
    AUTO(http_reply_done) struct http_reply reply = {0};
    AUTO(arena_done) struct arena arena = {0};

    arena_init(&arena, 4 * LOCAL_REPLY_BYTES_MAX);
    if (relative != NULL && relative[0] != '\0')
        url = arena_printf(&arena, "http://169.254.170.2%s", relative);
    if (url == NULL || url[0] == '\0')
        return ERR_NONE;
    if (!is_allowed_agent(url))
        return err_set(err, ERR_INVALID,
                       "AWS_CONTAINER_CREDENTIALS_FULL_URI must be https, or http to this machine");
    TRY(agent_header(&arena, &header, err));
    TRY(ask_local(provider, "GET", url, header, AGENT_MS_MAX, &reply, err));
    if (reply.status != 200)
        return err_set(err, ERR_UNAUTHORIZED, "the agent answered %d", reply.status);
    return keys_from_json(reply.body.text != NULL ? reply.body.text : "", reply.body.length,
                          "Token", "the agent", ret, err);
}

static const char *metadata_base(void)
{
    const char *own = getenv("AWS_EC2_METADATA_SERVICE_ENDPOINT");
    const char *mode = getenv("AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE");

    if (own != NULL && own[0] != '\0')
        return own;
    return mode != NULL && strcasecmp(mode, "ipv6") == 0 ? "http://[fd00:ec2::254]"
                                                         : "http://169.254.169.254";
}

static enum err_code ask_role(const struct provider *provider, const char *base, const char *token,
                              const char *role, struct http_reply *reply, struct err *err)
{
    AUTO(arena_done) struct arena arena = {0};

    arena_init(&arena, 4 * LOCAL_REPLY_BYTES_MAX);
    TRY(ask_local(
        provider, "GET",
        arena_printf(&arena, "%s/latest/meta-data/iam/security-credentials/%s", base, role),
        arena_printf(&arena, "x-aws-ec2-metadata-token: %s", token), METADATA_MS_MAX, reply, err));
    if (reply->status == 404)
        return err_set(err, ERR_UNAUTHORIZED, "the instance has no role");
    if (reply->status != 200 || reply->body.length == 0)
        return err_set(err, ERR_UNAUTHORIZED, "the metadata service answered %d", reply->status);
    return ERR_NONE;
}

/* Not there at all, on a machine outside EC2, is no failure. */
enum err_code provider_instance(const struct provider *provider, struct keys **ret, struct err *err)
{
    const char *off = getenv("AWS_EC2_METADATA_DISABLED"), *base = metadata_base();
    AUTO(http_reply_done) struct http_reply token = {0}, reply = {0};
    AUTO(arena_done) struct arena arena = {0};
    const char *token_text;
    char *role;

    if (off != NULL && strcasecmp(off, "true") == 0)
        return ERR_NONE;
    arena_init(&arena, 4 * LOCAL_REPLY_BYTES_MAX);
    if (ask_local(provider, "PUT", arena_printf(&arena, "%s/latest/api/token", base),
                  "x-aws-ec2-metadata-token-ttl-seconds: 21600", METADATA_MS_MAX, &token,
                  err) != ERR_NONE ||
        token.status != 200 || token.body.length == 0)
        return ERR_NONE;
    token_text = arena_strndup(&arena, token.body.text, token.body.length);
    TRY(ask_role(provider, base, token_text, "", &reply, err));
    role = arena_strndup(&arena, reply.body.text, strcspn(reply.body.text, "\r\n"));
    TRY(ask_role(provider, base, token_text, role, &reply, err));
    return keys_from_json(reply.body.text, reply.body.length, "Token", "the metadata service", ret,
                          err);
}

static void add_field(struct str *body, const char *name, const char *value)
{
    if (value == NULL || value[0] == '\0')
        return;
    str_addf(body, "&%s=", name);
    sigv4_encode(body, value, strlen(value), false);
}

static enum err_code sts_body(const struct assume *assume, struct arena *arena, struct str *body,
                              struct err *err)
{
    const char *token = NULL;

    str_add(body,
            assume->token_file != NULL ? "Action=AssumeRoleWithWebIdentity" : "Action=AssumeRole");
    add_field(body, "Version", "2011-06-15");
    add_field(body, "RoleArn", assume->role);
    add_field(body, "RoleSessionName", assume->session != NULL ? assume->session : "pairwatch");
    add_field(body, "DurationSeconds", assume->duration);
    if (assume->token_file != NULL) {
        TRY(token_file_read(assume->token_file, arena, &token, err));
        add_field(body, "WebIdentityToken", token);
    } else {
        add_field(body, "ExternalId", assume->external_id);
    }
    return str_check(body, "the question to STS", err);
}

static enum err_code keys_from_xml(const struct aws_reply *reply, struct keys **ret,
                                   struct err *err)
{
    AUTO(own_freep) char *token = own_alloc(KEY_TOKEN_BYTES_MAX + 1);
    const char *xml = reply->http.body.length > 0 ? reply->http.body.text : "";
    char id[KEY_ID_BYTES_MAX + 1], secret[KEY_SECRET_BYTES_MAX + 1], expires[64];
    int64_t expires_ms;

    if (!xml_text(xml, "AccessKeyId", id, sizeof id) ||
        !xml_text(xml, "SecretAccessKey", secret, sizeof secret) ||
        !xml_text(xml, "SessionToken", token, KEY_TOKEN_BYTES_MAX + 1) ||
        !xml_text(xml, "Expiration", expires, sizeof expires) || !time_parse(expires, &expires_ms))
        return err_set(err, ERR_UNAUTHORIZED, "STS gave no keys that can be read");
    *ret = keys_new(id, secret, token, expires_ms);
    explicit_bzero(secret, sizeof secret);
    explicit_bzero(token, strlen(token));
    return ERR_NONE;
}

enum err_code sts_assume(const struct provider *provider, const struct assume *assume,
                         struct keys **ret, struct err *err)
{
    static const char *const HEADERS[] = {"Content-Type", "application/x-www-form-urlencoded",
                                          NULL};
    AUTO(aws_reply_done) struct aws_reply reply = {0};
    AUTO(arena_done) struct arena arena = {0};
    AUTO(str_done) struct str body = {0};
    struct signing signing = {
        .endpoints = provider->options->endpoints,
        .keys = assume->token_file != NULL ? NULL : assume->source,
        .region = provider->options->region[0] != '\0' ? provider->options->region : "us-east-1",
    };
    struct aws_call call = {
        .service = AWS_STS,
        .method = "POST",
        .path = "/",
        .headers = HEADERS,
        .reply_bytes_max = STS_BODY_BYTES_MAX,
        .file = -1,
        .try_timeout_ms = STS_MS_MAX,
    };
    char message[256];

    arena_init(&arena, 4 * STS_BODY_BYTES_MAX);
    str_init(&body, 3 * STS_BODY_BYTES_MAX);
    TRY(sts_body(assume, &arena, &body, err));
    call.body = body.text;
    call.body_length = body.length;
    for (int try = 1;; try++) {
        enum retry_class class_;
        enum err_code code;

        signing.now_ms = clock_now_ms();
        code = signed_exchange(provider->http, &signing, &call, &reply, err);
        if (code == ERR_NONE && reply.http.status == 200)
            return keys_from_xml(&reply, ret, err);
        class_ = code != ERR_NONE ? retry_class_of_failure(code)
                                  : retry_class_of(reply.http.status, reply.code);
        if (code == ERR_NONE) {
            reply_message(&reply, message, sizeof message);
            code = err_set(err, ERR_UNAUTHORIZED, "assuming %s: STS answered %d %s: %s",
                           assume->role, reply.http.status, reply.code, message);
        }
        if (class_ == RETRY_NO || class_ == RETRY_CREDENTIALS || class_ == RETRY_CLOCK ||
            try == STS_TRIES_MAX)
            return code;
        clock_sleep_ms(retry_pause_ms(class_, try, 0));
    }
}

enum err_code provider_web_identity(const struct provider *provider, struct keys **ret,
                                    struct err *err)
{
    struct assume assume = {
        .role = getenv("AWS_ROLE_ARN"),
        .session = getenv("AWS_ROLE_SESSION_NAME"),
        .token_file = getenv("AWS_WEB_IDENTITY_TOKEN_FILE"),
    };

    if (assume.role == NULL || assume.token_file == NULL || getenv("AWS_PROFILE") != NULL)
        return ERR_NONE;
    return sts_assume(provider, &assume, ret, err);
}
