/**
 * The changes made here that can be taken back, newest last. An entry is {label, items}; an item holds
 * the finding's id, its version after the change, the patch that restores it, and what was applied.
 */

const DEPTH_MAX = 50;
const entries = [];

/** An older entry's versions grow with a newer one's of the same finding only when that is undone. */
export function push(entry) {
  entries.push(entry);
  if (entries.length > DEPTH_MAX) entries.shift();
}

export function pop() {
  return entries.pop() ?? null;
}

export function clear() {
  entries.length = 0;
}
