/* Lines to ranges, ranges to disjoint ones. */
#include "command/asn_file.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/ip.h"
#include "base/own.h"
#include "base/str.h"

enum { FIELDS_MAX = 5, LINE_BYTES_MAX = 4096, CAPACITY_MIN = 4096, NESTED_MAX = 128 };
#define NAMES_BYTES_MAX ((size_t)256 << 20)

/* A line, as long as the file is read. */
struct network {
    uint64_t low, high; /* as prefix_key has them */
    uint32_t number, line;
    uint32_t family;
};
struct system {
    uint32_t number, line; /* the first line that names it */
    size_t name;           /* offset */
};
struct reading {
    const char *path;
    uint32_t line;
    struct network *networks;
    size_t network_count, network_capacity;
    struct system *systems;
    size_t system_count, system_capacity;
    struct str names;
};

static void reading_done(struct reading *reading)
{
    own_freep(&reading->networks);
    own_freep(&reading->systems);
    str_done(&reading->names);
}

static enum err_code refuse(const struct reading *reading, const char *what, struct err *err)
{
    return err_set(err, ERR_INVALID, "%s:%" PRIu32 ": %s", reading->path, reading->line, what);
}

/* Fields in place, without their quotes. Returns how many there are, FIELDS_MAX at most: the last
 * one has the rest. */
static size_t split(char *line, char separator, char *ret[static FIELDS_MAX])
{
    size_t count = 0;
    char *at = line;

    while (at != NULL && count < FIELDS_MAX) {
        char *end;

        ret[count] = at;
        if (separator == ',' && *at == '"' && (end = strchr(at + 1, '"')) != NULL) {
            ret[count] = at + 1;
            *end++ = '\0';
            end = *end == ',' ? end : NULL;
        } else {
            end = strchr(at, separator);
        }
        if (end != NULL)
            *end++ = '\0';
        at = end;
        count++;
    }
    return count;
}

static bool read_number(const char *text, uint32_t *ret)
{
    uint64_t number;

    if (str_starts(text, "AS") || str_starts(text, "as"))
        text += 2;
    if (!str_to_u64(text, &number) || number > UINT32_MAX)
        return false;
    *ret = (uint32_t)number;
    return true;
}

static bool read_range(const char *low_text, const char *high_text, struct network *ret)
{
    struct ip low, high;
    int low_length, high_length;

    if (!ip_parse(low_text, &low) || !ip_parse(high_text, &high))
        return false;
    ret->low = prefix_key(&low, &low_length);
    ret->high = prefix_key(&high, &high_length);
    if (low_length == PREFIX_BITS_V4) /* all that a key has beyond the address */
        ret->high |= UINT32_MAX;
    ret->family = low_length == PREFIX_BITS_V6;
    return low_length == high_length && ret->low <= ret->high;
}

static bool read_network(const char *text, struct network *ret)
{
    char low[IP_TEXT_BYTES], high[IP_TEXT_BYTES];
    struct cidr cidr;

    if (!cidr_parse(text, &cidr))
        return false;
    (void)ip_format(low, &cidr.low);
    (void)ip_format(high, &cidr.high);
    return read_range(low, high, ret);
}

static void keep_name(struct reading *reading, uint32_t number, const char *name)
{
    struct system *system;
    size_t length = strlen(name);

    if (reading->system_count > 0 && reading->systems[reading->system_count - 1].number == number)
        return;
    if (!str_is_clean_utf8(name, length))
        length = 0;
    if (length > ASN_NAME_BYTES_MAX) /* not within a character */
        for (length = ASN_NAME_BYTES_MAX; (name[length] & 0xc0) == 0x80; length--)
            ;
    if (reading->system_count == reading->system_capacity) {
        reading->system_capacity =
            reading->system_capacity > 0 ? 2 * reading->system_capacity : CAPACITY_MIN;
        reading->systems =
            own_resize(reading->systems, reading->system_capacity, sizeof *reading->systems);
    }
    system = &reading->systems[reading->system_count++];
    *system = (struct system){number, reading->line, reading->names.length};
    str_add_bytes(&reading->names, name, length);
    str_add_char(&reading->names, '\0');
}

static enum err_code add_network(struct reading *reading, const struct network *network,
                                 struct err *err)
{
    if (reading->network_count == ASN_RANGES_MAX)
        return refuse(reading, "there are more networks than 8,000,000", err);
    if (reading->network_count == reading->network_capacity) {
        reading->network_capacity =
            reading->network_capacity > 0 ? 2 * reading->network_capacity : CAPACITY_MIN;
        reading->networks =
            own_resize(reading->networks, reading->network_capacity, sizeof *reading->networks);
    }
    reading->networks[reading->network_count++] = *network;
    return ERR_NONE;
}

/* A header has a word where an address would be. */
static bool is_header(const struct reading *reading, const char *field)
{
    return reading->line == 1 && strpbrk(field, ".:/") == NULL && *field >= 'A';
}

static enum err_code read_line(struct reading *reading, char *line, struct err *err)
{
    char separator = strchr(line, '\t') != NULL ? '\t' : ',';
    char *fields[FIELDS_MAX];
    size_t count = split(line, separator, fields), number;
    struct network network = {.line = reading->line};
    const char *name = "";

    if (is_header(reading, fields[0]))
        return ERR_NONE;
    number = strchr(fields[0], '/') != NULL ? 1 : 2;
    if (count <= number)
        return refuse(reading,
                      "there are too few fields: network,asn[,name] or low,high,asn[,name]", err);
    if (number == 1 ? !read_network(fields[0], &network)
                    : !read_range(fields[0], fields[1], &network))
        return refuse(reading, "the network must be a CIDR, or the two ends of a range", err);
    if (!read_number(fields[number], &network.number))
        return refuse(reading, "the asn must be a number, with or without AS before it", err);
    if (separator == '\t' && count == FIELDS_MAX)
        name = fields[FIELDS_MAX - 1];
    else if (separator == ',' && count > number + 1)
        name = fields[number + 1];
    if (network.number > 0)
        keep_name(reading, network.number, name);
    return add_network(reading, &network, err);
}

static enum err_code read_lines(struct reading *reading, FILE *file, struct err *err)
{
    AUTO(own_freep) char *line = own_alloc(LINE_BYTES_MAX);

    while (fgets(line, LINE_BYTES_MAX, file) != NULL) {
        size_t length = strlen(line);

        reading->line++;
        if (length == LINE_BYTES_MAX - 1 && line[length - 1] != '\n')
            return refuse(reading, "the line is longer than 4094 bytes", err);
        line[strcspn(line, "\r\n")] = '\0';
        if (*line != '\0' && *line != '#')
            TRY(read_line(reading, line, err));
    }
    if (ferror(file))
        return err_errno(err, ERR_IO, "reading \"%s\"", reading->path);
    if (reading->system_count == 0)
        return err_set(err, ERR_INVALID, "\"%s\" names no autonomous system", reading->path);
    return str_check(&reading->names, "the names of the autonomous systems", err);
}

/* Larger networks before the smaller ones within them; of equal ones the last line is last. */
static int by_place(const void *a, const void *b)
{
    const struct network *x = a, *y = b;

    if (x->family != y->family)
        return x->family < y->family ? -1 : 1;
    if (x->low != y->low)
        return x->low < y->low ? -1 : 1;
    if (x->high != y->high)
        return x->high > y->high ? -1 : 1;
    return (x->line > y->line) - (x->line < y->line);
}

static int by_number(const void *a, const void *b)
{
    const struct system *x = a, *y = b;

    if (x->number != y->number)
        return x->number < y->number ? -1 : 1;
    return (x->line > y->line) - (x->line < y->line);
}

/* One of each number, in order. */
static void fill_systems(struct reading *reading, struct asn_file *ret)
{
    AUTO(str_done) struct str names = {0};
    size_t used = 0;

    str_init(&names, NAMES_BYTES_MAX);
    qsort(reading->systems, reading->system_count, sizeof *reading->systems, by_number);
    ret->numbers = own_array(reading->system_count, sizeof *ret->numbers);
    for (size_t i = 0; i < reading->system_count; i++) {
        const struct system *system = &reading->systems[i];
        const char *name = reading->names.text + system->name;

        if (used > 0 && ret->numbers[used - 1] == system->number)
            continue;
        ret->numbers[used++] = system->number;
        str_add_bytes(&names, name, strlen(name) + 1);
    }
    ret->table.system_count = used;
    ret->table.numbers = ret->numbers;
    ret->table.names_length = names.length;
    ret->table.names = ret->names = str_take(&names);
}

static uint32_t system_of(const struct asn_file *file, uint32_t number)
{
    size_t low = 0, high = file->table.system_count;

    while (low < high) {
        size_t middle = (low + high) / 2;

        if (file->numbers[middle] < number)
            low = middle + 1;
        else
            high = middle;
    }
    return (uint32_t)low;
}

/* Disjoint ranges of one family on their way out, and the networks that are open around them. */
struct flattening {
    struct asn_file *file;
    int family;
    size_t count;
    struct network open[NESTED_MAX];
    size_t depth;
    uint64_t next; /* nothing below it is still to come */
};

static void put(struct flattening *to, uint64_t low, uint64_t high, uint32_t number)
{
    struct asn_file *file = to->file;

    if (number == 0 || low > high)
        return;
    file->lows[to->family][to->count] = low;
    file->highs[to->family][to->count] = high;
    file->systems[to->family][to->count++] = system_of(file, number);
}

/* Ends what is open and ends before the key. */
static void end_before(struct flattening *to, uint64_t key)
{
    while (to->depth > 0 && to->open[to->depth - 1].high < key) {
        const struct network *ended = &to->open[--to->depth];

        if (to->next <= ended->high) {
            put(to, to->next, ended->high, ended->number);
            to->next = ended->high + 1;
        }
    }
}

static enum err_code flatten_one(struct flattening *to, const struct network *network,
                                 const struct reading *reading, struct err *err)
{
    end_before(to, network->low);
    if (to->depth > 0 && to->next < network->low)
        put(to, to->next, network->low - 1, to->open[to->depth - 1].number);
    if (to->depth == NESTED_MAX)
        return err_set(err, ERR_INVALID, "%s:%" PRIu32 ": more than %d networks lie around it",
                       reading->path, network->line, NESTED_MAX);
    to->open[to->depth++] = *network;
    to->next = network->low;
    return ERR_NONE;
}

static enum err_code flatten(const struct reading *reading, struct asn_file *ret, struct err *err)
{
    size_t i = 0, room = 2 * reading->network_count + 1;

    for (int family = 0; family < PREFIX_FAMILIES; family++) {
        struct flattening to = {.file = ret, .family = family};

        ret->lows[family] = own_array(room, sizeof(uint64_t));
        ret->highs[family] = own_array(room, sizeof(uint64_t));
        ret->systems[family] = own_array(room, sizeof(uint32_t));
        for (; i < reading->network_count && reading->networks[i].family == (uint32_t)family; i++)
            TRY(flatten_one(&to, &reading->networks[i], reading, err));
        while (to.depth > 0) {
            const struct network *ended = &to.open[--to.depth];

            if (to.next <= ended->high) {
                put(&to, to.next, ended->high, ended->number);
                if (ended->high == UINT64_MAX)
                    break;
                to.next = ended->high + 1;
            }
        }
        ret->table.families[family] = (struct asn_ranges){to.count, ret->lows[family],
                                                          ret->highs[family], ret->systems[family]};
    }
    return ERR_NONE;
}

enum err_code asn_file_read(const char *path, struct asn_file *ret, struct err *err)
{
    AUTO(reading_done) struct reading reading = {.path = path};
    FILE *file = fopen(path, "re");
    enum err_code code;

    if (file == NULL)
        return err_errno(err, ERR_IO, "opening \"%s\"", path);
    str_init(&reading.names, NAMES_BYTES_MAX);
    code = read_lines(&reading, file, err);
    (void)fclose(file);
    if (code != ERR_NONE)
        return code;
    qsort(reading.networks, reading.network_count, sizeof *reading.networks, by_place);
    fill_systems(&reading, ret);
    TRY(flatten(&reading, ret, err));
    if (!asn_table_holds(&ret->table))
        return err_set(err, ERR_INTERNAL, "the networks of \"%s\" do not come apart", path);
    return ERR_NONE;
}

void asn_file_done(struct asn_file *file)
{
    own_freep(&file->numbers);
    own_freep(&file->names);
    for (int f = 0; f < PREFIX_FAMILIES; f++) {
        own_freep(&file->lows[f]);
        own_freep(&file->highs[f]);
        own_freep(&file->systems[f]);
    }
}
