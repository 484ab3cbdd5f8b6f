/** A question before what others will notice. */
import { h } from '../dom.js';

/** @param {{title: string, text: *, word: string}} question text: as children of h @returns {Promise<boolean>} */
export function confirmed({ title, text, word }) {
  return new Promise((done) => {
    const cancel = h('button', { onclick: () => dialog.close('no') }, 'Cancel');
    const dialog = h('dialog.question', { 'aria-labelledby': 'question-title', 'aria-describedby': 'question-text' },
      h('div.dialog-head', null, h('h2', { id: 'question-title' }, title)),
      h('p', { id: 'question-text' }, text),
      h('div.form-actions', null, h('button.primary', { onclick: () => dialog.close('yes') }, word), cancel));
    dialog.addEventListener('close', () => {
      dialog.remove();
      done(dialog.returnValue === 'yes');
    });
    document.body.append(dialog);
    dialog.showModal();
    cancel.focus();
  });
}
