/**
 * Tells when something changed, as it happens: one stream of the server for the whole page, open while
 * somebody listens and the page can be seen. What it misses, polling finds (poll.js).
 */
import { streamPath } from './api.js';

const AGAIN_MS = 60e3;

/** @param {(url: string) => EventSource} open @param {Document} page */
export function makeLive(open, page) {
  const listeners = new Set();
  let source = null, timer = null;

  function close() {
    clearTimeout(timer);
    source?.close();
    source = null;
  }
  function start() {
    close();
    if (listeners.size === 0 || page.hidden) return;
    source = open(streamPath);
    source.addEventListener('change', () => listeners.forEach((listener) => listener()));
    // Cut off, it comes back by itself; refused, it does not.
    source.addEventListener('error', () => {
      if (source.readyState === 2) timer = setTimeout(start, AGAIN_MS);
    });
  }
  page.addEventListener('visibilitychange', start);

  /** @returns {() => void} ends it */
  return function listen(listener) {
    listeners.add(listener);
    if (listeners.size === 1) start();
    return () => {
      listeners.delete(listener);
      if (listeners.size === 0) close();
    };
  };
}

export const listen = typeof EventSource === 'undefined' ? () => () => {} :
  makeLive((url) => new EventSource(url), document);
