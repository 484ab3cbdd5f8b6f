/** Why a finding is one, and what happened to it, in sentences made from numbers. Pure. */
import * as format from './format.js';
import { networkOf, parseIp, parseNetwork, sharedBits } from './ip.js';
import { STATUS_LABEL, VERDICT_LABEL, actorName, deed } from './words.js';

/** The tail of a long name, as people tell entities apart. */
export function shortName(entity) {
  if (entity.length <= 40) return entity;
  const tail = entity.split('/').at(-1);
  return tail.length >= 3 && tail.length <= 40 ? `…/${tail}` : `…${entity.slice(-32)}`;
}

/** "has never talked to 203.0.113.0/24 before" */
function newness(finding, explanation) {
  const ip = parseIp(finding.ip);
  const done = deed(finding.spec).replace(/^was /, 'been ');
  if (!finding.entity_known) return `was not there when the model was trained, and ${finding.ip} is not what others use`;
  if (!explanation || !ip) return `has not usually ${done} ${finding.ip}`;
  const all = ip.bytes.length * 8;
  const bits = explanation.known_bits;
  if (bits >= all) return `has ${done} ${finding.ip} before, but not often enough to be usual`;
  const named = ip.v4 ? 24 : 48;
  return `has never ${done} ${networkOf(ip, bits < named ? named : bits + 1)} before`;
}

/** How near the address is to what the entity uses. */
function nearness(finding, explanation) {
  if (!finding.entity_known || !explanation) return null;
  const ip = parseIp(finding.ip);
  if (!ip || explanation.known_bits >= ip.bytes.length * 8) return null;
  const bits = explanation.known_bits;
  if (bits === 0 || !explanation.nearest) return 'nothing it usually uses is anywhere near that';
  const { ip: near, last_seen: seen } = explanation.nearest;
  const all = ip.bytes.length * 8;
  const meet = bits >= all / 4 ? `both are in ${networkOf(ip, bits)}` : `only the first ${format.plural(bits, 'bit')} of ${all} ${bits === 1 ? 'agrees' : 'agree'}`;
  return `the nearest address it usually uses is ${near}, last on ${format.date(seen, 'utc')}; ${meet}`;
}

/** Whose habit the address is, when it is not this entity's. */
function others(finding, explanation) {
  const ip = parseIp(finding.ip);
  if (!explanation || !ip) return null;
  const { bearers, neighbours } = explanation;
  const network = networkOf(ip, ip.v4 ? 24 : 48);
  if (bearers > 0) return `${format.plural(bearers, 'other entity', 'other entities')} used ${ip.v4 ? 'this very address' : 'its /64'} in training`;
  if (neighbours > 0) return `others used ${format.plural(neighbours, 'address', 'addresses')} of ${network} in training`;
  return `nobody else was seen with ${network} in training`;
}

const list = (names, more) => (more > 0 ? `${names.join(', ')} and ${format.count(more)} more` : names.join(', '));

/** Who they are, by the names that are known. */
function who(explanation) {
  const names = (explanation?.bearer_names ?? []).map(shortName);
  if (!names.length) return null;
  const more = explanation.bearers > 0 ? explanation.bearers - names.length : 0;
  return explanation.bearers > 0 ? `it is known from ${list(names, more)}` : `it is where ${list(names, 0)} ${names.length === 1 ? 'was' : 'were'} seen`;
}

/** The provider the address is reached by. */
function system(finding, explanation) {
  const found = explanation?.system;
  if (!found || !finding.entity_known) return null;
  const name = `AS${found.asn}${found.name ? ` (${found.name})` : ''}`;
  if (found.known) return `${name} routes it, as it does ${format.percentile(found.share * 100)} % of the addresses it usually uses`;
  const used = found.entities > 0 ? `, which ${format.plural(found.entities, 'other entity', 'other entities')} used` : '';
  return `it was never seen with ${name}${used}`;
}

/** A percentile ends where the sample does: what it says is the most that can be claimed. */
function rank(finding) {
  const score = `its score of ${format.score(finding.score)}`;
  if (finding.percentile == null) return `${score} is above the threshold`;
  if (finding.percentile >= 100) return `none of the usual pairs it was compared with scored as high as ${format.score(finding.score)}`;
  const odds = format.odds(finding.percentile);
  if (!odds) return `${score} is above that of ${format.percentile(finding.percentile)} % of usual pairs`;
  return `of the usual pairs it was compared with, at most ${odds} scored as high as ${format.score(finding.score)}`;
}

/** How often and for how long. */
function habit({ observations: n, first_seen: first, last_seen: last }) {
  if (n === 1) return 'it happened once';
  const hours = Math.max(1, Math.ceil((Date.parse(last) - Date.parse(first)) / format.HOUR));
  const within = hours === 1 ? 'an hour' : hours < 48 ? `${hours} hours` : `${Math.ceil(hours / 24)} days`;
  return `it happened ${format.count(n)} times within ${within}`;
}

const upper = (text) => text[0].toUpperCase() + text.slice(1);

/** @param detail a Finding @returns {{head: string, rest: string[]}} head follows the entity's name */
export function reasons({ finding, explanation }) {
  const rest = [habit(finding), nearness(finding, explanation), others(finding, explanation), who(explanation), system(finding, explanation), rank(finding)].filter(Boolean);
  return { head: `${newness(finding, explanation)}.`, rest: rest.map((text) => `${upper(text)}.`) };
}

/** The entity's usual networks beside this address, with the bits they share. */
export function compared({ finding, explanation }) {
  const ip = parseIp(finding.ip);
  return (explanation?.networks ?? []).map((row) => {
    const network = parseNetwork(row.network);
    const shared = ip && network ? Math.min(sharedBits(ip, network), network.bits) : 0;
    return { ...row, shared, within: Boolean(network && shared === network.bits && ip.v4 === network.v4) };
  });
}

const VALUE = {
  status: (v) => STATUS_LABEL[v]?.toLowerCase() ?? String(v),
  verdict: (v) => (v ? VERDICT_LABEL[v]?.toLowerCase() ?? String(v) : 'none'),
  assignee: (v) => v ?? 'nobody',
  tags: (v) => (v?.length ? v.join(', ') : 'none'),
};

function tagStep(old, now) {
  const added = now.filter((tag) => !old.includes(tag)), gone = old.filter((tag) => !now.includes(tag));
  return [added.length && `added ${added.join(', ')}`, gone.length && `removed ${gone.join(', ')}`].filter(Boolean).join(' and ');
}

function memberSentence([name, value]) {
  if (!(name in VALUE) || value === null || typeof value !== 'object' || !('new' in value)) return null;
  if (name === 'tags') return tagStep(value.old ?? [], value.new ?? []);
  if (name === 'assignee') return value.new ? `assigned it to ${value.new}` : 'unassigned it';
  if (name === 'verdict' && !value.new) return 'took the verdict away';
  return `set ${name} to ${VALUE[name](value.new)}`;
}

const SENTENCES = {
  finding_created: () => 'first crossed the threshold',
  finding_sighted: (body, times) => (times > 1 ? `was seen ${format.count(times)} more times` : 'was seen once more'),
  note_added: () => 'added a note',
  finding_updated: (body) => Object.entries(body).map(memberSentence).filter(Boolean).join(', ') || 'changed it',
};

/**
 * History as sentences, newest first; a row of sightings becomes one.
 * @returns {{time, actor, text}[]}
 */
export function story(changes) {
  const out = [];
  for (const change of changes) {
    const last = out.at(-1);
    const repeats = last && change.kind === 'finding_sighted' && last.kind === 'finding_sighted';
    if (repeats) out.pop();
    const body = change.body ?? {};
    const times = (body.sightings ?? 1) + (repeats ? last.times : 0);
    const reopened = change.kind === 'finding_sighted' && memberSentence(['status', body.status ?? null]);
    const made = change.kind === 'finding_created' || change.kind === 'finding_sighted';
    const text = (SENTENCES[change.kind] ?? (() => change.kind.replaceAll('_', ' ')))(body, times);
    out.push({
      kind: reopened ? 'finding_reopened' : change.kind, times, time: change.time,
      actor: made ? 'The pair' : actorName(change.actor), text: reopened ? `${text} and is open again` : text,
    });
  }
  return out.reverse();
}
