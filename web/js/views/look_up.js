/** Look up: an entity, an address, or both; while a person types, what findings know of it. */
import * as api from '../api.js';
import { fill, h, middle } from '../dom.js';
import { parseIp } from '../ip.js';
import { entityAddress, ipAddress, placeOf } from '../places.js';
import { go } from '../router.js';

const PAUSE_MS = 150, READ = 50, SHOWN = 8, TEXT_MIN = 2, TEXT_MAX = 200;

/** Entities and addresses of findings that hold the text, each once. */
export function suggestions(findings, text) {
  const needle = text.toLowerCase();
  const out = new Map();
  for (const { entity, ip } of findings) {
    if (ip.includes(needle)) out.set(ipAddress(ip), { label: ip, kind: 'address' });
    if (entity.toLowerCase().includes(needle)) out.set(entityAddress(entity), { label: entity, kind: 'entity' });
  }
  return [...out].slice(0, SHOWN).map(([href, rest]) => ({ href, ...rest }));
}

/** What pressing Enter does, in words. */
export function hint(text) {
  const place = placeOf(text);
  if (!place) return 'An entity, an IP address, or both: "i-0123 203.0.113.7".';
  if (place.startsWith('/pair')) return 'Enter: what is known of this pair.';
  return place.startsWith('/ips') ? 'Enter: this address. Add an entity for the pair.' : 'Enter: this entity. Add an address for the pair.';
}

export function lookUp() {
  if (document.querySelector('dialog[open]')) return;
  let abort = new AbortController(), timer = null;
  const input = h('input', {
    type: 'search', id: 'look-up', autocomplete: 'off', spellcheck: 'false', maxlength: 2100, role: 'combobox',
    'aria-label': 'Entity, address, or both', 'aria-expanded': 'false', 'aria-controls': 'look-up-list', 'aria-autocomplete': 'list', 'aria-describedby': 'look-up-hint',
    placeholder: 'Entity, address, or both',
  });
  const told = h('p.sub', { id: 'look-up-hint', role: 'status' }, hint(''));
  const list = h('ul.look-up-list', { id: 'look-up-list', role: 'listbox', 'aria-label': 'Known from findings', hidden: true });
  const dialog = h('dialog.look-up', { 'aria-label': 'Look up' }, h('form', { method: 'dialog' }, input), told, list);
  let at = -1, items = [];

  function leave(href) {
    dialog.close();
    go(href);
  }
  function point(to) {
    at = items.length ? (to + items.length + 1) % (items.length + 1) : -1;
    if (at === items.length) at = -1;
    [...list.children].forEach((li, i) => li.setAttribute('aria-selected', String(i === at)));
    if (at >= 0) input.setAttribute('aria-activedescendant', `look-up-${at}`);
    else input.removeAttribute('aria-activedescendant');
    list.children[at]?.scrollIntoView({ block: 'nearest' });
  }
  function show(found) {
    items = found;
    list.hidden = items.length === 0;
    input.setAttribute('aria-expanded', String(items.length > 0));
    fill(list, items.map(({ href, label, kind }, i) => h('li', { id: `look-up-${i}`, role: 'option', 'aria-selected': 'false', onclick: () => leave(href) },
      h(`span.look-up-name${kind === 'address' ? '.mono' : ''}`, null, middle(label, 16)), h('span.muted', null, kind))));
    point(-1);
  }
  async function ask() {
    abort.abort();
    abort = new AbortController();
    const text = input.value.trim().split(/[\s,]+/).find((word) => !parseIp(word))?.slice(0, TEXT_MAX) ?? input.value.trim();
    if (text.length < TEXT_MIN) return show([]);
    try {
      show(suggestions((await api.findings({ q: text, limit: READ }, abort.signal)).findings, text));
    } catch (error) {
      if (!api.isAbort(error)) show([]); // what was typed can be looked up all the same
    }
  }
  input.addEventListener('input', () => {
    fill(told, hint(input.value));
    clearTimeout(timer);
    timer = setTimeout(ask, PAUSE_MS);
  });
  input.addEventListener('keydown', (event) => {
    if (event.key === 'ArrowDown') point(at + 1);
    else if (event.key === 'ArrowUp') point(at < 0 ? items.length - 1 : at - 1);
    else return;
    event.preventDefault();
  });
  dialog.querySelector('form').addEventListener('submit', (event) => {
    event.preventDefault();
    const href = at >= 0 ? items[at].href : placeOf(input.value);
    if (href) leave(href);
  });
  dialog.addEventListener('click', (event) => event.target === dialog && dialog.close());
  dialog.addEventListener('close', () => {
    clearTimeout(timer);
    abort.abort();
    dialog.remove();
  });
  document.body.append(dialog);
  dialog.showModal();
  input.focus();
}
