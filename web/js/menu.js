/**
 * A menu beside an element: picked by its letters, by arrows and Enter, or by pointer. One at a time;
 * the focus goes back where it came from.
 */
import { h } from './dom.js';

const GAP_PX = 4;
let closeOpen = null;

function place(menu, anchor) {
  const box = anchor.getBoundingClientRect();
  const { width, height } = menu.getBoundingClientRect();
  const below = box.bottom + GAP_PX + height <= innerHeight;
  const top = below ? box.bottom + GAP_PX : Math.max(GAP_PX, box.top - GAP_PX - height);
  menu.style.left = `${Math.max(GAP_PX, Math.min(box.left, innerWidth - width - GAP_PX))}px`;
  menu.style.top = `${top}px`;
}

function itemElement(item, pick) {
  return h('button.menu-item', {
    role: item.checked === undefined ? 'menuitem' : 'menuitemradio', tabIndex: -1, onclick: () => pick(item),
    'aria-checked': item.checked === undefined ? null : String(item.checked),
  },
    h('kbd', null, item.key ?? ''),
    h('span', null, item.label),
    item.hint && h('span.muted', null, item.hint));
}

function onMenuKey(event, { items, buttons, pick, close }) {
  const at = buttons.indexOf(document.activeElement);
  const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  const byKey = items.find((item) => item.key === event.key);
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key === 'Escape' || event.key === 'Tab') close();
  else if (step) buttons[(at + step + buttons.length) % buttons.length].focus();
  else if (event.key === 'Home') buttons[0].focus();
  else if (event.key === 'End') buttons.at(-1).focus();
  else if (byKey) pick(byKey);
  else return;
  event.preventDefault();
  event.stopPropagation();
}

/**
 * @param {HTMLElement} anchor
 * @param {{title: string, items: {key?, label, hint?, checked?, run: () => void}[]}} options
 */
export function openMenu(anchor, { title, items }) {
  closeOpen?.();
  const back = document.activeElement;
  const close = () => {
    document.removeEventListener('pointerdown', outside, true);
    removeEventListener('scroll', close);
    removeEventListener('resize', close);
    removeEventListener('popstate', close);
    menu.remove();
    closeOpen = null;
    if (back?.isConnected) back.focus({ preventScroll: true });
  };
  const outside = (event) => menu.contains(event.target) || close();
  const pick = (item) => { close(); item.run(); };
  const buttons = items.map((item) => itemElement(item, pick));
  const menu = h('div.menu', { role: 'menu', 'aria-label': title },
    h('div.menu-title', { role: 'presentation' }, title), buttons);
  menu.addEventListener('keydown', (event) => onMenuKey(event, { items, buttons, pick, close }));
  document.getElementById('main').append(menu);
  place(menu, anchor);
  buttons[Math.max(0, items.findIndex((item) => item.checked))].focus({ preventScroll: true });
  document.addEventListener('pointerdown', outside, true);
  addEventListener('scroll', close, { passive: true });
  addEventListener('resize', close);
  addEventListener('popstate', close);
  closeOpen = close;
}
