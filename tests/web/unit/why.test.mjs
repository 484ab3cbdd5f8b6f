import assert from 'node:assert/strict';
import test from 'node:test';
import { compared, reasons, shortName, story } from '../../../web/js/why.js';

const finding = (more) => ({
  spec: 'vpc-egress', entity: 'i-0abc', ip: '203.0.113.7', score: 9.1, percentile: 99.97, entity_known: true,
  observations: 1, first_seen: '2026-11-23T00:00:00.000Z', last_seen: '2026-11-23T00:00:00.000Z', ...more,
});

const explained = (more) => ({
  opinion: 'stranger', known_bits: 12, bearers: 0, neighbours: 0, nearest: { ip: '203.4.0.9', last_seen: '2026-11-20T00:00:00.000Z' },
  opinions: [], levels: [], networks: [], ...more,
});

test('a known entity and a strange network', () => {
  const { head, rest } = reasons({ finding: finding(), explanation: explained() });
  assert.equal(head, 'has never talked to 203.0.113.0/24 before.');
  assert.deepEqual(rest, ['It happened once.', 'The nearest address it usually uses is 203.4.0.9, last on 2026-11-20; both are in 203.0.0.0/12.',
    'Nobody else was seen with 203.0.113.0/24 in training.',
    'Of the usual pairs it was compared with, at most 1 in 3,300 scored as high as 9.10.']);
});

test('a network used before is not called new', () => {
  const near = reasons({ finding: finding(), explanation: explained({ known_bits: 26 }) });
  assert.equal(near.head, 'has never talked to 203.0.113.0/27 before.');
  const same = reasons({ finding: finding(), explanation: explained({ known_bits: 32, bearers: 1 }) });
  assert.match(same.head, /^has talked to 203\.0\.113\.7 before/);
  assert.equal(same.rest[1], '1 other entity used this very address in training.');
});

test('how often, how near', () => {
  const rest = (more, why) => reasons({ finding: finding(more), explanation: explained(why) }).rest;
  assert.equal(rest({ observations: 72, last_seen: '2026-11-25T23:00:00.000Z' })[0], 'It happened 72 times within 3 days.');
  assert.equal(rest({ observations: 2 })[0], 'It happened 2 times within an hour.');
  assert.match(rest({}, { known_bits: 3 })[1], /; only the first 3 bits of 32 agree\.$/);
  assert.equal(rest({}, { known_bits: 0 })[1], 'Nothing it usually uses is anywhere near that.');
});

test('each spec has its deed', () => {
  const head = (spec) => reasons({ finding: finding({ spec }), explanation: explained({ known_bits: 3 }) }).head;
  assert.equal(head('vpc-ingress'), 'has never been reached from 203.0.113.0/24 before.');
  assert.equal(head('cloudtrail-principal'), 'has never been used from 203.0.113.0/24 before.');
  assert.equal(head('my-own'), 'has never been seen with 203.0.113.0/24 before.');
});

test('unknown entity, no explanation, no percentile', () => {
  const unknown = reasons({ finding: finding({ entity_known: false, percentile: null }), explanation: null });
  assert.equal(unknown.head, 'was not there when the model was trained, and 203.0.113.7 is not what others use.');
  assert.deepEqual(unknown.rest.slice(1), ['Its score of 9.10 is above the threshold.']);
  assert.deepEqual(reasons({ finding: finding({ percentile: 100 }), explanation: null }).rest.slice(1), ['None of the usual pairs it was compared with scored as high as 9.10.']);
  assert.equal(reasons({ finding: finding(), explanation: null }).head, 'has not usually talked to 203.0.113.7.');
});

test('whose habit the address is', () => {
  const second = (more) => reasons({ finding: finding(), explanation: explained(more) }).rest[2];
  assert.equal(second({ bearers: 7, neighbours: 9 }), '7 other entities used this very address in training.');
  assert.equal(second({ neighbours: 9 }), 'Others used 9 addresses of 203.0.113.0/24 in training.');
});

test('who they are, and whose network it is', () => {
  const rest = (more) => reasons({ finding: finding(), explanation: explained(more) }).rest;
  assert.equal(rest({ bearers: 7, bearer_names: ['i-1', 'i-2'] })[3], 'It is known from i-1, i-2 and 5 more.');
  assert.equal(rest({ bearers: 1, bearer_names: ['i-1'] })[3], 'It is known from i-1.');
  assert.equal(rest({ neighbours: 3, bearer_names: ['i-1', 'i-2'] })[3], 'It is where i-1, i-2 were seen.');
  const system = { asn: 64500, name: 'Example', known: false, share: 0, entities: 0, evidence: -3 };
  assert.equal(rest({ system })[3], 'It was never seen with AS64500 (Example).');
  assert.equal(rest({ system: { ...system, name: '', entities: 12 } })[3], 'It was never seen with AS64500, which 12 other entities used.');
  assert.equal(rest({ system: { ...system, known: true, share: 0.25 } })[3], 'AS64500 (Example) routes it, as it does 25.0 % of the addresses it usually uses.');
});

test('usual networks beside the address', () => {
  const rows = compared({
    finding: finding(), explanation: { known_bits: 16, networks: [
      { network: '203.0.0.0/16', observations: 9, share: 0.9 }, { network: '10.0.0.0/8', observations: 1, share: 0.1 }, { network: '2001:db8::/32', observations: 1, share: 0 }] },
  });
  assert.deepEqual(rows.map((r) => [r.shared, r.within]), [[16, true], [0, false], [0, false]]);
  assert.deepEqual(compared({ finding: finding(), explanation: null }), []);
});

test('history in sentences, sightings in a row as one', () => {
  const change = (kind, body = {}, actor = 'user:ana') => ({ seq: 1, time: '2026-11-24T00:00:00.000Z', kind, actor, body });
  const told = story([
    change('finding_created', {}, 'worker'), change('finding_sighted', { sightings: 6 }), change('finding_sighted', { sightings: 5 }),
    change('finding_updated', { status: { old: 'new', new: 'in_progress' }, assignee: { old: null, new: 'bo' } }),
    change('finding_updated', { tags: { old: ['a', 'b'], new: ['b', 'c'] }, verdict: { old: 'benign', new: null } }, 'token:soar'),
    change('finding_sighted', { status: { old: 'resolved', new: 'new' } }), change('note_added'),
  ]).map(({ actor, text }) => `${actor} ${text}`);
  assert.deepEqual(told, [
    'ana added a note', 'The pair was seen once more and is open again',
    'soar (token) added c and removed a, took the verdict away',
    'ana set status to in progress, assigned it to bo', 'The pair was seen 11 more times', 'The pair first crossed the threshold']);
});

test('long names keep what tells them apart', () => {
  assert.equal(shortName('i-0abc'), 'i-0abc');
  assert.equal(shortName('arn:aws:sts::111122223333:assumed-role/deploy/session-7'), '…/session-7');
  assert.equal(shortName('x'.repeat(80)).length, 33);
});
