#pragma once
/* The place of a thread among others. */

/* The calling thread gives way to those that were not told to: by so many steps of nice(2), which
 * Linux counts for each thread. Best effort: without it the work is done all the same. */
void thread_yield_to_others(int steps);
/* The calling thread works for moments at a time and is to begin at once: a short slice, which
 * Linux takes as a wish since 6.12. Best effort, and only once. */
void thread_answers_soon(void);
