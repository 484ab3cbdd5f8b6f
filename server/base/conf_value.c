/* One reader and one writer per type of setting. */
#include "base/conf_value.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/str.h"

enum { CONF_NUMBER_BYTES_MAX = 24 };

struct unit {
    const char *name;
    int64_t size;
};
static const struct unit BYTE_UNITS[] = {
    {"TiB", INT64_C(1) << 40},
    {"GiB", INT64_C(1) << 30},
    {"MiB", INT64_C(1) << 20},
    {"KiB", INT64_C(1) << 10},
};
static const struct unit TIME_UNITS[] = {
    {"w", INT64_C(7) * DAY_MS}, {"d", DAY_MS}, {"h", HOUR_MS}, {"m", 60000}, {"s", 1000}};

static void *member_of(const struct conf_setting *setting, void *options)
{
    return (char *)options + setting->offset;
}

static bool bounded(const struct conf_setting *setting)
{
    return setting->min < setting->max;
}

static bool within(const struct conf_setting *setting, double value)
{
    return !bounded(setting) || (value >= setting->min && value <= setting->max);
}

/* "4096", "64MiB": digits and perhaps a binary unit. */
static bool bytes_parse(const char *text, int64_t *ret)
{
    char number[CONF_NUMBER_BYTES_MAX];
    size_t length = strlen(text);
    int64_t factor = 1, value;

    for (size_t i = 0; i < ARRAY_LEN(BYTE_UNITS); i++) {
        if (str_ends(text, BYTE_UNITS[i].name)) {
            factor = BYTE_UNITS[i].size;
            length -= strlen(BYTE_UNITS[i].name);
        }
    }
    if (length >= sizeof number)
        return false;
    (void)memcpy(number, text, length);
    number[length] = '\0';
    if (!str_to_i64(number, &value) || value < 0 || value > INT64_MAX / factor)
        return false;
    *ret = value * factor;
    return true;
}

static bool time_or_date_parse(const char *text, int64_t *ret_ms)
{
    char whole[TIME_TEXT_BYTES];

    if (strlen(text) != strlen("2026-11-24"))
        return time_parse(text, ret_ms);
    (void)snprintf(whole, sizeof whole, "%sT00:00:00Z", text);
    return time_parse(whole, ret_ms);
}

static bool integer_parse(enum conf_type type, const char *text, int64_t *ret)
{
    switch (type) {
    case CONF_DURATION:
        return duration_parse(text, ret);
    case CONF_BYTES:
        return bytes_parse(text, ret);
    case CONF_TIME:
        return time_or_date_parse(text, ret);
    default:
        return str_to_i64(text, ret);
    }
}

static void why_not(const struct conf_setting *setting, char ret_why[static CONF_WHY_BYTES])
{
    static const char *const FORMS[] = {
        [CONF_TEXT] = "text without control characters, not empty",
        [CONF_INT] = "a whole number",
        [CONF_REAL] = "a number",
        [CONF_BOOL] = "true or false",
        [CONF_DURATION] = "a duration such as 90s, 15m, 36h, 7d, 2w",
        [CONF_BYTES] = "a size in bytes such as 4096, 64MiB, 1GiB",
        [CONF_TIME] = "a date or a time such as 2026-11-24 or 2026-11-24T08:00:00Z",
        [CONF_LIST] = "a list without empty items, at most 64",
    };
    bool plain = setting->type == CONF_INT || setting->type == CONF_REAL;
    char low[32], high[32];

    if (!bounded(setting)) {
        (void)snprintf(ret_why, CONF_WHY_BYTES, "must be %s", FORMS[setting->type]);
        return;
    }
    (void)str_from_double(low, setting->min);
    (void)str_from_double(high, setting->max);
    (void)snprintf(ret_why, CONF_WHY_BYTES, "must be %s from %s to %s%s", FORMS[setting->type], low,
                   high,
                   plain                            ? ""
                   : setting->type == CONF_DURATION ? " ms"
                                                    : " bytes");
}

bool conf_list_add(struct conf_list *list, const char *item)
{
    if (*item == '\0' || list->count == CONF_LIST_MAX || !str_is_clean_utf8(item, strlen(item)))
        return false;
    list->items[list->count++] = item;
    return true;
}

static bool text_read(const char *text, const char **ret)
{
    if (*text == '\0' || !str_is_clean_utf8(text, strlen(text)))
        return false;
    *ret = text;
    return true;
}

static bool integer_read(const struct conf_setting *setting, const char *text, int64_t *ret)
{
    int64_t value;

    if (!integer_parse(setting->type, text, &value) || !within(setting, (double)value))
        return false;
    *ret = value;
    return true;
}

static bool real_read(const struct conf_setting *setting, const char *text, double *ret)
{
    double value;

    if (!str_to_double(text, &value) || !within(setting, value))
        return false;
    *ret = value;
    return true;
}

bool conf_value_read(const struct conf_setting *setting, const char *text, void *options,
                     char ret_why[static CONF_WHY_BYTES])
{
    void *member = member_of(setting, options);
    bool fine = false;

    switch (setting->type) {
    case CONF_TEXT:
        fine = text_read(text, member);
        break;
    case CONF_REAL:
        fine = real_read(setting, text, member);
        break;
    case CONF_BOOL:
        fine = str_to_bool(text, member);
        break;
    case CONF_LIST:
        fine = conf_list_add(member, text);
        break;
    case CONF_INT:
    case CONF_DURATION:
    case CONF_BYTES:
    case CONF_TIME:
        fine = integer_read(setting, text, member);
        break;
    }
    if (!fine)
        why_not(setting, ret_why);
    return fine;
}

/* In the largest unit that divides it. */
static void format_units(const struct unit *units, size_t count, int64_t value, struct str *ret)
{
    for (size_t i = 0; i < count; i++) {
        if (value > 0 && value % units[i].size == 0) {
            str_addf(ret, "%" PRId64 "%s", value / units[i].size, units[i].name);
            return;
        }
    }
    str_addf(ret, "%" PRId64, value);
}

static void format_integer(const struct conf_setting *setting, int64_t value, struct str *ret)
{
    char text[TIME_TEXT_BYTES];

    if (!within(setting, (double)value) || (value == 0 && setting->type != CONF_INT))
        return;
    if (setting->type == CONF_TIME) {
        (void)time_format(text, value);
        str_add(ret, text);
    } else if (setting->type == CONF_BYTES) {
        format_units(BYTE_UNITS, ARRAY_LEN(BYTE_UNITS), value, ret);
    } else if (setting->type == CONF_DURATION) {
        format_units(TIME_UNITS, ARRAY_LEN(TIME_UNITS), value, ret);
    } else {
        str_addf(ret, "%" PRId64, value);
    }
}

static void format_real(const struct conf_setting *setting, double value, struct str *ret)
{
    char text[32];

    if (!isfinite(value) || !within(setting, value))
        return;
    (void)str_from_double(text, value);
    str_add(ret, text);
}

static void format_list(const struct conf_list *list, struct str *ret)
{
    for (size_t i = 0; i < list->count; i++)
        str_addf(ret, "%s%s", i > 0 ? "," : "", list->items[i]);
}

void conf_value_format(const struct conf_setting *setting, const void *options, struct str *ret)
{
    const void *member = (const char *)options + setting->offset;
    const char *const *text = member;
    const bool *on = member;

    if (setting->flags & CONF_SECRET)
        return;
    if (setting->type == CONF_TEXT)
        str_add(ret, *text != NULL ? *text : "");
    else if (setting->type == CONF_BOOL)
        str_add(ret, *on ? "true" : "");
    else if (setting->type == CONF_REAL)
        format_real(setting, *(const double *)member, ret);
    else if (setting->type == CONF_LIST)
        format_list(member, ret);
    else
        format_integer(setting, *(const int64_t *)member, ret);
}

void conf_env_name(const char *name, char ret[static CONF_NAME_BYTES])
{
    size_t at = (size_t)snprintf(ret, CONF_NAME_BYTES, "PAIRWATCH_");

    ASSERT(strlen(name) + at < CONF_NAME_BYTES);
    for (; *name != '\0'; name++) {
        bool lower = *name >= 'a' && *name <= 'z';

        ret[at++] = *name == '-' ? '_' : lower ? (char)(*name - 'a' + 'A') : *name;
    }
    ret[at] = '\0';
}
