import assert from 'node:assert/strict';
import { test } from 'node:test';
import { basis, drifted, finest, inOrder, moves, perDay, rule, rules } from '../../../web/js/model_words.js';
import { driftConfig, driftTable, eventsConfig, everyDay, findingsConfig, findingsTable } from '../../../web/js/charts/days.js';

const day = (n, more) => ({ day: `2026-01-0${n}T00:00:00.000Z`, observations: 100, flagged: 5, findings: n, psi: n / 10, unknown_entities: 0.01, unseen_networks: 0.02, ...more });

test('models are ordered by what they do, then by their last use', () => {
  const model = (id, state, last) => ({ id, state, last_used: last, registered: '2026-01-01T00:00:00Z' });
  const list = [model('r', 'retired', null), model('old', 'candidate', '2025-01-01T00:00:00Z'), model('new', 'candidate', null), model('a', 'active', null), model('s', 'shadow', null)];
  assert.deepEqual(inOrder(list).map((m) => m.id), ['a', 's', 'new', 'old', 'r']);
});

test('how a threshold is set, and what it rests on', () => {
  assert.equal(rule({ rule: 'budget', rule_value: 40 }), '40 a day');
  assert.equal(rule({ rule: null }), 'not told');
  assert.equal(rules({ thresholds: [{ rule: 'budget', rule_value: 40 }, { rule: 'percentile', rule_value: 99 }] }), 'by spec');
  assert.equal(basis({ first_day: '2026-01-02T00:00:00Z', last_day: '2026-01-05T00:00:00Z', sample_size: 4096 }, 9), '2026-01-02 to 2026-01-05, 4,096 pairs');
  assert.equal(basis(null, 1200), 'training, 1,200 pairs');
  assert.equal(basis(null, 0), 'given');
  assert.equal(finest(1000), '99.00', 'nothing finer than 10/n');
  assert.equal(finest(10), '–');
});

test('drift has words, and an average leaves out the day that is not over', () => {
  assert.deepEqual([0.05, 0.1, 0.25, null].map(drifted), ['steady', 'has moved', 'much has changed', null]);
  assert.equal(perDay([day(1), day(3), day(9)]), 2);
  assert.equal(perDay([day(1)]), null);
});

test('who may be moved where', () => {
  const words = (state, by = 'file') => moves({ state, scored_by: by }).map(([to]) => to);
  assert.deepEqual(words('candidate'), ['active', 'shadow']);
  assert.deepEqual(words('shadow'), ['active', 'candidate']);
  assert.deepEqual(words('retired'), ['active', 'shadow']);
  assert.deepEqual(words('active'), []);
  assert.deepEqual(words('candidate', 'outside'), []);
});

test('days without data have a place and no bar', () => {
  const days = [day(1), day(4, { findings: 30 })];
  assert.deepEqual(everyDay(days).map((d) => d.day.slice(8, 10)), ['01', '02', '03', '04']);
  const colours = new Proxy({}, { get: (_, name) => String(name) });
  const { data } = findingsConfig(days, 12, colours);
  assert.deepEqual(data.datasets[0].data, [1, null, null, 30]);
  assert.equal(data.datasets[0].backgroundColor.at(-1), 'above', 'over the budget');
  assert.deepEqual(driftConfig(days, colours).data.datasets.map((d) => d.data[1]), [null, null, null]);
  assert.deepEqual(eventsConfig(days, colours).data.datasets.map((d) => d.data[0]), [95, 5]);
});

test('tables say the same, newest first', () => {
  assert.deepEqual(findingsTable([day(1), day(2)], null).rows[0], ['2026-01-02', '2', '–', '5', '100']);
  assert.deepEqual(driftTable([day(1), day(2)]).rows[0], ['2026-01-02', '0.20', '1.0 %', '2.0 %', '100']);
});
