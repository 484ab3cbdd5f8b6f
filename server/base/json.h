#pragma once
/* JSON: a streaming writer for replies, and checked readers over cJSON for bodies (cJSON ends
 * here). Replies are never built as trees.
 *
 * Writer: appends to a struct str; key is NULL inside arrays and at the top. The nesting is
 * checked (JSON_DEPTH_MAX); the str's sticky `failed` is the only error.
 * Reader: every fault of a body is collected with its JSON pointer (RFC 6901), the first
 * JSON_FAULTS_MAX of them, so a client sees them at once. */
#include "base/err.h"
#include "base/field.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct arena;
struct ip;
struct str;

enum { JSON_DEPTH_MAX = 32, JSON_FAULTS_MAX = 20 };

/* ---- writer ---- */
struct json_writer {
    struct str *out;
    int depth;
    char closers[JSON_DEPTH_MAX];
    bool comma;
};
void json_writer_init(struct json_writer *w, struct str *out);
void json_object(struct json_writer *w, const char *key);
void json_array(struct json_writer *w, const char *key);
void json_end(struct json_writer *w); /* closes the innermost object or array */
void json_text(struct json_writer *w, const char *key,
               const char *text); /* NULL = null; invalid UTF-8 becomes U+FFFD */
void json_int(struct json_writer *w, const char *key, int64_t value);
void json_real(struct json_writer *w, const char *key, double value); /* not finite = null */
void json_bool(struct json_writer *w, const char *key, bool value);
void json_null(struct json_writer *w, const char *key);
void json_time(struct json_writer *w, const char *key, int64_t ms); /* FIELD_NULL_INT = null */
void json_ip(struct json_writer *w, const char *key, const struct ip *ip);
void json_raw(struct json_writer *w, const char *key,
              const char *json_text_); /* trusted JSON; NULL = null */
/* The members of a struct by its field table, into the object that is open. */
void json_fields(struct json_writer *w, const struct field *fields, const void *row);
/* An object of them: json_object(key), json_fields, json_end. */
void json_row(struct json_writer *w, const char *key, const struct field *fields, const void *row);

/* ---- reader ---- */
struct json; /* a node; belongs to its document */
struct json_doc;

/* Parses exactly one value with nothing but white space after it. Nesting over JSON_DEPTH_MAX is
 * refused. ERR_INVALID says line and column. */
NODISCARD enum err_code json_parse(const char *text, size_t length, struct json_doc **ret,
                                   struct err *err);
void json_doc_free(struct json_doc *doc);
void json_doc_freep(struct json_doc **doc);
const struct json *json_root(const struct json_doc *doc);

enum json_type { JSON_NULL, JSON_BOOL, JSON_NUMBER, JSON_TEXT, JSON_ARRAY, JSON_OBJECT };
enum json_type json_type(const struct json *node); /* JSON_NULL when node is NULL */
/* The member's value or NULL; NULL too when node is NULL or no object. Case-sensitive. */
const struct json *json_member(const struct json *node, const char *name);
/* "a.b.c" through nested objects. */
const struct json *json_path(const struct json *node, const char *path);
size_t json_count(const struct json *node);             /* of an array or object, else 0 */
const struct json *json_first(const struct json *node); /* children of an array or object */
const struct json *json_next(const struct json *child);
const char *json_name(const struct json *child);           /* of an object's member */
const char *json_text_of(const struct json *node);         /* NULL unless text */
bool json_number_of(const struct json *node, double *ret); /* false unless a number */
bool json_int_of(const struct json *node,
                 int64_t *ret); /* false unless a whole number, |n| < 2^53 */
bool json_bool_of(const struct json *node, bool *ret);
void json_print(const struct json *node, struct str *out); /* compact text */
/* The node into what is being written, every number as it was read. */
void json_node(struct json_writer *w, const char *key, const struct json *node);

struct json_fault {
    const char *pointer; /* "/scores/3/ip" */
    const char *detail;  /* "is not an IP address" */
};
struct json_faults {
    struct arena *arena; /* pointers and details live here */
    struct json_fault items[JSON_FAULTS_MAX];
    size_t count;    /* kept */
    size_t total;    /* found */
    bool unreadable; /* the text is not JSON, so there may be more */
};
void json_faults_init(struct json_faults *faults, struct arena *arena);
void json_fault(struct json_faults *faults, const char *pointer, const char *format, ...)
    PRINTF(3, 4);
/* What json_parse said of a text, at the value where it stopped; pointer is that of the text. */
void json_fault_syntax(struct json_faults *faults, const char *pointer, const char *text,
                       size_t length, const struct err *err);
/* ERR_INVALID with a summary when there is any fault. */
NODISCARD enum err_code json_faults_check(const struct json_faults *faults, struct err *err);

/* Reading an object by table: unknown members, missing required ones, wrong types and values out
 * of bounds are faults at "<pointer>/<name>". Members that are absent leave the struct alone. */
enum json_rule_flag { JSON_REQUIRED = 1, JSON_NULLABLE = 2 };
struct json_rule {
    const char *name; /* NULL ends a table */
    enum field_type
        type;      /* INT REAL TEXT TIME BOOL IP ENUM; JSON = any value, kept as struct json * */
    size_t offset; /* member types as in field.h; FIELD_JSON: const struct json * */
    unsigned flags;
    double min, max;          /* INT and REAL, when min < max */
    size_t length_max;        /* TEXT: bytes; TEXT must be clean UTF-8 and not empty */
    const char *const *words; /* ENUM */
    size_t seen_offset; /* bool set when the member was present; 0 = none (put no bool first) */
};
void json_read_object(const struct json *node, const struct json_rule *rules, void *ret,
                      struct arena *arena, const char *pointer, struct json_faults *faults);
