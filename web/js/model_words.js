/** What a model says of itself, as people read it. Pure. */
import * as format from './format.js';
import { PSI_FAR, PSI_MOVED } from './charts/days.js';

export const STATES = {
  active: { label: 'Active', hint: 'scores' },
  shadow: { label: 'Shadow', hint: 'scores beside the active one; flags nothing' },
  candidate: { label: 'Candidate', hint: 'waits' },
  retired: { label: 'Retired', hint: 'was active; can be rolled back to' },
};
export const DETECTORS = { prefix: 'Prefix tree', ip_insights: 'IP Insights', sagemaker: 'SageMaker endpoint' };

const ORDER = Object.keys(STATES);
/** Active, shadow, candidates, retired; in each the one last used, or registered, first. */
export function inOrder(models) {
  const newest = (model) => Date.parse(model.last_used ?? model.registered);
  return [...models].sort((a, b) => ORDER.indexOf(a.state) - ORDER.indexOf(b.state) || newest(b) - newest(a));
}

export const shortId = (id) => (/^[0-9a-f]{32,}$/.test(id) ? id.slice(0, 12) : id);

/** "40 a day": how the threshold is set. */
export function rule({ rule: kind, rule_value: value }) {
  if (kind === 'budget') return `${value} a day`;
  if (kind === 'percentile') return `percentile ${value}`;
  return kind === 'score' ? 'a fixed score' : 'not told';
}

/** One rule for all specs, or what there is. */
export function rules({ thresholds }) {
  const words = [...new Set(thresholds.map(rule))];
  return words.length === 1 ? words[0] : words.length === 0 ? '–' : 'by spec';
}

/** "18 Nov to 24 Nov" as the API gives days: UTC. */
export function days({ first_day: first, last_day: last }) {
  const [a, b] = [format.date(first, 'utc'), format.date(last, 'utc')];
  return a === b ? a : `${a} to ${b}`;
}

/** What a threshold rests on, in words: a window of the API's, or none. */
export function basis(window, sampleSize) {
  if (!window) return sampleSize > 0 ? `training, ${format.plural(sampleSize, 'pair')}` : 'given';
  return `${days(window)}, ${format.plural(window.sample_size, 'pair')}`;
}

/** A sample of n tells nothing finer than 10/n. */
export const finest = (n) => (n > 10 ? format.percentile(100 - 1000 / n) : '–');

export function drifted(psi) {
  if (psi == null) return null;
  if (psi < PSI_MOVED) return 'steady';
  return psi < PSI_FAR ? 'has moved' : 'much has changed';
}

/** Findings a day over the whole days there are: the last one is not over yet. */
export function perDay(days_) {
  const whole = days_.slice(0, -1).slice(-7);
  return whole.length === 0 ? null : whole.reduce((sum, day) => sum + day.findings, 0) / whole.length;
}

/** What a person may do with a model: [state to move to, word of the button]. */
export function moves(model) {
  if (model.scored_by === 'outside') return [];
  if (model.state === 'candidate') return [['active', 'Activate'], ['shadow', 'Hear as shadow']];
  if (model.state === 'shadow') return [['active', 'Activate'], ['candidate', 'End shadow']];
  return model.state === 'retired' ? [['active', 'Roll back'], ['shadow', 'Hear as shadow']] : [];
}
