/* pairwatch check: whether what pairwatch stands on is sound. */
#include "command/check.h"

#include <stdio.h>
#include <string.h>

#include "base/conf.h"
#include "command/command.h"

static const struct conf_setting SETTINGS[] = {
    {"database", CONF_TEXT, offsetof(struct check_options, database), 0, 0, 0, "URL",
     "sqlite:FILE or postgresql://USER@HOST/NAME: the database"},
    {"queue", CONF_TEXT, offsetof(struct check_options, queue), 0, 0, 0, "sqs:URL",
     "aws: the subscriber's queue that `pairwatch work` is to read, by URL or ARN"},
    {"scorer", CONF_TEXT, offsetof(struct check_options, scorer), 0, 0, 0, "sagemaker:NAME",
     "aws: the endpoint that is to score"},
    {"object", CONF_TEXT, offsetof(struct check_options, object), CONF_FLAG_ONLY, 0, 0,
     "s3://BUCKET/KEY",
     "aws: an object of the lake to try; unless given, the one that the next message announces"},
    {"aws-role", CONF_TEXT, offsetof(struct check_options, aws_role), 0, 0, 0, "ARN",
     "aws: role to assume for SQS, the lake's objects and Athena"},
    {"aws-external-id", CONF_TEXT, offsetof(struct check_options, aws_external_id), 0, 0, 0, "ID",
     "aws: the external id given when the subscriber was made"},
    {"athena-output", CONF_TEXT, offsetof(struct check_options, athena_output), 0, 0, 0,
     "s3://BUCKET/PREFIX/",
     "aws: what `train --from athena` needs; a query of one row of each table, for which Athena "
     "charges its least amount, leaves its result there"},
    {"athena-database", CONF_TEXT, offsetof(struct check_options, athena_database), 0, 0, 0, "NAME",
     "aws: of the lake's tables; Security Lake's of the region unless given"},
    {"athena-workgroup", CONF_TEXT, offsetof(struct check_options, athena_workgroup), 0, 0, 0,
     "NAME", "aws: whose queries they are; primary unless given"},
    {"sagemaker-bucket", CONF_TEXT, offsetof(struct check_options, sagemaker_bucket), 0, 0, 0,
     "s3://BUCKET/PREFIX/",
     "aws: what `train --on sagemaker` needs, with --image and --sagemaker-role; an object "
     "PREFIX/pairwatch-check stays there"},
    {"sagemaker-role", CONF_TEXT, offsetof(struct check_options, sagemaker_role), 0, 0, 0, "ARN",
     "aws: role that SageMaker runs it as"},
    {"image", CONF_TEXT, offsetof(struct check_options, image), 0, 0, 0, "URI",
     "aws: of the container in ECR"},
    {"deploy", CONF_TEXT, offsetof(struct check_options, deploy), CONF_FLAG_ONLY, 0, 0, "NAME",
     "aws: and what `model deploy --sagemaker NAME` needs, a name that is free"},
    {"archive", CONF_TEXT, offsetof(struct check_options, archive), CONF_FLAG_ONLY, 0, 0,
     "s3://BUCKET/PREFIX",
     "aws: where retention and import keep old observations; PREFIX/pairwatch-check stays there"},
    {NULL, 0, 0, 0, 0, 0, NULL, NULL},
};

const struct conf_command COMMAND_CHECK = {
    .name = "check",
    .summary = "whether the store is sound, and whether AWS permits what work needs",
    .positional = "SUBJECT",
    .settings = SETTINGS,
    .more =
        "One line for each thing that was checked; exit status 1 when one of them says FAULT.\n"
        "\nSubjects:\n"
        "  store   the database: the file, its indexes and their use, the chain of changes,\n"
        "          counters against recounts, references; it may be in use meanwhile\n"
        "  aws     whose the keys are, and every permission that the commands with the same flags\n"
        "          need, tried once; says the IAM statement that grants a missing one. Takes a\n"
        "          message from the queue for it and gives it back: that counts as one of its\n"
        "          tries. What would start something is asked for so that it does not start\n",
};

static const struct {
    const char *word;
    check_subject *run;
} SUBJECTS[] = {
    {"store", check_subject_store},
    {"aws", check_subject_aws},
};

void check_print(const char *name, bool sound, const char *text)
{
    (void)printf("%-6s %-12s %s\n", sound ? "ok" : "FAULT", name, text);
    (void)fflush(stdout);
}

static enum err_code run(const struct check_options *options, const struct conf_args *args,
                         struct err *err)
{
    int faults = 0;

    for (size_t i = 0; i < ARRAY_LEN(SUBJECTS); i++) {
        if (args->positional_count != 1 || strcmp(args->positional[0], SUBJECTS[i].word) != 0)
            continue;
        TRY(SUBJECTS[i].run(options, &faults, err));
        return faults == 0 ? ERR_NONE
                           : err_set(err, ERR_CORRUPT, "%d of the checks found a fault", faults);
    }
    return err_set(err, ERR_USAGE, "say what to check: `pairwatch check --help` lists it");
}

int cmd_check(int argc, char **argv)
{
    struct check_options options = {.database = "sqlite:pairwatch.db"};
    struct conf_args args = {0};
    struct err err = {0};
    enum err_code code = conf_read(&COMMAND_CHECK, argc, argv, &options, &args, &err);

    if (code == ERR_NONE && !args.help)
        code = run(&options, &args, &err);
    return command_exit(code, &err);
}
