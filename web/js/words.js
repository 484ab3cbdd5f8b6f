/** The words of the contract as people read them. Tables only. */

/** key: the letter that picks it in its menu. */
export const STATUSES = [
  { word: 'new', label: 'New', key: 'n' },
  { word: 'in_progress', label: 'In progress', key: 'i' },
  { word: 'suppressed', label: 'Suppressed', key: 's' },
  { word: 'resolved', label: 'Resolved', key: 'r' },
];

export const VERDICTS = [
  { word: 'benign', label: 'Benign', key: 'b', hint: 'expected, harmless' },
  { word: 'true_positive', label: 'True positive', key: 't', hint: 'it is what it looks like' },
  { word: 'false_positive', label: 'False positive', key: 'f', hint: 'the model is wrong' },
  { word: 'suspicious', label: 'Suspicious', key: 's', hint: 'not proven either way' },
  { word: 'security_risk', label: 'Security risk', key: 'k' },
  { word: 'duplicate', label: 'Duplicate', key: 'd' },
  { word: 'test', label: 'Test', key: 'e' },
  { word: 'insufficient_data', label: 'Insufficient data', key: 'i' },
  { word: 'managed_externally', label: 'Managed externally', key: 'm' },
  { word: 'disregard', label: 'Disregard', key: 'g' },
];

/** What each way of judging a pair looks at. */
export const OPINIONS = {
  stranger: { label: 'Stranger', hint: 'a network that is not its own' },
  impostor: { label: 'Impostor', hint: 'an address that others use' },
  newcomer: { label: 'Newcomer', hint: 'no history; against what everyone uses' },
  ip_insights: { label: 'IP Insights', hint: 'the learned vectors' },
};

const labels = (table) => Object.fromEntries(table.map((row) => [row.word, row.label]));
export const STATUS_LABEL = labels(STATUSES);
export const VERDICT_LABEL = { ...labels(VERDICTS), none: 'None' };
export const AGE_LABEL = {
  under_1h: 'Under an hour', under_1d: 'Under a day', under_7d: 'Under a week', older: 'Older',
};
export const OPEN = ['new', 'in_progress'];

/** What an entity does with the address, per pair spec: past, and "never …". */
const DEEDS = {
  'vpc-egress': ['talked to', 'talk to'],
  'vpc-ingress': ['was reached from', 'be reached from'],
  'dns-answer': ['was sent by DNS to', 'be sent by DNS to'],
  'cloudtrail-principal': ['was used from', 'be used from'],
  'eks-user': ['was used from', 'be used from'],
  'waf-client': ['was visited from', 'be visited from'],
};
export const deed = (spec) => (DEEDS[spec] ?? ['was seen with', 'be seen with'])[0];

/**
 * Severity by how rare a score is: from is the percentile a level begins at, and its class in
 * css/components.css.
 */
const LEVELS = [
  { from: 99.99, level: 4, label: 'extremely rare' },
  { from: 99.9, level: 3, label: 'very rare' },
  { from: 99, level: 2, label: 'rare' },
  { from: -1, level: 1, label: 'uncommon' },
];
export function severity(percentile) {
  if (percentile == null) return { level: 0, label: 'percentile unknown' };
  return LEVELS.find((row) => percentile >= row.from);
}

/** How much of a bar a percentile fills: each further nine is the same step, five fill it. */
export function rarityShare(percentile) {
  if (percentile == null) return 0;
  const nines = -Math.log10(Math.max(1 - percentile / 100, 1e-5));
  return Math.min(1, Math.max(0.04, nines / 5));
}

/** "user:ana" → "ana". */
export function actorName(actor) {
  const [kind, name] = actor.split(/:(.*)/s);
  if (name === undefined) return actor;
  return kind === 'user' ? name : `${name} (${kind})`;
}
