#pragma once
/* The rows of one object: one source, account, day and six-hour chunk, as flat CSV. */
#include "command/simulate_world.h"
#include <stdio.h>

enum sim_source { SIM_VPC_FLOW, SIM_CLOUD_TRAIL };

struct sim_rows {
    const struct sim_world *world;
    int day, chunk, account;
    FILE *csv;      /* of the object */
    FILE *labels;   /* of the whole lake: entity,ip,ts,label,spec,story */
    uint64_t count; /* rows written */
};

extern const char *const SIM_CSV_HEADERS[2];
/* What nests the CSV's columns into OCSF 1.1.0 as Security Lake's source version 2 has it. */
extern const char *const SIM_SELECTS[2];

void sim_flow_rows(struct sim_rows *rows);
void sim_trail_rows(struct sim_rows *rows);
