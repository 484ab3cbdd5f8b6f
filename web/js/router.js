/**
 * Addresses to views by the history API. A route is a pattern of literal segments and :names; a view
 * is `mount(root, {params, query, …}) → unmount`.
 */

let routes = [];
let render = () => {};

/** Null when it is no text. */
function decoded(segment) {
  try {
    return decodeURIComponent(segment);
  } catch {
    return null;
  }
}

/** @returns {{name, params, query}|null} */
export function match(table, path, search = '') {
  const segments = path.split('/').filter(Boolean);
  for (const route of table) {
    const pattern = route.path.split('/').filter(Boolean);
    if (pattern.length !== segments.length) continue;
    const params = {};
    const fits = pattern.every((part, i) => {
      if (!part.startsWith(':')) return part === segments[i];
      params[part.slice(1)] = decoded(segments[i]);
      return params[part.slice(1)] !== null;
    });
    if (fits) return { name: route.name, params, query: new URLSearchParams(search) };
  }
  return null;
}

const current = () => location.pathname + location.search;

/** Shows an address. replace: without a new entry in the history. state: kept with the entry. */
export function go(address, { replace = false, state = null } = {}) {
  if (replace || address === current()) history.replaceState(state, '', address);
  else history.pushState(state, '', address);
  resolve();
}

/** Writes an address that the view already shows. */
export function note(address) {
  history.replaceState(history.state, '', address);
}

export function resolve() {
  render(match(routes, location.pathname, location.search));
}

function isPlain(event) {
  return event.button === 0 && !event.metaKey && !event.ctrlKey && !event.shiftKey && !event.altKey;
}

export function startRouter(table, call) {
  routes = table;
  render = call;
  addEventListener('popstate', resolve);
  document.addEventListener('click', (event) => {
    const anchor = event.target.closest?.('a[data-link]');
    if (!anchor || !isPlain(event) || event.defaultPrevented) return;
    event.preventDefault();
    go(anchor.getAttribute('href'));
  });
  resolve();
}
