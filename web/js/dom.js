/**
 * Elements. Text goes in as text nodes only; there is no way to pass markup.
 */

const PROPERTIES = new Set(['value', 'checked', 'disabled', 'indeterminate', 'hidden', 'open', 'htmlFor', 'tabIndex']);

function setProp(element, name, value) {
  if (name.startsWith('on')) element.addEventListener(name.slice(2), value);
  else if (name === 'style') for (const [key, v] of Object.entries(value)) element.style.setProperty(key, v);
  else if (name === 'dataset') Object.assign(element.dataset, value);
  else if (PROPERTIES.has(name)) element[name] = value;
  else if (value === true) element.setAttribute(name, '');
  else if (value !== false && value != null) element.setAttribute(name, String(value));
}

/**
 * @param {string} tag `name.class.class`
 * @param {Object|null} [props] attributes; `onX` listeners; `style` and `dataset` objects
 * @param {...*} children nodes, texts, arrays of them; null and false are left out
 * @returns {HTMLElement}
 */
export function h(tag, props, ...children) {
  const [name, ...classes] = tag.split('.');
  const element = document.createElement(name);
  if (classes.length) element.className = classes.join(' ');
  for (const [key, value] of Object.entries(props ?? {})) setProp(element, key, value);
  element.append(...nodes(children));
  return element;
}

/** Flattens children and drops what is absent. */
function nodes(children) {
  return children.flat(Infinity).filter((child) => child != null && child !== false && child !== '');
}

/** Replaces what is in an element. */
export function fill(element, ...children) {
  element.replaceChildren(...nodes(children));
  return element;
}

/** Text that keeps its end when it is too long; all of it is there for copying, readers and the title. */
export function middle(text, tail = 10) {
  const cut = text.length > tail * 2 ? text.length - tail : text.length;
  return h('span.middle', { title: text },
    h('span.middle-head', null, text.slice(0, cut)),
    cut < text.length && h('span.middle-tail', null, text.slice(cut)));
}

/** A link within the dashboard; router.js catches the click. */
export function link(href, props, ...children) {
  return h('a', { href, 'data-link': true, ...props }, ...children);
}

export function visuallyHidden(text) {
  return h('span.visually-hidden', null, text);
}

export async function copyText(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return false;
  }
}
