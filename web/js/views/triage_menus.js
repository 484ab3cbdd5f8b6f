/**
 * The menus by which findings are triaged, from a row, the bulk bar or the finding's page. Each calls
 * back with a patch and how to say it.
 */
import { openMenu } from '../menu.js';
import { STATUSES, VERDICTS } from '../words.js';

const NONE = { word: null, label: 'No verdict', key: 'n' };

/** Resolved, with its verdict in the same step. */
export function resolveMenu(anchor, apply) {
  const items = VERDICTS.map(({ word, label, key, hint }) => ({
    key, label, hint,
    run: () => apply({ status: 'resolved', verdict: word }, `resolved as ${label.toLowerCase()}`),
  }));
  items.push({ key: 'n', label: 'Without a verdict', run: () => apply({ status: 'resolved' }, 'resolved') });
  openMenu(anchor, { title: 'Resolve as', items });
}

export function verdictMenu(anchor, apply, now) {
  const items = [...VERDICTS, NONE].map(({ word, label, key, hint }) => ({
    key, label, hint, checked: now === undefined ? undefined : word === now,
    run: () => apply({ verdict: word }, word ? `verdict ${label.toLowerCase()}` : 'verdict taken away'),
  }));
  openMenu(anchor, { title: 'Verdict', items });
}

export function statusMenu(anchor, apply, now) {
  const items = STATUSES.map(({ word, label, key }) => ({
    key, label, checked: now === undefined ? undefined : word === now,
    run: () => apply({ status: word }, `status ${label.toLowerCase()}`),
  }));
  openMenu(anchor, { title: 'Status', items });
}

export function assignMenu(anchor, apply, names) {
  const items = names.map((name, i) => ({
    key: String(i + 1), label: name, run: () => apply({ assignee: name }, `assigned to ${name}`),
  }));
  items.push({ key: '0', label: 'Nobody', run: () => apply({ assignee: null }, 'unassigned') });
  openMenu(anchor, { title: 'Assign to', items });
}
