import assert from 'node:assert/strict';
import { test } from 'node:test';
import { entityAddress, ipAddress, pairAddress, placeOf } from '../../../web/js/places.js';
import { hint, suggestions } from '../../../web/js/views/look_up.js';
import { match } from '../../../web/js/router.js';

const ROLE = 'arn:aws:iam::1:role/a b';

test('addresses of pages carry any name', () => {
  const table = [{ path: '/entities/:entity', name: 'entity' }, { path: '/ips/:ip', name: 'ip' }];
  assert.equal(match(table, entityAddress(ROLE)).params.entity, ROLE);
  assert.equal(ipAddress('2001:db8::1'), '/ips/2001:db8::1');
  assert.equal(match(table, ipAddress('2001:db8::1')).params.ip, '2001:db8::1');
  assert.equal(new URL(pairAddress(ROLE, '::1'), 'http://x').searchParams.get('entity'), ROLE);
  assert.equal(match(table, '/entities/%E0%A4%A'), null, 'no text');
});

test('what was typed leads to an entity, an address or a pair', () => {
  assert.equal(placeOf(' 203.0.113.7 '), '/ips/203.0.113.7');
  assert.equal(placeOf('i-1'), '/entities/i-1');
  assert.equal(placeOf('i-1 203.0.113.7'), pairAddress('i-1', '203.0.113.7'));
  assert.equal(placeOf('2001:db8::5,i-1'), pairAddress('i-1', '2001:db8::5'));
  assert.equal(placeOf('203.0.113'), '/entities/203.0.113', 'no address: then it is a name');
  assert.equal(placeOf('  '), null);
  assert.match(hint('i-1'), /this entity/);
  assert.match(hint('i-1 ::1'), /this pair/);
  assert.match(hint('::1'), /this address/);
});

test('suggestions are each once, and hold the text', () => {
  const findings = [{ entity: 'i-AB', ip: '192.0.2.1' }, { entity: 'i-ab2', ip: '192.0.2.1' }, { entity: 'x', ip: '198.51.100.1' }];
  assert.deepEqual(suggestions(findings, 'AB').map((s) => s.label), ['i-AB', 'i-ab2']);
  assert.deepEqual(suggestions(findings, '192.0').map((s) => [s.label, s.kind]), [['192.0.2.1', 'address']]);
});
