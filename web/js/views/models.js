/** Which model scores, how its thresholds were set and hold, and who is to follow it. */
import * as api from '../api.js';
import { fill, h, link, middle } from '../dom.js';
import * as format from '../format.js';
import { bindKeys } from '../keys.js';
import { DETECTORS, STATES, basis, drifted, finest, inOrder, moves, perDay, rule, rules, shortId } from '../model_words.js';
import { poll } from '../poll.js';
import { go } from '../router.js';
import { mayAdmin } from '../state.js';
import { toast } from '../toast.js';
import { driftConfig, driftTable, findingsConfig, findingsTable } from '../charts/days.js';
import { figure } from '../charts/draw.js';
import { confirmed } from './confirm.js';
import { showComparison } from './model_comparison.js';
import { dataTable, failure, heading, skeletonRows } from './parts.js';

const POLL_MS = 60e3, SOON_MS = 5e3, COMPARED_MS = 7 * format.DAY;

export function modelsAddress({ model, spec }) {
  const params = new URLSearchParams();
  if (model) params.set('model', model);
  if (spec) params.set('spec', spec);
  const query = params.toString();
  return query ? `/models?${query}` : '/models';
}

class Models {
  constructor(root, query) {
    this.root = root;
    this.asked = query.get('model');
    this.spec = query.get('spec');
    this.abort = new AbortController();
    this.build();
    this.ends = [() => this.abort.abort(), () => this.figures.forEach((f) => f.destroy()), poll((signal) => this.read(signal), POLL_MS, SOON_MS),
      bindKeys([{ keys: 'r', label: 'Refresh', group: 'Models', run: () => this.load() }])];
    this.load();
  }

  unmount() {
    this.ends.forEach((end) => end());
  }

  // ---- what is on the page ----

  build() {
    this.fresh = h('p.freshness.muted');
    this.problem = h('div');
    this.list = h('section.panel', null, skeletonRows(4));
    this.title = h('h2.model-title');
    this.actions = h('div.page-tools');
    this.tiles = h('dl.tiles', null, Array.from({ length: 4 }, () => h('div.skeleton.skeleton-tile')));
    this.thresholds = h('section.panel', null, skeletonRows(3));
    this.specs = h('select', { 'aria-label': 'Pair spec of the charts', onchange: () => go(modelsAddress({ model: this.asked, spec: this.specs.value })) });
    this.findings = figure({ title: 'New findings by day', label: 'New findings by day against the budget', empty: 'It has scored nothing yet.', tools: [this.specs] });
    this.drift = figure({
      title: 'Drift by day', label: 'Drift of scores, entities and networks by day', empty: 'It has scored nothing yet.',
      legend: h('ul.legend', { 'aria-hidden': 'true' }, h('li', null, h('span.swatch.swatch-text'), 'PSI of scores'),
        h('li', null, h('span.swatch.swatch-flagged'), 'entities without history'), h('li', null, h('span.swatch.swatch-band-90'), 'networks (/16) new to their entity')),
    });
    this.figures = [this.findings, this.drift];
    this.charts = h('div.halves', null, this.findings.element, this.drift.element);
    this.moved = h('section.panel', null, skeletonRows(3));
    this.comparison = h('section.panel', { hidden: true });
    this.detail = h('div.model-detail', null,
      h('div.page-head.model-head', null, this.title, this.actions), this.tiles, this.thresholds,
      this.charts, this.moved, this.comparison);
    fill(this.root, h('div.page-head', null, h('h1', { tabIndex: -1 }, 'Models'), this.fresh), this.problem, this.list, this.detail);
  }

  // ---- reading ----

  async load() {
    try {
      await this.read(this.abort.signal);
      fill(this.problem);
    } catch (error) {
      if (api.isAbort(error)) return;
      const gone = error.status === 404 && this.asked;
      fill(this.problem, failure(error, () => (gone ? go('/models') : this.load())));
      if (!this.seen) this.detail.hidden = true;
    }
  }

  async read(signal) {
    const models = inOrder(await api.models(signal));
    const id = this.asked ?? models[0]?.id;
    this.detail.hidden = !id;
    if (!id) return this.showList(models);
    this.showList(models, id);
    this.seen = await api.modelWithTag(id, { since: new Date(Date.now() - COMPARED_MS).toISOString() }, signal);
    const { value } = this.seen;
    this.detail.hidden = false;
    fill(this.fresh, `as of ${format.dateTime(Date.now())} ${format.zoneName()}`);
    fill(this.title, `${STATES[value.model.state].label} model `, h('span.mono', { title: value.model.id }, shortId(value.model.id)));
    this.showActions(value.model, models);
    this.showTiles(value);
    this.showThresholds(value);
    this.showDrift(value);
    await Promise.all([this.showDays(value), showComparison(this.comparison, value, models, signal)]);
  }

  // ---- showing ----

  showList(models, id) {
    if (models.length === 0) {
      fill(this.list, h('p.empty', null, 'No model is registered. Train one with pairwatch train, then pairwatch model activate FILE; or post scores of a detector of your own.'));
      return;
    }
    const trained = (model) => model.info.trained_until ?? null;
    const active = models.some((model) => model.state === 'active');
    fill(this.list, heading('All models', active ? null : 'none is active: pairwatch work --scorer active has nothing to score with'),
      dataTable('All models', ['State', 'Model', 'Detector', 'Trained until', 'Last used', 'Threshold by'], models.map((model) => h('tr', { class: model.id === id ? 'is-current' : null },
        h('td', null, h(`span.state.state-${model.state}`, { title: STATES[model.state].hint }, STATES[model.state].label)),
        h('th.object-name', { scope: 'row' }, link(modelsAddress({ model: model.id }), { class: 'mono', 'aria-current': model.id === id ? 'true' : null, title: model.id }, middle(shortId(model.id), 12))),
        h('td', { dataset: { head: 'Detector' } }, DETECTORS[model.detector] ?? model.detector, model.scored_by === 'outside' ? h('span.muted', null, ' outside') : null),
        h('td', { dataset: { head: 'Trained until' } }, trained(model) ? format.timeElement(trained(model)) : '–'),
        h('td', { dataset: { head: 'Last used' } }, format.timeElement(model.last_used)),
        h('td', { dataset: { head: 'Threshold by' } }, rules(model)))), { stacked: true }));
  }

  showActions(model, models) {
    if (this.actions.contains(document.activeElement)) return; // not from under a hand
    const ways = moves(model);
    fill(this.actions,
      model.scored_by === 'outside' && h('span.hint', null, 'It is scored outside: its detector posts what it finds.'),
      ways.length > 0 && !mayAdmin() && h('span.hint', null, 'Administrators move models.'),
      mayAdmin() && ways.map(([state, word]) => h(`button${state === 'active' ? '.primary' : ''}`, { onclick: () => this.move(model, state, word, models) }, word)));
  }

  tile(name, value, note, href) {
    return h('div.tile', null, h('dt', null, name), h('dd', null, href ? link(href, null, value) : value, h('span.tile-note', null, note)));
  }

  showTiles({ model, drift, days, thresholds }) {
    const worst = (key) => Math.max(...drift.map((d) => d[key] ?? -Infinity));
    const part = (key) => (Number.isFinite(worst(key)) ? format.share(worst(key)) : '–');
    const then = (key) => `worst spec of the week; in training up to ${Number.isFinite(worst(`${key}_in_training`)) ? format.share(worst(`${key}_in_training`)) : '–'}`;
    const psi = worst('psi');
    const until = model.info.trained_until;
    const scored = drift.some((d) => d.observations > 0);
    const last = days.reduce((newest, day) => (day.day > newest ? day.day : newest), '');
    const today = days.filter((day) => day.day === last);
    fill(this.tiles,
      this.tile('Age', until ? format.duration((Date.now() - Date.parse(until)) / 1000) : '–', until ? `since the newest observation it learned` : 'training is not known'),
      this.tile('New findings', today.length ? format.count(today.reduce((sum, day) => sum + day.findings, 0)) : '–', last ? `on ${format.date(last, 'utc')}, the newest day` : 'it has scored nothing yet'),
      this.tile('Drift of scores', Number.isFinite(psi) ? psi.toFixed(2) : '–', drifted(Number.isFinite(psi) ? psi : null) ?? (scored ? 'training is not known' : 'it has scored nothing of late')),
      this.tile('Entities without history', part('unknown_entities'), then('unknown_entities')),
      this.tile('New networks', part('unseen_networks'), then('unseen_networks')));
  }

  showThresholds({ model, windows, days }) {
    if (model.thresholds.length === 0) return fill(this.thresholds, heading('Thresholds'), h('p.empty', null, 'Nothing is known of its thresholds.'));
    fill(this.thresholds, heading('Thresholds', 'what pairs are held against now'),
      dataTable('Thresholds', ['Spec', 'Set by', 'Threshold', 'Rests on', 'Finest percentile', 'Findings a day', 'Newest day'], model.thresholds.map((t) => {
        const window = windows.find((w) => w.spec === t.spec);
        const judges = window?.threshold != null;
        const mine = days.filter((day) => day.spec === t.spec);
        const average = perDay(mine);
        const over = t.rule === 'budget' && average > t.rule_value;
        return h('tr', null,
          h('th', { scope: 'row' }, t.spec), h('td', null, rule(t)),
          h('td', null, h('strong', null, format.score(judges ? window.threshold : t.threshold)), judges && h('span.muted', null, ` trained ${format.score(t.threshold)}`)),
          h('td', null, basis(judges ? window : null, t.sample_size), !judges && window && t.rule && t.rule !== 'score' && h('span.sub', null, ` · a window of ${format.plural(window.sample_size, 'pair')} grows`)),
          h('td', { title: 'A sample of n tells nothing finer than 10/n' }, finest(judges ? window.sample_size : t.sample_size)),
          h('td', { class: over ? 'is-over' : null }, average == null ? '–' : average.toFixed(1), over && ' over budget'),
          h('td', null, mine.length ? format.count(mine.at(-1).findings) : '–'));
      }), { stacked: 'labelled' }));
  }

  showDrift({ drift, model }) {
    const seen = drift.filter((d) => d.observations > 0);
    this.moved.hidden = seen.length === 0;
    if (seen.length === 0) return fill(this.moved);
    const pair = (now, then) => [now == null ? '–' : format.share(now), then != null && h('span.muted', null, ` training ${format.share(then)}`)];
    const [{ since, until }] = seen;
    fill(this.moved, heading('Drift', `${format.dateTime(since)} to ${format.dateTime(until)}, against ${model.info.trained_until ? `training until ${format.date(model.info.trained_until, 'utc')}` : 'training'}`),
      dataTable('Drift', ['Spec', 'PSI of scores', 'Entities without history', 'Networks (/16) new to their entity', 'Pairs scored'], seen.map((d) => h('tr', null,
        h('th', { scope: 'row' }, d.spec),
        h('td', null, d.psi == null ? '–' : [d.psi.toFixed(2), h('span.muted', null, ` ${drifted(d.psi)}`)]),
        h('td', null, pair(d.unknown_entities, d.unknown_entities_in_training)), h('td', null, pair(d.unseen_networks, d.unseen_networks_in_training)),
        h('td', null, format.count(d.observations)))), { stacked: 'labelled' }));
  }

  async showDays({ model, days }) {
    const total = (spec) => days.filter((day) => day.spec === spec).reduce((sum, day) => sum + day.observations, 0);
    const specs = [...new Set(days.map((day) => day.spec))].sort((a, b) => total(b) - total(a));
    const spec = specs.includes(this.spec) ? this.spec : specs[0];
    if (document.activeElement !== this.specs) fill(this.specs, specs.map((name) => h('option', { value: name }, name)));
    this.specs.hidden = specs.length === 0;
    this.specs.value = spec ?? '';
    const mine = days.filter((day) => day.spec === spec);
    this.charts.hidden = mine.length === 0;
    if (mine.length === 0) return this.figures.forEach((f) => f.none());
    const set = model.thresholds.find((t) => t.spec === spec);
    const budget = set?.rule === 'budget' ? set.rule_value : null;
    const average = perDay(mine);
    this.findings.say(`New findings of ${spec} by day${budget == null ? '' : ` against a budget of ${budget} a day`}; on average ${average == null ? 'not known' : average.toFixed(1)}`);
    this.drift.say(`Drift of ${spec} by day: PSI of scores, share of entities without history, share of networks new to their entity`);
    await this.findings.show({ config: (colours) => findingsConfig(mine, budget, colours), table: () => findingsTable(mine, budget) });
    return this.drift.show({ config: (colours) => driftConfig(mine, colours), table: () => driftTable(mine) });
  }

  // ---- moving ----

  async move(model, state, word, models) {
    const active = models.find((m) => m.state === 'active');
    const shadow = models.find((m) => m.state === 'shadow');
    const name = (m) => h('span.mono', null, shortId(m.id));
    const sentences = {
      active: [name(model), ' scores from now on; workers follow within seconds. ', active ? ['The active model ', name(active), ' is retired and can be rolled back to. '] : '', 'Findings, notes and verdicts stay as they are.'],
      shadow: [name(model), ' is heard beside the active model: it flags nothing, and the pairs on which the two differ are listed here. ', shadow ? ['The shadow so far, ', name(shadow), ', is a candidate again.'] : ''],
      candidate: [name(model), ' is heard no longer. What was compared stays.'],
    };
    const tag = this.seen.etag;
    if (!await confirmed({ title: `${word}?`, text: sentences[state], word })) return;
    try {
      await api.moveModel(model.id, tag, state);
      toast(`${shortId(model.id)} is ${STATES[state].label.toLowerCase()} now.`);
    } catch (error) {
      if (api.isAbort(error)) return;
      const lost = error.status === 412 ? 'Not done: somebody moved a model meanwhile. This is how it is now.' : error.sentence;
      toast(lost, { kind: 'error' });
    }
    this.asked = model.id;
    document.activeElement?.blur();
    await this.load();
    this.actions.querySelector('button')?.focus();
  }
}

export function mount(root, { query }) {
  document.title = 'Models · pairwatch';
  const view = new Models(root, query);
  return () => view.unmount();
}
