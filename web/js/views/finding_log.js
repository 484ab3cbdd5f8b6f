/** The notes and the history of a finding. */
import * as api from '../api.js';
import { fill, h } from '../dom.js';
import { timeElement } from '../format.js';
import { mayTriage } from '../state.js';
import { toastError } from '../toast.js';
import { story } from '../why.js';

const NOTE_LENGTH_MAX = 10000;

function noteForm(id, added) {
  const area = h('textarea', { rows: 2, maxlength: NOTE_LENGTH_MAX, 'aria-label': 'New note', placeholder: 'Add a note (Ctrl+Enter saves)' });
  const button = h('button', { type: 'submit' }, 'Add note');
  const form = h('form.note-form', null, area, button);
  form.addEventListener('submit', async (event) => {
    event.preventDefault();
    if (area.value.trim() === '') return;
    button.disabled = true;
    try {
      added(await api.addNote(id, area.value));
      area.value = '';
    } catch (error) {
      toastError(error);
    }
    button.disabled = false;
  });
  area.addEventListener('keydown', (event) => {
    if (event.key === 'Enter' && (event.ctrlKey || event.metaKey)) form.requestSubmit();
    if (event.key === 'Escape') area.blur();
  });
  return { form, area };
}

/** @param {() => void} added told after a note was added */
export function notesPanel(id, added) {
  const list = h('ul.notes');
  const { form, area } = noteForm(id, (note) => {
    list.querySelector('.empty-line')?.remove();
    list.append(noteElement(note));
    added();
  });
  const element = h('section.panel', null, h('div.panel-head', null, h('h2', null, 'Notes')), list, mayTriage() && form);
  return {
    element,
    focus: () => area.focus(),
    async load(signal) {
      try {
        const notes = await api.notes(id, signal);
        fill(list, notes.map(noteElement), notes.length === 0 && h('li.empty-line', null, 'No notes yet.'));
      } catch (error) {
        if (!api.isAbort(error)) toastError(error);
      }
    },
  };
}

function noteElement(note) {
  return h('li', null, h('div.note-head', null, h('strong', null, note.author.replace(/^user:/, '')), ' ', timeElement(note.time)),
    h('p.note-text', null, note.text));
}

export function historyPanel() {
  const list = h('ol.history');
  return {
    element: h('section.panel', null, h('div.panel-head', null, h('h2', null, 'History')), list),
    show(changes) {
      fill(list, story(changes).map(({ time, actor, text }) =>
        h('li', null, h('span', null, h('strong', null, actor), ` ${text}`), timeElement(time))));
    },
  };
}
