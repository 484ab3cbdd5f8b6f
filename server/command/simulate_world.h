#pragma once
/* The simulated company: who there is, and where each usually goes or comes from. Everything
 * follows from the seed; the addresses are random and belong to nobody in particular. */
#include "base/hash.h"
#include "base/ip.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct arena;

enum {
    SIM_ACCOUNTS = 2,
    SIM_OFFICES = 3,
    SIM_NATS = 4,
    SIM_BALANCERS = 2,
    SIM_CI_NETWORKS = 3,
    SIM_INTERNAL = 2,
    SIM_PEERS_MAX = 8,
    SIM_ENTITIES_MIN = 20,
    SIM_ENTITIES_MAX = 100000,
    SIM_CHUNKS = 4, /* objects of a day, source and account: six hours each */
};

enum sim_kind { SIM_WEB, SIM_WORKER, SIM_USER, SIM_ROLE };
/* Where a role calls from: the NAT of its account, its instance's own address, or the runners of a
 * CI service. */
enum sim_egress { EGRESS_NAT, EGRESS_ELASTIC, EGRESS_CI };

struct sim_entity {
    enum sim_kind kind;
    uint32_t index; /* of all entities */
    int account;    /* 0..SIM_ACCOUNTS-1 */
    char name[96];  /* instance id, user or role ARN */
    char user[32];  /* short name of a user or role */
    struct ip own;  /* an instance's private address */
    /* WEB: networks of customers; WORKER: networks of services; USER: [0] the home network;
     * ROLE: none, see egress. */
    uint32_t peers[SIM_PEERS_MAX]; /* first address of a /20 (WEB, USER) or a /28 (WORKER) */
    int peer_count;
    struct ip internal[SIM_INTERNAL]; /* WORKER: databases and the like that it uses */
    enum sim_egress egress;           /* ROLE */
    struct ip elastic;                /* EGRESS_ELASTIC */
    int office;                       /* USER */
    bool v6_home;                     /* USER: the home network speaks IPv6 */
    double rate;                      /* events in a busy chunk */
};

struct sim_world {
    uint64_t seed;
    int64_t start_ms;
    int days;
    struct sim_entity *entities;
    size_t entity_count;
    struct ip offices[SIM_OFFICES], nats[SIM_ACCOUNTS][SIM_NATS];
    struct ip balancers[SIM_ACCOUNTS][SIM_BALANCERS]; /* private */
    uint32_t ci_networks[SIM_CI_NETWORKS];            /* /24s */

    /* The stories, told from story_day on. */
    int story_day;
    size_t stolen_role, beaconing_worker;
    struct ip hosting_thief, hosting_control, new_office;
};

void sim_world_make(struct sim_world *world, uint64_t seed, size_t entities, int days,
                    int64_t start_ms, struct arena *arena);
const char *sim_account(int account); /* twelve digits */
/* Independent numbers for one entity in one chunk, whatever was drawn before. */
struct rng sim_rng(const struct sim_world *world, uint64_t stream, int day, int chunk);
