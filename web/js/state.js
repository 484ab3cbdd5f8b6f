/**
 * What outlives a view: who is signed in, and the queue as it was left, so that Back finds every row,
 * the cursor and the selection where they were.
 */
import * as api from './api.js';
import { apiQuery, queueAddress } from './filters.js';

export const app = { session: null };
export const me = () => app.session.name;
export const mayAdmin = () => app.session?.role === 'admin';
export const mayTriage = () => ['triage', 'admin'].includes(app.session?.role);

const PAGE = 50;

/** A loaded queue: its address is its name. */
class Queue {
  constructor(filters) {
    this.filters = filters;
    this.address = queueAddress(filters);
    this.findings = [];
    this.selected = new Set();
    this.arrived = new Set(); // ids made since the list was read
    this.arrivedCount = 0;    // of them, those the filters let through
    this.cursor = null;       // id
    this.next = null;
    this.lastSeq = null;
    this.loaded = false;
    this.scroll = 0;
  }

  async load(signal) {
    const page = await api.findings({ ...apiQuery(this.filters), limit: PAGE }, signal);
    this.findings = page.findings;
    this.next = page.next;
    this.lastSeq = page.last_seq;
    this.loaded = true;
    this.arrived.clear();
    this.arrivedCount = 0;
    this.selected = new Set([...this.selected].filter((id) => this.find(id)));
    if (!this.find(this.cursor)) this.cursor = this.findings[0]?.id ?? null;
  }

  /** Appends the next page; @returns {Promise<Object[]>} what is new in it */
  async more(signal) {
    const page = await api.nextPage(this.next, signal);
    const known = new Set(this.findings.map((f) => f.id));
    const fresh = page.findings.filter((f) => !known.has(f.id));
    this.findings.push(...fresh);
    this.next = page.next;
    return fresh;
  }

  find(id) {
    return this.findings.find((f) => f.id === id) ?? null;
  }

  index(id = this.cursor) {
    return this.findings.findIndex((f) => f.id === id);
  }
}

let queue = null;

/** The queue of these filters: as it was left, or a new one to load. */
export function queueFor(filters) {
  if (queue?.address !== queueAddress(filters)) queue = new Queue(filters);
  return queue;
}

/** The queue last looked at; null when there was none. */
export const currentQueue = () => queue;

export function forget() {
  app.session = null;
  queue = null;
}
