#include "command/simulate_world.h"

#include <stdio.h>

#include "base/arena.h"

enum {
    ISP_NETWORKS = 60,      /* /16s that homes and customers live in */
    SERVICE_NETWORKS = 90,  /* /24s of services that workers use */
    INTERNAL_SERVICES = 40, /* of an account: databases, caches, mirrors */
    STREAM_WORLD = 0,       /* entities' streams are index + STREAM_ENTITIES */
    STREAM_ENTITIES = 1000,
};

const char *sim_account(int account)
{
    static const char *const ACCOUNTS[SIM_ACCOUNTS] = {"111122223333", "444455556666"};

    return ACCOUNTS[account];
}

struct rng sim_rng(const struct sim_world *world, uint64_t stream, int day, int chunk)
{
    struct rng rng;

    rng_init(&rng, hash_mix(hash_mix(hash_mix(world->seed) + stream) + (uint64_t)day * 8 +
                            (uint64_t)chunk));
    return rng;
}

/* A random /16 on the Internet; first octets 100 and 127 are special, 192..223 hold many more. */
static uint32_t public_network(struct rng *rng)
{
    uint32_t first;

    do {
        first = 11 + (uint32_t)rng_below(rng, 180);
    } while (first == 100 || first == 127 || first == 169 || first == 172);
    return first << 24 | (uint32_t)rng_below(rng, 256) << 16;
}

static void name_instance(struct sim_entity *e, struct rng *rng)
{
    (void)snprintf(e->name, sizeof e->name, "i-%017llx",
                   (unsigned long long)(rng_u64(rng) & 0xfffffffffffffffULL));
    e->own = ip_from_v4(10U << 24 | (uint32_t)e->account << 20 | (uint32_t)(e->index & 0xfffff));
}

static void name_principal(struct sim_entity *e)
{
    bool user = e->kind == SIM_USER;

    (void)snprintf(e->user, sizeof e->user, user ? "user-%04u" : "role-%04u", e->index);
    (void)snprintf(e->name, sizeof e->name, "arn:aws:iam::%s:%s/%s", sim_account(e->account),
                   user ? "user" : "role", e->user);
}

/* Instances have 10.0.0.0/12 and 10.16.0.0/12, what serves them 10.240.0.0/12. */
static struct ip internal_address(int account, int group, uint32_t host)
{
    return ip_from_v4(10U << 24 | 240U << 16 | (uint32_t)account << 17 | (uint32_t)group << 8 |
                      (host + 10));
}

/* Zipf-like: low numbers are drawn far more often. */
static size_t popular(struct rng *rng, size_t count)
{
    double u = rng_unit(rng);

    return (size_t)((double)count * u * u);
}

static enum sim_kind kind_of(struct rng *rng)
{
    double u = rng_unit(rng);

    return u < 0.25 ? SIM_WEB : u < 0.70 ? SIM_WORKER : u < 0.86 ? SIM_USER : SIM_ROLE;
}

static void give_habits(struct sim_entity *e, struct rng *rng, const uint32_t *isps,
                        const uint32_t *services)
{
    int wanted = e->kind == SIM_WEB ? 5 : e->kind == SIM_WORKER ? 3 + (int)rng_below(rng, 5) : 1;

    for (e->peer_count = 0; e->peer_count < wanted; e->peer_count++) {
        uint32_t isp = isps[popular(rng, ISP_NETWORKS)] | (uint32_t)rng_below(rng, 16) << 12;
        uint32_t service = services[popular(rng, SERVICE_NETWORKS)] | (uint32_t)rng_below(rng, 2)
                                                                          << 4;

        e->peers[e->peer_count] = e->kind == SIM_WORKER ? service : isp;
    }
    for (int i = 0; i < SIM_INTERNAL; i++)
        e->internal[i] = internal_address(e->account, 1, (uint32_t)popular(rng, INTERNAL_SERVICES));
    e->office = (int)rng_below(rng, SIM_OFFICES);
    e->v6_home = e->kind == SIM_USER && rng_unit(rng) < 0.1;
    e->rate = 4.0 + 10.0 * rng_unit(rng);
}

static void give_egress(struct sim_entity *e, struct rng *rng)
{
    double u = rng_unit(rng);

    e->egress = u < 0.6 ? EGRESS_NAT : u < 0.85 ? EGRESS_ELASTIC : EGRESS_CI;
    e->elastic = ip_from_v4(public_network(rng) | (uint32_t)rng_below(rng, 65536));
}

static size_t first_of(const struct sim_world *world, enum sim_kind kind)
{
    for (size_t i = 0; i < world->entity_count; i++)
        if (world->entities[i].kind == kind)
            return i;
    return 0;
}

static void make_company_addresses(struct sim_world *world, struct rng *rng)
{
    for (int i = 0; i < SIM_OFFICES; i++)
        world->offices[i] = ip_from_v4(public_network(rng) | (uint32_t)rng_below(rng, 65536));
    for (int a = 0; a < SIM_ACCOUNTS; a++)
        for (int i = 0; i < SIM_NATS; i++)
            world->nats[a][i] = ip_from_v4(public_network(rng) | (uint32_t)rng_below(rng, 65536));
    for (int a = 0; a < SIM_ACCOUNTS; a++)
        for (int i = 0; i < SIM_BALANCERS; i++)
            world->balancers[a][i] = internal_address(a, 0, (uint32_t)i);
    for (int i = 0; i < SIM_CI_NETWORKS; i++)
        world->ci_networks[i] = public_network(rng) | (uint32_t)rng_below(rng, 256) << 8;
    world->hosting_thief = ip_from_v4(public_network(rng) | (uint32_t)rng_below(rng, 65536));
    world->hosting_control = ip_from_v4(public_network(rng) | (uint32_t)rng_below(rng, 65536));
    world->new_office = ip_from_v4(public_network(rng) | (uint32_t)rng_below(rng, 65536));
}

void sim_world_make(struct sim_world *world, uint64_t seed, size_t entities, int days,
                    int64_t start_ms, struct arena *arena)
{
    uint32_t isps[ISP_NETWORKS], services[SERVICE_NETWORKS];
    struct rng rng;

    *world = (struct sim_world){
        .seed = seed, .days = days, .start_ms = start_ms, .entity_count = entities};
    rng = sim_rng(world, STREAM_WORLD, 0, 0);
    for (int i = 0; i < ISP_NETWORKS; i++)
        isps[i] = public_network(&rng);
    for (int i = 0; i < SERVICE_NETWORKS; i++)
        services[i] = public_network(&rng) | (uint32_t)rng_below(&rng, 256) << 8;
    make_company_addresses(world, &rng);
    world->entities = ARENA_ARRAY(arena, struct sim_entity, entities);
    for (size_t i = 0; i < entities; i++) {
        struct sim_entity *e = &world->entities[i];
        struct rng own = sim_rng(world, STREAM_ENTITIES + i, 0, 0);

        e->index = (uint32_t)i;
        e->kind = i < 4 ? (enum sim_kind)i : kind_of(&own); /* at least one of each */
        e->account = (int)rng_below(&own, SIM_ACCOUNTS);
        if (e->kind == SIM_WEB || e->kind == SIM_WORKER)
            name_instance(e, &own);
        else
            name_principal(e);
        give_habits(e, &own, isps, services);
        if (i >= 4) /* the first role is the one whose credentials are stolen: of an instance */
            give_egress(e, &own);
    }
    world->story_day = days * 7 / 10;
    world->stolen_role = first_of(world, SIM_ROLE);
    world->beaconing_worker = first_of(world, SIM_WORKER);
}
