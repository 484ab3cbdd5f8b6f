#include "worker/emf.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"
#include "base/own.h"
#include "base/str.h"

enum { LINE_BYTES_MAX = 128 * 1024, NAME_BYTES = TALLY_NAME_BYTES };
static const char NAMESPACE[] = "pairwatch", LAG[] = "LagSeconds";

void emf_init(struct emf *emf, const char *function)
{
    *emf = (struct emf){.function = function};
    (void)pthread_mutex_init(&emf->lock, NULL);
}

void emf_done(struct emf *emf)
{
    (void)pthread_mutex_destroy(&emf->lock);
}

struct metric {
    const char *name;
    uint64_t value;
};

static void write_head(struct json_writer *json, const struct metric *metrics, size_t count,
                       bool lag)
{
    json_object(json, "_aws");
    json_int(json, "Timestamp", clock_now_ms());
    json_array(json, "CloudWatchMetrics");
    json_object(json, NULL);
    json_text(json, "Namespace", NAMESPACE);
    json_array(json, "Dimensions");
    json_array(json, NULL);
    json_text(json, NULL, "FunctionName");
    json_end(json);
    json_end(json);
    json_array(json, "Metrics");
    for (size_t i = 0; i < count + lag; i++) {
        json_object(json, NULL);
        json_text(json, "Name", i < count ? metrics[i].name : LAG);
        json_text(json, "Unit", i < count ? "Count" : "Seconds");
        json_end(json);
    }
    json_end(json);
    json_end(json);
    json_end(json);
    json_end(json);
}

/* What was counted since the last line, in all and, as plain members, by its labels. */
static uint64_t since(struct emf *emf, const struct tally *tallies, size_t count, const char *name,
                      struct json_writer *json)
{
    uint64_t sum = 0;

    for (size_t i = 0; i < count; i++) {
        uint64_t more = tallies[i].value - emf->told[i];
        size_t length = strlen(name);
        char plain[NAME_BYTES];

        if (more == 0 || strncmp(tallies[i].name, name, length) != 0 ||
            (tallies[i].name[length] != '\0' && tallies[i].name[length] != '|'))
            continue;
        sum += more;
        (void)snprintf(plain, sizeof plain, "%s", tallies[i].name);
        for (char *at = plain; *at != '\0'; at++)
            *at = *at == '|' ? '_' : *at;
        if (json != NULL && tallies[i].name[length] == '|')
            json_int(json, plain, (int64_t)more);
    }
    return sum;
}

static void write_reasons(struct json_writer *json, const struct worker_totals *batch)
{
    struct tally counters[TOTALS_COUNTERS_MAX];
    size_t count = totals_counters(batch, counters);

    for (size_t i = 0; i < count; i++)
        if (counters[i].value > 0 && str_starts(counters[i].name, "unscored_"))
            json_int(json, counters[i].name, (int64_t)counters[i].value);
}

/* Under the lock. */
static void compose(struct emf *emf, const struct worker_totals *batch, size_t received,
                    const double *lag_s, size_t lag_count, struct str *line)
{
    struct tally *tallies = own_array(TALLY_NAMES_MAX, sizeof *tallies);
    size_t count = tally_read(tallies);
    const struct metric metrics[] = {
        {"Received", received},
        {"ObjectsStored", batch->objects - batch->failed},
        {"ObjectsFailed", batch->failed},
        {"Rows", batch->rows},
        {"Pairs", batch->pairs},
        {"Scored", batch->scored},
        {"Unscored", totals_unscored(batch)},
        {"Flagged", batch->flagged},
        {"Poison", since(emf, tallies, count, "poison", NULL)},
        {"AwsCalls", since(emf, tallies, count, "aws_calls", NULL)},
        {"AwsRetries", since(emf, tallies, count, "aws_retries", NULL)},
        {"AwsThrottles", since(emf, tallies, count, "aws_throttles", NULL)},
    };
    struct json_writer json;

    json_writer_init(&json, line);
    json_object(&json, NULL);
    write_head(&json, metrics, ARRAY_LEN(metrics), lag_count > 0);
    json_text(&json, "FunctionName", emf->function);
    for (size_t i = 0; i < ARRAY_LEN(metrics); i++)
        json_int(&json, metrics[i].name, (int64_t)metrics[i].value);
    if (lag_count > 0) {
        json_array(&json, LAG);
        for (size_t i = 0; i < lag_count; i++)
            json_real(&json, NULL, lag_s[i]);
        json_end(&json);
    }
    write_reasons(&json, batch);
    (void)since(emf, tallies, count, "aws_retries", &json);
    (void)since(emf, tallies, count, "aws_throttles", &json);
    json_end(&json);
    str_add_char(line, '\n');
    for (size_t i = 0; i < count; i++)
        emf->told[i] = tallies[i].value;
    own_freep(&tallies);
}

void emf_write(struct emf *emf, const struct worker_totals *batch, size_t received,
               const double *lag_s, size_t lag_count)
{
    AUTO(str_done) struct str line = {0};
    struct err err = {0};

    str_init(&line, LINE_BYTES_MAX);
    (void)pthread_mutex_lock(&emf->lock);
    compose(emf, batch, received, lag_s, lag_count, &line);
    /* One write: lines of several threads never mix. */
    if (str_check(&line, "a batch's metrics", &err) != ERR_NONE ||
        write(STDOUT_FILENO, line.text, line.length) < 0)
        log_warn("a batch's metrics were not told", "reason=%s", log_quote(err.text));
    (void)pthread_mutex_unlock(&emf->lock);
}
