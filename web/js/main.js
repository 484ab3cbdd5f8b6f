/** Starts the dashboard: who is it, which view, and what stands around every view. */
import * as api from './api.js';
import { fill, h, link } from './dom.js';
import { keepTimes, shortCount } from './format.js';
import { bindKeys, showHelp, startKeys } from './keys.js';
import { openMenu } from './menu.js';
import { poll } from './poll.js';
import { go, resolve, startRouter } from './router.js';
import { onSetting, set, setting } from './settings.js';
import { app, forget } from './state.js';
import { startTheme } from './theme.js';
import { toastError } from './toast.js';
import { onChanged, undoLast } from './triage.js';
import { watchTrouble } from './trouble.js';
import * as undo from './undo.js';
import { failure } from './views/parts.js';
import * as account from './views/account.js';
import * as docs from './views/docs.js';
import * as finding from './views/finding.js';
import * as ingest from './views/ingest.js';
import { lookUp } from './views/look_up.js';
import * as models from './views/models.js';
import * as overview from './views/overview.js';
import * as pair from './views/pair.js';
import * as profile from './views/profile.js';
import * as queue from './views/queue.js';
import * as signin from './views/signin.js';

const ROUTES = [
  { path: '/', name: 'overview' },
  { path: '/queue', name: 'queue' },
  { path: '/findings/:id', name: 'finding' },
  { path: '/entities/:entity', name: 'entity' },
  { path: '/ips/:ip', name: 'ip' },
  { path: '/pair', name: 'pair' },
  { path: '/ingest', name: 'ingest' },
  { path: '/models', name: 'models' },
  { path: '/account', name: 'account' },
  { path: '/docs', name: 'docs' },
];
const VIEWS = { overview, queue, finding, entity: profile.entity, ip: profile.ip, pair, ingest, models, account, docs };
const IN_QUEUE = ['finding', 'entity', 'ip', 'pair'];
const COUNT_POLL_MS = 60e3, COUNT_SOON_MS = 5e3;
const main = document.getElementById('main');
const topbar = document.getElementById('topbar');
let unmount = () => {};
let stopCount = () => {}, stopTrouble = () => {};
let first = true;

function clear() {
  unmount();
  unmount = () => {};
  fill(main);
}

// ---- views ----

function show(route) {
  if (!app.session || app.session.must_change_password) return;
  clear();
  const view = VIEWS[route?.name];
  main.className = `view-${route?.name ?? 'none'}`;
  for (const item of document.querySelectorAll('[data-nav]')) {
    const current = item.dataset.nav === route?.name || (item.dataset.nav === 'queue' && IN_QUEUE.includes(route?.name));
    if (current) item.setAttribute('aria-current', 'page');
    else item.removeAttribute('aria-current');
  }
  if (!view || (route.name === 'finding' && !/^[1-9]\d{0,15}$/.test(route.params.id))) showNothing();
  else unmount = view.mount(main, route);
  // The queue puts the focus on its row.
  if (!first && route?.name !== 'queue') main.querySelector('h1')?.focus({ preventScroll: true });
  if (route?.name !== 'queue') scrollTo(0, 0);
  first = false;
}

function showNothing() {
  document.title = 'Not found · pairwatch';
  fill(main, h('div.empty', null, h('h1.empty-title', { tabIndex: -1 }, 'There is nothing here.'),
    link('/queue', { class: 'button' }, 'To the queue')));
}

// ---- sessions ----

function showSignIn(expired = false) {
  stopCount();
  stopTrouble();
  clear();
  document.querySelectorAll('dialog[open]').forEach((dialog) => dialog.close());
  forget();
  undo.clear();
  topbar.hidden = true;
  main.className = 'view-signin';
  unmount = signin.mount(main, { expired, signedIn: begin });
}

function begin(session) {
  app.session = session;
  if (session.must_change_password) {
    clear();
    topbar.hidden = true;
    main.className = 'view-signin';
    unmount = signin.mountOwnPassword(main, { session, signedIn: begin });
    return;
  }
  topbar.hidden = false;
  drawTools();
  stopCount = poll(readCount, COUNT_POLL_MS, COUNT_SOON_MS);
  readCount().catch(() => {});
  stopTrouble = watchTrouble(document.getElementById('trouble'));
  resolve();
}

async function readCount(signal) {
  const { by_status: by } = await api.summary({}, signal);
  const badge = document.getElementById('open-count');
  const n = by.new + by.in_progress;
  badge.hidden = n === 0;
  fill(badge, shortCount(n), h('span.visually-hidden', null, ' open'));
}

async function signOut() {
  try {
    await api.signOut();
  } catch (error) {
    if (error.status !== 401) return toastError(error);
  }
  history.replaceState(null, '', '/');
  showSignIn();
}

// ---- the top bar ----

const THEMES = { auto: 'Theme: as the system', light: 'Theme: light', dark: 'Theme: dark' };

function accountMenu(anchor) {
  const theme = (word, key) => ({ key, label: THEMES[word], checked: setting('theme') === word, run: () => set('theme', word) });
  const zone = (word, key, label) => ({ key, label, checked: setting('zone') === word, run: () => set('zone', word) });
  openMenu(anchor, {
    title: `${app.session.name} (${app.session.role})`,
    items: [
      { key: 'p', label: 'Password and settings', run: () => go('/account') },
      theme('auto', 's'), theme('light', 'l'), theme('dark', 'd'),
      zone('local', 't', 'Times: local'), zone('utc', 'u', 'Times: UTC'),
      { key: 'i', label: 'API', run: () => go('/docs') },
      { key: '?', label: 'Keyboard shortcuts', run: showHelp },
      { key: 'o', label: 'Sign out', run: signOut },
    ],
  });
}

function drawTools() {
  const zone = h('button.plain.zone', { onclick: () => set('zone', setting('zone') === 'utc' ? 'local' : 'utc') });
  const say = () => {
    zone.textContent = setting('zone') === 'utc' ? 'UTC' : 'Local';
    zone.title = 'Times in UTC or local time';
    zone.setAttribute('aria-label', `Times: ${setting('zone') === 'utc' ? 'UTC' : 'local'}; switch`);
  };
  say();
  endZone();
  endZone = onSetting('zone', say);
  const person = h('button.plain.person', { 'aria-haspopup': 'menu', onclick: () => accountMenu(person) }, app.session.name);
  fill(document.getElementById('topbar-tools'),
    h('button.look-up-button', { title: 'Look up an entity, an address, a pair (l)', onclick: lookUp },
      h('span.look-up-glass', { 'aria-hidden': 'true' }), h('span.look-up-word', null, 'Look up'), h('kbd', { 'aria-hidden': 'true' }, 'l')), zone,
    h('button.plain.help-button', { 'aria-label': 'Keyboard shortcuts', title: '?', onclick: showHelp }, '?'), person);
}
let endZone = () => {};

bindKeys([
  { keys: 'g o', label: 'Overview', group: 'Everywhere', run: () => go('/') },
  { keys: 'g q', label: 'Queue', group: 'Everywhere', run: () => go('/queue') },
  { keys: 'g i', label: 'Ingest', group: 'Everywhere', run: () => go('/ingest') },
  { keys: 'g m', label: 'Models', group: 'Everywhere', run: () => go('/models') },
  { keys: 'g a', label: 'API', group: 'Everywhere', run: () => go('/docs') },
  { keys: 'l', label: 'Look up an entity, an address, a pair', group: 'Everywhere', run: () => app.session && lookUp() },
  { keys: 'u', label: 'Undo the last change', group: 'Everywhere', run: () => app.session && undoLast() },
  { keys: '?', label: 'This help', group: 'Everywhere', run: () => app.session && showHelp() },
]);

async function start() {
  startTheme();
  keepTimes();
  startKeys();
  api.onSignedOut(() => app.session && showSignIn(true));
  onChanged(() => readCount().catch(() => {}));
  startRouter(ROUTES, show);
  try {
    begin(await api.session());
  } catch (error) {
    if (error.status === 401) showSignIn();
    else fill(main, failure(error, () => location.reload()));
  }
}

start();
