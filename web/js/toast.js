/** Short messages at the edge of the page; the newest few, each for a while. */
import { h } from './dom.js';

const SHOWN_MAX = 3, STAY_MS = 8e3, STAY_ERROR_MS = 15e3;

/** @param {{action?: {label: string, run: () => void}, kind?: 'error'}} [options] */
export function toast(text, { action, kind } = {}) {
  const area = document.getElementById('toasts');
  const element = h(`div.toast${kind ? `.toast-${kind}` : ''}`, null,
    h('span', null, text),
    action && h('button.plain', { onclick: () => { element.remove(); action.run(); } }, action.label),
    h('button.icon', { 'aria-label': 'Dismiss', onclick: () => element.remove() }, '×'));
  area.append(element);
  while (area.children.length > SHOWN_MAX) area.firstElementChild.remove();
  let timer;
  const arm = () => { timer = setTimeout(() => element.remove(), kind === 'error' ? STAY_ERROR_MS : STAY_MS); };
  const hold = () => clearTimeout(timer);
  element.addEventListener('pointerenter', hold);
  element.addEventListener('pointerleave', arm);
  element.addEventListener('focusin', hold);
  element.addEventListener('focusout', arm);
  arm();
  return element;
}

export const toastError = (error) => toast(error.sentence ?? error.message, { kind: 'error' });
