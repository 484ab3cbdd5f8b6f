/** Signing in, and changing a password that somebody else chose. */
import * as api from '../api.js';
import { fill, h } from '../dom.js';
import { passwordForm } from './account.js';

/** Counts down on a button that is locked meanwhile. */
function lockFor(button, seconds, label) {
  let left = Math.ceil(seconds);
  button.disabled = true;
  const tick = () => {
    button.disabled = left > 0;
    button.textContent = left > 0 ? `Wait ${left} s` : label;
    if (left-- > 0 && button.isConnected) setTimeout(tick, 1000);
  };
  tick();
}

const SENTENCES = {
  401: () => 'Name or password is wrong.',
  429: (error) => `Too many attempts. ${error.retryAfter ? `Try again in ${Math.ceil(error.retryAfter)} s.` : 'Try again later.'}`,
};
const LABEL = 'Sign in';

function signInForm(signedIn) {
  const fault = h('p.form-fault', { role: 'alert', id: 'sign-in-fault' });
  const name = h('input', { id: 'name', name: 'username', type: 'text', autocomplete: 'username', autocapitalize: 'none', spellcheck: 'false', required: true, maxlength: 64 });
  const password = h('input', { id: 'password', name: 'password', type: 'password', autocomplete: 'current-password', required: true, maxlength: 1024 });
  const button = h('button.primary', { type: 'submit' }, LABEL);
  const form = h('form.card-form', { 'aria-describedby': 'sign-in-fault' },
    h('h1', { tabIndex: -1 }, 'Sign in'),
    h('div.field', null, h('label', { htmlFor: 'name' }, 'Name'), name),
    h('div.field', null, h('label', { htmlFor: 'password' }, 'Password'), password),
    fault, button);
  form.addEventListener('submit', async (event) => {
    event.preventDefault();
    fault.textContent = '';
    button.disabled = true;
    try {
      const session = await api.signIn(name.value.trim(), password.value);
      button.disabled = false;
      signedIn(session, password.value);
    } catch (error) {
      button.disabled = false;
      fault.textContent = SENTENCES[error.status]?.(error) ?? error.sentence ?? error.message;
      if (error.status === 429) lockFor(button, error.retryAfter ?? 5, LABEL);
      password.select();
    }
  });
  return { form, name };
}

/** Until it is done the server answers nothing else. @param current undefined: it is asked for */
function ownPasswordForm(session, signedIn, current) {
  return passwordForm({
    title: h('h1', { tabIndex: -1 }, 'Choose a password of your own'), current, now: 'The password you were given',
    hint: 'The one you were given is for one sign-in. From then on you need your own.',
    done: () => signedIn({ ...session, must_change_password: false }),
  });
}

const OWN_TITLE = 'Choose a password · pairwatch';
const focusFirst = (root) => root.querySelector('input:not([readonly])').focus();

function place(root, card) {
  fill(root, h('div.sign-in', null,
    h('p.sign-in-brand', null, h('img', { src: '/favicon.svg', alt: '', width: 28, height: 28 }), 'pairwatch'), card));
}

/** For a session that was begun with a one-time password. */
export function mountOwnPassword(root, { session, signedIn }) {
  document.title = OWN_TITLE;
  place(root, h('div.card', null, ownPasswordForm(session, signedIn)));
  focusFirst(root);
  return () => {};
}

/** @param {{expired?: boolean, signedIn: (session) => void}} options */
export function mount(root, { expired, signedIn }) {
  document.title = 'Sign in · pairwatch';
  const card = h('div.card');
  const { form, name } = signInForm((session, password) => {
    if (!session.must_change_password) return signedIn(session);
    document.title = OWN_TITLE;
    fill(card, ownPasswordForm(session, signedIn, password));
    return focusFirst(card);
  });
  fill(card, expired && h('p.notice', null, 'Your session has ended. Sign in to go on where you were.'), form);
  place(root, card);
  name.focus();
  return () => {};
}
