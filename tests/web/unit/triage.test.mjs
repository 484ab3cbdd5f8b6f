/* Races of triage, against a server of a few lines that keeps versions as the real one does. */
import assert from 'node:assert/strict';
import test, { beforeEach } from 'node:test';
import { changeMany, changeOne, describe, undoLast } from '../../../web/js/triage.js';
import * as undo from '../../../web/js/undo.js';

let stored, calls, history;
const toasts = [];

/** As much of a page as a toast needs. */
function fakeElement() {
  const element = { children: [], dataset: {}, append: (...all) => element.children.push(...all), remove() {}, addEventListener() {}, setAttribute() {} };
  return element;
}
globalThis.document = {
  createElement: fakeElement,
  getElementById: () => ({ children: [], append: (toast) => toasts.push(toast.children[0].children[0]) }),
};
globalThis.setTimeout = Object.assign(() => 0, { real: setTimeout });

const copy = (value) => JSON.parse(JSON.stringify(value));
const answer = (status, body, headers = {}) => new Response(body === undefined ? null : JSON.stringify(body), {
  status, headers: { 'Content-Type': status < 400 ? 'application/json' : 'application/problem+json', ...headers } });
const whole = (finding) => answer(200, { finding: copy(finding), threshold: 1, detector: 'd', explanation: null }, { ETag: `"${finding.version}"` });

function bulk({ items }) {
  return answer(200, { results: items.map(({ id, version, patch }) => {
    const finding = stored.get(id);
    if (finding.version !== version) return { id, outcome: 'lost_race', version: finding.version, previous: null };
    const previous = Object.fromEntries(Object.keys(patch).map((name) => [name, finding[name]]));
    Object.assign(finding, patch, { version: version + 1 });
    return { id, outcome: 'changed', version: version + 1, previous };
  }) });
}

function serve(method, path, body, headers) {
  calls.push(`${method} ${path}`);
  if (path.endsWith('/bulk')) return bulk(body);
  if (path.endsWith('/history')) return answer(200, { changes: history });
  const finding = stored.get(Number(path.split('/').at(-1)));
  if (method === 'GET') return whole(finding);
  if (headers['If-Match'] !== `"${finding.version}"`) return answer(412, { title: 'x', status: 412, detail: 'changed' });
  Object.assign(finding, body, { version: finding.version + 1 });
  return whole(finding);
}
globalThis.fetch = async (path, { method, body, headers }) => serve(method, path, body && JSON.parse(body), headers);

const fresh = (id) => ({ id, status: 'new', verdict: null, assignee: null, tags: [], sightings: 1, version: 1 });
const seen = (id) => ({ value: { finding: copy(stored.get(id)) }, etag: `"${stored.get(id).version}"` });

beforeEach(() => {
  stored = new Map([1, 2, 3].map((id) => [id, fresh(id)]));
  calls = [];
  history = [];
  toasts.length = 0;
  undo.clear();
});

test('a plain change, and its undo', async () => {
  const now = await changeOne(seen(1), { status: 'resolved' });
  assert.equal(now.value.finding.status, 'resolved');
  await undoLast();
  assert.equal(stored.get(1).status, 'new');
  await undoLast();
  assert.equal(toasts.at(-1), 'Nothing to undo.');
});

test('a change that changes nothing is not sent', async () => {
  await changeOne(seen(1), { status: 'new' });
  assert.deepEqual(calls, []);
});

test('sighted meanwhile: tried once more', async () => {
  const was = seen(1);
  Object.assign(stored.get(1), { sightings: 2, version: 2 });
  const now = await changeOne(was, { verdict: 'benign' });
  assert.equal(now.conflict, undefined);
  assert.equal(stored.get(1).verdict, 'benign');
});

test('triaged meanwhile: left alone, and said by whom', async () => {
  const was = seen(1);
  Object.assign(stored.get(1), { status: 'in_progress', version: 2 });
  history = [{ kind: 'finding_updated', actor: 'user:bo', body: { status: { old: 'new', new: 'in_progress' } } }];
  const now = await changeOne(was, { verdict: 'benign' });
  assert.equal(now.conflict, 'bo changed it meanwhile: status in progress');
  assert.equal(now.value.finding.status, 'in_progress');
  assert.equal(stored.get(1).verdict, null);
  assert.equal(undo.pop(), null);
});

test('many at once: those sighted are retried, those triaged are not', async () => {
  const list = [1, 2, 3].map((id) => copy(stored.get(id)));
  Object.assign(stored.get(2), { sightings: 5, version: 4 });
  Object.assign(stored.get(3), { assignee: 'bo', version: 2 });
  await changeMany(list, () => ({ status: 'resolved', verdict: 'benign' }), 'resolved as benign');
  assert.deepEqual([1, 2, 3].map((id) => stored.get(id).status), ['resolved', 'resolved', 'new']);
  assert.deepEqual(toasts, ['2 findings: resolved as benign', '1 finding left alone: changed by someone else meanwhile']);
  await undoLast();
  assert.deepEqual([1, 2, 3].map((id) => [stored.get(id).status, stored.get(id).verdict]), [['new', null], ['new', null], ['new', null]]);
});

test('undo goes back through changes of one finding', async () => {
  const finding = copy(stored.get(1));
  await changeMany([finding], () => ({ status: 'in_progress' }), 'a');
  await changeMany([finding], () => ({ status: 'resolved' }), 'b');
  await undoLast();
  assert.equal(stored.get(1).status, 'in_progress');
  await undoLast();
  assert.equal(stored.get(1).status, 'new');
});

test('undo does not overwrite what somebody did since', async () => {
  const finding = copy(stored.get(1));
  await changeMany([finding], () => ({ status: 'resolved' }), 'resolved');
  Object.assign(stored.get(1), { status: 'suppressed', version: 9 });
  await undoLast();
  assert.equal(stored.get(1).status, 'suppressed');
  assert.match(toasts.at(-1), /^1 finding not undone/);
});

test('quick changes of one finding build on each other, undo waits for them', async () => {
  const finding = copy(stored.get(1));
  changeMany([finding], () => ({ verdict: 'suspicious' }), 'a');
  changeMany([finding], () => ({ assignee: 'ana' }), 'b');
  await undoLast();
  assert.deepEqual([stored.get(1).verdict, stored.get(1).assignee, stored.get(1).version], ['suspicious', null, 4]);
});

test('a patch in words', () => {
  assert.equal(describe({ status: 'in_progress', verdict: null, assignee: 'ana', tags: ['a', 'b'] }), 'status in progress, no verdict, assigned to ana, tags a, b');
});
