#include "lake/flat.h"

void flat_name(const char *path, char ret[static FLAT_NAME_BYTES])
{
    size_t length = 0;

    for (; *path != '\0'; path++) {
        if (length + 3 > FLAT_NAME_BYTES) {
            length = 0;
            break;
        }
        if (*path == '.') {
            ret[length++] = '_';
            ret[length++] = '_';
        } else if (*path != '[' && *path != ']') {
            ret[length++] = *path;
        }
    }
    ret[length] = '\0';
}
