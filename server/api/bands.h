#pragma once
/* Percentiles of scores from a histogram. Pure, any thread. */
#include <stddef.h>
#include <stdint.h>

/* The score below which a share (0..1) of the observations lies, interpolated evenly inside its
 * bin, so off by at most one width. counts[i] holds scores from low + i * width on; what lies below
 * the first or above the last bin was counted into it. NAN without observations. */
double bands_quantile(const uint64_t *counts, size_t bins, double low, double width, double share);
