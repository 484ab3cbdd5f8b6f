import assert from 'node:assert/strict';
import test from 'node:test';
import { find } from '../../../web/js/keys.js';
import { match } from '../../../web/js/router.js';
import { makeLive } from '../../../web/js/live.js';
import { poll, waitFor } from '../../../web/js/poll.js';
import { overviewAddress, periodOf, span } from '../../../web/js/period.js';
import { set, setting } from '../../../web/js/settings.js';
import { byAddress } from '../../../web/js/views/stories.js';
import { actorName, scoreBar, scoreRange } from '../../../web/js/words.js';

test('keys: one, two after each other, and other ways', () => {
  const table = [{ keys: 'g q' }, { keys: 'j | ArrowDown' }, { keys: '* n | Escape' }];
  assert.equal(find(table, 'j'), table[1]);
  assert.equal(find(table, 'ArrowDown'), table[1]);
  assert.equal(find(table, 'g'), 'more');
  assert.equal(find(table, 'g q'), table[0]);
  assert.equal(find(table, '*'), 'more');
  assert.equal(find(table, 'Escape'), table[2]);
  assert.equal(find(table, 'q'), null);
});

test('routes', () => {
  const table = [{ path: '/', name: 'home' }, { path: '/findings/:id', name: 'finding' }];
  assert.equal(match(table, '/').name, 'home');
  assert.deepEqual(match(table, '/findings/a%2Fb').params, { id: 'a/b' });
  assert.equal(match(table, '/findings'), null);
});

test('failures wait longer, up to a bound', () => {
  assert.equal(waitFor(1000, 0), 1000);
  assert.equal(waitFor(1000, 3), 8000);
  assert.equal(waitFor(1000, 30), 300e3);
  assert.equal(waitFor(600e3, 5), 600e3);
});

test('polling goes on after a failure, rests while hidden, and ends', async () => {
  const page = Object.assign(new EventTarget(), { hidden: false });
  let calls = 0;
  const end = poll(async () => { if (++calls === 1) throw new Error('once'); }, 5, 5, page, () => () => {});
  const until = async (wanted) => { while (calls < wanted) await new Promise((r) => setTimeout(r, 2)); };
  await until(3);
  page.hidden = true;
  await new Promise((r) => setTimeout(r, 20));
  const rested = calls;
  await new Promise((r) => setTimeout(r, 30));
  assert.equal(calls, rested);
  page.hidden = false;
  page.dispatchEvent(new Event('visibilitychange'));
  await until(rested + 1);
  end();
  await new Promise((r) => setTimeout(r, 10));
  const ended = calls;
  await new Promise((r) => setTimeout(r, 25));
  assert.equal(calls, ended);
});

test('what was heard is asked about soon, and not more often than that', async () => {
  const page = Object.assign(new EventTarget(), { hidden: false });
  let calls = 0, tell = null;
  const end = poll(async () => { calls++; }, 60e3, 20, page, (heard) => { tell = heard; return () => { tell = null; }; });
  for (let i = 0; i < 5; i++) tell();
  await new Promise((r) => setTimeout(r, 10));
  assert.equal(calls, 0);
  await new Promise((r) => setTimeout(r, 40));
  assert.equal(calls, 1);
  end();
  assert.equal(tell, null);
});

test('one stream for all who listen, while the page can be seen', () => {
  const page = Object.assign(new EventTarget(), { hidden: false }), opened = [];
  class Stream extends EventTarget {
    readyState = 1;
    close() { this.readyState = 2; }
  }
  const listen = makeLive(() => { opened.push(new Stream()); return opened.at(-1); }, page);
  let first = 0, second = 0;
  const ends = [listen(() => first++), listen(() => second++)];
  assert.equal(opened.length, 1);
  opened[0].dispatchEvent(new Event('change'));
  assert.deepEqual([first, second], [1, 1]);
  page.hidden = true;
  page.dispatchEvent(new Event('visibilitychange'));
  assert.equal(opened[0].readyState, 2);
  page.hidden = false;
  page.dispatchEvent(new Event('visibilitychange'));
  assert.equal(opened.length, 2);
  ends[0]();
  opened[1].dispatchEvent(new Event('change'));
  assert.deepEqual([first, second], [1, 2]);
  ends[1]();
  assert.equal(opened[1].readyState, 2);
});

test('periods end with the newest observation when the data is old', () => {
  const now = Date.parse('2026-11-24T12:30:00Z');
  const week = periodOf(new URLSearchParams(''));
  assert.equal(week.word, '7d');
  const old = { newest_observation: '2026-05-08T10:20:00.000Z', first_observation: '2026-05-01T10:20:00.000Z' };
  assert.deepEqual(span(week, old, now), { since: '2026-05-01T11:00:00.000Z', until: '2026-05-08T11:00:00.000Z', anchored: true });
  const fresh = { ...old, newest_observation: '2026-11-24T12:00:00.000Z' };
  assert.equal(span(week, fresh, now).until, '2026-11-24T13:00:00.000Z');
  assert.equal(span(periodOf(new URLSearchParams('period=all')), old, now).since, '2026-05-01T10:00:00.000Z');
  assert.equal(span(week, { newest_observation: null, first_observation: null }, now), null);
});

test('the overview in its address', () => {
  assert.equal(overviewAddress({ period: '7d' }), '/');
  assert.equal(overviewAddress({ period: 'all', spec: 'vpc-egress', counts: 'linear' }), '/?period=all&spec=vpc-egress&counts=linear');
});

test('settings take only their words', () => {
  assert.equal(setting('theme'), 'auto');
  assert.throws(() => set('theme', 'pink'), RangeError);
});

test('findings of one address are one story', () => {
  const stories = byAddress([{ id: 3, ip: 'a' }, { id: 9, ip: 'b' }, { id: 4, ip: 'a' }]);
  assert.deepEqual(stories.map((story) => story.map((f) => f.id)), [[3, 4], [9]]);
});

test('bars of scores, between nought and the highest', () => {
  const range = scoreRange([{ score: 8 }, { score: 30 }, { score: 0.1 }]);
  assert.deepEqual(range, [0, 30]);
  assert.deepEqual([30, 15, 8, 0.1].map((s) => scoreBar(s, range)),
    [{ share: 1, level: 4 }, { share: 0.5, level: 3 }, { share: 8 / 30, level: 2 }, { share: 0.04, level: 1 }]);
  assert.deepEqual(scoreRange([{ score: -3 }, { score: -9 }]), [-9, 0]);
  assert.equal(scoreBar(0, [0, 0]).share, 1);
});

test('actors', () => {
  assert.equal(actorName('user:ana'), 'ana');
  assert.equal(actorName('token:a:b'), 'a:b (token)');
  assert.equal(actorName('worker'), 'worker');
});
