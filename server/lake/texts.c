/* A hash table of texts. Most values of an object are met again and again, so what counts is to
 * find one: sixteen bytes are read as two words, and a text of up to twelve lies in them. */
#include "lake/texts.h"

#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/own.h"

enum {
    SLOTS_FIRST = 1024,
    ITEMS_FIRST = 256,
    ITEM_COST = 64, /* with its slots, at most */
    BLOCK_TEXTS = 64,
};
/* Odd, with as many ones as zeros, without a pattern: the first digits of the golden ratio and of
 * pi, in binary. */
#define FACTOR_A UINT64_C(0x9e3779b97f4a7c15)
#define FACTOR_B UINT64_C(0x243f6a8885a308d3)

void texts_init(struct texts *texts)
{
    *texts = (struct texts){
        .items = own_array(ITEMS_FIRST, sizeof *texts->items),
        .count = 1, /* number 0 is the null */
        .capacity = ITEMS_FIRST,
        .slots = own_array(SLOTS_FIRST, sizeof *texts->slots),
        .slot_count = SLOTS_FIRST,
        .seed = hash_seed(),
    };
    arena_init(&texts->arena, (size_t)TEXTS_BYTES_MAX * 2);
}

void texts_done(struct texts *texts)
{
    arena_done(&texts->arena);
    free(texts->items);
    free(texts->slots);
    *texts = (struct texts){0};
}

static uint64_t word_at(const char *bytes)
{
    uint64_t word;

    (void)memcpy(&word, bytes, sizeof word);
    return word;
}

/* The upper half of a product of 128 bits depends on all bits of both. */
static uint64_t fold(uint64_t a, uint64_t b)
{
    __extension__ typedef unsigned __int128 wide;
    wide product = (wide)a * b;

    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

/* Sixteen bytes at a time; the last sixteen may overlap those before them. */
static uint64_t hash_far(const char *bytes, size_t length, uint64_t seed)
{
    uint64_t state = seed ^ length;

    for (size_t at = 0; at + 16 < length; at += 16)
        state = fold(word_at(bytes + at) ^ FACTOR_A, word_at(bytes + at + 8) ^ state);
    return fold(word_at(bytes + length - 16) ^ FACTOR_B,
                word_at(bytes + length - 8) ^ state ^ FACTOR_A);
}

static inline uint32_t hash_of(const union duckdb_text *text, uint64_t seed)
{
    const char *words = (const char *)text;
    uint64_t hash;

    if (text->near.length <= DUCKDB_TEXT_NEAR_MAX)
        hash = fold(word_at(words) ^ seed, word_at(words + 8) ^ FACTOR_A);
    else if (text->far.length < 16)
        hash = fold(word_at(text->far.bytes) ^ seed ^ text->far.length,
                    word_at(text->far.bytes + text->far.length - 8) ^ FACTOR_B);
    else
        hash = hash_far(text->far.bytes, text->far.length, seed);
    return (uint32_t)(hash >> 32);
}

/* Of more than twelve bytes. Up to sixteen are two words, which may overlap. */
static bool same_far(const char *a, const char *b, size_t length)
{
    if (length > 16)
        return memcmp(a, b, length) == 0;
    return word_at(a) == word_at(b) && word_at(a + length - 8) == word_at(b + length - 8);
}

/* Length and the first four bytes are the first word, wherever the text lies. */
static bool is_same(const union duckdb_text *a, const union duckdb_text *b)
{
    if (word_at((const char *)a) != word_at((const char *)b))
        return false;
    if (a->near.length <= DUCKDB_TEXT_NEAR_MAX)
        return word_at((const char *)a + 8) == word_at((const char *)b + 8);
    return same_far(a->far.bytes, b->far.bytes, a->far.length);
}

static void place(struct texts *texts, uint32_t hash, uint32_t number)
{
    size_t mask = texts->slot_count - 1;
    size_t at = hash & mask;

    while (texts->slots[at].number != 0)
        at = (at + 1) & mask;
    texts->slots[at] = (struct text_slot){hash, number};
}

static void grow(struct texts *texts)
{
    struct text_slot *old = texts->slots;
    size_t old_count = texts->slot_count;

    if (texts->count == texts->capacity) {
        texts->capacity *= 2;
        texts->items = own_resize(texts->items, texts->capacity, sizeof *texts->items);
    }
    if ((size_t)texts->count * 2 < old_count)
        return;
    texts->slot_count *= 2;
    texts->slots = own_array(texts->slot_count, sizeof *texts->slots);
    for (size_t i = 0; i < old_count; i++)
        if (old[i].number != 0)
            place(texts, old[i].hash, old[i].number);
    free(old);
}

static uint32_t add(struct texts *texts, const union duckdb_text *text, uint32_t hash)
{
    bool far = text->near.length > DUCKDB_TEXT_NEAR_MAX;
    size_t used = texts->arena.used_bytes + (size_t)texts->count * ITEM_COST;

    if (texts->full || used + (far ? text->far.length : 0) > TEXTS_BYTES_MAX) {
        texts->full = true;
        return 0;
    }
    grow(texts);
    texts->items[texts->count] = *text;
    if (far)
        texts->items[texts->count].far.bytes =
            arena_memdup(&texts->arena, text->far.bytes, text->far.length);
    place(texts, hash, texts->count);
    return texts->count++;
}

static uint32_t number_of(struct texts *texts, const union duckdb_text *text, uint32_t hash)
{
    size_t mask = texts->slot_count - 1;

    for (size_t at = hash & mask; texts->slots[at].number != 0; at = (at + 1) & mask)
        if (texts->slots[at].hash == hash && is_same(&texts->items[texts->slots[at].number], text))
            return texts->slots[at].number;
    return add(texts, text, hash);
}

uint32_t texts_number(struct texts *texts, const union duckdb_text *text)
{
    if (cell_is_blank(text->near.bytes, text->near.length))
        return 0;
    return number_of(texts, text, hash_of(text, texts->seed));
}

/* All hashes first, and memory asked for what they lead to: one look-up waits for two lines. */
static void number_block(struct texts *texts, const union duckdb_text *const *from, size_t count,
                         uint32_t *const *ret)
{
    uint32_t hashes[BLOCK_TEXTS];
    size_t mask = texts->slot_count - 1;

    for (size_t i = 0; i < count; i++) {
        hashes[i] = hash_of(from[i], texts->seed);
        __builtin_prefetch(&texts->slots[hashes[i] & mask]);
    }
    for (size_t i = 0; i < count; i++)
        __builtin_prefetch(&texts->items[texts->slots[hashes[i] & mask].number]);
    for (size_t i = 0; i < count; i++)
        *ret[i] = number_of(texts, from[i], hashes[i]);
}

void texts_numbers(struct texts *texts, const union duckdb_text *from, const uint64_t *validity,
                   size_t count, uint32_t *ret)
{
    const union duckdb_text *block[BLOCK_TEXTS];
    uint32_t *to[BLOCK_TEXTS];
    size_t held = 0;

    for (size_t i = 0; i < count; i++) {
        ret[i] = 0;
        if ((validity != NULL && (validity[i / 64] >> (i % 64) & 1) == 0) ||
            cell_is_blank(from[i].near.bytes, from[i].near.length))
            continue;
        block[held] = &from[i];
        to[held++] = &ret[i];
        if (held == BLOCK_TEXTS) {
            number_block(texts, block, held, to);
            held = 0;
        }
    }
    number_block(texts, block, held, to);
}
