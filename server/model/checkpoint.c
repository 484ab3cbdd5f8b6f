/* Checkpoints: a header, the three tables, the SHA-256 of all before it. Of this machine only: a
 * float is as it lies in memory. */
#include "model/checkpoint.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/crypto.h"
#include "base/own.h"

enum { PATH_BYTES_MAX = 4096, ARRAYS = 3, SAMPLES_AT_ONCE = 1 << 16 };

struct checkpoint {
    const char *path;
    uint8_t key[SHA256_BYTES]; /* of all that decides what training does */
};

struct head {
    char magic[8];
    uint8_t key[SHA256_BYTES];
    int64_t epochs;
    double mean_left, square_left, loss, accuracy;
};
static const char MAGIC[8] = {'p', 'w', 'c', 'h', 'e', 'c', 'k', '4'};

struct array {
    float *floats;
    size_t bytes;
};

static void arrays_of(const struct fit *fit, struct array ret[static ARRAYS])
{
    const struct fit_table *tables[] = {&fit->entities, &fit->prefixes, &fit->dense};

    for (size_t i = 0; i < ARRAY_LEN(tables); i++) {
        /* values and moments are one array */
        *ret++ = (struct array){tables[i]->values,
                                3 * tables[i]->rows * tables[i]->stride * sizeof(float)};
    }
}

static enum err_code add_samples(struct sha256 *sha, struct spool *samples, struct err *err)
{
    AUTO(own_freep) struct fit_sample *some = own_array(SAMPLES_AT_ONCE, sizeof *some);

    for (uint64_t at = 0, count; at < samples->count; at += count) {
        count = samples->count - at < SAMPLES_AT_ONCE ? samples->count - at : SAMPLES_AT_ONCE;
        TRY(spool_read(samples, at, count, some, err));
        sha256_add(sha, some, (size_t)count * sizeof *some);
    }
    return ERR_NONE;
}

enum err_code checkpoint_new(const struct fit_options *options, const struct fit_input *input,
                             const struct ip_encoder *encoder, struct checkpoint **ret,
                             struct err *err)
{
    struct checkpoint *checkpoint = own_alloc(sizeof *checkpoint);
    struct sha256 *sha = sha256_new();
    enum err_code code;

    *ret = checkpoint;
    checkpoint->path = options->checkpoint;
    sha256_add(sha, options->hyper, sizeof *options->hyper);
    sha256_add(sha, &options->seed, sizeof options->seed);
    sha256_add(sha, &input->entity_rows, sizeof input->entity_rows);
    sha256_add(sha, &options->window_blocks, sizeof options->window_blocks);
    sha256_add(sha, encoder->starts, sizeof encoder->starts);
    sha256_add(sha, encoder->keys, encoder->starts[IP_LEVELS] * sizeof *encoder->keys);
    code = add_samples(sha, input->samples, err);
    sha256_end(sha, checkpoint->key);
    return code;
}

void checkpoint_freep(struct checkpoint **checkpoint)
{
    own_freep(checkpoint);
}

static bool put(FILE *file, struct sha256 *sha, const void *bytes, size_t length)
{
    if (length == 0)
        return true;
    sha256_add(sha, bytes, length);
    return fwrite(bytes, 1, length, file) == length;
}

static bool put_all(FILE *file, const struct head *head, const struct fit *fit)
{
    struct sha256 *sha = sha256_new();
    struct array arrays[ARRAYS];
    uint8_t digest[SHA256_BYTES];
    bool good = put(file, sha, head, sizeof *head);

    arrays_of(fit, arrays);
    for (int i = 0; i < ARRAYS; i++)
        good = put(file, sha, arrays[i].floats, arrays[i].bytes) && good;
    sha256_end(sha, digest);
    good = fwrite(digest, 1, sizeof digest, file) == sizeof digest && good;
    return fflush(file) == 0 && fsync(fileno(file)) == 0 && good;
}

enum err_code checkpoint_write(const struct checkpoint *checkpoint,
                               const struct checkpoint_state *state, const struct fit *fit,
                               struct err *err)
{
    struct head head = {.epochs = state->epochs,
                        .mean_left = state->mean_left,
                        .square_left = state->square_left,
                        .loss = fit->loss,
                        .accuracy = fit->accuracy};
    char temporary[PATH_BYTES_MAX];
    bool good;
    FILE *file;

    memcpy(head.magic, MAGIC, sizeof head.magic);
    memcpy(head.key, checkpoint->key, sizeof head.key);
    if ((size_t)snprintf(temporary, sizeof temporary, "%s.new", checkpoint->path) >=
        sizeof temporary)
        return err_set(err, ERR_INVALID, "the checkpoint's path is too long");
    file = fopen(temporary, "wbe");
    if (file == NULL)
        return err_errno(err, ERR_IO, "creating \"%s\"", temporary);
    good = put_all(file, &head, fit);
    good = fclose(file) == 0 && good;
    if (!good || rename(temporary, checkpoint->path) != 0) {
        enum err_code code = err_errno(err, ERR_IO, "writing \"%s\"", temporary);

        (void)unlink(temporary);
        return code;
    }
    return ERR_NONE;
}

static bool get(FILE *file, struct sha256 *sha, void *bytes, size_t length)
{
    if (fread(bytes, 1, length, file) != length)
        return false;
    if (length > 0)
        sha256_add(sha, bytes, length);
    return true;
}

static bool get_all(FILE *file, const struct checkpoint *checkpoint, struct head *ret,
                    struct array ret_arrays[static ARRAYS])
{
    struct sha256 *sha = sha256_new();
    uint8_t digest[SHA256_BYTES], wanted[SHA256_BYTES];
    bool good = get(file, sha, ret, sizeof *ret) && memcmp(ret->magic, MAGIC, sizeof MAGIC) == 0 &&
                memcmp(ret->key, checkpoint->key, sizeof ret->key) == 0;

    for (int i = 0; i < ARRAYS; i++)
        good = good && get(file, sha, ret_arrays[i].floats, ret_arrays[i].bytes);
    sha256_end(sha, digest);
    return good && fread(wanted, 1, sizeof wanted, file) == sizeof wanted &&
           memcmp(digest, wanted, sizeof digest) == 0;
}

/* Into arrays of its own first: what is damaged only at its end must not be half used. */
enum err_code checkpoint_read(const struct checkpoint *checkpoint, struct checkpoint_state *state,
                              struct fit *fit, struct err *err)
{
    FILE *file = fopen(checkpoint->path, "rbe");
    struct array into[ARRAYS], read[ARRAYS];
    struct head head;
    bool good;

    if (file == NULL && errno == ENOENT)
        return ERR_NONE;
    if (file == NULL)
        return err_errno(err, ERR_IO, "opening the checkpoint \"%s\"", checkpoint->path);
    arrays_of(fit, into);
    for (int i = 0; i < ARRAYS; i++)
        read[i] = (struct array){own_alloc(into[i].bytes), into[i].bytes};
    good = get_all(file, checkpoint, &head, read);
    (void)fclose(file);
    if (good) {
        *state = (struct checkpoint_state){head.epochs, head.mean_left, head.square_left};
        fit->loss = head.loss;
        fit->accuracy = head.accuracy;
    }
    for (int i = 0; i < ARRAYS; i++) {
        if (good && into[i].bytes > 0)
            memcpy(into[i].floats, read[i].floats, into[i].bytes);
        own_freep(&read[i].floats);
    }
    return ERR_NONE;
}
