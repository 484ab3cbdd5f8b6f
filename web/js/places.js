/** Addresses of pages about an entity, an address, a pair. Pure. */
import { parseIp } from './ip.js';

export const entityAddress = (entity) => `/entities/${encodeURIComponent(entity)}`;
/** Colons stay: they are no trouble in a path. */
export const ipAddress = (ip) => `/ips/${encodeURIComponent(ip).replaceAll('%3A', ':')}`;
export const pairAddress = (entity, ip) => `/pair?${new URLSearchParams({ entity, ip })}`;

/** Where what a person typed leads: an address, an entity, or both in any order; null when it is nothing. */
export function placeOf(text) {
  const words = text.trim().split(/[\s,]+/).filter(Boolean);
  const at = words.findIndex((word) => parseIp(word));
  const ip = at < 0 ? null : words[at];
  const entity = words.filter((_, i) => i !== at).join(' ');
  if (ip && entity) return pairAddress(entity, ip);
  if (ip) return ipAddress(ip);
  return entity ? entityAddress(entity) : null;
}
