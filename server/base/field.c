/* The only code that field tables share; reading and writing rows is their users' matter. */
#include "base/field.h"

#include <string.h>

int field_word_index(const char *const *words, const char *word)
{
    for (int i = 0; words[i] != NULL; i++)
        if (strcmp(words[i], word) == 0)
            return i;
    return -1;
}
