import assert from 'node:assert/strict';
import test from 'node:test';
import * as format from '../../../web/js/format.js';
import { set } from '../../../web/js/settings.js';

test('a percentile is never rounded up', () => {
  const cases = [[99.99996, '99.999'], [99.999, '99.999'], [99.97, '99.97'], [99.9, '99.90'], [99.989999, '99.98'],
    [90, '90.00'], [12.34, '12.3'], [0, '0.0'], [100, '100'], [null, '–']];
  for (const [value, text] of cases) assert.equal(format.percentile(value), text, String(value));
});

test('odds have two digits and end where nothing can be said', () => {
  assert.equal(format.odds(99.97), '1 in 3,300');
  assert.equal(format.odds(99), '1 in 100');
  assert.equal(format.odds(99.9999), '1 in 1,000,000');
  for (const none of [100, 12, null]) assert.equal(format.odds(none), null);
});

test('relative times', () => {
  const now = Date.parse('2026-11-24T12:00:00Z');
  const ago = (ms) => format.relative(new Date(now - ms).toISOString(), now);
  assert.equal(ago(30e3), 'just now');
  assert.equal(ago(5 * 60e3), '5 min ago');
  assert.equal(ago(3.9 * format.HOUR), '3 h ago');
  assert.equal(ago(47 * format.HOUR), '47 h ago');
  assert.equal(ago(3 * format.DAY), '3 d ago');
  assert.equal(ago(-2 * format.HOUR), 'in 2 h');
  set('zone', 'utc');
  assert.equal(ago(90 * format.DAY), '2026-08-26');
});

test('times in UTC and in the zone of the machine', () => {
  const iso = '2026-03-01T23:05:09.123Z';
  assert.equal(format.dateTime(iso, { zone: 'utc', seconds: true }), '2026-03-01 23:05:09');
  const local = new Date(iso);
  const two = (n) => String(n).padStart(2, '0');
  assert.equal(format.dateTime(iso, { zone: 'local' }),
    `${local.getFullYear()}-${two(local.getMonth() + 1)}-${two(local.getDate())} ${two(local.getHours())}:${two(local.getMinutes())}`);
  assert.equal(format.axisTime(Date.parse('2026-03-02T00:00:00Z'), 'utc'), '03-02');
  assert.equal(format.axisTime(Date.parse('2026-03-02T06:00:00Z'), 'utc'), '06:00');
});

test('numbers', () => {
  assert.equal(format.count(1234567), '1,234,567');
  assert.equal(format.shortCount(21733), '21.7K');
  assert.equal(format.plural(1, 'finding'), '1 finding');
  assert.equal(format.plural(2, 'finding'), '2 findings');
  assert.equal(format.share(0.0002), '< 0.1 %');
  assert.equal(format.share(0), '0.0 %');
  assert.equal(format.share(0.62), '62 %');
  assert.equal(format.score(null), '–');
});

test('durations are cut, never rounded up', () => {
  const cases = [[null, '–'], [0, '0 s'], [1.99, '1.9 s'], [59.9, '59 s'], [60, '1 min'], [3599, '59 min'], [5400, '1.5 h'], [47 * 3600, '47 h'], [3 * 86400, '3 d']];
  for (const [seconds, text] of cases) assert.equal(format.duration(seconds), text);
});
