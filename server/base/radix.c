#include "base/radix.h"

#include <string.h>

enum { BYTES = 8, VALUES = 256 };

/* From one place to the other in the order of one byte of the key. */
static void scatter(const struct radix_item *from, struct radix_item *to, size_t count, int byte,
                    const size_t counts[static VALUES])
{
    size_t starts[VALUES], sum = 0;

    for (int value = 0; value < VALUES; value++) {
        starts[value] = sum;
        sum += counts[value];
    }
    for (size_t i = 0; i < count; i++)
        to[starts[from[i].key >> (8 * byte) & 0xff]++] = from[i];
}

void radix_sort(struct radix_item *items, struct radix_item *spare, size_t count)
{
    size_t counts[BYTES][VALUES] = {{0}};
    struct radix_item *from = items, *to = spare;

    for (size_t i = 0; i < count; i++)
        for (int byte = 0; byte < BYTES; byte++)
            counts[byte][items[i].key >> (8 * byte) & 0xff]++;
    for (int byte = 0; byte < BYTES && count > 0; byte++) {
        struct radix_item *swap = from;

        if (counts[byte][from[0].key >> (8 * byte) & 0xff] == count)
            continue;
        scatter(from, to, count, byte, counts[byte]);
        from = to;
        to = swap;
    }
    if (from != items)
        (void)memcpy(items, from, count * sizeof *items);
}
