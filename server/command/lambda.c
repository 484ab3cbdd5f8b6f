/* pairwatch lambda: the worker as an AWS Lambda function, fed by a queue of SQS. */
#include <stdio.h>
#include <stdlib.h>

#include "aws/http.h"
#include "aws/lambda.h"
#include "base/log.h"
#include "base/str.h"
#include "command/command.h"
#include "command/work.h"
#include "worker/worker.h"

const struct conf_command COMMAND_LAMBDA = {
    .name = "lambda",
    .summary = "be an AWS Lambda function that scores what a queue announces",
    .settings = WORK_SETTINGS + WORK_ALONE,
    .more =
        "Runs inside Lambda only, as its runtime. Settings come from the function's environment, "
        "PAIRWATCH_POST and so on. Messages that failed are returned by name: the queue has to "
        "be connected with ReportBatchItemFailures.\n",
};

/* Lambda shows the reason to who deployed it, instead of a process that ended. */
static void tell_start_failed(const char *address, const struct err *reason)
{
    struct http_link *link;
    struct err err = {0};

    http_link_open(&(struct http_link_options){.ca_bundle = NULL}, &link);
    if (lambda_fail(link, address, NULL, "Pairwatch.NotStarted", reason->text, &err) != ERR_NONE)
        log_error("Lambda could not be told", "reason=%s", log_quote(err.text));
    http_link_close(link);
}

int cmd_lambda(int argc, char **argv)
{
    const char *address = getenv("AWS_LAMBDA_RUNTIME_API");
    char queue[sizeof "lambda:" + LAMBDA_ADDRESS_BYTES_MAX];
    struct worker_totals totals = {0};
    struct err err = {0};
    bool help = false;
    enum err_code code;

    (void)snprintf(queue, sizeof queue, "lambda:%s", address != NULL ? address : "");
    code = work_with(&COMMAND_LAMBDA, argc, argv, queue, &totals, &help, &err);
    if (code != ERR_NONE && address == NULL)
        (void)err_prefix(&err, "AWS_LAMBDA_RUNTIME_API is not set: this runs inside Lambda");
    else if (code != ERR_NONE && !totals.began)
        tell_start_failed(address, &err);
    return command_exit(code, &err);
}
