/* Quantiles of binned counts. */
#include "api/bands.h"

#include <math.h>

double bands_quantile(const uint64_t *counts, size_t bins, double low, double width, double share)
{
    uint64_t total = 0;
    double below = 0, wanted;

    for (size_t i = 0; i < bins; i++)
        total += counts[i];
    if (total == 0)
        return NAN;
    wanted = share * (double)total;
    for (size_t i = 0; i < bins; i++) {
        if (counts[i] > 0 && below + (double)counts[i] >= wanted)
            return low + width * ((double)i + (wanted - below) / (double)counts[i]);
        below += (double)counts[i];
    }
    return low + width * (double)bins;
}
