/**
 * Asks again and again while the page can be seen: at once when it is shown again, ever more seldom
 * while it fails.
 */

const BACKOFF_MAX_MS = 5 * 60e3;

/** The wait after so many failures in a row. */
export function waitFor(everyMs, failures) {
  return Math.min(everyMs * 2 ** failures, Math.max(BACKOFF_MAX_MS, everyMs));
}

/**
 * @param {(signal: AbortSignal) => Promise<void>} task
 * @returns {() => void} ends it and what it waits for
 */
export function poll(task, everyMs, page = document) {
  const abort = new AbortController();
  let failures = 0, timer = null, running = false, due = Date.now() + everyMs;

  async function run() {
    timer = null;
    if (page.hidden || running) return;
    running = true;
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
    due = Date.now() + waitFor(everyMs, failures);
    timer = setTimeout(run, due - Date.now());
  }
  function shown() {
    if (page.hidden || Date.now() < due) return;
    clearTimeout(timer);
    run();
  }
  page.addEventListener('visibilitychange', shown);
  plan();
  return () => {
    abort.abort();
    clearTimeout(timer);
    page.removeEventListener('visibilitychange', shown);
  };
}
