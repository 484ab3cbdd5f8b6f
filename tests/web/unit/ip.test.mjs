import assert from 'node:assert/strict';
import test from 'node:test';
import { networkOf, parseIp, parseNetwork, sharedBits, usualNetwork } from '../../../web/js/ip.js';

test('what is an address and what is not', () => {
  for (const good of ['0.0.0.0', '255.255.255.255', '::', '::1', '2001:db8::', '1:2:3:4:5:6:7:8', '::ffff:1.2.3.4', '1:2:3:4:5:6:7::'])
    assert.ok(parseIp(good), good);
  for (const bad of ['', '1.2.3', '1.2.3.256', '01.2.3.4', '1.2.3.4.5', ':', ':::', '1::2::3', '1:2:3:4:5:6:7', '1:2:3:4:5:6:7:8:9', '12345::', 'g::', '1.2.3.4/8', '::1.2.3', 'host'])
    assert.equal(parseIp(bad), null, bad);
});

test('shared bits', () => {
  const bits = (a, b) => sharedBits(parseIp(a), parseIp(b));
  assert.equal(bits('203.0.113.7', '203.0.113.7'), 32);
  assert.equal(bits('203.0.113.7', '203.0.113.6'), 31);
  assert.equal(bits('128.0.0.0', '0.0.0.0'), 0);
  assert.equal(bits('10.0.0.1', '10.128.0.1'), 8);
  assert.equal(bits('2001:db8::', '2001:db8:8000::'), 32);
  assert.equal(bits('::1', '1.2.3.4'), 0);
});

test('networks', () => {
  assert.equal(networkOf(parseIp('203.0.113.77'), 12), '203.0.0.0/12');
  assert.equal(networkOf(parseIp('203.0.113.77'), 32), '203.0.113.77/32');
  assert.equal(networkOf(parseIp('203.0.113.77'), 0), '0.0.0.0/0');
  assert.equal(networkOf(parseIp('2001:db8:1:2:3:4:5:6'), 48), '2001:db8:1::/48');
  assert.equal(networkOf(parseIp('1:0:0:2:0:0:0:3'), 128), '1:0:0:2::3/128');
  assert.equal(usualNetwork('198.51.100.9'), '198.51.100.0/24');
  assert.equal(usualNetwork('2001:db8:9::1'), '2001:db8:9::/48');
  assert.equal(usualNetwork('nonsense'), null);
  assert.equal(parseNetwork('10.0.0.0/8').bits, 8);
  assert.equal(parseNetwork('::/128').bits, 128);
  for (const bad of ['10.0.0.0/33', '10.0.0.0/', '10.0.0.0/8/8', '/8', '::/129']) assert.equal(parseNetwork(bad), null, bad);
});
