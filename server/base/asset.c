/* Lookup in the generated table of files; it is sorted by name, so a binary search finds them. */
#include "base/asset.h"

#include <stdlib.h>
#include <string.h>

static int compare_name(const void *name, const void *asset)
{
    return strcmp(name, ((const struct asset *)asset)->name);
}

const struct asset *asset_find(const char *name)
{
    return bsearch(name, ASSETS, ASSET_COUNT, sizeof ASSETS[0], compare_name);
}
