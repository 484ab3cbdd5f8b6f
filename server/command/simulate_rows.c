/* What everyone does in six hours: habits, a little newness, noise, and the stories. */
#include "command/simulate_rows.h"

#include <inttypes.h>

#include "base/clock.h"

enum {
    CHUNK_MS = 6 * HOUR_MS,
    CI_RUNNERS = 40,       /* addresses of a CI network that are in use */
    CUSTOMERS = 200,       /* regular clients of a web server in each of its networks */
    HOME_LEASE_DAYS = 3,   /* how long a home keeps its address */
    LABEL_ONE_IN = 40,     /* how many benign rows of the story days are labelled */
    NEW_OFFICE_ONE_IN = 6, /* how many users work from the new office on its day */
    STREAM_ROWS = 1000000,
};
#define REGION "us-east-1"

/* Chance that something benign is new: a traveller's day, a client or service of another network.
 */
static const double TRAVEL_PER_DAY = 0.004, NEW_SERVICE = 0.0002, NEW_CUSTOMER = 0.02;
/* Of a web server's requests those that come by a load balancer, of a worker's calls those that
 * stay inside. */
static const double BALANCED = 0.35, INTERNAL = 0.25;
static const double REFUSED_PER_WEB_CHUNK = 0.8, NO_DATA_PER_CHUNK = 0.05, SERVICE_CALLERS = 0.03;
/* Of a day's work, by chunk: people sleep, machines less so. */
static const double PEOPLE[SIM_CHUNKS] = {0.05, 0.7, 1.0, 0.3};
static const double MACHINES[SIM_CHUNKS] = {0.6, 0.9, 1.0, 0.8};

static int64_t random_time(const struct sim_rows *rows, struct rng *rng)
{
    return rows->world->start_ms + (int64_t)rows->day * DAY_MS + (int64_t)rows->chunk * CHUNK_MS +
           (int64_t)rng_below(rng, CHUNK_MS);
}

static bool is_weekend(const struct sim_rows *rows)
{
    int64_t days = rows->world->start_ms / DAY_MS + rows->day;

    return days % 7 == 2 || days % 7 == 3; /* 1970-01-01 was a Thursday */
}

/* Roughly Poisson with small means; enough for counts of events. */
static int draw_count(struct rng *rng, double mean)
{
    int whole = (int)mean;

    return whole + (rng_unit(rng) < mean - whole) + (int)(rng_unit(rng) * mean * 0.3);
}

static void label(struct sim_rows *rows, struct rng *rng, const char *entity, const struct ip *ip,
                  int64_t time_ms, const char *spec, const char *story)
{
    char text[IP_TEXT_BYTES];

    if (rows->day < rows->world->story_day)
        return;
    if (story == NULL && rng_below(rng, LABEL_ONE_IN) != 0)
        return;
    (void)ip_format(text, ip);
    (void)fprintf(rows->labels, "%s,%s,%" PRId64 ",%d,%s,%s\n", entity, text, time_ms / 1000,
                  story != NULL, spec, story != NULL ? story : "");
}

/* ---- VPC flows ---- */

static void write_flow(struct sim_rows *rows, struct rng *rng, const struct sim_entity *e,
                       const struct ip *peer, int64_t time_ms, bool inbound, bool allowed)
{
    char own[IP_TEXT_BYTES], other[IP_TEXT_BYTES];
    int ephemeral = 32768 + (int)rng_below(rng, 28000);

    (void)ip_format(own, &e->own);
    (void)ip_format(other, peer);
    rows->count++;
    (void)fprintf(rows->csv, "%" PRId64 ",%s,%d,%s,%s,%d,%s,%d,%d,OK,%d,%d,%s,%s\n", time_ms,
                  inbound ? other : own, ephemeral, inbound ? "" : e->name, inbound ? own : other,
                  443, inbound ? e->name : "", inbound ? 1 : 2, allowed ? 1 : 2,
                  4 + (int)rng_below(rng, 40), 400 + (int)rng_below(rng, 60000),
                  sim_account(rows->account), REGION);
}

static void write_no_data(struct sim_rows *rows, int64_t time_ms)
{
    rows->count++;
    (void)fprintf(rows->csv, "%" PRId64 ",-,,-,-,,,99,99,NODATA,,,%s,%s\n", time_ms,
                  sim_account(rows->account), REGION);
}

static struct ip random_public(struct rng *rng)
{
    return ip_from_v4((uint32_t)(11 + rng_below(rng, 80)) << 24 |
                      (uint32_t)rng_below(rng, 1 << 24));
}

/* A regular client of one of the server's networks, or a new one of the same network. */
static struct ip customer(const struct sim_entity *e, struct rng *rng)
{
    uint32_t network = e->peers[rng_below(rng, (uint64_t)e->peer_count)];
    double u = rng_unit(rng);
    uint32_t host = (uint32_t)(CUSTOMERS * u * u) * 20;

    if (rng_unit(rng) < NEW_CUSTOMER)
        host = (uint32_t)rng_below(rng, 4096);
    return ip_from_v4(network | (host & 4095));
}

static void web_rows(struct sim_rows *rows, const struct sim_entity *e, struct rng *rng)
{
    int requests = draw_count(rng, 2 * e->rate * PEOPLE[rows->chunk]);
    int refused = draw_count(rng, REFUSED_PER_WEB_CHUNK);

    for (int i = 0; i < requests; i++) {
        struct ip ip = rng_unit(rng) < BALANCED
                           ? rows->world->balancers[e->account][rng_below(rng, SIM_BALANCERS)]
                           : customer(e, rng);
        int64_t time_ms = random_time(rows, rng);

        write_flow(rows, rng, e, &ip, time_ms, true, true);
        label(rows, rng, e->name, &ip, time_ms, "vpc-ingress", NULL);
    }
    for (int i = 0; i < refused; i++) {
        struct ip ip = random_public(rng);

        write_flow(rows, rng, e, &ip, random_time(rows, rng), true, false);
    }
}

static void worker_rows(struct sim_rows *rows, const struct sim_entity *e, struct rng *rng)
{
    int calls = draw_count(rng, e->rate * MACHINES[rows->chunk]);

    for (int i = 0; i < calls; i++) {
        uint32_t network = e->peers[rng_below(rng, (uint64_t)e->peer_count)];
        struct ip ip = ip_from_v4(network | (uint32_t)rng_below(rng, 6));
        int64_t time_ms = random_time(rows, rng);

        if (rng_unit(rng) < INTERNAL)
            ip = e->internal[rng_below(rng, SIM_INTERNAL)];
        if (rng_unit(rng) < NEW_SERVICE)
            ip = random_public(rng);
        write_flow(rows, rng, e, &ip, time_ms, false, true);
        label(rows, rng, e->name, &ip, time_ms, "vpc-egress", NULL);
    }
    if (rng_unit(rng) < NO_DATA_PER_CHUNK)
        write_no_data(rows, random_time(rows, rng));
}

/* A workload calls an address nobody has ever called, every hour, from the second story day on. */
static void beacon_rows(struct sim_rows *rows, const struct sim_entity *e, struct rng *rng)
{
    const struct sim_world *world = rows->world;

    for (int hour = 0; hour < CHUNK_MS / HOUR_MS; hour++) {
        int64_t time_ms = world->start_ms + (int64_t)rows->day * DAY_MS +
                          (int64_t)rows->chunk * CHUNK_MS + (int64_t)hour * HOUR_MS +
                          (int64_t)rng_below(rng, 5000);

        write_flow(rows, rng, e, &world->hosting_control, time_ms, false, true);
        label(rows, rng, e->name, &world->hosting_control, time_ms, "vpc-egress", "beacon");
    }
}

void sim_flow_rows(struct sim_rows *rows)
{
    const struct sim_world *world = rows->world;

    for (size_t i = 0; i < world->entity_count; i++) {
        const struct sim_entity *e = &world->entities[i];
        struct rng rng = sim_rng(world, STREAM_ROWS + i, rows->day, rows->chunk);

        if (e->account != rows->account)
            continue;
        if (e->kind == SIM_WEB)
            web_rows(rows, e, &rng);
        if (e->kind == SIM_WORKER)
            worker_rows(rows, e, &rng);
        if (i == world->beaconing_worker && rows->day >= world->story_day)
            beacon_rows(rows, e, &rng);
    }
}

/* ---- CloudTrail ---- */

static void write_call(struct sim_rows *rows, struct rng *rng, const struct sim_entity *e,
                       const char *ip, const char *domain, int64_t time_ms)
{
    static const char *const OPERATIONS[] = {
        "DescribeInstances", "ListBuckets", "GetCallerIdentity", "DescribeVolumes", "GetParameter"};
    static const char *const SERVICES[] = {"ec2.amazonaws.com", "s3.amazonaws.com",
                                           "sts.amazonaws.com", "ec2.amazonaws.com",
                                           "ssm.amazonaws.com"};
    size_t call = rng_below(rng, 5);
    bool role = e->kind == SIM_ROLE;
    char session[160];

    (void)snprintf(session, sizeof session, role ? "arn:aws:sts::%s:assumed-role/%s/s%u" : "%s",
                   role ? sim_account(e->account) : e->name, e->user, (unsigned)rng_below(rng, 50));
    rows->count++;
    (void)fprintf(rows->csv, "%" PRId64 ",%s,%s,AROA%08u:s,%s,%s,%s,%s,%s,%s,%s,%s,%s,%016llx\n",
                  time_ms, session, role ? e->name : "", e->index, role ? "AssumedRole" : "IAMUser",
                  role ? "" : e->user, ip, domain, OPERATIONS[call], SERVICES[call],
                  sim_account(rows->account), REGION, "aws-cli/2.15.0",
                  (unsigned long long)rng_u64(rng));
}

/* A home keeps its address for some days and gets another of the same network then. */
static struct ip home_of(const struct sim_entity *e, int day)
{
    uint64_t lease = hash_mix(e->index * 977U + (uint64_t)(day / HOME_LEASE_DAYS));
    struct ip ip = ip_from_v4(e->peers[0] | (uint32_t)(lease & 1023));

    if (!e->v6_home)
        return ip;
    ip = (struct ip){{0x20 | (uint8_t)(e->peers[0] >> 31), 0x03}};
    for (int i = 0; i < 4; i++)
        ip.bytes[2 + i] = (uint8_t)(e->peers[0] >> (24 - 8 * i));
    ip.bytes[7] = (uint8_t)e->index;
    for (int i = 0; i < 8; i++)
        ip.bytes[8 + i] = (uint8_t)(lease >> (8 * i));
    return ip;
}

static bool is_new_office_day(const struct sim_rows *rows, const struct sim_entity *e)
{
    return e->kind == SIM_USER && rows->day == rows->world->days - 1 &&
           (rows->chunk == 1 || rows->chunk == 2) && e->index % NEW_OFFICE_ONE_IN == 2;
}

static struct ip role_source(const struct sim_world *world, const struct sim_entity *e,
                             struct rng *rng)
{
    switch (e->egress) {
    case EGRESS_NAT:
        break;
    case EGRESS_ELASTIC:
        return e->elastic;
    case EGRESS_CI:
        return ip_from_v4(world->ci_networks[rng_below(rng, SIM_CI_NETWORKS)] |
                          (uint32_t)(8 + rng_below(rng, CI_RUNNERS)));
    }
    return world->nats[e->account][rng_below(rng, SIM_NATS)];
}

/* Where the principal calls from at this time, and which story that is. */
static struct ip source_of(struct sim_rows *rows, const struct sim_entity *e, struct rng *rng,
                           const char **ret_story)
{
    const struct sim_world *world = rows->world;
    struct rng day_rng = sim_rng(world, 2 * STREAM_ROWS + e->index, rows->day, 0);

    *ret_story = NULL;
    if (e->kind == SIM_ROLE)
        return role_source(world, e, rng);
    if (is_new_office_day(rows, e)) {
        *ret_story = "new_office";
        return world->new_office;
    }
    if (rng_unit(&day_rng) < TRAVEL_PER_DAY)
        return random_public(&day_rng);
    if (rows->chunk > 0 && !is_weekend(rows) && rng_unit(rng) < 0.7)
        return world->offices[e->office];
    return home_of(e, rows->day);
}

static void call_rows(struct sim_rows *rows, const struct sim_entity *e, struct rng *rng)
{
    double share = e->kind == SIM_USER ? PEOPLE[rows->chunk] : MACHINES[rows->chunk];
    int calls;

    if (e->kind == SIM_USER && is_weekend(rows))
        share *= 0.15;
    calls = draw_count(rng, e->rate * share);
    if (calls == 0 && is_new_office_day(rows, e))
        calls = 1;
    for (int i = 0; i < calls; i++) {
        const char *story;
        char text[IP_TEXT_BYTES];
        struct ip ip = source_of(rows, e, rng, &story);
        int64_t time_ms = random_time(rows, rng);

        (void)ip_format(text, &ip);
        if (rng_unit(rng) < SERVICE_CALLERS) {
            write_call(rows, rng, e, "", "cloudformation.amazonaws.com", time_ms);
            continue;
        }
        write_call(rows, rng, e, text, "", time_ms);
        label(rows, rng, e->name, &ip, time_ms, "cloudtrail-principal", story);
    }
}

/* Credentials of an instance's role are used from a hosting network in one night. */
static void thief_rows(struct sim_rows *rows, const struct sim_entity *e, struct rng *rng)
{
    enum { THIEF_CALLS = 25 };
    const struct ip *ip = &rows->world->hosting_thief;
    char text[IP_TEXT_BYTES];

    (void)ip_format(text, ip);
    for (int i = 0; i < THIEF_CALLS; i++) {
        int64_t time_ms = random_time(rows, rng);

        write_call(rows, rng, e, text, "", time_ms);
        label(rows, rng, e->name, ip, time_ms, "cloudtrail-principal", "stolen_credentials");
    }
}

void sim_trail_rows(struct sim_rows *rows)
{
    const struct sim_world *world = rows->world;

    for (size_t i = 0; i < world->entity_count; i++) {
        const struct sim_entity *e = &world->entities[i];
        struct rng rng = sim_rng(world, STREAM_ROWS + i, rows->day, rows->chunk);

        if (e->account != rows->account)
            continue;
        if (e->kind == SIM_USER || e->kind == SIM_ROLE)
            call_rows(rows, e, &rng);
        if (i == world->stolen_role && rows->day == world->story_day && rows->chunk == 0)
            thief_rows(rows, e, &rng);
    }
}
