/* What was gathered of an entity or of an address, as it is told. */
#include <stdlib.h>

#include "base/arena.h"
#include "store/db.h"
#include "store/profile_gathering.h"

enum { NETWORK_BITS_V4 = 24, NETWORK_BITS_V6 = 48 };

struct name_row {
    const char *name;
};
static const struct field NAME_FIELDS[] = {
    FIELD(struct name_row, name, FIELD_TEXT, .flags = 0),
    FIELD_END,
};

static int by_last(const void *a_, const void *b_)
{
    const struct partner *a = a_, *b = b_;

    return (a->seen.last < b->seen.last) - (a->seen.last > b->seen.last);
}

static int by_address(const void *a_, const void *b_)
{
    const struct partner *a = a_, *b = b_;

    return ip_compare(&a->seen.ip, &b->seen.ip);
}

static int by_network_events(const void *a_, const void *b_)
{
    const struct profile_network *a = a_, *b = b_;

    return (a->observations < b->observations) - (a->observations > b->observations);
}

static int by_spec_events(const void *a_, const void *b_)
{
    const struct spec_sum *a = a_, *b = b_;

    return (a->seen.observations < b->seen.observations) -
           (a->seen.observations > b->seen.observations);
}

/* Addresses in order are next to those of their network. Leaves the partners in that order. */
static void sum_networks(struct gathering *all)
{
    struct profile *result = all->result;
    size_t count = (size_t)result->partner_count, used = 0;
    struct profile_network *networks = ARENA_ARRAY(all->arena, struct profile_network, count + 1);
    struct cidr around = {.prefix_length = -1};

    qsort(all->partners, count, sizeof *all->partners, by_address);
    for (size_t i = 0; i < count; i++) {
        const struct profile_partner *seen = &all->partners[i].seen;
        char text[CIDR_TEXT_BYTES];

        if (used == 0 || !cidr_contains(&around, &seen->ip)) {
            around =
                cidr_around(&seen->ip, ip_is_v4(&seen->ip) ? NETWORK_BITS_V4 : NETWORK_BITS_V6);
            (void)cidr_format(text, &around);
            networks[used++] = (struct profile_network){.network = arena_strdup(all->arena, text)};
        }
        networks[used - 1].addresses++;
        networks[used - 1].observations += seen->observations;
        if (seen->last > networks[used - 1].last)
            networks[used - 1].last = seen->last;
    }
    qsort(networks, used, sizeof *networks, by_network_events);
    result->networks = networks;
    result->network_count = used < PROFILE_NETWORKS ? used : PROFILE_NETWORKS;
}

static enum err_code name_of(struct gathering *all, enum sql_id sql, int64_t id, const char **ret,
                             struct err *err)
{
    struct name_row row;

    TRY(db_row(all->db, sql, PARAMS(P_INT(id)), NAME_FIELDS, all->arena, &row, err));
    *ret = row.name;
    return ERR_NONE;
}

static enum err_code give_partners(struct gathering *all, struct err *err)
{
    struct profile *result = all->result;
    size_t count = (size_t)result->partner_count;
    size_t given = count < PROFILE_PARTNERS ? count : PROFILE_PARTNERS;
    struct profile_partner *partners = ARENA_ARRAY(all->arena, struct profile_partner, given + 1);

    qsort(all->partners, count, sizeof *all->partners, by_last);
    for (size_t i = 0; i < given; i++) {
        partners[i] = all->partners[i].seen;
        if (!is_of_entity(all))
            TRY(name_of(all, SQL_PROFILE_ENTITY_NAME, all->partners[i].entity_id,
                        &partners[i].entity, err));
    }
    result->partners = partners;
    result->partners_given = given;
    return ERR_NONE;
}

static enum err_code give_specs(struct gathering *all, struct err *err)
{
    struct profile *result = all->result;
    struct profile_spec *specs =
        ARENA_ARRAY(all->arena, struct profile_spec, result->spec_count + 1);

    qsort(all->specs, result->spec_count, sizeof *all->specs, by_spec_events);
    for (size_t i = 0; i < result->spec_count; i++) {
        specs[i] = all->specs[i].seen;
        TRY(name_of(all, SQL_PROFILE_SPEC_NAME, all->specs[i].id, &specs[i].spec, err));
    }
    result->specs = specs;
    return ERR_NONE;
}

enum err_code profile_give(struct gathering *all, struct err *err)
{
    if (is_of_entity(all))
        sum_networks(all);
    TRY(give_partners(all, err));
    return give_specs(all, err);
}
