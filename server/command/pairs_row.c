/* The rules of a row, and the sentence for each way to break them. */
#include "command/pairs_row.h"

#include <stdio.h>
#include <string.h>

#include "base/str.h"

static const char BLANKS[] = " \t";

const char *const PAIRS_REASON_WORDS[PAIRS_REASON__MAX + 1] = {
    [PAIRS_COLUMNS] = "columns",
    [PAIRS_QUOTES] = "quotes",
    [PAIRS_ENTITY] = "entity",
    [PAIRS_ADDRESS] = "address",
    [PAIRS_ADDRESS_LIST] = "address_list",
    [PAIRS_ADDRESS_PORT] = "address_port",
    [PAIRS_ADDRESS_ZONE] = "address_zone",
    [PAIRS_LEADING_ZERO] = "leading_zero",
    [PAIRS_BLANK] = "blank",
    [PAIRS_TIME] = "time",
    [PAIRS_LABEL] = "label",
    [PAIRS_NUL] = "nul",
    [PAIRS_TOO_LONG] = "too_long",
    [PAIRS_FORM] = "form",
};

bool pairs_fault_set(struct pairs_fault *fault, enum pairs_reason reason, size_t offset,
                     const char *what)
{
    fault->reason = reason;
    fault->offset = offset;
    (void)snprintf(fault->what, sizeof fault->what, "%s", what);
    return false;
}

bool pairs_entity_check(const char *text, size_t length, struct pairs_fault *ret)
{
    if (length == 0)
        return pairs_fault_set(ret, PAIRS_ENTITY, 0, "the entity is empty");
    if (length > PAIRS_ENTITY_BYTES_MAX)
        return pairs_fault_set(ret, PAIRS_ENTITY, 0, "the entity is longer than 2048 bytes");
    if (!str_is_clean_utf8(text, length))
        return pairs_fault_set(ret, PAIRS_ENTITY, 0,
                               "the entity is not printable UTF-8 without control characters");
    return true;
}

/* An octet of several digits that begins with 0. */
static bool has_leading_zero(const char *text)
{
    bool start = true;

    for (; *text != '\0'; text++) {
        if (start && *text == '0' && text[1] >= '0' && text[1] <= '9')
            return true;
        start = *text == '.';
    }
    return false;
}

static bool has_port(const char *text)
{
    const char *colon = strchr(text, ':');

    if (*text == '[')
        return true;
    return colon != NULL && strchr(colon + 1, ':') == NULL && strchr(text, '.') != NULL &&
           strchr(text, '.') < colon;
}

static bool is_of_v4(const char *text)
{
    return text[strspn(text, "0123456789.")] == '\0';
}

bool pairs_address_read(const char *text, struct ip *ret, struct pairs_fault *ret_fault)
{
    size_t length = strlen(text);

    if (ip_parse(text, ret))
        return true;
    if (length == 0)
        return pairs_fault_set(ret_fault, PAIRS_ADDRESS, 0, "the IP address is empty");
    if (strpbrk(text, ",;") != NULL)
        return pairs_fault_set(ret_fault, PAIRS_ADDRESS_LIST, 0,
                               "this is a list of addresses, as in X-Forwarded-For, not one");
    if (strpbrk(text, BLANKS) != NULL)
        return pairs_fault_set(ret_fault, PAIRS_BLANK, 0, "there is a blank in the IP address");
    if (strchr(text, '%') != NULL)
        return pairs_fault_set(ret_fault, PAIRS_ADDRESS_ZONE, 0,
                               "an IPv6 address with a zone means something on one machine only");
    if (has_port(text))
        return pairs_fault_set(ret_fault, PAIRS_ADDRESS_PORT, 0,
                               "an IP address goes without brackets and port");
    if (is_of_v4(text) && has_leading_zero(text))
        return pairs_fault_set(ret_fault, PAIRS_LEADING_ZERO, 0,
                               "an octet with a leading zero is ambiguous, octal or decimal");
    return pairs_fault_set(ret_fault, PAIRS_ADDRESS, 0, "this is not an IP address");
}
