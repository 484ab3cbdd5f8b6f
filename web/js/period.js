/**
 * The overview's periods. Pure. They end now, or with the newest observation when the data is old, so
 * that a lake that was read once still shows something.
 */
import { DAY, HOUR } from './format.js';

export const PERIODS = [
  { word: '24h', label: '24 h', ms: DAY },
  { word: '7d', label: '7 d', ms: 7 * DAY },
  { word: '30d', label: '30 d', ms: 30 * DAY },
  { word: 'all', label: 'All', ms: null },
];
const USUAL = '7d';
const FRESH_MS = 2 * HOUR;

export const periodOf = (query) => PERIODS.find((p) => p.word === query.get('period')) ?? PERIODS.find((p) => p.word === USUAL);

/** @returns {{since: string, until: string, anchored: boolean}|null} null without any observation */
export function span(period, summary, now = Date.now()) {
  const newest = Date.parse(summary.newest_observation), first = Date.parse(summary.first_observation);
  if (Number.isNaN(newest)) return null;
  const anchored = now - newest > FRESH_MS;
  const until = Math.ceil((anchored ? newest + 1 : Math.max(now, newest)) / HOUR) * HOUR;
  const since = period.ms === null ? Math.floor(first / HOUR) * HOUR : until - period.ms;
  return { since: new Date(since).toISOString(), until: new Date(until).toISOString(), anchored };
}

/** The overview's address. */
export function overviewAddress({ period, spec, counts }) {
  const params = new URLSearchParams();
  if (period && period !== USUAL) params.set('period', period);
  if (spec) params.set('spec', spec);
  if (counts === 'linear') params.set('counts', counts);
  const query = params.toString();
  return query ? `/?${query}` : '/';
}
