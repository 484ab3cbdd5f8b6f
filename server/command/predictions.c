/* Dot products as JSON. The blanks after ":" and "," and the decimal point of whole numbers are
 * those of SageMaker's container. */
#include "command/predictions.h"

#include <string.h>
#include <strings.h>

enum {
    NUMBER_BYTES_MAX = 26, /* "-1.2345678901234567e-05, " */
    FRAME_BYTES_MAX = 80,  /* names and brackets */
    WORD_BYTES_MAX = 64,
};

/* ---- Accept ---- */

/* The next word up to one of `ends`, without blanks, in lower case; false when it is too long. */
static bool take_word(const char **at, const char *ends, char ret[static WORD_BYTES_MAX])
{
    size_t length = strcspn(*at, ends), kept = 0;

    for (size_t i = 0; i < length; i++) {
        char c = (*at)[i];

        if (c == ' ' || c == '\t')
            continue;
        if (kept == WORD_BYTES_MAX - 1)
            return false;
        ret[kept++] = (char)(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
    }
    ret[kept] = '\0';
    *at += length;
    return true;
}

static bool read_parameter(const char *word, struct predictions_form *form)
{
    if (strcmp(word, "verbose=true") == 0 || strcmp(word, "verbose=\"true\"") == 0)
        form->verbose = true;
    return strcmp(word, "q=0") != 0 && strcmp(word, "q=0.0") != 0;
}

/* One of the header's alternatives; *at is left at its comma or the end. */
static bool read_range(const char **at, struct predictions_form *form)
{
    char word[WORD_BYTES_MAX];
    bool fine = take_word(at, ",;", word);

    *form = (struct predictions_form){.lines = fine && strcmp(word, "application/jsonlines") == 0};
    fine = fine && (form->lines || strcmp(word, "application/json") == 0 ||
                    strcmp(word, "application/*") == 0 || strcmp(word, "*/*") == 0);
    while (**at == ';') {
        (*at)++;
        fine = take_word(at, ",;", word) && fine && read_parameter(word, form);
    }
    *at += strcspn(*at, ",");
    return fine;
}

bool predictions_accept(const char *accept, struct predictions_form *ret)
{
    const char *at = accept != NULL ? accept : "";

    *ret = (struct predictions_form){.lines = false};
    if (at[strspn(at, " \t")] == '\0')
        return true;
    for (;;) {
        if (read_range(&at, ret))
            return true;
        if (*at == '\0')
            return false;
        at++;
    }
}

const char *predictions_type(const struct predictions_form *form)
{
    return form->lines ? "application/jsonlines" : "application/json";
}

size_t predictions_bytes_max(const struct model *model, const struct predictions_form *form)
{
    size_t numbers = form->verbose ? 1 + 2 * model_dim(model) : 1;

    return FRAME_BYTES_MAX + numbers * NUMBER_BYTES_MAX;
}

/* ---- output ---- */

static void add_number(struct str *out, double value)
{
    char text[32];
    size_t length = str_from_double(text, value);

    str_add_bytes(out, text, length);
    if (strpbrk(text, ".en") == NULL)
        str_add(out, ".0");
}

static void add_vector(struct str *out, const char *name, const float *values, size_t count)
{
    str_add(out, ", \"");
    str_add(out, name);
    str_add(out, "\": [");
    for (size_t i = 0; i < count; i++) {
        if (i > 0)
            str_add(out, ", ");
        add_number(out, (double)values[i]);
    }
    str_add_char(out, ']');
}

static void add_vectors(const struct predictions *predictions, const struct model_pair *pair,
                        struct str *out)
{
    float ip[PREDICTIONS_DIM_MAX], entity[PREDICTIONS_DIM_MAX];
    size_t dim = model_dim(predictions->model);

    ASSERT(dim <= PREDICTIONS_DIM_MAX);
    model_vectors(predictions->model, pair, ip, entity);
    add_vector(out, "ip_embedding", ip, dim);
    add_vector(out, "entity_embedding", entity, dim);
}

void predictions_begin(const struct predictions *predictions, struct str *out)
{
    if (!predictions->form.lines)
        str_add(out, "{\"predictions\": [");
}

void predictions_add(struct predictions *predictions, const struct pairs_batch *batch, size_t first,
                     size_t last, struct str *out)
{
    struct model_pair pairs[PREDICTIONS_MAX] = {{.entity = NULL}};
    double dots[PREDICTIONS_MAX];
    size_t count = last - first;

    ASSERT(count <= PREDICTIONS_MAX);
    for (size_t i = 0; i < count; i++)
        pairs[i] = pairs_batch_pair(batch, first + i, predictions->spec);
    model_dot_products(predictions->model, pairs, count, dots);
    for (size_t i = 0; i < count; i++) {
        if (!predictions->form.lines && predictions->any)
            str_add(out, ", ");
        predictions->any = true;
        str_add(out, "{\"dot_product\": ");
        add_number(out, dots[i]);
        if (predictions->form.verbose)
            add_vectors(predictions, &pairs[i], out);
        str_add(out, predictions->form.lines ? "}\n" : "}");
    }
}

void predictions_end(const struct predictions *predictions, struct str *out)
{
    if (!predictions->form.lines)
        str_add(out, "]}");
}
