#pragma once
/* What is known of an entity or of an address, flagged or not: when it was seen and with whom, over
 * all that is kept, and its events by day over the newest PROFILE_DAYS days of data. From findings,
 * the last rows of observation, and the packed ones by their runs of pairs (store/pair_run.h), in
 * which what is of one entity, or of one address, lies together. Newest first, up to a deadline; on
 * one snapshot. */
#include "base/err.h"
#include "base/field.h"
#include "base/ip.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct arena;
struct db;

enum {
    PROFILE_DAYS = 30,            /* PAIR_DAYS, that is what runs of pairs keep */
    PROFILE_PARTNERS_MAX = 20000, /* told apart; more are counted in no partner */
    PROFILE_PARTNERS = 50,        /* given */
    PROFILE_NETWORKS = 20,
    PROFILE_SPECS = 32,
};

struct profile_partner { /* an address of the entity, or an entity of the address */
    const char *entity;
    struct ip ip;
    int64_t sightings, observations, first, last;
    double percentile; /* of the last sighting, of a finding its highest; NAN = unknown */
    int64_t finding;   /* FIELD_NULL_INT: never flagged */
};
extern const struct field PROFILE_ADDRESS_FIELDS[], PROFILE_ENTITY_FIELDS[];

struct profile_network { /* /24, or /48 of IPv6 */
    const char *network;
    int64_t addresses, observations, last;
};
extern const struct field PROFILE_NETWORK_FIELDS[];

struct profile_spec {
    const char *spec;
    int64_t sightings, observations, last;
};
extern const struct field PROFILE_SPEC_FIELDS[];

struct profile {
    int64_t since, until;   /* of the days, UTC; until is the end of the last */
    bool partial;           /* the deadline came: from complete_since on all is there */
    int64_t complete_since; /* since, unless partial */
    int64_t sightings, observations, first, last; /* rows; events; FIELD_NULL_INT without any */
    int64_t partner_count;                        /* at most PROFILE_PARTNERS_MAX */
    const struct profile_partner *partners;       /* last seen first */
    size_t partners_given;
    const struct profile_network *networks; /* of an entity: most events first */
    size_t network_count;
    const struct profile_spec *specs; /* most events first */
    size_t spec_count;
    int64_t events[PROFILE_DAYS], flagged[PROFILE_DAYS]; /* by day, since first */
};

/* until_mono_ms: when to stop reading, in clock_mono_ms. Somebody unknown was not seen. */
NODISCARD enum err_code profile_of_entity(struct db *db, struct arena *arena, const char *entity,
                                          int64_t until_mono_ms, struct profile *ret,
                                          struct err *err);
NODISCARD enum err_code profile_of_ip(struct db *db, struct arena *arena, const struct ip *ip,
                                      int64_t until_mono_ms, struct profile *ret, struct err *err);
