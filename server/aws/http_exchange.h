#pragma once
/* One exchange as libcurl sees it: for a thread that waits for it (http.c) and for one that has
 * many under way (s3_many.c). Prepare, let libcurl perform, conclude, done. */
#include "aws/http.h"
#include <curl/curl.h>

struct exchange {
    CURL *curl; /* the caller's, of any earlier use */
    struct http_request request;
    struct http_reply *reply;
    struct curl_slist *headers;
    bool too_large;
    int file_errno;
    char error[CURL_ERROR_SIZE];
};

void http_start_once(void); /* libcurl itself */
/* Sets curl up for the request. Texts of the request are copied, its body is not. The exchange
 * stays where it is until it is done. */
NODISCARD enum err_code exchange_prepare(struct exchange *exchange, const char *ca_bundle,
                                         struct err *err);
/* What libcurl's code means, as http_exchange tells it; sets the reply's status. */
NODISCARD enum err_code exchange_conclude(struct exchange *exchange, CURLcode code,
                                          struct err *err);
void exchange_done(struct exchange *exchange);
