/**
 * Changing findings without overwriting anybody: every change names the version it was made on. When
 * a finding moved on meanwhile but its triage is still what the person saw (it was only sighted
 * again), the change is tried once more; otherwise it is left alone and said so. Changes are sent one
 * after the other, in the order they were made: a quick second one builds on the first one's version.
 */
import * as api from './api.js';
import * as undo from './undo.js';
import { toast, toastError } from './toast.js';
import { plural } from './format.js';
import { STATUS_LABEL, VERDICT_LABEL, actorName } from './words.js';

const FIELDS = ['status', 'verdict', 'assignee', 'tags'];
const BATCH_MAX = 500, RETRY_MAX = 25;
const events = new EventTarget();
let tail = Promise.resolve();

/** Runs a change after those before it have ended, well or not. */
export function inOrder(task) {
  const run = tail.then(task);
  tail = run.catch(() => {});
  return run;
}

/** Told with the findings (as they are now) whenever some were changed here. @returns {() => void} */
export function onChanged(call) {
  const listener = (event) => call(event.detail);
  events.addEventListener('changed', listener);
  return () => events.removeEventListener('changed', listener);
}

function tell(findings) {
  events.dispatchEvent(new CustomEvent('changed', { detail: findings }));
}

const equal = (a, b) => JSON.stringify(a) === JSON.stringify(b);
/** Whether two forms of a finding agree in the fields named. */
export const sameTriage = (a, b, fields = FIELDS) => fields.every((name) => equal(a[name], b[name]));
/** The members of a patch as they are in a finding. */
export const asItIs = (finding, patch) =>
  Object.fromEntries(Object.keys(patch).map((name) => [name, finding[name]]));

/** "status resolved, verdict benign" */
export function describe(patch) {
  const say = {
    status: (v) => `status ${STATUS_LABEL[v].toLowerCase()}`,
    verdict: (v) => (v ? `verdict ${VERDICT_LABEL[v].toLowerCase()}` : 'no verdict'),
    assignee: (v) => (v ? `assigned to ${v}` : 'unassigned'),
    tags: (v) => (v.length ? `tags ${v.join(', ')}` : 'no tags'),
  };
  return Object.entries(patch).map(([name, value]) => say[name](value)).join(', ');
}

/** Who made the last change to a finding's triage, as a sentence. */
async function whoChanged(id) {
  const last = (await api.history(id)).findLast((change) => change.kind === 'finding_updated');
  if (!last) return 'it was changed meanwhile';
  const now = Object.fromEntries(Object.entries(last.body).filter(([name]) => FIELDS.includes(name))
    .map(([name, value]) => [name, value.new]));
  return `${actorName(last.actor)} changed it meanwhile: ${describe(now)}`;
}

/**
 * The finding page's change; to be called within inOrder.
 * @param {{value: {finding: Object}, etag: string}} seen what the person looks at
 * @returns {Promise<{value, etag, conflict?: string}>} what is there now
 */
export async function changeOne(seen, patch) {
  const { finding } = seen.value;
  const previous = asItIs(finding, patch);
  if (equal(previous, patch)) return seen;
  let now;
  try {
    now = await api.patchFinding(finding.id, seen.etag, patch);
  } catch (error) {
    if (error.status !== 412) throw error;
    const fresh = await api.findingWithTag(finding.id);
    if (!sameTriage(fresh.value.finding, finding)) return { ...fresh, conflict: await whoChanged(finding.id) };
    now = await api.patchFinding(finding.id, fresh.etag, patch);
  }
  undo.push({ label: describe(patch), items: [{ id: finding.id, version: now.value.finding.version, patch: previous, applied: patch }] });
  tell([now.value.finding]);
  return now;
}

/** One try of {finding, patch} pairs; changes the findings; returns what was changed and what lost. */
async function attempt(pairs) {
  const changed = [], lost = [];
  for (let at = 0; at < pairs.length; at += BATCH_MAX) {
    const part = pairs.slice(at, at + BATCH_MAX);
    const results = await api.updateFindings(
      part.map(({ finding, patch }) => ({ id: finding.id, version: finding.version, patch })));
    results.forEach((result, i) => {
      const { finding, patch } = part[i];
      if (result.outcome === 'lost_race') lost.push(part[i]);
      if (result.outcome !== 'changed') return;
      changed.push({ finding, previous: result.previous, patch });
      Object.assign(finding, patch, { version: result.version });
    });
  }
  return { changed, lost };
}

/** Those whose triage is still what was seen, with the version they have now. */
async function stillAsSeen(lost) {
  const again = [];
  for (const pair of lost.slice(0, RETRY_MAX)) {
    const fresh = (await api.findingWithTag(pair.finding.id)).value.finding;
    const same = sameTriage(fresh, pair.seen ?? pair.finding, pair.fields);
    Object.assign(pair.finding, fresh);
    if (same) again.push(pair);
  }
  return again;
}

/** @returns {Promise<{changed: Object[], lost: number}>} */
async function applyAll(pairs) {
  const first = await attempt(pairs);
  if (first.lost.length === 0) return { changed: first.changed, lost: 0 };
  const again = await stillAsSeen(first.lost);
  const second = again.length ? await attempt(again) : { changed: [], lost: [] };
  const changed = [...first.changed, ...second.changed];
  return { changed, lost: first.lost.length - second.changed.length };
}

/** The queue's change: the same patch to findings, each as the person saw it. */
export function changeMany(findings, patchOf, label) {
  return inOrder(() => changeThem(findings, patchOf, label));
}

async function changeThem(findings, patchOf, label) {
  const pairs = findings.map((finding) => ({ finding, patch: patchOf(finding) }))
    .filter(({ finding, patch }) => !equal(asItIs(finding, patch), patch));
  if (pairs.length === 0) return;
  try {
    const { changed, lost } = await applyAll(pairs);
    if (changed.length) {
      undo.push({
        label,
        items: changed.map(({ finding, previous, patch }) =>
          ({ id: finding.id, version: finding.version, patch: previous, applied: patch })),
      });
      offered?.remove();
      offered = toast(`${plural(changed.length, 'finding')}: ${label}`, { action: { label: 'Undo', run: undoLast } });
    }
    if (lost) toast(`${plural(lost, 'finding')} left alone: changed by someone else meanwhile`, { kind: 'error' });
    tell(pairs.map((pair) => pair.finding));
  } catch (error) {
    toastError(error);
  }
}

/** Takes the last change back, unless somebody has changed the same since. */
/** The message that offers to undo the newest change: an older one would undo another than it says. */
let offered = null;

export function undoLast() {
  return inOrder(undoNewest);
}

async function undoNewest() {
  offered?.remove();
  const entry = undo.pop();
  if (!entry) {
    toast('Nothing to undo.');
    return;
  }
  try {
    const pairs = entry.items.map(({ id, version, patch, applied }) =>
      ({ finding: { id, version, ...applied }, patch, seen: applied, fields: Object.keys(applied) }));
    const { changed, lost } = await applyAll(pairs);
    if (changed.length) toast(`Undone: ${entry.label}`);
    if (lost) toast(`${plural(lost, 'finding')} not undone: changed by someone else since`, { kind: 'error' });
    tell(changed.map(({ finding, previous, patch }) => ({ ...previous, ...patch, id: finding.id, version: finding.version })));
  } catch (error) {
    undo.push(entry);
    toastError(error);
  }
}
