/* From bytes to rows. A row's text is gathered in reader->row, so that it may begin in one window
 * and end in the next. */
#include "command/pairs_reader.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/json.h"
#include "command/pairs_csv.h"
#include "command/pairs_json.h"

enum {
    WINDOW_BYTES = 256 * 1024,
    DETECT_BYTES = 4096, /* the form shows within the first ones */
    SKIPPED_SHOWN_MAX = 10,
};
enum stage { STAGE_HEAD, STAGE_FIRST, STAGE_NEXT, STAGE_DONE };

static const char BOM[] = "\xef\xbb\xbf", INSTANCES[] = "\"instances\"", WHITE[] = " \t\r\n";

const char *const PAIRS_FORMAT_TYPES[PAIRS_FORMAT__MAX] = {
    [PAIRS_CSV] = "text/csv",
    [PAIRS_JSON] = "application/json",
    [PAIRS_JSON_LINES] = "application/jsonlines",
};

static void start(struct pairs_reader *reader, const struct pairs_options *options)
{
    *reader = (struct pairs_reader){.options = *options, .file = -1, .line = 1};
    str_init(&reader->row, PAIRS_ROW_BYTES_MAX);
}

enum err_code pairs_reader_open(struct pairs_reader *reader, const char *path,
                                const struct pairs_options *options, struct err *err)
{
    start(reader, options);
    reader->name = path != NULL ? path : "stdin";
    reader->file = path != NULL ? open(path, O_RDONLY | O_CLOEXEC) : STDIN_FILENO;
    reader->close = path != NULL;
    if (reader->file < 0)
        return err_errno(err, ERR_IO, "opening \"%s\"", path);
    reader->buffer = own_alloc(WINDOW_BYTES);
    reader->bytes = reader->buffer;
    return ERR_NONE;
}

void pairs_reader_memory(struct pairs_reader *reader, const char *bytes, size_t length,
                         const struct pairs_options *options)
{
    start(reader, options);
    reader->bytes = bytes;
    reader->end = length;
    reader->ended = true;
}

void pairs_reader_close(struct pairs_reader *reader)
{
    if (reader->close && reader->file >= 0)
        (void)close(reader->file);
    own_freep(&reader->buffer);
    str_done(&reader->row);
    json_doc_freep(&reader->doc);
    *reader = (struct pairs_reader){.file = -1};
}

/* Appends to the window; at its end the window is emptied first. */
static enum err_code fill(struct pairs_reader *reader, struct err *err)
{
    ssize_t count;

    if (reader->ended)
        return ERR_NONE;
    if (reader->at == reader->end)
        reader->at = reader->end = 0;
    do
        count = read(reader->file, reader->buffer + reader->end, WINDOW_BYTES - reader->end);
    while (count < 0 && errno == EINTR);
    if (count < 0)
        return err_errno(err, ERR_IO, "reading \"%s\"", reader->name);
    reader->end += (size_t)count;
    reader->ended = count == 0;
    return ERR_NONE;
}

/* *ret is the next byte, or -1 at the end. */
static enum err_code peek(struct pairs_reader *reader, int *ret, struct err *err)
{
    if (reader->at == reader->end)
        TRY(fill(reader, err));
    *ret = reader->at < reader->end ? (unsigned char)reader->bytes[reader->at] : -1;
    return ERR_NONE;
}

/* ---- where something is ---- */

static enum err_code refuse(const struct pairs_reader *reader, size_t offset, const char *what,
                            struct err *err)
{
    if (reader->name != NULL)
        return err_set(err, ERR_INVALID, "%s:%" PRIu64 ":%zu: %s", reader->name, reader->row_line,
                       reader->row_column + offset + 1, what);
    if (reader->number == 0)
        return err_set(err, ERR_INVALID, "%s", what);
    if (reader->options.format == PAIRS_JSON)
        return err_set(err, ERR_INVALID, "row %" PRIu64 ": %s", reader->number, what);
    return err_set(err, ERR_INVALID, "row %" PRIu64 ", column %zu: %s", reader->number, offset + 1,
                   what);
}

/* ---- lines ---- */

/* The next line without its end into reader->row; *ret_more false when there is none. */
static enum err_code next_line(struct pairs_reader *reader, bool *ret_more, struct err *err)
{
    bool found = false, any = false;

    str_clear(&reader->row);
    reader->row_line = reader->line;
    while (!found) {
        const char *from, *end;
        size_t length;

        if (reader->at == reader->end)
            TRY(fill(reader, err));
        if (reader->at == reader->end)
            break;
        from = reader->bytes + reader->at;
        length = reader->end - reader->at;
        end = memchr(from, '\n', length);
        found = end != NULL;
        any = true;
        if (found)
            length = (size_t)(end - from);
        str_add_bytes(&reader->row, from, length);
        reader->at += length + found;
    }
    reader->line += found;
    if (reader->row.length > 0 && reader->row.text[reader->row.length - 1] == '\r')
        reader->row.text[--reader->row.length] = '\0';
    *ret_more = any;
    return ERR_NONE;
}

/* ---- the frame of a JSON document ---- */

static void step(struct pairs_reader *reader)
{
    if (reader->bytes[reader->at++] == '\n') {
        reader->line++;
        reader->column = 0;
    } else {
        reader->column++;
    }
}

/* The next byte that is not white, or -1. */
static enum err_code peek_dark(struct pairs_reader *reader, int *ret, struct err *err)
{
    for (;;) {
        TRY(peek(reader, ret, err));
        if (*ret <= 0 || strchr(WHITE, *ret) == NULL)
            break;
        step(reader);
    }
    reader->row_line = reader->line;
    reader->row_column = reader->column;
    return ERR_NONE;
}

static enum err_code expect(struct pairs_reader *reader, const char *text, struct err *err)
{
    char what[80];
    int next;

    TRY(peek_dark(reader, &next, err));
    for (const char *c = text; *c != '\0'; c++) {
        TRY(peek(reader, &next, err));
        if (next != *c) {
            (void)snprintf(what, sizeof what, "the JSON must be {\"instances\":[…]}: %s is missing",
                           text);
            return refuse(reader, 0, what, err);
        }
        step(reader);
    }
    return ERR_NONE;
}

static enum err_code end_document(struct pairs_reader *reader, struct err *err)
{
    int next;

    TRY(expect(reader, "]", err));
    TRY(expect(reader, "}", err));
    TRY(peek_dark(reader, &next, err));
    if (next >= 0)
        return refuse(reader, 0, "something follows the JSON document", err);
    reader->stage = STAGE_DONE;
    return ERR_NONE;
}

struct nesting { /* of a value, as far as it was read */
    int depth;
    bool text, escaped;
};

/* Whether c ends the value. */
static bool nest(struct nesting *nesting, char c)
{
    if (nesting->text) {
        if (nesting->escaped)
            nesting->escaped = false;
        else if (c == '\\')
            nesting->escaped = true;
        else
            nesting->text = c != '"';
        return false;
    }
    nesting->text = c == '"';
    nesting->depth += (c == '{' || c == '[') - (c == '}' || c == ']');
    return nesting->depth == 0;
}

/* The object that begins here into reader->row. */
static enum err_code take_object(struct pairs_reader *reader, struct err *err)
{
    struct nesting nesting = {.depth = 0};
    bool ended = false;
    int next;

    str_clear(&reader->row);
    while (!ended) {
        size_t from;

        TRY(peek(reader, &next, err));
        if (next < 0)
            return refuse(reader, 0, "the JSON ends within this instance", err);
        for (from = reader->at; reader->at < reader->end && !ended; step(reader))
            ended = nest(&nesting, reader->bytes[reader->at]);
        str_add_bytes(&reader->row, reader->bytes + from, reader->at - from);
    }
    return ERR_NONE;
}

static enum err_code next_instance(struct pairs_reader *reader, bool *ret_more, struct err *err)
{
    int next;

    *ret_more = false;
    if (reader->stage == STAGE_DONE)
        return ERR_NONE;
    if (reader->stage == STAGE_HEAD) {
        TRY(expect(reader, "{", err));
        TRY(expect(reader, INSTANCES, err));
        TRY(expect(reader, ":", err));
        TRY(expect(reader, "[", err));
        reader->stage = STAGE_FIRST;
    }
    TRY(peek_dark(reader, &next, err));
    if (next == ']')
        return end_document(reader, err);
    if (reader->stage == STAGE_NEXT) {
        if (next != ',')
            return refuse(reader, 0, "neither a comma nor ] follows this instance", err);
        step(reader);
        TRY(peek_dark(reader, &next, err));
    }
    reader->stage = STAGE_NEXT;
    reader->number++;
    if (next != '{')
        return refuse(reader, 0, "an instance must be a JSON object", err);
    *ret_more = true;
    return take_object(reader, err);
}

/* ---- rows ---- */

static void skip_white(const struct pairs_reader *reader, size_t *at)
{
    while (*at < reader->end && strchr(WHITE, reader->bytes[*at]) != NULL &&
           reader->bytes[*at] != '\0')
        (*at)++;
}

static enum pairs_format format_of(const struct pairs_reader *reader)
{
    size_t at = reader->at;

    skip_white(reader, &at);
    if (at == reader->end || (reader->bytes[at] != '{' && reader->bytes[at] != '['))
        return PAIRS_CSV;
    at++;
    skip_white(reader, &at);
    return reader->end - at >= strlen(INSTANCES) &&
                   memcmp(reader->bytes + at, INSTANCES, strlen(INSTANCES)) == 0
               ? PAIRS_JSON
               : PAIRS_JSON_LINES;
}

/* Before the first row: the byte order mark goes, the form is known. */
static enum err_code begin(struct pairs_reader *reader, struct err *err)
{
    reader->begun = true;
    while (!reader->ended && reader->end < DETECT_BYTES)
        TRY(fill(reader, err));
    if (reader->end >= strlen(BOM) && memcmp(reader->bytes, BOM, strlen(BOM)) == 0)
        reader->at = strlen(BOM);
    if (reader->options.format == PAIRS_DETECT)
        reader->options.format = format_of(reader);
    return ERR_NONE;
}

static bool parse(struct pairs_reader *reader, struct pairs_row *ret, struct pairs_fault *fault)
{
    struct str *row = &reader->row;
    const char *nul;

    if (row->failed)
        return pairs_fault_set(fault, PAIRS_TOO_LONG, 0, "the row is longer than 65536 bytes");
    nul = memchr(row->text, '\0', row->length);
    if (nul != NULL)
        return pairs_fault_set(fault, PAIRS_NUL, (size_t)(nul - row->text), "there is a NUL byte");
    if (reader->options.format == PAIRS_CSV)
        return pairs_csv_parse(row->text, reader->options.columns_max, ret, fault);
    json_doc_freep(&reader->doc);
    return pairs_json_parse(row->text, row->length, ret, &reader->doc, fault);
}

static enum err_code next_text(struct pairs_reader *reader, bool *ret_more, struct err *err)
{
    if (reader->options.format == PAIRS_JSON)
        return next_instance(reader, ret_more, err);
    do {
        TRY(next_line(reader, ret_more, err));
        if (!*ret_more)
            return ERR_NONE;
    } while (reader->row.length == 0 && !reader->row.failed);
    reader->number++;
    if (reader->options.format == PAIRS_CSV && reader->options.header && reader->number == 1 &&
        pairs_csv_is_header(reader->row.text != NULL ? reader->row.text : ""))
        return next_text(reader, ret_more, err);
    return ERR_NONE;
}

/* Whether the reading goes on without the row. */
static enum err_code pass_over(struct pairs_reader *reader, const struct pairs_fault *fault,
                               struct err *err)
{
    struct pairs_tally *tally = reader->options.tally;
    enum err_code code = refuse(reader, fault->offset, fault->what, err);

    if (tally == NULL || tally->bad_percent_max == 0)
        return code;
    tally->by_reason[fault->reason]++;
    if (tally->bad++ < SKIPPED_SHOWN_MAX)
        (void)fprintf(stderr, "pairwatch: skipped %s\n", err->text);
    return ERR_NONE;
}

enum err_code pairs_reader_next(struct pairs_reader *reader, struct pairs_row *ret, bool *ret_more,
                                struct err *err)
{
    struct pairs_fault fault;

    if (!reader->begun)
        TRY(begin(reader, err));
    for (;;) {
        TRY(next_text(reader, ret_more, err));
        if (!*ret_more)
            return ERR_NONE;
        if (reader->options.tally != NULL)
            reader->options.tally->rows++;
        if (parse(reader, ret, &fault))
            return ERR_NONE;
        TRY(pass_over(reader, &fault, err));
    }
}
