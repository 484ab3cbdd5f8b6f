/** How the objects get here, for the one who is paged when they do not. */
import * as api from '../api.js';
import { fill, h, link, middle, visuallyHidden } from '../dom.js';
import * as format from '../format.js';
import { bindKeys } from '../keys.js';
import { poll } from '../poll.js';
import { go } from '../router.js';
import { mayTriage } from '../state.js';
import { toast, toastError } from '../toast.js';
import { figure } from '../charts/draw.js';
import { lagConfig, lagTable } from '../charts/lag.js';
import { dataTable, failure, heading, skeletonRows } from './parts.js';

const POLL_MS = 30e3, SOON_MS = 5e3, LISTED = 25, GAPS_SHOWN = 100;

const address = (source) => (source ? `/ingest?source=${encodeURIComponent(source)}` : '/ingest');
const sourceName = (source) => source || 'other keys';

const table = (name, head, rows, stacked = false) => dataTable(name, head, rows, { stacked });

class Ingest {
  constructor(root, query) {
    this.root = root;
    this.source = query.get('source');
    this.abort = new AbortController();
    this.build();
    this.ends = [() => this.abort.abort(), () => this.lag.destroy(), poll((signal) => this.read(signal), POLL_MS, SOON_MS),
      bindKeys([{ keys: 'r', label: 'Refresh', group: 'Ingest', run: () => this.load() }])];
    this.load();
  }

  unmount() {
    this.ends.forEach((end) => end());
  }

  // ---- what is on the page ----

  build() {
    this.sources = h('select', { 'aria-label': 'Source', onchange: () => go(address(this.sources.value)) }, h('option', { value: '' }, 'All sources'));
    this.fresh = h('p.freshness.muted');
    this.problem = h('div');
    this.tiles = h('dl.tiles', null, Array.from({ length: 4 }, () => h('div.skeleton.skeleton-tile')));
    this.lag = figure({
      title: 'Lag over a week', label: 'Lag of objects by the hour, and how many there were', height: 'm',
      empty: 'Nothing was read in a week. Start pairwatch work.',
      legend: h('ul.legend', { 'aria-hidden': 'true' }, h('li', null, h('span.swatch.swatch-band-90'), 'half of the objects were faster'),
        h('li', null, h('span.swatch.swatch-band-999'), '95 % were faster'), h('li', null, h('span.swatch.swatch-below'), 'objects (right axis)'),
        h('li', null, h('span.swatch.swatch-flagged'), 'failed')),
    });
    this.places = Object.fromEntries(['by', 'failed', 'gaps', 'notices', 'workers'].map((name) => [name, h('section.panel', null, skeletonRows(3))]));
    const { by, failed, gaps, notices, workers } = this.places;
    fill(this.root,
      h('div.page-head', null, h('h1', { tabIndex: -1 }, 'Ingest'), this.fresh, h('div.page-tools', null, this.sources)),
      this.problem, this.tiles, this.lag.element, by, failed, gaps, h('div.halves', null, notices, workers));
  }

  // ---- reading ----

  async load() {
    try {
      await this.read(this.abort.signal);
      fill(this.problem);
    } catch (error) {
      if (!api.isAbort(error)) fill(this.problem, failure(error, () => this.load()));
    }
  }

  async read(signal) {
    const { source } = this;
    const [ingest, failed, gaps, notices] = await Promise.all([api.ingest({ source }, signal),
      api.objects({ state: 'failed', source, limit: LISTED }, signal), api.ingestGaps(signal), api.notices({ limit: LISTED }, signal)]);
    this.showState(ingest);
    this.showSources(ingest.sources);
    this.showFailed(failed);
    this.showGaps(gaps);
    this.showNotices(notices, ingest.notices);
    this.showWorkers(ingest.workers);
    await this.showLag(ingest);
  }

  showState(ingest) {
    const names = [...new Set([...ingest.sources.map((s) => s.source), this.source].filter(Boolean))].sort();
    if (document.activeElement !== this.sources) {
      fill(this.sources, h('option', { value: '' }, 'All sources'), names.map((name) => h('option', { value: name }, name)));
      this.sources.value = this.source ?? '';
    }
    const of = ingest.sources.filter((s) => !this.source || s.source === this.source);
    const newest = of.map((s) => s.last_stored).filter(Boolean).sort().at(-1);
    fill(this.fresh, newest ? ['Newest object stored ', format.timeElement(newest)] : 'Nothing stored yet');
    fill(this.tiles, this.tileList(ingest));
  }

  tileList({ last_hours: lately, day, notices, workers, now }) {
    const tile = (name, value, note) => h('div.tile', null, h('dt', null, name), h('dd', null, value, h('span.tile-note', null, note)));
    const hands = workers.reduce((sum, worker) => sum + worker.in_flight, 0);
    const waiting = notices.waiting + notices.in_hand;
    const oldest = notices.oldest ? `the oldest for ${format.duration((Date.parse(now) - Date.parse(notices.oldest)) / 1000)}` : 'none waits long';
    return [
      tile('Lag now', format.duration(lately.p50_seconds), lately.p50_seconds == null ? 'nothing came in this hour and the last' : `95 % within ${format.duration(lately.p95_seconds)}`),
      tile('Objects, last 24 h', format.count(day.stored), day.failed ? `${format.plural(day.failed, 'attempt')} failed` : 'none failed'),
      tile('Notices waiting', format.count(waiting), `${waiting ? oldest : 'of those that came over HTTP'}${notices.dead ? `; ${format.count(notices.dead)} given up` : ''}`),
      tile('Workers', format.count(workers.length), workers.length ? `${format.plural(hands, 'object')} in hand` : 'none was heard of in a minute'),
    ];
  }

  async showLag(ingest) {
    if (ingest.hours.length === 0) return this.lag.none();
    const { week } = ingest;
    this.lag.say(`Lag by the hour over a week: half of ${format.count(week.stored)} objects within ${format.duration(week.p50_seconds)}, 95 % within ${format.duration(week.p95_seconds)}; ${format.count(week.failed)} attempts failed`);
    return this.lag.show({ config: (colours) => lagConfig(ingest, colours), table: () => lagTable(ingest) });
  }

  showSources(sources) {
    const { by } = this.places;
    if (sources.length === 0) return fill(by, heading('Sources'), h('p.empty', null, 'Nothing was read yet.'));
    return fill(by, heading('Sources', 'last 24 hours'), table('Sources', ['Source', 'Stored', 'Failed', 'Last stored', 'Newest event', 'Lag', 'Last error'],
      sources.map((s) => h('tr', null,
        h('th', { scope: 'row' }, s.source ? link(address(s.source), null, s.source) : sourceName(s.source)),
        h('td', null, format.count(s.stored)), h('td', null, format.count(s.failed)),
        h('td', null, format.timeElement(s.last_stored)), h('td', null, format.timeElement(s.newest_event)),
        h('td', null, format.duration(s.lag_seconds)),
        h('td.reason', null, s.last_error ? [format.timeElement(s.last_error.time), ': ', s.last_error.detail] : h('span.muted', null, 'none'))))));
  }

  /** A button that asks the server and says what came of it. */
  retryButton(call, label) {
    const button = h('button.small', {
      'aria-label': `Try again: ${label}`,
      onclick: async () => {
        button.disabled = true;
        try {
          const { repeated } = await call();
          button.textContent = 'Waits';
          toast(repeated ? 'It waits for a worker already.' : 'It waits for the next worker.');
        } catch (error) {
          button.disabled = false;
          if (!api.isAbort(error)) toastError(error);
        }
      },
    }, 'Try again');
    return button;
  }

  showFailed({ objects, next }) {
    const { failed } = this.places;
    if (failed.contains(document.activeElement) && document.activeElement.matches('button')) return; // not from under a hand
    if (objects.length === 0) {
      fill(failed, heading('Objects that failed'), h('p.empty', null, 'Everything could be read.'));
      return;
    }
    const note = next ? `the newest ${objects.length}; all by GET /api/v1/objects?state=failed` : format.plural(objects.length, 'object');
    fill(failed, heading('Objects that failed', note), table('Objects that failed', ['Object', 'Failed', 'Tries', 'Reason', ...(mayTriage() ? [visuallyHidden('Action')] : [])],
      objects.map((o) => h('tr', null,
        h('th.object-name', { scope: 'row', title: `${o.bucket}/${o.key}` }, middle(o.key, 24)),
        h('td', null, format.timeElement(o.finished)), h('td', { dataset: { head: 'Tries' } }, format.count(o.attempts)),
        h('td.reason', null, o.error),
        mayTriage() && h('td', null, this.retryButton(() => api.retryObject(o.id), o.key)))), true));
  }

  showGaps({ gaps, total, hours, complete, since, until }) {
    const mine = gaps.filter((g) => !this.source || g.source === this.source);
    const { gaps: place } = this.places;
    const what = `${format.dateTime(since)} to ${format.dateTime(until)}`;
    if (mine.length === 0) {
      fill(place, heading('Missing hours'), h('p.empty', null, since === until ? 'Nothing to compare with yet.'
        : `None in the week to ${format.dateTime(until)}: every source, region and account has the hours that its neighbours and the week before make one expect.`));
      return;
    }
    const shown = mine.slice(0, GAPS_SHOWN);
    const note = this.source ? what : `${format.plural(hours, 'hour')} in ${format.plural(total, 'gap')}, ${what}${complete ? '' : '; not everything was looked at'}`;
    fill(place, heading('Missing hours', note), table('Missing hours', ['Source', 'Account', 'Region', 'From', 'Hours'],
      shown.map((g) => h('tr', null, h('th', { scope: 'row' }, sourceName(g.source)), h('td.mono', null, g.account || '–'),
        h('td', null, g.region || '–'), h('td', null, format.timeElement(g.since, 'minute')), h('td', null, format.count(g.hours))))));
  }

  showNotices({ notices, next }, counts) {
    const { notices: place } = this.places;
    if (place.contains(document.activeElement) && document.activeElement.matches('button')) return;
    if (notices.length === 0) {
      fill(place, heading('Notices over HTTP'), h('p.empty', null, 'None waits.'));
      return;
    }
    const words = { waiting: 'waits', in_hand: 'in hand', dead: 'given up' };
    fill(place, heading('Notices over HTTP', next ? `the newest ${notices.length} of ${format.count(counts.waiting + counts.in_hand + counts.dead)}` : null),
      table('Notices over HTTP', ['Object', 'State', 'Came', 'Tries', ...(mayTriage() ? [visuallyHidden('Action')] : [])], notices.map((n) => h('tr', null,
        h('th.object-name', { scope: 'row', title: `${n.bucket}/${n.key}` }, middle(n.key, 24)),
        h('td', { title: n.error ?? '' }, words[n.state]), h('td', null, format.timeElement(n.received)), h('td', { dataset: { head: 'Tries' } }, format.count(n.attempts)),
        mayTriage() && h('td', null, n.state === 'dead' && this.retryButton(() => api.retryNotice(n.id), n.key)))), true));
  }

  showWorkers(workers) {
    const { workers: place } = this.places;
    if (workers.length === 0) {
      fill(place, heading('Workers'), h('p.empty', null, 'None was heard of in a minute. Those that post their results over HTTP are not listed.'));
      return;
    }
    fill(place, heading('Workers'), table('Workers', ['Host', 'Queue', 'Since', 'Heard of', 'In hand'], workers.map((w) => h('tr', null,
      h('th', { scope: 'row' }, w.host), h('td.object-name', null, middle(w.queue, 20)), h('td', null, format.timeElement(w.started)),
      h('td', null, format.timeElement(w.seen)), h('td', null, format.count(w.in_flight))))));
  }
}

export function mount(root, { query }) {
  document.title = 'Ingest · pairwatch';
  const view = new Ingest(root, query);
  return () => view.unmount();
}
