/** What keeps the server from its work, above every page: asked now and then, and often while it lasts. */
import * as api from './api.js';
import { poll } from './poll.js';

const ASK_MS = 30e3, AGAIN_MS = 5e3;

/** @returns {() => void} ends it */
export function watchTrouble(strip) {
  let stop = () => {}, known = null;

  async function ask(signal) {
    let sentence = null;
    try {
      await api.readiness(signal);
    } catch (error) {
      if (api.isAbort(error)) throw error;
      sentence = error.sentence;
    }
    if (sentence === known) return;
    const began = (sentence === null) !== (known === null);
    known = sentence;
    strip.hidden = sentence === null;
    strip.textContent = sentence === null ? '' : `The server has trouble: ${sentence}`;
    if (began) start();
  }
  function start() {
    stop();
    stop = poll(ask, known === null ? ASK_MS : AGAIN_MS);
  }
  start();
  ask(new AbortController().signal).catch(() => {});
  return () => {
    stop();
    strip.hidden = true;
  };
}
