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

/** Between which scores the bars of a list reach: from nought, or the lowest when that is below. */
export function scoreRange(findings) {
  const scores = findings.map((f) => f.score);
  return [Math.min(0, ...scores), Math.max(0, ...scores)];
}

/** How much of a bar a score fills, and which of four shades of css/components.css it has. */
export function scoreBar(score, [low, high]) {
  const share = high > low ? Math.min(1, Math.max(0.04, (score - low) / (high - low))) : 1;
  return { share, level: Math.min(4, 1 + Math.floor(share * 4)) };
}

/** "user:ana" → "ana". */
export function actorName(actor) {
  const [kind, name] = actor.split(/:(.*)/s);
  if (name === undefined) return actor;
  return kind === 'user' ? name : `${name} (${kind})`;
}
