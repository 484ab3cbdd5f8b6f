#pragma once
/* Many objects of S3 on their way at once, over one multi handle of libcurl and one thread: asked
 * for ahead of need, waited for when needed. Retries, region and checks are those of s3_get. */
#include "aws/s3.h"

struct s3_many;
struct s3_ticket;

enum { S3_MANY_UNDER_WAY_MAX = 16 /* connections; further tickets wait their turn */ };

/* ERR_INTERNAL when no thread can be had. */
NODISCARD enum err_code s3_many_open(struct aws *aws, struct s3_many **ret, struct err *err);
void s3_many_close(struct s3_many *many); /* after its tickets were dropped */
/* Any thread, never waits. Texts are copied; wanted->file stays the caller's and open until the
 * ticket is dropped. The caller drops the ticket. */
void s3_many_ask(struct s3_many *many, const struct s3_wanted *wanted, struct s3_ticket **ret);
/* Waits for the object; as s3_get, and ERR_CANCELLED as soon as stop says so (NULL = never). Once a
 * ticket. */
NODISCARD enum err_code s3_many_wait(struct s3_ticket *ticket, const atomic_bool *stop,
                                     struct s3_object *ret, struct err *err);
/* Ends what is under way: afterwards nothing more is written to the file. */
void s3_many_drop(struct s3_ticket *ticket);
