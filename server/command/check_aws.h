#pragma once
/* The parts of `pairwatch check aws`: each tries what a command needs and says one line for each
 * permission. One thread. */
#include "aws/client.h"
#include "aws/s3.h"
#include "base/arena.h"
#include "command/check.h"

enum { CHECK_ARN_BYTES = 1200 };

struct checking {
    const struct check_options *options;
    struct arena arena;
    /* With the role that was named: SQS, objects of the lake, Athena. */
    struct aws *aws;
    struct aws_link *link;
    /* With the keys that were found, as SageMaker and the archive are asked; the same without a
     * role. */
    struct aws *own_aws;
    struct aws_link *own_link;
    char identity[CHECK_ARN_BYTES];
    int faults;
};

void checking_fine(const char *name, const char *text);
/* action NULL: nothing that a statement grants. */
void checking_fault(struct checking *checking, const char *name, const struct err *reason,
                    const char *action, const char *resource);
/* A refusal names what is missing: the action that its sentence names, or the one that was tried.
 * Anything else is told as it is. */
void checking_outcome(struct checking *checking, const char *action, enum err_code code,
                      const struct err *reason, const char *resource);
/* The same of a call that was made so that it fails for another reason: refused as unknown or
 * invalid, it was permitted. */
void checking_permitted(struct checking *checking, const char *action, enum err_code code,
                        const struct err *reason, const char *resource);
/* "aws", "aws-cn" or "aws-us-gov", of the region. */
const char *check_partition(const char *region);
/* An object is written below the place and read back. ret: where that is. */
struct checking_place {
    char bucket[S3_BUCKET_BYTES_MAX + 1], prefix[S3_KEY_BYTES_MAX + 1]; /* ends in "/" or is "" */
};
NODISCARD enum err_code checking_place_read(const char *flag, const char *uri,
                                            struct checking_place *ret, struct err *err);
void checking_write_and_read(struct checking *checking, const struct checking_place *place);

/* Parts; each is called when its flag was given. */
NODISCARD enum err_code check_part_work(struct checking *checking, struct err *err);
NODISCARD enum err_code check_part_athena(struct checking *checking, struct err *err);
NODISCARD enum err_code check_part_sagemaker(struct checking *checking, struct err *err);
NODISCARD enum err_code check_part_archive(struct checking *checking, struct err *err);
