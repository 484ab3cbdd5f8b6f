/** What stands above the queue: quick filters, search, the filter form, and a chip for each filter set. */
import { fill, h, link } from '../dom.js';
import { FILTERS, chips, queueAddress, without } from '../filters.js';
import { VERDICTS } from '../words.js';
import { setting } from '../settings.js';

const quick = (me) => [
  ['Open', {}],
  ['New', { status: 'new' }],
  ['Mine', { assignee: me }],
  ['Unassigned', { assignee: 'none' }],
  ['Resolved', { status: 'resolved', sort: 'time' }],
  ['All', { status: 'all' }],
];

export function quickFilters(filters, me) {
  const here = queueAddress({ ...filters, sort: null });
  return h('nav.quick', { 'aria-label': 'Quick filters' }, quick(me).map(([label, wanted]) => {
    const current = here === queueAddress({ ...wanted, sort: null });
    return link(queueAddress(wanted), { 'aria-current': current ? 'true' : null }, label);
  }));
}

export function chipList(filters) {
  const set = chips(filters);
  if (set.length === 0) return null;
  return h('ul.chips', { 'aria-label': 'Filters' },
    set.map(({ name, label, value }) => h('li.chip', null,
      h('span.muted', null, `${label} `), h('span.chip-value', { title: value }, value),
      link(queueAddress(without(filters, name)), { class: 'chip-off', 'aria-label': `Remove filter ${label} ${value}` }, '×'))),
    set.length > 1 && h('li', null, link(queueAddress({ sort: filters.sort }), { class: 'chip-clear' }, 'Clear all')));
}

/** An instant as <input type=datetime-local> wants it, in the zone of the reader. */
function toInput(iso) {
  if (!iso) return '';
  const ms = Date.parse(iso);
  const shift = setting('zone') === 'utc' ? 0 : new Date(ms).getTimezoneOffset() * 60e3;
  return new Date(ms - shift).toISOString().slice(0, 16);
}

function fromInput(value) {
  if (!value) return '';
  const ms = Date.parse(setting('zone') === 'utc' ? `${value}Z` : value);
  return Number.isNaN(ms) ? '' : new Date(ms).toISOString();
}

function field(label, name, control) {
  return h('label.field', null, h('span', null, label), Object.assign(control, { name }));
}

function choice(options, value) {
  const select = h('select', null, options.map(([word, label]) => h('option', { value: word }, label)));
  select.value = value ?? '';
  // What the address holds may be more than one word.
  if (value && select.value !== value) select.append(h('option', { value }, value)), select.value = value;
  return select;
}

const input = (value, props) => h('input', { type: 'text', autocomplete: 'off', value: value ?? '', ...props });

function controls(filters, specs) {
  const verdicts = [['', 'Any'], ['none', 'None'], ...VERDICTS.map((v) => [v.word, v.label])];
  return [
    field('Verdict', 'verdict', choice(verdicts, filters.verdict)),
    field('Spec', 'spec', choice([['', 'Any'], ...specs.map((spec) => [spec, spec])], filters.spec)),
    field('Entity (ends in * for its beginning)', 'entity', input(filters.entity)),
    field('Address or network', 'ip', input(filters.ip, { placeholder: '203.0.113.0/24' })),
    field('Percentile from', 'min_percentile', input(filters.min_percentile, { inputmode: 'decimal', placeholder: '99.9' })),
    field('Score from', 'min_score', input(filters.min_score, { inputmode: 'decimal' })),
    field('Seen since', 'since', input(toInput(filters.since), { type: 'datetime-local' })),
    field('Seen before', 'until', input(toInput(filters.until), { type: 'datetime-local' })),
    field('Assignee', 'assignee', input(filters.assignee, { placeholder: 'a name, or none' })),
    field('Tag', 'tag', input(filters.tag)),
  ];
}

/** Marks what cannot be read as a filter; @returns {Object|null} the filters, null when one is wrong */
export function readForm(form, filters) {
  const out = { ...filters };
  let wrong = null;
  for (const control of form.querySelectorAll('[name]')) {
    const value = control.type === 'datetime-local' ? fromInput(control.value) : control.value.trim();
    const read = value === '' ? null : FILTERS[control.name].read(value);
    const bad = value !== '' && read === null;
    control.setAttribute('aria-invalid', String(bad));
    if (bad) wrong ??= control;
    if (read === null) delete out[control.name];
    else out[control.name] = read;
  }
  wrong?.focus();
  return wrong ? null : out;
}

/** @param {{filters, specs: () => Promise<string[]>, go: (filters) => void}} options */
export function filterForm({ filters, specs, go }) {
  const form = h('form.filter-form', { hidden: true, novalidate: true, 'aria-label': 'Filters', id: 'filter-form' });
  form.addEventListener('submit', (event) => {
    event.preventDefault();
    const wanted = readForm(form, filters);
    if (wanted) go(wanted);
  });
  async function toggle(button) {
    form.hidden = !form.hidden;
    button.setAttribute('aria-expanded', String(!form.hidden));
    if (form.hidden) return;
    const known = await specs().catch(() => []);
    fill(form, controls(filters, known), h('div.form-actions', null, h('button.primary', { type: 'submit' }, 'Apply')));
    form.querySelector('select, input').focus();
  }
  return { form, toggle };
}

export function searchBox(filters, go) {
  const box = h('input', {
    type: 'search', id: 'search', value: filters.q ?? '', autocomplete: 'off', spellcheck: 'false', maxlength: 200,
    placeholder: 'Entity, address, tag', 'aria-label': 'Search findings',
  });
  const form = h('form.search', { role: 'search' }, box, h('kbd', { 'aria-hidden': 'true' }, '/'));
  form.addEventListener('submit', (event) => {
    event.preventDefault();
    go({ ...without(filters, 'q'), ...(box.value.trim() && { q: box.value.trim() }) });
  });
  // The cross of a search field.
  box.addEventListener('search', () => box.value === '' && filters.q && go(without(filters, 'q')));
  box.addEventListener('keydown', (event) => event.key === 'Escape' && box.blur());
  return form;
}
