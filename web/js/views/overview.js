/** The state of things at a glance; every number leads into the queue. */
import * as api from '../api.js';
import { fill, h, link, middle } from '../dom.js';
import { queueAddress } from '../filters.js';
import * as format from '../format.js';
import { PERIODS, overviewAddress, periodOf, span } from '../period.js';
import { poll } from '../poll.js';
import { go } from '../router.js';
import { bindKeys } from '../keys.js';
import { OPEN } from '../words.js';
import { agesConfig, agesTable } from '../charts/ages.js';
import { brush } from '../charts/brush.js';
import { figure } from '../charts/draw.js';
import { histogramConfig, histogramTable } from '../charts/histogram.js';
import { BANDS, bucketMs, scoresConfig, scoresTable } from '../charts/scores.js';
import { failure, skeletonRows } from './parts.js';
import { showStories } from './stories.js';

const POLL_MS = 60e3, SOON_MS = 10e3, STORIES_READ = 100;
const open = OPEN.join(',');

class Overview {
  constructor(root, query) {
    this.root = root;
    this.period = periodOf(query);
    this.spec = query.get('spec');
    this.linear = query.get('counts') === 'linear';
    this.abort = new AbortController();
    this.build();
    this.ends = [() => this.abort.abort(), () => this.figures.forEach((f) => f.destroy()), poll((signal) => this.read(signal), POLL_MS, SOON_MS),
      bindKeys([{ keys: 'r', label: 'Refresh', group: 'Overview', run: () => this.load() }])];
    this.load();
  }

  unmount() {
    this.ends.forEach((end) => end());
  }

  address(change = {}) {
    return overviewAddress({ period: this.period.word, spec: this.spec, counts: this.linear ? 'linear' : null, ...change });
  }

  // ---- what is on the page ----

  build() {
    this.specs = h('select', { 'aria-label': 'Pair spec', onchange: () => go(this.address({ spec: this.specs.value })) }, h('option', { value: '' }, 'All specs'));
    this.fresh = h('p.freshness.muted');
    this.problem = h('div');
    this.tiles = h('dl.tiles', null, Array.from({ length: 4 }, () => h('div.skeleton.skeleton-tile')));
    this.makeFigures();
    this.stories = h('section.panel', null, skeletonRows(6));
    this.entities = h('section.panel');
    this.networks = h('section.panel');
    fill(this.root,
      h('div.page-head', null, h('h1', { tabIndex: -1 }, 'Overview'), this.fresh,
        h('div.page-tools', null, this.specs, h('nav.quick', { 'aria-label': 'Period' }, PERIODS.map(({ word, label }) =>
          link(this.address({ period: word }), { 'aria-current': word === this.period.word ? 'true' : null }, label))))),
      this.problem, this.tiles, this.stories, this.scores.element,
      h('div.halves', null, this.histogram.element, this.ages.element),
      h('div.halves', null, this.entities, this.networks));
  }

  makeFigures() {
    this.scores = figure({
      title: 'Scores over time', label: 'Percentiles of scores and flagged counts over time', height: 'l',
      empty: 'No scores in this period.', legend: legend(),
      tools: [h('span.hint', null, 'Drag to open a period in the queue')],
    });
    this.histogram = figure({
      title: 'Distribution of scores', label: 'Distribution of scores with the threshold', empty: 'No scores in this period.',
      tools: [h('nav.quick.small', { 'aria-label': 'Counts' },
        [['log', 'Log'], ['linear', 'Linear']].map(([counts, label]) => link(this.address({ counts }),
          { 'aria-current': (counts === 'linear') === this.linear ? 'true' : null }, label)))],
    });
    this.ages = figure({ title: 'Open findings by age', label: 'Open findings by age', empty: 'Nothing is open.' });
    this.figures = [this.scores, this.histogram, this.ages];
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
    const [summary, worst] = await Promise.all([api.summary({ spec: this.spec }, signal),
      api.findings({ status: open, spec: this.spec, sort: 'score', limit: STORIES_READ }, signal)]);
    this.showSummary(summary);
    showStories(this.stories, worst.findings, { spec: this.spec });
    const between = span(this.period, summary);
    if (!between) {
      this.scores.none('No scores yet. Feed them with pairwatch work, or POST them to /api/v1/scores.');
      this.histogram.none('No scores yet.');
      return;
    }
    const query = { since: between.since, until: between.until, spec: this.spec };
    const [series, histogram] = await Promise.all([api.timeseries(query, signal), api.histogram(query, signal)]);
    await Promise.all([this.showScores(series), this.showHistogram(histogram)]);
  }

  showSummary(summary) {
    const options = [...new Set([...summary.specs, this.spec].filter(Boolean))];
    fill(this.specs, h('option', { value: '' }, 'All specs'), options.map((spec) => h('option', { value: spec }, spec)));
    this.specs.value = this.spec ?? '';
    const newest = summary.newest_observation;
    fill(this.fresh, newest ? ['Newest observation ', format.timeElement(newest)] : 'No observations yet');
    fill(this.tiles, this.tileList(summary));
    if (summary.open_by_age.some((a) => a.count)) {
      this.ages.show({ config: (colours) => agesConfig(summary.open_by_age, colours), table: () => agesTable(summary.open_by_age) });
    } else this.ages.none();
    this.showTops(summary);
  }

  tileList({ by_status: by, flagged_24h: flagged, observations_24h: seen, newest_observation: newest, objects_failed: failed }) {
    const tile = (name, value, note, href) => h('div.tile', null, h('dt', null, name),
      h('dd', null, href ? link(href, null, value) : value, h('span.tile-note', null, note)));
    const to = (filters) => queueAddress({ ...filters, spec: this.spec });
    const day = newest && new Date(Date.parse(newest) - format.DAY).toISOString();
    const rate = seen ? format.share(flagged / seen) : '–';
    return [
      tile('Open findings', format.count(by.new + by.in_progress), `${format.count(by.new)} new, ${format.count(by.in_progress)} in progress`, to({})),
      tile('Flagged, last 24 h of data', format.count(flagged), `${rate} of ${format.shortCount(seen)} observations`, newest ? to({ status: 'all', since: day, sort: 'time' }) : null),
      tile('Resolved', format.count(by.resolved), `${format.count(by.suppressed)} suppressed`, to({ status: 'resolved', sort: 'time' })),
      failed > 0 ? tile('Objects that failed', format.count(failed), 'could not be read', '/ingest')
        : tile('Objects that failed', '0', 'everything could be read'),
    ];
  }

  async showScores(series) {
    if (series.buckets.length === 0) return this.scores.none();
    const flagged = series.buckets.reduce((sum, b) => sum + b.flagged, 0);
    this.scores.say(`Percentiles of scores by ${series.bucket}, ${series.buckets.length} with data; ${format.count(flagged)} observations were flagged`);
    const step = bucketMs(series);
    const pick = (from, to) => go(queueAddress({ status: 'all', spec: this.spec, since: new Date(from).toISOString(), until: new Date(to).toISOString(), sort: 'time' }));
    const table = () => {
      const { head, rows } = scoresTable(series);
      const times = [...series.buckets].reverse().map((b) => Date.parse(b.time));
      return { head, rows: rows.map(([time, ...rest], i) => [h('button.plain', { onclick: () => pick(times[i], times[i] + step), 'aria-label': `${time}: open in the queue` }, time), ...rest]) };
    };
    return this.scores.show({ config: (colours) => scoresConfig(series, colours), table, over: brush(this.scores, step, pick) });
  }

  async showHistogram(data) {
    if (data.bins.length === 0) return this.histogram.none();
    const rate = data.observations ? data.flagged / data.observations : 0;
    this.histogram.say(`Distribution of ${format.count(data.observations)} scores of ${data.spec ?? 'all specs'}; ${format.count(data.flagged)} above the threshold of ${format.score(data.threshold)}`);
    fill(this.histogram.element.querySelector('h2'), 'Distribution of scores ',
      h('span.sub', null, `${data.spec ?? ''} · ${format.share(rate)} flagged`));
    return this.histogram.show({ config: (colours) => histogramConfig(data, colours, { log: !this.linear }), table: () => histogramTable(data) });
  }

  showTops({ top_entities: entities, top_networks: networks }) {
    const filters = { status: open, spec: this.spec };
    const most = (list) => Math.max(1, ...list.map((row) => row.findings));
    const bar = (n, of) => h('span.share-bar', { 'aria-hidden': 'true' }, h('span', { style: { width: `${n / of * 100}%` } }));
    const table = (title, head, rows, none) => [h('div.panel-head', null, h('h2', null, title)),
      rows.length === 0 ? h('p.empty', null, none)
        : h('table.data.top', null, h('thead', null, h('tr', null, head.map((text) => h('th', { scope: 'col' }, text)))), h('tbody', null, rows))];
    fill(this.entities, table('Entities with most open findings', ['Entity', 'Open findings', 'Percentile'], entities.map((e) => h('tr', null,
      h('th.top-name', { scope: 'row' }, link(queueAddress({ ...filters, entity: e.entity, status: null }), null, middle(e.entity))),
      h('td', null, bar(e.findings, most(entities)), format.count(e.findings)),
      h('td', null, format.percentile(e.max_percentile)))), 'Nothing is open.'));
    fill(this.networks, table('Networks with most open findings', ['Network', 'Open findings', 'Entities'], networks.map((n) => h('tr', null,
      h('th.mono', { scope: 'row' }, link(queueAddress({ ...filters, ip: n.network, status: null }), null, n.network)),
      h('td', null, bar(n.findings, most(networks)), format.count(n.findings)), h('td', null, format.count(n.entities)))), 'Nothing is open.'));
  }
}

function legend() {
  return h('ul.legend', { 'aria-hidden': 'true' },
    BANDS.map(({ label, colour }) => h('li', null, h(`span.swatch.swatch-${colour}`), label)),
    h('li', null, h('span.swatch.swatch-flagged'), 'flagged (right axis)'));
}

export function mount(root, { query }) {
  document.title = 'Overview · pairwatch';
  const view = new Overview(root, query);
  return () => view.unmount();
}
