#include "command/score_explain.h"

#include <errno.h>
#include <stdio.h>

#include "base/arena.h"
#include "base/json.h"
#include "base/str.h"
#include "worker/explain.h"

enum { LINE_BYTES_MAX = 64 * 1024, ARENA_BYTES_MAX = 1 << 20 };

/* The spec of the row where the model has it. */
static const char *spec_of(const struct model *model, const struct pairs_row *row, const char *spec)
{
    struct model_calibration unused;

    return row->spec != NULL && model_calibration(model, row->spec, &unused) ? row->spec : spec;
}

static void write_line(const struct model *model, const struct pairs_row *row, const char *spec,
                       struct arena *arena, struct str *line)
{
    struct model_pair pair = {spec_of(model, row, spec), row->entity, row->ip};
    struct model_score score;
    struct json_writer w;

    model_score_pairs(model, &pair, 1, &score);
    json_writer_init(&w, line);
    json_object(&w, NULL);
    json_text(&w, "entity", row->entity);
    json_ip(&w, "ip", &row->ip);
    json_bool(&w, "flagged", score.flagged);
    json_real(&w, "score", score.score);
    json_real(&w, "percentile", score.percentile);
    json_bool(&w, "entity_known", score.entity_known);
    json_raw(&w, "explanation", explain_pair(model, &pair, NULL, arena));
    json_end(&w);
    str_add_char(line, '\n');
}

enum err_code score_explain(struct pairs_reader *reader, const struct model *model,
                            const char *spec, struct err *err)
{
    AUTO(arena_done) struct arena arena = {0};
    AUTO(str_done) struct str line = {0};
    struct pairs_row row;
    bool more = true;

    arena_init(&arena, ARENA_BYTES_MAX);
    str_init(&line, LINE_BYTES_MAX);
    for (;;) {
        TRY(pairs_reader_next(reader, &row, &more, err));
        if (!more)
            return ERR_NONE;
        arena_reset(&arena);
        str_clear(&line);
        write_line(model, &row, spec, &arena, &line);
        TRY(str_check(&line, "a line of output", err));
        if (fwrite(line.text, 1, line.length, stdout) != line.length)
            return err_errno(err, ERR_IO, "writing to stdout");
    }
}
