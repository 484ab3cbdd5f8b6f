/**
 * The queue: what there is to triage, in an order that does not change while it is looked at. New
 * arrivals wait behind a button; what was triaged here stays where it is, dimmed, until the list is
 * read again.
 */
import * as api from '../api.js';
import { copyText, fill, h } from '../dom.js';
import { apiQuery, queueAddress, readFilters } from '../filters.js';
import { count, plural } from '../format.js';
import { bindKeys } from '../keys.js';
import { poll } from '../poll.js';
import { go } from '../router.js';
import { mayTriage, me, queueFor } from '../state.js';
import { toast, toastError } from '../toast.js';
import { changeMany, onChanged } from '../triage.js';
import { OPEN, scoreRange } from '../words.js';
import { failure, skeletonRows } from './parts.js';
import { COLUMNS, fillRow, rowElement } from './queue_row.js';
import { chipList, filterForm, quickFilters, searchBox } from './queue_tools.js';
import * as menus from './triage_menus.js';

const POLL_MS = 30e3, SOON_MS = 1e3, CHANGES_MAX = 500, ARRIVALS_READ = 200, SKELETON_ROWS = 12;

class QueueView {
  constructor(root, query) {
    this.root = root;
    this.filters = readFilters(query);
    this.queue = queueFor(this.filters);
    this.abort = new AbortController();
    this.rows = new Map(); // id → tr
    this.anchor = null;    // id where a range of selected rows begins
    this.build();
    this.ends = [bindKeys(this.keyTable()), onChanged((findings) => this.changed(findings)), () => this.abort.abort()];
    this.start();
  }

  async start() {
    if (this.queue.loaded) {
      this.drawRows();
      scrollTo(0, this.queue.scroll);
      this.focusCursor({ preventScroll: true });
      this.poll(0);
    } else {
      await this.load();
      this.poll(POLL_MS);
    }
  }

  unmount() {
    this.queue.scroll = scrollY;
    this.ends.forEach((end) => end());
  }

  // ---- what is on the page ----

  build() {
    const to = (filters) => go(queueAddress(filters));
    const specs = async () => (await api.summary({}, this.abort.signal)).specs;
    const { form, toggle } = filterForm({ filters: this.filters, specs, go: to });
    this.arrivals = h('button.arrivals', { hidden: true, onclick: () => this.reload() });
    this.note = h('p.queue-note.muted', { role: 'status' });
    this.body = h('tbody', { role: 'rowgroup' });
    this.all = h('input', { type: 'checkbox', 'aria-label': 'Select all loaded', onclick: () => this.selectAll(this.all.checked) });
    this.bulk = h('div.bulk', { hidden: true, role: 'toolbar', 'aria-label': 'Selected findings' });
    this.more = h('div.more');
    this.list = h('div.queue-list', null, skeletonRows(SKELETON_ROWS));
    const filterButton = h('button', { 'aria-expanded': 'false', 'aria-controls': 'filter-form', onclick: () => toggle(filterButton) }, 'Filter');
    fill(this.root,
      h('div.page-head', null, h('h1', { tabIndex: -1 }, 'Queue'), quickFilters(this.filters, me()),
        h('div.page-tools', null, this.arrivals, searchBox(this.filters, to), this.sortSelect(to), filterButton,
          h('button', { onclick: () => this.reload(), title: 'r' }, 'Refresh'))),
      form, chipList(this.filters), this.list, this.more, this.bulk, this.note);
    this.table = h('table.queue', { role: 'table', 'aria-label': 'Findings' },
      h('thead', { role: 'rowgroup' }, h('tr', { role: 'row' }, COLUMNS.map(({ name, head, title }) =>
        h(`th.col-${name}`, { scope: 'col', role: 'columnheader', title }, name === 'select' ? h('label.check', null, this.all) : head)))),
      this.body);
  }

  sortSelect(to) {
    const select = h('select', { 'aria-label': 'Sort', onchange: () => to({ ...this.filters, sort: select.value }) },
      h('option', { value: 'score' }, 'Rarest first'), h('option', { value: 'time' }, 'Newest first'));
    select.value = this.filters.sort;
    return select;
  }

  drawRows() {
    const { findings } = this.queue;
    this.measure();
    this.rows.clear();
    if (findings.length === 0) fill(this.list, this.emptyState());
    else {
      fill(this.body, findings.map((finding) => this.newRow(finding)));
      fill(this.list, this.table);
    }
    this.drawAround();
  }

  /** What a row says of the others. */
  measure() {
    this.range = scoreRange(this.queue.findings);
    this.byIp = Map.groupBy(this.queue.findings, (f) => f.ip);
  }

  newRow(finding) {
    const row = rowElement(finding, this);
    this.rows.set(finding.id, row);
    return row;
  }

  emptyState() {
    const filtered = queueAddress({ ...this.filters, sort: null }) !== '/queue';
    return h('div.empty', null,
      h('p.empty-title', null, filtered ? 'Nothing matches these filters.' : 'The queue is clear.'),
      h('p', null, filtered ? 'Remove one of them above, or look at all findings.'
        : 'No finding is new or in progress. New ones appear behind a button here.'),
      h('a.button', { href: '/queue?status=all', 'data-link': true }, 'All findings'));
  }

  /** Everything but the rows themselves. */
  drawAround() {
    const { queue } = this;
    this.paintCursor();
    this.arrivals.hidden = queue.arrivedCount === 0;
    fill(this.arrivals, `${count(queue.arrivedCount)}${queue.arrivedCount >= ARRIVALS_READ ? '+' : ''} new`);
    this.drawNote();
    this.drawBulk();
    fill(this.more, queue.next && h('button', { onclick: () => this.loadMore() }, 'Load more'));
  }

  /** One row can be reached by Tab, and is marked: the cursor's. */
  paintCursor() {
    const row = this.rows.get(this.queue.cursor);
    if (this.marked && this.marked !== row) {
      this.marked.classList.remove('is-cursor');
      this.marked.tabIndex = -1;
    }
    this.marked = row;
    row?.classList.add('is-cursor');
    if (row) row.tabIndex = 0;
  }

  drawNote() {
    const { findings, next } = this.queue;
    const done = findings.filter((f) => this.done(f)).length;
    const loaded = next ? `${plural(findings.length, 'finding')} loaded, there are more` : plural(findings.length, 'finding');
    this.note.textContent = findings.length === 0 ? '' : done ? `${loaded} · ${count(done)} done, gone after a refresh` : loaded;
  }

  drawBulk() {
    const { selected, findings } = this.queue;
    const focused = this.bulk.contains(document.activeElement);
    this.bulk.hidden = selected.size === 0;
    this.all.checked = findings.length > 0 && selected.size === findings.length;
    this.all.indeterminate = selected.size > 0 && selected.size < findings.length;
    if (selected.size === 0) {
      if (focused) this.focusCursor();
      return;
    }
    const button = (label, key, run) => h('button', { title: `${label} (${key})`, onclick: (event) => run.call(this, event.currentTarget) }, label, h('kbd', { 'aria-hidden': 'true' }, key));
    fill(this.bulk, h('strong', null, `${count(selected.size)} selected`),
      mayTriage() && [button('Resolve', 'e', this.resolve), button('Verdict', 'v', this.verdict), button('Status', 's', this.status),
        button('Assign', 'A', this.assign)],
      h('button.plain', { onclick: () => this.selectAll(false) }, 'Clear'));
  }

  // ---- reading ----

  async load() {
    try {
      await this.queue.load(this.abort.signal);
      this.drawRows();
      this.focusCursor({ preventScroll: true });
    } catch (error) {
      if (!api.isAbort(error)) fill(this.list, failure(error, () => this.load()));
    }
  }

  async reload() {
    this.queue.cursor = null;
    await this.load();
    scrollTo(0, 0);
  }

  async loadMore() {
    if (!this.queue.next || this.loading) return;
    this.loading = true;
    try {
      const fresh = await this.queue.more(this.abort.signal);
      this.measure();
      for (const [id, row] of this.rows) fillRow(row, this.queue.find(id), this);
      this.body.append(...fresh.map((finding) => this.newRow(finding)));
      this.drawAround();
    } catch (error) {
      if (!api.isAbort(error)) toastError(error);
    }
    this.loading = false;
  }

  poll(firstMs) {
    const task = (signal) => this.readChanges(signal);
    if (firstMs === 0) task(this.abort.signal).catch(() => {});
    this.ends.push(poll(task, POLL_MS, SOON_MS));
  }

  /** What happened since the list was read: rows of it are rewritten in place, new ones counted. */
  async readChanges(signal) {
    const { queue } = this;
    if (queue.lastSeq === null) return;
    let page, created = false;
    do {
      page = await api.changes(queue.lastSeq, CHANGES_MAX, signal);
      for (const change of page.changes) created = this.take(change) || created;
      queue.lastSeq = page.changes.at(-1)?.seq ?? queue.lastSeq;
    } while (page.changes.length > 0 && queue.lastSeq < page.last_seq);
    if (created) await this.countArrivals(signal);
  }

  /** @returns {boolean} whether a finding may have come that is not in the list */
  take(change) {
    const finding = this.queue.find(change.finding);
    if (change.finding === null) return false;
    if (!finding) {
      const mayBelong = ['finding_created', 'finding_sighted', 'finding_updated'].includes(change.kind);
      if (mayBelong) this.queue.arrived.add(change.finding);
      return mayBelong;
    }
    for (const name of ['status', 'verdict', 'assignee', 'tags']) {
      const now = change.body?.[name];
      if (now && typeof now === 'object' && 'new' in now) finding[name] = now.new;
    }
    fillRow(this.rows.get(finding.id), finding, this);
    return false;
  }

  /** Of what came, how many the filters let through: the newest matching ones are asked for. */
  async countArrivals(signal) {
    const query = { ...apiQuery(this.filters), sort: 'time', limit: ARRIVALS_READ };
    const page = await api.findings(query, signal);
    this.queue.arrivedCount = page.findings.filter((f) => this.queue.arrived.has(f.id)).length;
    this.drawAround();
  }

  // ---- what a row asks (see queue_row.js) ----

  selected(id) {
    return this.queue.selected.has(id);
  }

  sharing(ip) {
    return this.byIp.get(ip)?.length ?? 0;
  }

  /** Triaged out of what the filters show. */
  done(finding) {
    const within = (value, wanted) => wanted === undefined || wanted === 'all' || wanted.split(',').includes(value);
    return !within(finding.status, this.filters.status ?? OPEN.join(',')) ||
      !within(finding.verdict ?? 'none', this.filters.verdict) || !within(finding.assignee ?? 'none', this.filters.assignee);
  }

  select(id, checked, toRange = false) {
    const { findings, selected } = this.queue;
    const from = toRange ? this.queue.index(this.anchor) : -1;
    const to = this.queue.index(id);
    const ids = from < 0 ? [id] : findings.slice(Math.min(from, to), Math.max(from, to) + 1).map((f) => f.id);
    for (const each of ids) {
      if (checked) selected.add(each);
      else selected.delete(each);
      this.paintSelected(each);
    }
    this.anchor = id;
    this.drawBulk();
  }

  paintSelected(id) {
    const row = this.rows.get(id);
    row.classList.toggle('is-selected', this.selected(id));
    row.querySelector('input[type=checkbox]').checked = this.selected(id);
  }

  selectAll(checked) {
    this.queue.selected = new Set(checked ? this.queue.findings.map((f) => f.id) : []);
    for (const id of this.rows.keys()) this.paintSelected(id);
    this.drawBulk();
  }

  /** Those with the cursor's address, in addition. */
  selectAddress() {
    const finding = this.queue.find(this.queue.cursor);
    for (const { id } of this.byIp.get(finding?.ip) ?? []) {
      this.queue.selected.add(id);
      this.paintSelected(id);
    }
    this.drawBulk();
  }

  cursor(id) {
    this.queue.cursor = id;
    this.focusCursor();
  }

  focused(id) {
    if (this.queue.cursor === id) return;
    this.queue.cursor = id;
    this.paintCursor();
  }

  open(id) {
    if (id !== null) go(`/findings/${id}`, { state: { queue: this.queue.address } });
  }

  focusCursor(options) {
    const row = this.rows.get(this.queue.cursor);
    this.paintCursor();
    row?.focus({ preventScroll: true });
    if (!options?.preventScroll) row?.scrollIntoView({ block: 'nearest' });
  }

  move(step, selecting = false) {
    const { findings } = this.queue;
    const at = this.queue.index();
    const next = Math.min(findings.length - 1, Math.max(0, at + step));
    if (findings.length === 0) return;
    if (selecting) {
      if (this.queue.selected.size === 0) this.select(this.queue.cursor, true);
      this.select(findings[next].id, true, true);
    }
    this.cursor(findings[next].id);
    if (at + step >= findings.length) this.loadMore();
  }

  // ---- triage ----

  /** The selected findings, or the one under the cursor. */
  targets() {
    const { selected, findings, cursor } = this.queue;
    return selected.size ? findings.filter((f) => selected.has(f.id)) : findings.filter((f) => f.id === cursor);
  }

  async apply(patch, label) {
    const targets = this.targets();
    const single = this.queue.selected.size === 0;
    await changeMany(targets, () => patch, label);
    if (!targets.every((f) => this.done(f))) return;
    if (!single) this.selectAll(false);
    if (this.done(this.queue.find(this.queue.cursor))) this.moveOn();
  }

  /** To the next finding that is not done, or just to the next. */
  moveOn() {
    const at = this.queue.index();
    const on = this.queue.findings.findIndex((f, i) => i > at && !this.done(f));
    this.move(on < 0 ? 1 : on - at);
  }

  act(menu, anchor, ...more) {
    if (!mayTriage()) toast('Your role may look, not triage.');
    else if (this.targets().length) menu(anchor ?? this.rows.get(this.queue.cursor), (patch, label) => this.apply(patch, label), ...more);
  }

  resolve(anchor) { this.act(menus.resolveMenu, anchor); }
  verdict(anchor) { this.act(menus.verdictMenu, anchor); }
  status(anchor) { this.act(menus.statusMenu, anchor); }
  assign(anchor) {
    const names = new Set([me(), ...this.queue.findings.map((f) => f.assignee).filter(Boolean)]);
    this.act(menus.assignMenu, anchor, [...names].slice(0, 9));
  }
  takeOver() {
    this.act((_, apply) => apply({ assignee: me() }, `assigned to ${me()}`));
  }

  /** Findings were changed here: by this view, the finding's page or undo. */
  changed(findings) {
    for (const now of findings) {
      const finding = this.queue.find(now.id);
      const row = this.rows.get(now.id);
      if (!finding || !row) continue;
      Object.assign(finding, now);
      fillRow(row, finding, this);
    }
    this.drawAround();
  }

  async copy() {
    const finding = this.queue.find(this.queue.cursor);
    if (finding && await copyText(`${finding.entity} ${finding.ip}`)) toast('Entity and address copied.');
  }

  keyTable() {
    const group = 'Queue';
    const row = (keys, label, run) => ({ keys, label, group, run });
    return [
      row('j | ArrowDown', 'Next finding', () => this.move(1)),
      row('k | ArrowUp', 'Previous finding', () => this.move(-1)),
      row('Home', 'First finding', () => this.move(-Infinity)),
      row('End', 'Last loaded finding', () => this.move(this.queue.findings.length - 1 - this.queue.index())),
      row('Enter | o', 'Open', () => this.open(this.queue.cursor)),
      row('x', 'Select', () => this.queue.cursor !== null && this.select(this.queue.cursor, !this.selected(this.queue.cursor))),
      row('X', 'Select from the last selected to here', () => this.queue.cursor !== null && this.select(this.queue.cursor, true, true)),
      row('J | Shift+ArrowDown', 'Select and go down', () => this.move(1, true)),
      row('K | Shift+ArrowUp', 'Select and go up', () => this.move(-1, true)),
      row('* a', 'Select all loaded', () => this.selectAll(true)),
      row('* i', 'Select all loaded with this address', () => this.selectAddress()),
      row('* n | Escape', 'Select none', () => this.selectAll(false)),
      row('e', 'Resolve as …', () => this.resolve()),
      row('v', 'Verdict …', () => this.verdict()),
      row('s', 'Status …', () => this.status()),
      row('a', 'Assign to me', () => this.takeOver()),
      row('A', 'Assign to …', () => this.assign()),
      row('c', 'Copy entity and address', () => this.copy()),
      row('/', 'Search', () => document.getElementById('search').select()),
      row('n', 'Show new arrivals', () => this.queue.arrivedCount && this.reload()),
      row('r', 'Refresh', () => this.reload()),
    ];
  }
}

export function mount(root, { query }) {
  document.title = 'Queue · pairwatch';
  const view = new QueueView(root, query);
  return () => view.unmount();
}
