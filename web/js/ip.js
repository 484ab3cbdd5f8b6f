/**
 * IPv4 and IPv6 text to bits and back. Pure. An address is {v4, bytes}: 4 or 16 bytes.
 */

function parseV4(text) {
  const parts = text.split('.');
  if (parts.length !== 4 || !parts.every((p) => /^(0|[1-9]\d{0,2})$/.test(p) && Number(p) < 256)) return null;
  return Uint8Array.from(parts, Number);
}

function parseV6(text) {
  const halves = text.split('::');
  if (halves.length > 2) return null;
  const words = (half) => (half === '' ? [] : half.split(':'));
  const head = words(halves[0]);
  const tail = halves.length === 2 ? words(halves[1]) : [];
  const last = (tail.length ? tail : head).at(-1);
  if (last?.includes('.')) {
    const v4 = parseV4(last);
    if (!v4) return null;
    (tail.length ? tail : head).splice(-1, 1, (v4[0] << 8 | v4[1]).toString(16), (v4[2] << 8 | v4[3]).toString(16));
  }
  const missing = 8 - head.length - tail.length;
  if (halves.length === 2 ? missing < 1 : missing !== 0) return null;
  const all = [...head, ...Array(Math.max(missing, 0)).fill('0'), ...tail];
  if (!all.every((w) => /^[0-9a-f]{1,4}$/i.test(w))) return null;
  return Uint8Array.from(all.flatMap((w) => [parseInt(w, 16) >> 8, parseInt(w, 16) & 255]));
}

/** @returns {{v4: boolean, bytes: Uint8Array}|null} */
export function parseIp(text) {
  const v4 = parseV4(text);
  if (v4) return { v4: true, bytes: v4 };
  const v6 = parseV6(text);
  return v6 && { v4: false, bytes: v6 };
}

/** @returns {{v4, bytes, bits}|null} of "10.0.0.0/8" or an address alone */
export function parseNetwork(text) {
  const [address, bits, more] = text.split('/');
  const ip = parseIp(address);
  if (!ip || more !== undefined) return null;
  const all = ip.bytes.length * 8;
  if (bits !== undefined && !(/^\d{1,3}$/.test(bits) && Number(bits) <= all)) return null;
  return { ...ip, bits: bits === undefined ? all : Number(bits) };
}

/** The length of the prefix two addresses share; 0 between families. */
export function sharedBits(a, b) {
  if (a.v4 !== b.v4) return 0;
  for (let i = 0; i < a.bytes.length; i++) {
    const differs = a.bytes[i] ^ b.bytes[i];
    if (differs) return i * 8 + Math.clz32(differs) - 24;
  }
  return a.bytes.length * 8;
}

function formatV6(bytes) {
  const words = Array.from({ length: 8 }, (_, i) => (bytes[2 * i] << 8 | bytes[2 * i + 1]).toString(16));
  let best = { at: -1, length: 1 };
  for (let i = 0; i < 8; i++) {
    let length = 0;
    while (words[i + length] === '0') length++;
    if (length > best.length) best = { at: i, length };
  }
  if (best.at < 0) return words.join(':');
  return `${words.slice(0, best.at).join(':')}::${words.slice(best.at + best.length).join(':')}`;
}

/** "203.0.113.0/24": the network of so many bits around an address. */
export function networkOf(ip, bits) {
  const bytes = ip.bytes.map((byte, i) => {
    const kept = Math.min(8, Math.max(0, bits - i * 8));
    return byte & (0xff << (8 - kept));
  });
  return `${ip.v4 ? bytes.join('.') : formatV6(bytes)}/${bits}`;
}

/** The network people would name: /24, or /48 of IPv6. Null when the text is no address. */
export function usualNetwork(text) {
  const ip = parseIp(text);
  return ip && networkOf(ip, ip.v4 ? 24 : 48);
}
