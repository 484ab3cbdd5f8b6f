#include "worker/windows.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/own.h"
#include "model/model.h"
#include "store/window.h"
#include "worker/batch.h"
#include "worker/models.h"
#include "worker/register.h"

#define WINDOWS_ARENA_BYTES_MAX ((size_t)64 << 20)

struct spec_window {
    const char *spec;
    struct window window;
    double threshold; /* NAN: the model's own */
};
struct windows {
    struct arena arena;
    uint64_t generation; /* of the set they are of; 0 = of none */
    int64_t read_mono_ms;
    struct spec_window items[MODEL_SPECS_MAX];
    size_t count;
};

struct windows *windows_new(void)
{
    struct windows *windows = own_alloc(sizeof *windows);

    arena_init(&windows->arena, WINDOWS_ARENA_BYTES_MAX);
    return windows;
}

void windows_freep(struct windows **windows)
{
    if (*windows != NULL)
        arena_done(&(*windows)->arena);
    own_freep(windows);
}

static double threshold_of(const struct model *model, const char *spec, const struct window *window)
{
    struct model_calibration calibration;
    struct window_rule rule;
    struct model_info info;

    model_info(model, &info);
    if (!model_calibration(model, spec, &calibration))
        return NAN;
    rule = register_rule(&info.threshold, calibration.threshold_least);
    return window_rule_threshold(window, &rule);
}

static enum err_code read_all(struct windows *windows, struct db *db, const struct model_set *set,
                              struct err *err)
{
    int64_t today_ms = clock_now_ms() / DAY_MS * DAY_MS;

    for (const char *const *name = set->spec_names; *name != NULL; name++) {
        struct spec_window *item = &windows->items[windows->count];
        const char *model_spec = batch_model_spec(set->model, *name);

        if (model_spec == NULL || windows->count == MODEL_SPECS_MAX)
            continue;
        TRY(window_read(db, &windows->arena, set->model_id, *name, today_ms, &item->window, err));
        item->spec = arena_strdup(&windows->arena, *name);
        item->threshold = threshold_of(set->model, model_spec, &item->window);
        windows->count++;
        log_debug("window", "spec=%s days=%" PRId64 " sample=%zu pairs=%.0f threshold=%.3f", *name,
                  item->window.days, item->window.sample_size, item->window.pairs, item->threshold);
    }
    return ERR_NONE;
}

enum err_code windows_read(struct windows *windows, struct db *db, const struct model_set *set,
                           struct err *err)
{
    if (set->model == NULL) /* an endpoint's calibration is a run of its own */
        windows->count = 0;
    if (set->model == NULL ||
        (windows->generation == set->generation &&
         clock_mono_ms() - windows->read_mono_ms < WINDOWS_READ_MS && windows->read_mono_ms > 0))
        return ERR_NONE;
    windows->count = 0;
    arena_reset(&windows->arena);
    TRY(read_all(windows, db, set, err));
    windows->generation = set->generation;
    windows->read_mono_ms = clock_mono_ms();
    return ERR_NONE;
}

const struct window *windows_judge(const struct windows *windows, const char *spec, double score,
                                   struct windows_verdict *verdict)
{
    for (size_t i = 0; windows != NULL && i < windows->count; i++) {
        const struct spec_window *item = &windows->items[i];

        if (strcmp(item->spec, spec) != 0 || item->window.sample_size < WINDOW_SAMPLE_MIN)
            continue;
        verdict->percentile = window_percentile(&item->window, score);
        if (isnan(item->threshold))
            return NULL;
        verdict->threshold = item->threshold;
        verdict->flagged = score > item->threshold;
        return &item->window;
    }
    return NULL;
}
