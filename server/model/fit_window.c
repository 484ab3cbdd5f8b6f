/* Windows of samples. */
#include "model/fit_window.h"

#include "base/own.h"

void fit_window_init(struct fit_window *window, struct spool *samples, size_t blocks)
{
    size_t most = blocks > 0 ? blocks : FIT_WINDOW_BLOCKS, room;

    *window = (struct fit_window){.all = samples};
    window->block_count = (size_t)((samples->count + FIT_BLOCK_SAMPLES - 1) / FIT_BLOCK_SAMPLES);
    window->window_count = (window->block_count + most - 1) / most;
    window->blocks = own_array(window->block_count, sizeof *window->blocks);
    room = window->window_count > 1 ? most * FIT_BLOCK_SAMPLES : (size_t)samples->count;
    window->samples = own_aligned(room, sizeof *window->samples);
    window->order = own_aligned(room, sizeof *window->order);
}

void fit_window_done(struct fit_window *window)
{
    own_freep(&window->blocks);
    own_freep(&window->samples);
    own_freep(&window->order);
}

static void shuffle(uint32_t *numbers, size_t count, struct rng *rng)
{
    for (size_t i = 0; i < count; i++)
        numbers[i] = (uint32_t)i;
    for (size_t i = count; i > 1; i--) {
        size_t j = (size_t)rng_below(rng, i);
        uint32_t kept = numbers[i - 1];

        numbers[i - 1] = numbers[j];
        numbers[j] = kept;
    }
}

uint64_t fit_window_shuffle(struct fit_window *window, uint64_t seed)
{
    uint64_t drawn;

    rng_init(&window->rng, seed);
    drawn = rng_u64(&window->rng);
    window->turn = 0;
    window->first = 0;
    window->count = 0;
    if (window->window_count > 1)
        shuffle(window->blocks, window->block_count, &window->rng);
    return drawn;
}

bool fit_window_more(const struct fit_window *window)
{
    return window->turn < window->window_count;
}

/* Windows are as large as each other, but for a block: negatives are drawn from the window, and in
 * a small one they would be of a few addresses. */
static size_t start_of(const struct fit_window *window, size_t turn)
{
    return turn * window->block_count / window->window_count;
}

static uint64_t block_samples(const struct fit_window *window, uint64_t first)
{
    uint64_t left = window->all->count - first;

    return left < FIT_BLOCK_SAMPLES ? left : FIT_BLOCK_SAMPLES;
}

static enum err_code load(struct fit_window *window, struct err *err)
{
    size_t start = start_of(window, window->turn), end = start_of(window, window->turn + 1);
    size_t ahead = end < window->block_count ? start_of(window, window->turn + 2) : end;

    for (size_t i = start; i < end; i++) {
        uint64_t first = (uint64_t)window->blocks[i] * FIT_BLOCK_SAMPLES;
        uint64_t count = block_samples(window, first);

        TRY(spool_read(window->all, first, count, window->samples + window->count, err));
        window->count += (size_t)count;
    }
    for (size_t i = end; i < ahead; i++)
        spool_expect(window->all, (uint64_t)window->blocks[i] * FIT_BLOCK_SAMPLES,
                     FIT_BLOCK_SAMPLES);
    return ERR_NONE;
}

enum err_code fit_window_next(struct fit_window *window, struct err *err)
{
    ASSERT(fit_window_more(window));
    window->first += window->count;
    window->count = 0;
    if (window->window_count > 1) {
        TRY(load(window, err));
    } else {
        window->count = (size_t)window->all->count;
        if (!window->whole)
            TRY(spool_read(window->all, 0, window->count, window->samples, err));
        window->whole = true;
    }
    window->turn++;
    shuffle(window->order, window->count, &window->rng);
    return ERR_NONE;
}
