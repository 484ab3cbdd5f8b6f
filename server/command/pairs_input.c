/* Gathering training pairs. */
#include "command/pairs_input.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/str.h"
#include "command/command.h"
#include "command/pairs_csv.h"
#include "lake/notice.h"
#include "lake/pairs.h"
#include "lake/scan.h"
#include "store/db.h"
#include "store/training.h"

#define TEXT_BYTES_MAX   ((size_t)64 << 30)
#define RESULT_BYTES_MAX ((size_t)4 << 30)
enum { NOTICES_MAX = 16, NOTICE_BYTES_MAX = 1 << 20, CAPACITY_MIN = 1024 };

void pairs_input_init(struct pairs_input *input)
{
    arena_init(&input->texts, TEXT_BYTES_MAX);
}

void pairs_input_done(struct pairs_input *input)
{
    lake_closep(&input->lake);
    own_freep(&input->pairs);
    triage_filter_done(&input->triage);
    arena_done(&input->texts);
}

enum err_code pairs_input_take(void *set, const struct train_pair *pair, struct err *err)
{
    return train_set_add(set, pair, err);
}

static bool is_wanted(const struct pairs_input *input, int64_t time_ms)
{
    return (input->since_ms == 0 || time_ms >= input->since_ms) &&
           (input->until_ms == 0 || time_ms < input->until_ms);
}

/* A copy, or the last one when it is the same. */
static const char *keep(struct pairs_input *input, const char **last, const char *text)
{
    if (*last == NULL || strcmp(*last, text) != 0)
        *last = arena_strdup(&input->texts, text);
    return *last;
}

static enum err_code add_pair(struct pairs_input *input, const struct train_pair *pair,
                              struct err *err)
{
    struct train_pair *kept;

    if (triage_filter_holds(&input->triage, pair)) {
        input->held_back++;
        return ERR_NONE;
    }
    if (input->take == NULL && pair->unanswered)
        return ERR_NONE;
    if (input->count == TRAIN_PAIRS_MAX)
        return err_set(err, ERR_TOO_LARGE, "there are more than %d pairs", TRAIN_PAIRS_MAX);
    if (input->take != NULL) {
        input->count += !pair->unanswered;
        return input->take(input->taker, pair, err);
    }
    if (input->count == input->capacity) {
        input->capacity = input->capacity > 0 ? 2 * input->capacity : CAPACITY_MIN;
        input->pairs = own_resize(input->pairs, input->capacity, sizeof *input->pairs);
    }
    kept = &input->pairs[input->count++];
    *kept = *pair;
    kept->spec = keep(input, &input->spec, pair->spec);
    kept->entity = keep(input, &input->entity, pair->entity);
    return ERR_NONE;
}

static bool is_asked_for(const struct pairs_input *input, const char *spec)
{
    for (const char *const *name = input->spec_names; name != NULL && *name != NULL; name++)
        if (strcmp(*name, spec) == 0)
            return true;
    return input->spec_names == NULL || *spec == '\0';
}

static enum err_code add_row(struct pairs_input *input, const struct pairs_row *row,
                             struct err *err)
{
    struct train_pair pair = {.spec = row->spec != NULL ? row->spec : "",
                              .entity = row->entity,
                              .ip = row->ip,
                              .time_ms = row->time_ms,
                              .count = row->count > 0 ? row->count : 1,
                              .unanswered = row->one_way};

    input->rejected += row->rejected;
    input->one_way += !row->rejected && row->one_way;
    if (row->rejected || row->label != 0 || !is_asked_for(input, pair.spec) ||
        (row->time_ms != 0 && !is_wanted(input, row->time_ms)))
        return ERR_NONE;
    return add_pair(input, &pair, err);
}

/* path NULL: standard input. */
static enum err_code add_rows(struct pairs_input *input, const char *path, enum pairs_format format,
                              struct err *err)
{
    const struct pairs_options reading = {
        .format = format,
        .columns_max = input->bare ? PAIRS_COLUMNS_BARE : PAIRS_COLUMNS_ALL,
        .header = !input->bare,
        .tally = &input->tally,
    };
    AUTO(pairs_reader_close) struct pairs_reader reader = {.file = -1};
    struct pairs_row row;
    bool more = true;

    TRY(pairs_reader_open(&reader, path, &reading, err));
    for (;;) {
        TRY(pairs_reader_next(&reader, &row, &more, err));
        if (!more)
            return ERR_NONE;
        TRY(add_row(input, &row, err));
    }
}

enum err_code pairs_input_add_csv(struct pairs_input *input, const char *path, struct err *err)
{
    return add_rows(input, path, PAIRS_CSV, err);
}

static enum err_code open_lake(struct pairs_input *input, struct err *err)
{
    struct lake_options options = {
        .spec_names = input->spec_names,
        .spec_dir = input->spec_dir,
        .temp_dir = input->temp_dir,
        .object_bytes_max = input->object_bytes_max,
        .pairs_max = input->pairs_max,
    };

    return input->lake == NULL ? lake_open(&options, &input->lake, err) : ERR_NONE;
}

enum err_code pairs_input_add_object(struct pairs_input *input, const char *path, struct err *err)
{
    AUTO(arena_done) struct arena arena;
    struct lake_result result;

    arena_init(&arena, RESULT_BYTES_MAX);
    input->objects++;
    TRY(open_lake(input, err));
    TRY(lake_read(input->lake, path, &arena, &result, err));
    for (size_t i = 0; i < result.pair_count; i++) {
        const struct lake_pair *found = &result.pairs[i];
        struct train_pair pair = {.spec = found->spec,
                                  .entity = found->entity,
                                  .ip = found->ip,
                                  .time_ms = found->first_ms,
                                  .count = found->count,
                                  .unanswered = found->one_way};

        input->rejected += found->rejected;
        input->one_way += !found->rejected && found->one_way;
        if (!found->rejected)
            TRY(add_pair(input, &pair, err));
    }
    return ERR_NONE;
}

/* A damaged object is told and passed over; what every object would meet ends the run. */
static enum err_code add_found(struct pairs_input *input, const char *path, struct err *err)
{
    enum err_code code;

    if (atomic_load(&STOP_ASKED))
        return err_set(err, ERR_CANCELLED, "stopped before \"%s\"", path);
    code = pairs_input_add_object(input, path, err);
    if (code != ERR_CORRUPT && code != ERR_INVALID && code != ERR_TOO_LARGE &&
        code != ERR_NOT_FOUND)
        return code;
    input->failed++;
    (void)fprintf(stderr, "pairwatch: \"%s\": %s\n", path, err->text);
    return ERR_NONE;
}

static enum err_code add_folder(struct pairs_input *input, const char *path, struct err *err)
{
    AUTO(queue_closep) struct queue *queue = NULL;
    AUTO(arena_done) struct arena arena;
    struct queue_options options = {
        .once = true, .since_day_ms = input->since_ms, .until_day_ms = input->until_ms};
    struct notice notices[NOTICES_MAX];
    size_t count = 0;
    bool drained = false;

    arena_init(&arena, NOTICE_BYTES_MAX);
    TRY(open_lake(input, err));
    TRY(queue_open(arena_printf(&arena, "dir:%s", path), &options, &queue, err));
    while (!drained) {
        arena_reset(&arena);
        TRY(queue_receive(queue, NOTICES_MAX, 0, &arena, notices, &count, &drained, err));
        for (size_t i = 0; i < count; i++)
            TRY(add_found(input, notices[i].path, err));
    }
    return ERR_NONE;
}

/* By its first bytes, as the lake's reader tells objects. */
static bool is_object(const char *path)
{
    static const char *const STARTS[] = {"PAR1", "\x1f\x8b",      "{",
                                         "[",    "\xef\xbb\xbf{", "\xef\xbb\xbf["};
    char bytes[5] = "";
    FILE *file = fopen(path, "re");

    if (file == NULL)
        return false;
    if (fread(bytes, 1, sizeof bytes - 1, file) == 0)
        bytes[0] = '\0';
    (void)fclose(file);
    for (size_t i = 0; i < ARRAY_LEN(STARTS); i++)
        if (str_starts(bytes, STARTS[i]))
            return true;
    return false;
}

/* Whether the first line is one of `pairwatch pairs`, or an instance of SageMaker's JSON Lines. */
static bool is_lines(const char *path)
{
    const struct pairs_options reading = {.format = PAIRS_JSON_LINES};
    AUTO(pairs_reader_close) struct pairs_reader reader = {.file = -1};
    struct pairs_row row;
    struct err unused = {0};
    bool more = false;

    return pairs_reader_open(&reader, path, &reading, &unused) == ERR_NONE &&
           pairs_reader_next(&reader, &row, &more, &unused) == ERR_NONE && more;
}

enum err_code pairs_input_add(struct pairs_input *input, const char *path, struct err *err)
{
    struct stat status;
    int64_t day_ms;

    if (strcmp(path, "-") == 0)
        return add_rows(input, NULL, PAIRS_DETECT, err);
    if (stat(path, &status) != 0)
        return err_errno(err, ERR_IO, "reading \"%s\"", path);
    if (S_ISDIR(status.st_mode))
        return add_folder(input, path, err);
    if (!is_object(path))
        return add_rows(input, path, PAIRS_CSV, err);
    if (is_lines(path))
        return add_rows(input, path, PAIRS_JSON_LINES, err);
    if (scan_event_day(path, &day_ms) && !is_wanted(input, day_ms))
        return ERR_NONE;
    if (pairs_input_add_object(input, path, err) != ERR_NONE)
        return err_prefix(err, "\"%s\"", path);
    return ERR_NONE;
}

static enum err_code add_observation(void *context, const struct training_row *row, struct err *err)
{
    struct train_pair pair = {.spec = row->spec,
                              .entity = row->entity,
                              .ip = row->ip,
                              .time_ms = row->first_ms,
                              .count = row->count > 0 ? row->count : 1,
                              .unanswered = row->unanswered};

    if (atomic_load(&STOP_ASKED))
        return err_set(err, ERR_CANCELLED, "stopped while reading the database");
    return add_pair(context, &pair, err);
}

enum err_code pairs_input_add_store(struct pairs_input *input, const char *url, struct err *err)
{
    AUTO(db_closep) struct db *db = NULL;

    TRY(db_open(url, DB_READ, &db, err));
    return training_observations(db, input->since_ms,
                                 input->until_ms > 0 ? input->until_ms : TIME_MS_MAX,
                                 add_observation, input, err);
}
