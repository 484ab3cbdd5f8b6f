#include "command/sagemaker_setup.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/str.h"
#include "command/command.h"
#include "lake/object.h"

enum { NAP_MS = 100, ANSWER_BYTES = 16 };

enum err_code sagemaker_check_role(const struct sagemaker_options *options, struct err *err)
{
    if (options->image == NULL || strchr(options->image, '/') == NULL)
        return err_set(err, ERR_USAGE,
                       "say with --image which image to run, ACCOUNT.dkr.ecr.REGION.amazonaws.com/"
                       "NAME:TAG: deploy/sagemaker has ours");
    if (options->role == NULL || !str_starts(options->role, "arn:"))
        return err_set(err, ERR_USAGE,
                       "say with --sagemaker-role the ARN of the role that it runs as");
    return ERR_NONE;
}

enum err_code sagemaker_place_read(const struct sagemaker_options *options,
                                   struct sagemaker_place *ret, struct err *err)
{
    size_t length;

    if (options->bucket == NULL || !s3_uri_read(options->bucket, ret->bucket, ret->prefix))
        return err_set(err, ERR_USAGE,
                       "say with --sagemaker-bucket s3://BUCKET/PREFIX/ where to put what is "
                       "uploaded");
    length = strlen(ret->prefix);
    if (length > S3_KEY_BYTES_MAX / 2)
        return err_set(err, ERR_USAGE, "the prefix in --sagemaker-bucket is too long");
    if (length > 0 && ret->prefix[length - 1] != '/')
        (void)memcpy(ret->prefix + length, "/", 2);
    return ERR_NONE;
}

enum err_code sagemaker_confirm(const struct sagemaker_options *options, struct err *err)
{
    char answer[ANSWER_BYTES] = "";

    if (options->yes)
        return ERR_NONE;
    if (isatty(STDIN_FILENO) == 0)
        return err_set(err, ERR_USAGE, "nothing was done: --yes says that it is meant");
    (void)fprintf(stderr, "Go on? [y/N] ");
    if (fgets(answer, sizeof answer, stdin) != NULL && (answer[0] == 'y' || answer[0] == 'Y'))
        return ERR_NONE;
    return err_set(err, ERR_CANCELLED, "nothing was done");
}

enum err_code sagemaker_pause(int64_t *pause_ms, struct err *err)
{
    for (int64_t end_ms = clock_mono_ms() + *pause_ms; clock_mono_ms() < end_ms;) {
        if (atomic_load(&STOP_ASKED))
            return err_set(err, ERR_CANCELLED, "a stop was asked for");
        clock_sleep_ms(NAP_MS);
    }
    *pause_ms += *pause_ms / 2;
    *pause_ms = *pause_ms < SAGEMAKER_POLL_LAST_MS ? *pause_ms : SAGEMAKER_POLL_LAST_MS;
    return ERR_NONE;
}

enum err_code sagemaker_with_file(const char *path,
                                  enum err_code (*fn)(void *context, const char *bytes,
                                                      size_t length, struct err *err),
                                  void *context, struct err *err)
{
    AUTO(fd_closep) int fd = -1;
    enum err_code code;
    uint64_t size;
    void *bytes;

    TRY(object_open(path, S3_PUT_BYTES_MAX, &fd, &size, err));
    if (size == 0)
        return err_set(err, ERR_INVALID, "\"%s\" is empty", path);
    bytes = mmap(NULL, (size_t)size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (bytes == MAP_FAILED)
        return err_errno(err, ERR_IO, "reading \"%s\"", path);
    code = fn(context, bytes, (size_t)size, err);
    (void)munmap(bytes, (size_t)size);
    return code;
}
