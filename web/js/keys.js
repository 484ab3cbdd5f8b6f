/**
 * Shortcuts: tables of {keys, label, group, run}. `keys` is one key ("j", "Enter", "?") or two after
 * each other ("g q"). The help is made of the tables that are bound. Nothing is caught while a person
 * types, with Ctrl, Alt or Meta, in a dialog or a menu, or when shortcuts are switched off.
 */
import { h } from './dom.js';
import { setting } from './settings.js';

const SEQUENCE_MS = 1200;
const bound = [];
let pending = '', pendingSince = 0;

/** @returns {() => void} unbinds */
export function bindKeys(table) {
  bound.push(table);
  return () => bound.splice(bound.indexOf(table), 1);
}

const rows = () => [...bound].reverse().flat();

/** The row that the keys so far name, 'more' when they begin one, null otherwise. */
export function find(table, typed) {
  const row = table.find((r) => r.keys.split(' | ').includes(typed));
  if (row) return row;
  return table.some((r) => r.keys.split(' | ').some((k) => k.startsWith(`${typed} `))) ? 'more' : null;
}

function isTyping(target) {
  return target.closest?.('input:not([type=checkbox]):not([type=radio]), textarea, select, dialog, [role=menu]') != null;
}

/** Enter and Space on a link or button are the browser's. */
function isPress(event) {
  return (event.key === 'Enter' || event.key === ' ') && event.target.closest?.('a, button, summary') != null;
}

function onKey(event) {
  const plain = !event.ctrlKey && !event.metaKey && !event.altKey;
  if (!plain || event.defaultPrevented || isTyping(event.target) || isPress(event)) return;
  if (setting('shortcuts') === 'off' && event.key.length === 1) return;
  const now = Date.now();
  const key = event.shiftKey && event.key.length > 1 ? `Shift+${event.key}` : event.key;
  const typed = pending && now - pendingSince < SEQUENCE_MS ? `${pending} ${key}` : key;
  let row = find(rows(), typed);
  if (row === null && typed !== key) row = find(rows(), key);
  pending = row === 'more' ? key : '';
  pendingSince = now;
  if (row === null || row === 'more') return;
  event.preventDefault();
  row.run(event);
}

export function startKeys() {
  document.addEventListener('keydown', onKey);
}

const CAPS = { ArrowDown: '↓', ArrowUp: '↑', Escape: 'Esc' };
const cap = (key) => key.split('+').map((part) => CAPS[part] ?? part).join('+');

function keyCaps(keys) {
  return keys.split(' | ').flatMap((way, i) => [
    i > 0 && h('span.muted', null, ' or '),
    way.split(' ').map((key) => h('kbd', null, cap(key))),
  ]);
}

/** The help, as a dialog that closes with Escape. */
export function showHelp() {
  const groups = Map.groupBy(rows().filter((r) => r.label), (r) => r.group);
  const dialog = h('dialog.help', { 'aria-labelledby': 'help-title' },
    h('div.dialog-head', null,
      h('h2', { id: 'help-title' }, 'Keyboard shortcuts'),
      h('button.icon', { onclick: () => dialog.close(), 'aria-label': 'Close' }, '×')),
    h('div.help-groups', null, [...groups].map(([name, list]) => h('section', null,
      h('h3', null, name),
      h('dl.keys', null, list.map((r) => h('div', null, h('dt', null, keyCaps(r.keys)), h('dd', null, r.label))))))));
  dialog.addEventListener('close', () => dialog.remove());
  dialog.addEventListener('click', (event) => event.target === dialog && dialog.close());
  document.body.append(dialog);
  dialog.showModal();
}
