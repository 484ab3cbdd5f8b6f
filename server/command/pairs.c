/* pairwatch pairs: what a spec extracts, one line of JSON per pair; what gave none is counted by
 * reason on stderr. */
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/conf.h"
#include "base/json.h"
#include "base/str.h"
#include "command/command.h"
#include "lake/notice.h"
#include "lake/pairs.h"

#define RESULT_BYTES_MAX ((size_t)4 << 30)
enum { LINE_BYTES_MAX = 64 * 1024, NOTICES_MAX = 16, NOTICE_BYTES_MAX = 1 << 20 };

struct pairs_options {
    const char *spec_dir, *temp_dir;
    struct conf_list specs;
    int64_t object_bytes_max, since_ms, until_ms;
};

static const struct conf_setting SETTINGS[] = {
    {"spec", CONF_LIST, offsetof(struct pairs_options, specs), CONF_REQUIRED, 0, 0, "NAME",
     "what to extract"},
    {"spec-dir", CONF_TEXT, offsetof(struct pairs_options, spec_dir), 0, 0, 0, "DIR",
     "more pair specs, *.spec files"},
    {"since", CONF_TIME, offsetof(struct pairs_options, since_ms), 0, 0, 0, "DATE",
     "in folders, leave out days before (eventDay= in the path)"},
    {"until", CONF_TIME, offsetof(struct pairs_options, until_ms), 0, 0, 0, "DATE",
     "in folders, leave out this day and later ones"},
    {"object-bytes-max", CONF_BYTES, offsetof(struct pairs_options, object_bytes_max), 0, 1024,
     (double)(INT64_C(1) << 40), "BYTES", "larger objects are refused"},
    {"temp-dir", CONF_TEXT, offsetof(struct pairs_options, temp_dir), 0, 0, 0, "DIR",
     "for what does not fit in memory"},
    {NULL, 0, 0, 0, 0, 0, NULL, NULL},
};

const struct conf_command COMMAND_PAIRS = {
    .name = "pairs",
    .summary = "show what a pair spec extracts from objects",
    .positional = "PATH…",
    .settings = SETTINGS,
    .more = "A PATH is an object (Parquet or OCSF JSON) or a folder of them. One line of JSON per "
            "distinct\npair and hour goes to stdout, refused traffic too (\"rejected\": "
            "true),\nand calls "
            "that nothing in the object answers (\"one_way\": true).\n"
            "Built in are cloudtrail-principal, dns-answer, eks-user, vpc-egress, vpc-ingress,\n"
            "waf-client and workshop. How to write one: specs/README.md in share/doc/pairwatch.\n",
};

struct output {
    struct lake *lake;
    struct arena arena;
    struct str line;
    uint64_t objects, failed, rows, rows_unclaimed, pairs;
    uint64_t unscored[UNSCORED__MAX];
};

static enum err_code print_pair(struct output *output, const struct lake_pair *pair,
                                const char *path, struct err *err)
{
    struct json_writer w;

    str_clear(&output->line);
    json_writer_init(&w, &output->line);
    json_object(&w, NULL);
    json_time(&w, "time", pair->first_ms);
    json_text(&w, "spec", pair->spec);
    json_text(&w, "entity", pair->entity);
    json_ip(&w, "ip", &pair->ip);
    json_int(&w, "count", (int64_t)pair->count);
    json_text(&w, "account", pair->account);
    json_text(&w, "region", pair->region);
    json_text(&w, "object", path);
    if (pair->rejected)
        json_bool(&w, "rejected", true);
    if (pair->one_way)
        json_bool(&w, "one_way", true);
    json_end(&w);
    str_add_char(&output->line, '\n');
    TRY(str_check(&output->line, "a line of output", err));
    if (fwrite(output->line.text, 1, output->line.length, stdout) != output->line.length)
        return err_errno(err, ERR_IO, "writing to stdout");
    return ERR_NONE;
}

static enum err_code print_result(struct output *output, const struct lake_result *result,
                                  const char *path, struct err *err)
{
    output->rows += result->rows;
    output->rows_unclaimed += result->rows_unclaimed;
    output->pairs += result->pair_count;
    for (size_t i = 0; i < result->spec_count; i++)
        for (int reason = 0; reason < UNSCORED__MAX; reason++)
            output->unscored[reason] += result->specs[i].unscored[reason];
    for (size_t i = 0; i < result->pair_count; i++)
        TRY(print_pair(output, &result->pairs[i], path, err));
    return ERR_NONE;
}

/* A bad object is told and passed over; what every object would meet ends the run. */
static enum err_code do_object(struct output *output, const char *path, struct err *err)
{
    struct lake_result result;
    struct err reason = {0};
    enum err_code code;

    if (atomic_load(&STOP_ASKED))
        return err_set(err, ERR_CANCELLED, "stopped before %s", path);
    arena_reset(&output->arena);
    output->objects++;
    code = lake_read(output->lake, path, &output->arena, &result, &reason);
    if (code == ERR_NONE)
        return print_result(output, &result, path, err);
    if (code == ERR_UNAVAILABLE || code == ERR_INTERNAL)
        return err_set(err, code, "%s: %s", path, reason.text);
    output->failed++;
    (void)fprintf(stderr, "pairwatch: %s: %s\n", path, reason.text);
    return ERR_NONE;
}

static enum err_code do_folder(struct output *output, const struct pairs_options *options,
                               const char *path, struct err *err)
{
    AUTO(queue_closep) struct queue *queue = NULL;
    AUTO(arena_done) struct arena arena;
    struct queue_options queue_options = {
        .once = true, .since_day_ms = options->since_ms, .until_day_ms = options->until_ms};
    struct notice notices[NOTICES_MAX];
    size_t count = 0;
    bool drained = false;

    arena_init(&arena, NOTICE_BYTES_MAX);
    TRY(queue_open(arena_printf(&arena, "dir:%s", path), &queue_options, &queue, err));
    while (!drained) {
        arena_reset(&arena);
        TRY(queue_receive(queue, NOTICES_MAX, 0, &arena, notices, &count, &drained, err));
        for (size_t i = 0; i < count; i++)
            TRY(do_object(output, notices[i].path, err));
    }
    return ERR_NONE;
}

static enum err_code do_path(struct output *output, const struct pairs_options *options,
                             const char *path, struct err *err)
{
    struct stat stat_;

    if (stat(path, &stat_) == 0 && S_ISDIR(stat_.st_mode))
        return do_folder(output, options, path, err);
    return do_object(output, path, err);
}

static void print_counts(const struct output *output)
{
    (void)fprintf(stderr,
                  "objects %" PRIu64 " (%" PRIu64 " failed), rows %" PRIu64 ", pairs %" PRIu64 "\n",
                  output->objects, output->failed, output->rows, output->pairs);
    if (output->rows_unclaimed > 0)
        (void)fprintf(stderr, "  unscored, no_spec      %12" PRIu64 " rows\n",
                      output->rows_unclaimed);
    for (int reason = 0; reason < UNSCORED__MAX; reason++)
        if (output->unscored[reason] > 0)
            (void)fprintf(stderr, "  unscored, %-12s %12" PRIu64 " rows\n", UNSCORED_WORDS[reason],
                          output->unscored[reason]);
}

static enum err_code do_paths(struct output *output, const struct pairs_options *options,
                              const struct conf_args *args, struct err *err)
{
    for (size_t i = 0; i < args->positional_count; i++)
        TRY(do_path(output, options, args->positional[i], err));
    if (fflush(stdout) != 0)
        return err_errno(err, ERR_IO, "writing to stdout");
    if (output->failed > 0)
        return err_set(err, ERR_INVALID, "%" PRIu64 " of %" PRIu64 " objects could not be read",
                       output->failed, output->objects);
    return ERR_NONE;
}

static void output_done(struct output *output)
{
    lake_close(output->lake);
    arena_done(&output->arena);
    str_done(&output->line);
}

static enum err_code run(const struct pairs_options *options, const struct conf_args *args,
                         struct err *err)
{
    AUTO(output_done) struct output output = {0};
    const char *names[CONF_LIST_MAX + 1] = {NULL};
    struct lake_options lake_options = {
        .spec_names = names,
        .spec_dir = options->spec_dir,
        .temp_dir = options->temp_dir,
        .object_bytes_max = (uint64_t)options->object_bytes_max,
        .keep_rejected = true,
    };
    enum err_code code;

    if (args->positional_count == 0)
        return err_set(err, ERR_USAGE, "pairs needs objects or folders to read");
    for (size_t i = 0; i < options->specs.count; i++)
        names[i] = options->specs.items[i];
    TRY(lake_open(&lake_options, &output.lake, err));
    arena_init(&output.arena, RESULT_BYTES_MAX);
    str_init(&output.line, LINE_BYTES_MAX);
    code = do_paths(&output, options, args, err);
    print_counts(&output);
    return code;
}

int cmd_pairs(int argc, char **argv)
{
    struct pairs_options options = {
        .object_bytes_max = INT64_C(1) << 30,
        .temp_dir = "/tmp",
    };
    struct conf_args args = {0};
    struct err err = {0};
    enum err_code code = conf_read(&COMMAND_PAIRS, argc, argv, &options, &args, &err);

    if (code != ERR_NONE || args.help)
        return command_exit(code, &err);
    stop_catch();
    return command_exit(run(&options, &args, &err), &err);
}
