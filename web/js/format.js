/**
 * Numbers and times as text. Times are written year first, in local time or UTC as the person chose.
 */
import { h } from './dom.js';
import { onSetting, setting } from './settings.js';

const MINUTE = 60e3;
export const HOUR = 60 * MINUTE;
export const DAY = 24 * HOUR;
const RELATIVE_MAX = 60 * DAY;
const plain = new Intl.NumberFormat('en', { maximumFractionDigits: 0 });
const compact = new Intl.NumberFormat('en', { notation: 'compact', maximumFractionDigits: 1 });

export const count = (n) => plain.format(n);
export const shortCount = (n) => (Math.abs(n) < 10000 ? plain.format(n) : compact.format(n));
export const plural = (n, one, many = `${one}s`) => `${count(n)} ${n === 1 ? one : many}`;
export const score = (n) => (n == null ? '–' : n.toFixed(2));
export const share = (n) => (n > 0 && n < 0.001 ? '< 0.1 %' : `${(n * 100).toFixed(n < 0.1 ? 1 : 0)} %`);

/** Never rounded up: 99.9996 is not 100. */
export function percentile(p) {
  if (p == null) return '–';
  if (p >= 100) return '100';
  const digits = p >= 99.99 ? 3 : p >= 90 ? 2 : 1;
  const scale = 10 ** digits;
  // The product of 99.97 and 100 is a little below 9997.
  return (Math.floor(p * scale + 1e-6) / scale).toFixed(digits);
}

/** "1 in 3,300": how often a score this high comes up, never less often than that; null when it cannot be told. */
export function odds(p) {
  if (p == null || p < 50 || p >= 100) return null;
  const n = 1 / (1 - p / 100);
  const step = 10 ** Math.max(0, Math.floor(Math.log10(n)) - 1);
  return `1 in ${count(Math.floor(n / step + 1e-6) * step)}`;
}

const two = (n) => String(n).padStart(2, '0');

/** {year, month…} of a time in the zone. */
function parts(ms, zone) {
  const d = new Date(zone === 'utc' ? ms : ms - new Date(ms).getTimezoneOffset() * MINUTE);
  return {
    date: `${d.getUTCFullYear()}-${two(d.getUTCMonth() + 1)}-${two(d.getUTCDate())}`,
    clock: `${two(d.getUTCHours())}:${two(d.getUTCMinutes())}`,
    seconds: two(d.getUTCSeconds()),
    hour: d.getUTCHours(),
  };
}

export function date(time, zone = setting('zone')) {
  return parts(new Date(time).getTime(), zone).date;
}

/** "2026-11-24 09:40"; with seconds when asked for. */
export function dateTime(time, { zone = setting('zone'), seconds = false } = {}) {
  const p = parts(new Date(time).getTime(), zone);
  return `${p.date} ${p.clock}${seconds ? `:${p.seconds}` : ''}`;
}

/** For axes: the day at midnight, the clock otherwise. */
export function axisTime(ms, zone = setting('zone')) {
  const p = parts(ms, zone);
  return p.clock === '00:00' ? p.date.slice(5) : p.clock;
}

export function hourOf(ms, zone = setting('zone')) {
  return parts(ms, zone).hour;
}

export const zoneName = () => (setting('zone') === 'utc' ? 'UTC' : 'local time');

/** "3 h ago". */
export function relative(time, now = Date.now()) {
  const past = now - new Date(time).getTime();
  if (Math.abs(past) < MINUTE) return 'just now';
  const size = Math.abs(past);
  if (size >= RELATIVE_MAX) return date(time);
  const text = size < HOUR ? `${Math.floor(size / MINUTE)} min`
    : size < 2 * DAY ? `${Math.floor(size / HOUR)} h` : `${Math.floor(size / DAY)} d`;
  return past > 0 ? `${text} ago` : `in ${text}`;
}

/** "45 s", "3 min", "2.5 h": of seconds; a dash without any. */
export function duration(seconds) {
  if (seconds == null) return '–';
  const steps = [[60, 1, 's'], [3600, 60, 'min'], [2 * 86400, 3600, 'h'], [Infinity, 86400, 'd']];
  const [, unit, word] = steps.find(([below]) => seconds < below);
  const n = seconds / unit;
  return `${n < 10 ? Math.floor(n * 10) / 10 : Math.floor(n)} ${word}`;
}

const WAYS = {
  relative: (time) => relative(time),
  full: (time) => dateTime(time, { seconds: true }),
  minute: (time) => dateTime(time),
};

function write(element) {
  const time = element.dateTime;
  element.textContent = WAYS[element.dataset.way](time);
  element.title = `${dateTime(time, { seconds: true })} ${zoneName()}`;
}

/** A <time> that stays right: see keepTimes. @param {'relative'|'full'|'minute'} way */
export function timeElement(time, way = 'relative') {
  if (time == null) return h('span.muted', null, '–');
  const element = h('time', { datetime: time, dataset: { way } });
  write(element);
  return element;
}

const REWRITE_MS = 30e3;
/** Rewrites every <time> of the page now and then, and when the zone changes. */
export function keepTimes() {
  const all = () => document.querySelectorAll('time[data-way]').forEach(write);
  setInterval(() => document.hidden || all(), REWRITE_MS);
  onSetting('zone', all);
}
