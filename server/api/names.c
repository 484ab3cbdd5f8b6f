/* The contract's name patterns are all of one form, so one matcher reads them. */
#include "api/names.h"

#include <stddef.h>
#include <string.h>

static bool is_letter_or_digit(char c, bool upper)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || (upper && c >= 'A' && c <= 'Z');
}

/* A letter or digit, then letters, digits and the others. */
static bool matches(const char *text, bool upper, const char *others, size_t length_max)
{
    size_t length = strlen(text);

    if (length == 0 || length > length_max || !is_letter_or_digit(*text, upper))
        return false;
    for (size_t i = 1; i < length; i++)
        if (!is_letter_or_digit(text[i], upper) && strchr(others, text[i]) == NULL)
            return false;
    return true;
}

bool name_is_valid(const char *text)
{
    return matches(text, false, "._-", NAME_LENGTH_MAX);
}

bool spec_name_is_valid(const char *text)
{
    return matches(text, false, "-", SPEC_NAME_LENGTH_MAX);
}

bool model_id_is_valid(const char *text)
{
    return matches(text, true, "._:-", MODEL_ID_LENGTH_MAX);
}

bool tag_is_valid(const char *text)
{
    return matches(text, false, "._:-", TAG_LENGTH_MAX);
}
