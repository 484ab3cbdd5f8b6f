/* pairwatch simulate: a company's Security Lake in a folder, with habits, noise and stories. */
#include <errno.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/conf.h"
#include "base/crypto.h"
#include "base/log.h"
#include "command/command.h"
#include "command/simulate_rows.h"
#include "command/simulate_world.h"
#include "lake/parquet_write.h"

enum { PATH_BYTES = 4096, DAYS_MAX = 366, DAYS_DEFAULT = 10, ENTITIES_DEFAULT = 200 };
#define SIMULATE_ARENA_BYTES ((size_t)256 << 20)

struct simulate_options {
    const char *out;
    int64_t entities, days, seed, start_ms;
};

#define SIMULATE(member) offsetof(struct simulate_options, member)
static const struct conf_setting SETTINGS[] = {
    {"out", CONF_TEXT, SIMULATE(out), CONF_REQUIRED, 0, 0, "DIR", "folder to write into"},
    {"entities", CONF_INT, SIMULATE(entities), 0, SIM_ENTITIES_MIN, SIM_ENTITIES_MAX, "N",
     "instances, users and roles"},
    {"days", CONF_INT, SIMULATE(days), 0, 2, DAYS_MAX, "D",
     "days; the stories are told in the last three tenths of them"},
    {"seed", CONF_INT, SIMULATE(seed), 0, 0, 1e15, "S", "the same seed gives the same lake"},
    {"start", CONF_TIME, SIMULATE(start_ms), CONF_FLAG_ONLY, 0, 0, "DATE",
     "first day; unless given, the last day is yesterday"},
    {NULL, 0, 0, 0, 0, 0, NULL, NULL},
};

const struct conf_command COMMAND_SIMULATE = {
    .name = "simulate",
    .summary = "write a simulated company's Security Lake",
    .settings = SETTINGS,
    .more = "Writes aws/VPC_FLOW/2.0/ and aws/CLOUD_TRAIL_MGMT/2.0/ as Security Lake names its\n"
            "objects, and labels.csv: entity,ip,ts,label,spec,story.\n",
};

struct simulation {
    const struct simulate_options *options;
    struct sim_world world;
    struct parquet_writer *writer;
    FILE *labels;
    char csv_path[PATH_BYTES];
    uint64_t rows, objects;
};

static void simulation_done(struct simulation *simulation)
{
    if (simulation->labels != NULL)
        (void)fclose(simulation->labels);
    if (simulation->csv_path[0] != '\0')
        (void)unlink(simulation->csv_path);
    parquet_writer_close(simulation->writer);
}

/* Makes the folders of a path up to its last slash. */
static enum err_code make_folders(char *path, struct err *err)
{
    for (char *slash = strchr(path + 1, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
        int failed;

        *slash = '\0';
        failed = mkdir(path, 0777) != 0 && errno != EEXIST;
        if (failed)
            (void)err_errno(err, ERR_IO, "making the folder %s", path);
        *slash = '/';
        if (failed)
            return err->code;
    }
    return ERR_NONE;
}

/* "aws/SOURCE/2.0/region=…/accountId=…/eventDay=YYYYMMDD/<32 hex>.gz.parquet" */
static enum err_code object_path(const struct simulation *s, enum sim_source source, int day,
                                 int chunk, int account, char ret[static PATH_BYTES],
                                 struct err *err)
{
    static const char *const NAMES[] = {"VPC_FLOW", "CLOUD_TRAIL_MGMT"};
    char date[TIME_TEXT_BYTES], hex[SHA256_HEX_BYTES], name[128];
    int length;

    (void)time_format(date, s->world.start_ms + (int64_t)day * DAY_MS);
    length = snprintf(name, sizeof name, "%" PRId64 "/%s/%d/%d/%d", s->options->seed, NAMES[source],
                      day, chunk, account);
    sha256_hex(name, (size_t)length, hex);
    length = snprintf(ret, PATH_BYTES,
                      "%s/aws/%s/2.0/region=us-east-1/accountId=%s/eventDay=%.4s%.2s%.2s/"
                      "%.32s.gz.parquet",
                      s->options->out, NAMES[source], sim_account(account), date, date + 5,
                      date + 8, hex);
    if (length >= PATH_BYTES)
        return err_set(err, ERR_INVALID, "the path of --out is too long");
    return make_folders(ret, err);
}

static enum err_code write_csv(struct simulation *s, enum sim_source source, int day, int chunk,
                               int account, struct err *err)
{
    struct sim_rows rows = {.world = &s->world,
                            .day = day,
                            .chunk = chunk,
                            .account = account,
                            .labels = s->labels,
                            .csv = fopen(s->csv_path, "w")};
    bool failed;

    if (rows.csv == NULL)
        return err_errno(err, ERR_IO, "opening %s", s->csv_path);
    (void)fputs(SIM_CSV_HEADERS[source], rows.csv);
    if (source == SIM_VPC_FLOW)
        sim_flow_rows(&rows);
    else
        sim_trail_rows(&rows);
    failed = ferror(rows.csv) != 0;
    failed |= fclose(rows.csv) != 0;
    if (failed)
        return err_errno(err, ERR_IO, "writing %s", s->csv_path);
    s->rows += rows.count;
    return ERR_NONE;
}

static enum err_code write_object(struct simulation *s, enum sim_source source, int day, int chunk,
                                  int account, struct err *err)
{
    char path[PATH_BYTES];

    TRY(object_path(s, source, day, chunk, account, path, err));
    TRY(write_csv(s, source, day, chunk, account, err));
    TRY(parquet_write(s->writer, SIM_SELECTS[source], s->csv_path, path, err));
    s->objects++;
    return ERR_NONE;
}

static enum err_code write_day(struct simulation *s, int day, struct err *err)
{
    for (int chunk = 0; chunk < SIM_CHUNKS; chunk++) {
        for (int account = 0; account < SIM_ACCOUNTS; account++) {
            if (STOP_ASKED)
                return err_set(err, ERR_CANCELLED, "stopped");
            TRY(write_object(s, SIM_VPC_FLOW, day, chunk, account, err));
            TRY(write_object(s, SIM_CLOUD_TRAIL, day, chunk, account, err));
        }
    }
    return ERR_NONE;
}

static enum err_code open_files(struct simulation *s, struct err *err)
{
    char path[PATH_BYTES];

    if (strpbrk(s->options->out, "'\n") != NULL)
        return err_set(err, ERR_INVALID, "the path of --out must hold no quotes");
    if (snprintf(path, sizeof path, "%s/labels.csv", s->options->out) >= (int)sizeof path)
        return err_set(err, ERR_INVALID, "the path of --out is too long");
    TRY(make_folders(path, err));
    s->labels = fopen(path, "w");
    if (s->labels == NULL)
        return err_errno(err, ERR_IO, "opening %s", path);
    (void)fputs("entity,ip,ts,label,spec,story\n", s->labels);
    (void)snprintf(s->csv_path, sizeof s->csv_path, "%s/.rows.csv", s->options->out);
    return parquet_writer_open(&s->writer, err);
}

static enum err_code run(const struct simulate_options *options, struct err *err)
{
    AUTO(arena_done) struct arena arena = {0};
    AUTO(simulation_done) struct simulation s = {.options = options};
    struct progress progress;

    arena_init(&arena, SIMULATE_ARENA_BYTES);
    sim_world_make(&s.world, (uint64_t)options->seed, (size_t)options->entities, (int)options->days,
                   options->start_ms, &arena);
    TRY(open_files(&s, err));
    progress_start(&progress, "simulating", "days", options->days);
    for (int day = 0; day < s.world.days; day++) {
        TRY(write_day(&s, day, err));
        progress_add(&progress, 1);
    }
    progress_end(&progress);
    if (fflush(s.labels) != 0)
        return err_errno(err, ERR_IO, "writing the labels");
    (void)printf("objects %" PRIu64 ", rows %" PRIu64 ", entities %" PRId64 ", stories from day %d"
                 " of %" PRId64 " on\n",
                 s.objects, s.rows, options->entities, s.world.story_day + 1, options->days);
    return ERR_NONE;
}

int cmd_simulate(int argc, char **argv)
{
    struct simulate_options options = {
        .entities = ENTITIES_DEFAULT, .days = DAYS_DEFAULT, .seed = 1};
    struct conf_args args = {0};
    struct err err = {0};
    enum err_code code = conf_read(&COMMAND_SIMULATE, argc, argv, &options, &args, &err);

    if (code != ERR_NONE || args.help)
        return command_exit(code, &err);
    if (options.start_ms == 0)
        options.start_ms = clock_now_ms() / DAY_MS * DAY_MS - options.days * DAY_MS;
    options.start_ms -= options.start_ms % DAY_MS;
    stop_catch();
    return command_exit(run(&options, &err), &err);
}
