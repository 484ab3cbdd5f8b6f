import assert from 'node:assert/strict';
import test from 'node:test';
import { apiQuery, chips, queueAddress, readFilters, without } from '../../../web/js/filters.js';
import { set } from '../../../web/js/settings.js';

const read = (query) => readFilters(new URLSearchParams(query));

test('without a word about status the open ones are meant', () => {
  assert.deepEqual(read(''), { sort: 'score' });
  assert.deepEqual(apiQuery(read('')), { sort: 'score', status: 'new,in_progress' });
  assert.deepEqual(apiQuery(read('status=all')), { sort: 'score' });
  assert.deepEqual(apiQuery(read('status=resolved')), { sort: 'score', status: 'resolved' });
});

test('every filter comes back from its address as it went', () => {
  const filters = {
    sort: 'time', status: 'new,resolved', verdict: 'benign,none', spec: 'vpc-egress', entity: 'arn:aws:iam::1:role/a&b=c*', ip: '203.0.113.0/24',
    min_percentile: '99.9', min_score: '-3.5', since: '2026-11-01T00:00:00.000Z', until: '2026-11-02T00:00:00.000Z', assignee: 'ana', tag: 'vpn:eu', q: 'a b + c',
  };
  assert.deepEqual(read(queueAddress(filters).split('?')[1]), filters);
  assert.equal(queueAddress({ sort: 'score' }), '/queue');
});

test('what the contract does not know is dropped', () => {
  assert.deepEqual(read('status=open&verdict=maybe&ip=1.2.3&min_percentile=101&min_score=x&since=yesterday&spec=A&assignee=%20&tag=!&q=&sort=name&what=1'),
    { sort: 'score' });
  assert.deepEqual(read('status=new,open'), { sort: 'score', status: 'new' });
});

test('chips say it in words', () => {
  set('zone', 'utc');
  const said = Object.fromEntries(chips(read('status=all&verdict=none,benign&assignee=none&since=2026-11-01T05:00:00Z')).map((c) => [c.label, c.value]));
  assert.deepEqual(said, { Status: 'Any', Verdict: 'None or Benign', Assignee: 'Nobody', 'Seen since': '2026-11-01 05:00' });
  assert.deepEqual(without({ a: 1, b: 2 }, 'a'), { b: 2 });
});
