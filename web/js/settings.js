/**
 * What a person chose, kept in this browser. Each setting is one of its words: anything else that
 * storage may hold is the first.
 */

const WORDS = {
  theme: ['auto', 'light', 'dark'],
  zone: ['local', 'utc'],
  shortcuts: ['on', 'off'],
};
const events = new EventTarget();
const held = {};

export function setting(name) {
  if (!(name in held)) {
    let value = null;
    try {
      value = localStorage.getItem(`pairwatch.${name}`);
    } catch { /* storage is switched off */ }
    held[name] = WORDS[name].includes(value) ? value : WORDS[name][0];
  }
  return held[name];
}

export function settingWords(name) {
  return WORDS[name];
}

export function set(name, value) {
  if (!WORDS[name].includes(value)) throw new RangeError(`${name} cannot be ${value}`);
  held[name] = value;
  try {
    localStorage.setItem(`pairwatch.${name}`, value);
  } catch { /* it holds until the page is left */ }
  events.dispatchEvent(new Event(name));
}

/** @returns {() => void} ends it */
export function onSetting(name, call) {
  events.addEventListener(name, call);
  return () => events.removeEventListener(name, call);
}
