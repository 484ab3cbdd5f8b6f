/** Status, verdict, assignee and tags of a finding: saved as soon as they are changed. */
import { fill, h } from '../dom.js';
import { mayTriage, me } from '../state.js';
import { STATUSES, VERDICTS } from '../words.js';

const TAG = /^[a-z0-9][a-z0-9._:-]{0,49}$/, NAME = /^[a-z0-9][a-z0-9._-]{0,63}$/, TAGS_MAX = 20;

function statusField(change) {
  const radios = STATUSES.map(({ word, label }) => h('label.segment', null,
    h('input', { type: 'radio', name: 'status', value: word, onchange: () => change({ status: word }) }), h('span', null, label)));
  const element = h('fieldset.segments', null, h('legend', null, 'Status', h('kbd', null, 's')), radios);
  return {
    element,
    show: (finding) => radios.forEach((label) => { label.firstChild.checked = label.firstChild.value === finding.status; }),
  };
}

function verdictField(change) {
  const select = h('select', { id: 'verdict', onchange: () => change({ verdict: select.value || null }) },
    h('option', { value: '' }, 'None'), VERDICTS.map(({ word, label, hint }) => h('option', { value: word }, hint ? `${label}: ${hint}` : label)));
  return {
    element: h('div.field', null, h('label', { htmlFor: 'verdict' }, 'Verdict', h('kbd', null, 'v')), select),
    control: select,
    show: (finding) => { select.value = finding.verdict ?? ''; },
  };
}

/** Says what is wrong with a text field, or nothing. */
function complain(input, hint, text) {
  input.setAttribute('aria-invalid', String(Boolean(text)));
  hint.textContent = text ?? '';
}

function assigneeField(change) {
  const hint = h('span.field-hint', { id: 'assignee-hint', role: 'status' });
  const input = h('input', { id: 'assignee', type: 'text', autocomplete: 'off', spellcheck: 'false', placeholder: 'nobody', 'aria-describedby': 'assignee-hint' });
  const mine = h('button', { onclick: () => change({ assignee: me() }), title: 'a' }, 'Take it');
  let shown = '';
  function save() {
    const name = input.value.trim();
    const fault = name === '' || NAME.test(name) ? null : 'A user name: a to z, 0 to 9, and . _ -';
    complain(input, hint, fault);
    if (!fault && name !== shown) change({ assignee: name || null });
  }
  input.addEventListener('change', save);
  input.addEventListener('keydown', (event) => event.key === 'Escape' && (input.value = shown, input.blur()));
  return {
    element: h('div.field', null, h('label', { htmlFor: 'assignee' }, 'Assignee', h('kbd', null, 'a')), h('div.field-row', null, input, mine), hint),
    control: input,
    show(finding) {
      shown = finding.assignee ?? '';
      if (document.activeElement !== input) input.value = shown;
      mine.disabled = shown === me();
      complain(input, hint, null);
    },
  };
}

function tagsField(change) {
  const hint = h('span.field-hint', { id: 'tags-hint', role: 'status' });
  const input = h('input', { id: 'tags', type: 'text', autocomplete: 'off', spellcheck: 'false', placeholder: 'add a tag, Enter', 'aria-describedby': 'tags-hint' });
  const list = h('ul.tag-list');
  let tags = [];
  function add(event) {
    if (event.key === 'Escape') input.blur();
    if (event.key !== 'Enter') return;
    event.preventDefault();
    const tag = input.value.trim().toLowerCase();
    if (tag === '') return;
    const fault = !TAG.test(tag) ? 'A tag: a to z, 0 to 9, and . _ : -' : tags.length >= TAGS_MAX ? `At most ${TAGS_MAX} tags.` : null;
    complain(input, hint, fault);
    if (fault) return;
    input.value = '';
    if (!tags.includes(tag)) change({ tags: [...tags, tag].sort() });
  }
  input.addEventListener('keydown', add);
  const item = (tag) => h('li.tag', null, tag,
    mayTriage() && h('button.tag-off', { 'aria-label': `Remove tag ${tag}`, onclick: () => change({ tags: tags.filter((t) => t !== tag) }) }, '×'));
  return {
    element: h('div.field', null, h('label', { htmlFor: 'tags' }, 'Tags', h('kbd', null, 't')), list, input, hint),
    control: input,
    show(finding) {
      tags = finding.tags;
      fill(list, tags.map(item));
      list.hidden = tags.length === 0;
    },
  };
}

/** @param {{change: (patch: Object) => void}} options */
export function triagePanel({ change }) {
  const fields = { status: statusField(change), verdict: verdictField(change), assignee: assigneeField(change), tags: tagsField(change) };
  const form = h('form.triage', { onsubmit: (event) => event.preventDefault() }, Object.values(fields).map((field) => field.element));
  form.querySelectorAll('button').forEach((button) => { button.type = 'button'; });
  const element = h('section.panel.triage-place', null, h('div.panel-head', null, h('h2', null, 'Triage')), form);
  return {
    element,
    /** Where a menu about a field opens, or the focus goes. */
    anchor: (name) => fields[name].control ?? fields[name].element,
    show(finding) {
      for (const field of Object.values(fields)) field.show(finding);
      if (!mayTriage()) form.querySelectorAll('input, select, button').forEach((control) => { control.disabled = true; });
    },
  };
}
