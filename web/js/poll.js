/**
 * Asks again and again while the page can be seen: soon after something changed, at once when it is
 * shown again, ever more seldom while it fails.
 */
import { listen } from './live.js';

const BACKOFF_MAX_MS = 5 * 60e3;

/** The wait after so many failures in a row. */
export function waitFor(everyMs, failures) {
  return Math.min(everyMs * 2 ** failures, Math.max(BACKOFF_MAX_MS, everyMs));
}

/**
 * @param {(signal: AbortSignal) => Promise<void>} task
 * @param {number} everyMs
 * @param {number} [soonMs] after a change; at most once in that time
 * @returns {() => void} ends it and what it waits for
 */
export function poll(task, everyMs, soonMs = everyMs, page = document, hear = listen) {
  const abort = new AbortController();
  let failures = 0, timer = null, running = false, changed = false, due = Date.now() + everyMs;

  async function run() {
    timer = null;
    if (page.hidden || running) return;
    running = true;
    changed = false;
    try {
      await task(abort.signal);
      failures = 0;
    } catch (error) {
      if (abort.signal.aborted) return;
      failures++;
    }
    running = false;
    plan();
  }
  function plan() {
    if (abort.signal.aborted) return;
    due = Date.now() + waitFor(changed ? soonMs : everyMs, failures);
    timer = setTimeout(run, due - Date.now());
  }
  function shown() {
    if (page.hidden || Date.now() < due) return;
    clearTimeout(timer);
    run();
  }
  function heard() {
    changed = true;
    if (running || due <= Date.now() + soonMs) return;
    clearTimeout(timer);
    plan();
  }
  page.addEventListener('visibilitychange', shown);
  plan();
  const stopHearing = hear(heard);
  return () => {
    abort.abort();
    stopHearing();
    clearTimeout(timer);
    page.removeEventListener('visibilitychange', shown);
  };
}
