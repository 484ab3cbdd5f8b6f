/* Parameters and columns. Numbers and texts go out as text (exact: the shortest digits that read
 * back the same), bytes as they are. What comes back is text, or, where bytes are among it, all as
 * PostgreSQL holds it: the most significant byte first. */
#include "store/db_postgres.h"

#include <inttypes.h>
#include <string.h>

#include "base/arena.h"
#include "base/own.h"
#include "base/str.h"

enum { /* of pg_type, where they are fixed */
       OID_BOOL = 16,
       OID_BYTEA = 17,
       OID_INT8 = 20,
       OID_INT4 = 23,
       OID_TEXT = 25,
       OID_FLOAT8 = 701,
};

static void add_int(struct str *to, int64_t value)
{
    char digits[24], *at = digits + sizeof digits;
    uint64_t left = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;

    do {
        *--at = (char)('0' + left % 10);
        left /= 10;
    } while (left > 0);
    if (value < 0)
        *--at = '-';
    str_add_bytes(to, at, (size_t)(digits + sizeof digits - at));
}

void pg_value_add(struct pg_statement *s, size_t at, const struct param *param)
{
    char number[32];

    s->starts[at] = s->values.length;
    s->is_null[at] = param->type == PARAM_NULL;
    s->formats[at] = param->type == PARAM_BLOB;
    switch (param->type) {
    case PARAM_NULL:
        break;
    case PARAM_INT:
        add_int(&s->values, param->integer);
        break;
    case PARAM_REAL:
        (void)str_from_double(number, param->real);
        str_add(&s->values, number);
        break;
    case PARAM_TEXT:
        str_add(&s->values, param->text);
        break;
    case PARAM_BLOB:
        str_add_bytes(&s->values, param->blob.bytes, param->blob.length);
        break;
    }
    s->lengths[at] = (int)(s->values.length - s->starts[at]);
    str_add_char(&s->values, '\0');
}

static void add_hex(struct str *to, const char *bytes, size_t length)
{
    static const char HEX[] = "0123456789abcdef";
    char text[256];

    str_add(to, "\\\\x");
    for (size_t from = 0; from < length; from += sizeof text / 2) {
        size_t count = length - from < sizeof text / 2 ? length - from : sizeof text / 2;

        for (size_t i = 0; i < count; i++) {
            unsigned char c = (unsigned char)bytes[from + i];

            text[2 * i] = HEX[c >> 4];
            text[2 * i + 1] = HEX[c & 15];
        }
        str_add_bytes(to, text, 2 * count);
    }
}

/* No text of ours holds COPY's separators but escaped. */
static void add_escaped(struct str *to, const char *text)
{
    for (;;) {
        size_t plain = strcspn(text, "\\\t\n\r");
        char c = text[plain];

        str_add_bytes(to, text, plain);
        if (c == '\0')
            return;
        str_add_char(to, '\\');
        str_add_char(to, (char)(c == '\t' ? 't' : c == '\n' ? 'n' : c == '\r' ? 'r' : '\\'));
        text += plain + 1;
    }
}

void pg_value_copy_line(struct pg_statement *s)
{
    str_clear(&s->line);
    for (size_t i = 0; i < s->count; i++) {
        const char *value = s->values.text + s->starts[i];

        if (i > 0)
            str_add_char(&s->line, '\t');
        if (s->is_null[i])
            str_add(&s->line, "\\N");
        else if (s->formats[i] == 1)
            add_hex(&s->line, value, (size_t)s->lengths[i]);
        else
            add_escaped(&s->line, value);
    }
    str_add_char(&s->line, '\n');
}

void pg_result_learn(struct pg_statement *s)
{
    bool bytes = false;

    for (int i = 0; i < PQnfields(s->result); i++) {
        switch (PQftype(s->result, i)) {
        case OID_BYTEA:
            bytes = true;
            break;
        case OID_BOOL:
        case OID_INT8:
        case OID_INT4:
        case OID_TEXT:
        case OID_FLOAT8:
            break;
        default:
            return;
        }
    }
    s->result_format = bytes;
}

int pg_column_count(void *statement)
{
    return PQnfields(((struct pg_statement *)statement)->result);
}

const char *pg_column_name(void *statement, int column)
{
    return PQfname(((struct pg_statement *)statement)->result, column);
}

bool pg_column_is_null(void *statement, int column)
{
    struct pg_statement *s = statement;

    return PQgetisnull(s->result, s->row, column) == 1;
}

/* Both forms end with a NUL that is not of the value. */
const char *pg_column_text(void *statement, int column)
{
    struct pg_statement *s = statement;

    return PQgetvalue(s->result, s->row, column);
}

/* Whether the column came as it is; then *ret has its bits, an integer with its sign. */
static bool bits_of(const struct pg_statement *s, int column, uint64_t *ret)
{
    int length = PQgetlength(s->result, s->row, column);
    const char *bytes = PQgetvalue(s->result, s->row, column);

    if (PQfformat(s->result, column) == 0)
        return false;
    *ret = length == 4 && ((unsigned char)bytes[0] & 0x80) != 0 ? UINT64_MAX : 0;
    for (int i = 0; i < length && i < 8; i++)
        *ret = *ret << 8 | (unsigned char)bytes[i];
    return true;
}

double pg_column_real(void *statement, int column)
{
    struct pg_statement *s = statement;
    double value = 0;
    uint64_t bits;

    if (!bits_of(s, column, &bits))
        return str_to_double(pg_column_text(s, column), &value) ? value : 0;
    if (PQftype(s->result, column) != OID_FLOAT8)
        return (double)(int64_t)bits;
    (void)memcpy(&value, &bits, sizeof value);
    return value;
}

/* Sums of 64-bit numbers come as numeric: digits all the same. */
int64_t pg_column_int(void *statement, int column)
{
    struct pg_statement *s = statement;
    const char *text = pg_column_text(s, column);
    int64_t value = 0;
    uint64_t bits;

    if (bits_of(s, column, &bits))
        return PQftype(s->result, column) == OID_FLOAT8 ? (int64_t)pg_column_real(s, column)
                                                        : (int64_t)bits;
    if (PQftype(s->result, column) == OID_BOOL)
        return text[0] == 't';
    return str_to_i64(text, &value) ? value : (int64_t)pg_column_real(s, column);
}

struct blob pg_column_blob(void *statement, int column)
{
    struct pg_statement *s = statement;
    size_t length = 0;
    unsigned char *bytes;
    struct blob blob = {NULL, 0};

    if (PQfformat(s->result, column) == 1)
        return (struct blob){PQgetvalue(s->result, s->row, column),
                             (size_t)PQgetlength(s->result, s->row, column)};
    bytes = PQunescapeBytea((const unsigned char *)pg_column_text(s, column), &length);
    if (bytes != NULL)
        blob = (struct blob){arena_memdup(&s->blobs, bytes, length), length};
    PQfreemem(bytes);
    return blob;
}
