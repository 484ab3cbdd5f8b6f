/** One's own account: password, and how the dashboard looks and behaves in this browser. */
import * as api from '../api.js';
import { fill, h } from '../dom.js';
import { set, setting, settingWords } from '../settings.js';
import { app } from '../state.js';
import { toast } from '../toast.js';

const PASSWORD_LENGTH_MIN = 12;

function passwordField(id, label, autocomplete) {
  const input = h('input', { id, type: 'password', autocomplete, required: true, maxlength: 1024 });
  return { input, element: h('div.field', null, h('label', { htmlFor: id }, label), input) };
}

function faultOf(next, again, current) {
  if (next.length < PASSWORD_LENGTH_MIN) return `At least ${PASSWORD_LENGTH_MIN} characters.`;
  if (next === current) return 'That is the password you have.';
  return next === again ? null : 'The two are not the same.';
}

/** @param {{title: Element, hint?, now?: string, current?: string, done: () => void}} options current: when it is known already */
export function passwordForm({ title, hint, now = 'Password now', current, done }) {
  const old = current === undefined && passwordField('current', now, 'current-password');
  const next = passwordField('new', `New password, at least ${PASSWORD_LENGTH_MIN} characters`, 'new-password');
  const again = passwordField('again', 'The same again', 'new-password');
  const fault = h('p.form-fault', { role: 'alert' });
  const name = h('input.visually-hidden', { type: 'text', autocomplete: 'username', value: app.session?.name ?? '', 'aria-hidden': 'true', tabIndex: -1, readonly: true });
  const form = h('form.card-form', null, title, hint && h('p.muted', null, hint), name,
    old && old.element, next.element, again.element, fault,
    h('div.form-actions', null, h('button.primary', { type: 'submit' }, 'Change password')));
  form.addEventListener('submit', async (event) => {
    event.preventDefault();
    const before = old ? old.input.value : current;
    fault.textContent = faultOf(next.input.value, again.input.value, before) ?? '';
    if (fault.textContent) return;
    try {
      await api.changePassword(before, next.input.value);
      toast('Password changed. Your other sessions have ended.');
      form.reset();
      done();
    } catch (error) {
      fault.textContent = error.status === 403 ? `Not changed: ${error.message}.` : error.sentence ?? error.message;
    }
  });
  return form;
}

const CHOICES = [
  { name: 'theme', title: 'Theme', labels: { auto: 'As the system', light: 'Light', dark: 'Dark' } },
  { name: 'zone', title: 'Times', labels: { local: 'Local time', utc: 'UTC' } },
  { name: 'shortcuts', title: 'Single-key shortcuts', labels: { on: 'On', off: 'Off' } },
];

function choice({ name, title, labels }) {
  return h('fieldset.segments', null, h('legend', null, title),
    settingWords(name).map((word) => h('label.segment', null,
      h('input', { type: 'radio', name, value: word, checked: setting(name) === word, onchange: () => set(name, word) }),
      h('span', null, labels[word]))));
}

export function mount(root) {
  document.title = 'Account · pairwatch';
  const { session } = app;
  fill(root,
    h('div.page-head', null, h('h1', { tabIndex: -1 }, 'Account'), h('p.muted', null, `${session.name}, role ${session.role}`)),
    h('div.halves.account', null,
      h('section.panel', null, h('div.panel-head', null, h('h2', null, 'In this browser')), h('div.panel-body', null, CHOICES.map(choice))),
      h('section.panel', null, h('div.panel-body', null, passwordForm({ title: h('h2', null, 'Change password'), done: () => {} })))));
  return () => {};
}
