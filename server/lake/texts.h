#pragma once
/* The texts of an object, each kept once and known by a number: what takes rows apart then compares
 * numbers. Texts are as DuckDB has them. One object at a time, one thread. */
#include "base/arena.h"
#include "lake/cell.h"
#include "lake/duckdb_api.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { TEXTS_BYTES_MAX = 24 * 1024 * 1024 };

struct text_slot {
    uint32_t hash, number; /* 0: free */
};

struct texts {
    struct arena arena;       /* the long ones */
    union duckdb_text *items; /* by number, from 1 on */
    uint32_t count, capacity; /* of items */
    struct text_slot *slots;  /* open addressing, at most half full; slot_count is a power of two */
    size_t slot_count;
    uint64_t seed;
    bool full; /* some text has no number: what was numbered since is of no use */
};

void texts_init(struct texts *texts);
void texts_done(struct texts *texts); /* accepts a zeroed one */
/* 0 for a text that is as good as a null, and when there is no room: then full is set. */
uint32_t texts_number(struct texts *texts, const union duckdb_text *text);
/* The numbers of a vector's texts; validity as DuckDB has it. */
void texts_numbers(struct texts *texts, const union duckdb_text *from, const uint64_t *validity,
                   size_t count, uint32_t *ret);
/* The cell of a number. Its text stays until the next one is numbered. */
static inline void texts_cell(const struct texts *texts, uint32_t number, struct cell *ret)
{
    const union duckdb_text *text = &texts->items[number];

    ret->kind = number != 0 ? CELL_TEXT : CELL_NULL;
    ret->length = text->near.length;
    ret->text = ret->length <= DUCKDB_TEXT_NEAR_MAX ? text->near.bytes : text->far.bytes;
}
