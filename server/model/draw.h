#pragma once
/* Addresses that nobody was seen at: training's random negatives. */
#include "base/ip.h"
#include <stdbool.h>

struct rng;

/* IPv4: each byte uniform, as SageMaker's tutorial has it. IPv6: one of the blocks that IANA has
 * given to the regional registries, then uniform in it; the rest of 2000::/3 is not routed, and
 * telling it from real addresses teaches nothing. */
struct ip draw_ip(struct rng *rng, bool v6);
