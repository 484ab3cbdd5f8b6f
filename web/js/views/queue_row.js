/** A finding as a row of the queue; a card on narrow screens (css/components.css). */
import { h, link, middle, visuallyHidden } from '../dom.js';
import * as format from '../format.js';
import { usualNetwork } from '../ip.js';
import { queueAddress } from '../filters.js';
import * as parts from './parts.js';

/** name: the cell's class; head: its title. */
export const COLUMNS = [
  { name: 'select', head: '' },
  { name: 'rarity', head: 'Score, percentile', title: 'The score ranks: higher is rarer. Beside it, which part of usual pairs scores lower, as far as the model can tell' },
  { name: 'entity', head: 'Entity' },
  { name: 'ip', head: 'Address' },
  { name: 'network', head: 'Network' },
  { name: 'spec', head: 'Spec' },
  { name: 'first', head: 'First seen' },
  { name: 'last', head: 'Last seen' },
  { name: 'sightings', head: 'Sightings', title: 'How often the pair was observed' },
  { name: 'status', head: 'Status' },
  { name: 'assignee', head: 'Assignee' },
  { name: 'tags', head: 'Tags' },
];

function networkLink(ip) {
  const network = usualNetwork(ip);
  return network && link(queueAddress({ ip: network, status: 'all' }), { tabindex: -1, title: `All findings in ${network}` }, network);
}

/** How many of the loaded findings have the same address: one story, often. */
function sharers(finding, on) {
  const n = on.sharing(finding.ip);
  return n > 1 && link(queueAddress({ ip: finding.ip, status: 'all' }),
    { class: 'sharers', tabindex: -1, title: `${n} of the loaded findings have this address; all that have it` },
    h('span', { 'aria-hidden': 'true' }, `×${n}`), visuallyHidden(`${n} findings with it`));
}

const CELLS = {
  rarity: (f, on) => parts.rarity(f, on.range),
  entity: (f) => link(`/findings/${f.id}`, { class: 'entity-link', tabindex: -1 }, middle(f.entity, 14)),
  ip: (f, on) => h('span.ip-cell', null, h('span.ip', null, middle(f.ip, 5)), sharers(f, on)),
  network: (f) => networkLink(f.ip),
  spec: (f) => h('span', null, f.spec),
  first: (f) => format.timeElement(f.first_seen),
  last: (f) => format.timeElement(f.last_seen),
  sightings: (f) => format.count(f.sightings),
  status: (f) => [parts.status(f), parts.verdict(f)],
  assignee: (f) => f.assignee ?? h('span.muted', null, '–'),
  tags: (f) => parts.tags(f),
};

function cell(name, finding, on) {
  if (name !== 'select') return h(`td.col-${name}`, { role: 'cell' }, CELLS[name](finding, on));
  return h('td.col-select', { role: 'cell' }, h('label.check', null,
    h('input', {
      type: 'checkbox', tabIndex: -1, checked: on.selected(finding.id), 'aria-label': `Select ${finding.entity} ${finding.ip}`,
      onclick: (event) => on.select(finding.id, event.target.checked, event.shiftKey),
    })));
}

/** @param on {range, sharing(ip), selected(id), select(id, checked, range), cursor(id), open(id), done(finding)} */
export function rowElement(finding, on) {
  const row = h('tr.row', { role: 'row', dataset: { id: finding.id }, tabIndex: -1 });
  row.addEventListener('click', (event) => {
    if (!event.target.closest('a, input, label, button') && !getSelection().toString()) on.cursor(finding.id);
  });
  row.addEventListener('dblclick', () => on.open(finding.id));
  row.addEventListener('focusin', () => on.focused(finding.id));
  fillRow(row, finding, on);
  return row;
}

/** Rewrites what a row says, in place. */
export function fillRow(row, finding, on) {
  row.replaceChildren(...COLUMNS.map(({ name }) => cell(name, finding, on)));
  row.classList.toggle('is-done', on.done(finding));
  row.classList.toggle('is-selected', on.selected(finding.id));
}
