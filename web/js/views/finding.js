/** One finding: why it is one on the left, what to do about it on the right. */
import * as api from '../api.js';
import { copyText, fill, h, link } from '../dom.js';
import { queueAddress, readFilters } from '../filters.js';
import * as format from '../format.js';
import { basis } from '../model_words.js';
import { entityAddress, ipAddress } from '../places.js';
import { usualNetwork } from '../ip.js';
import { bindKeys } from '../keys.js';
import { poll } from '../poll.js';
import { go } from '../router.js';
import { currentQueue, mayTriage, me, queueFor } from '../state.js';
import { toast, toastError } from '../toast.js';
import { changeOne, inOrder, onChanged, sameTriage } from '../triage.js';
import { compared, reasons, shortName } from '../why.js';
import { figure } from '../charts/draw.js';
import { histogramConfig, histogramTable } from '../charts/histogram.js';
import { sightingsConfig, sightingsTable } from '../charts/sightings.js';
import * as parts from './parts.js';
import { historyPanel, notesPanel } from './finding_log.js';
import { showOpinions } from './opinions.js';
import { triagePanel } from './triage_form.js';
import * as menus from './triage_menus.js';

const POLL_MS = 30e3, SOON_MS = 1e3, SIGHTINGS_READ = 50, OTHERS_READ = 200, MODEL_SHOWN = 12;

class FindingView {
  constructor(root, id) {
    this.root = root;
    this.id = id;
    this.abort = new AbortController();
    this.seen = null; // {value, etag}: what is on the page
    this.build();
    this.ends = [bindKeys(this.keyTable()), () => this.abort.abort(), () => this.figures.forEach((f) => f.destroy()),
      onChanged((findings) => this.changedElsewhere(findings))];
    this.load();
    this.findQueue();
  }

  unmount() {
    this.ends.forEach((end) => end());
  }

  // ---- what is on the page ----

  build() {
    this.title = h('h1', { tabIndex: -1 }, `Finding ${this.id}`);
    this.pager = h('nav.pager', { 'aria-label': 'Findings of the queue' });
    this.lead = h('div.lead', null, parts.skeletonRows(2));
    this.company = h('p.lead-rest', { hidden: true });
    this.sameEntity = h('span', null, 'its findings');
    this.sameAddress = h('span', null, 'its findings');
    this.facts = h('div.facts-place');
    this.opinions = h('section.panel', { hidden: true });
    this.usual = h('section.panel', { hidden: true });
    this.sightings = figure({ title: 'Sightings', label: 'Events of this pair over time', empty: 'No sighting is stored any more.', height: 's' });
    this.distribution = figure({
      title: 'Where its score stands', label: 'Distribution of scores with the threshold and this score', height: 's',
      empty: 'There are no other scores to compare with.',
    });
    this.figures = [this.sightings, this.distribution];
    this.list = h('section.panel', { hidden: true });
    this.triage = triagePanel({ change: (patch) => this.change(patch) });
    this.notes = notesPanel(this.id, () => this.readHistory());
    this.history = historyPanel();
    this.page = h('div.finding', null,
      h('div.finding-why', null, this.lead, this.facts, this.usual,
        h('div.halves', null, this.sightings.element, this.distribution.element), this.opinions, this.list),
      h('aside.finding-triage', { 'aria-label': 'Triage' }, this.triage.element, this.notes.element, this.history.element));
    fill(this.root, h('div.page-head', null, link('/queue', { class: 'back', 'data-back': true }, '← Queue'), this.title, this.pager), this.page);
    this.back = this.root.querySelector('[data-back]');
  }

  async load() {
    try {
      this.show(await api.findingWithTag(this.id, this.abort.signal));
    } catch (error) {
      if (api.isAbort(error)) return;
      const missing = error.status === 404;
      fill(this.page, missing ? h('div.empty', null, h('p.empty-title', null, 'There is no such finding.'), h('p', null, error.message))
        : parts.failure(error, () => { this.build(); this.load(); }));
      return;
    }
    await Promise.all([this.readSightings(), this.readDistribution(), this.readOthers(), this.notes.load(this.abort.signal), this.readHistory()]);
    this.ends.push(poll((signal) => this.refresh(signal), POLL_MS, SOON_MS));
  }

  show(seen) {
    this.seen = seen;
    const { finding } = seen.value;
    document.title = `${shortName(finding.entity)} · pairwatch`;
    const why = reasons(seen.value);
    fill(this.lead,
      h('p.lead-head', null, h('strong', null, shortName(finding.entity)), ` ${why.head}`),
      h('p.lead-rest', null, why.rest.join(' ')), this.company);
    fill(this.facts, this.factList(seen.value));
    showOpinions(this.opinions, seen.value);
    this.showUsual(seen.value);
    this.triage.show(finding);
  }

  factList({ finding, threshold, detector, explanation }) {
    const window = explanation?.judged_by?.window;
    const network = usualNetwork(finding.ip);
    const all = (filters) => queueAddress({ ...filters, status: 'all' });
    const copy = (text) => h('button.plain.copy', {
      'aria-label': `Copy ${text}`, onclick: async () => toast(await copyText(text) ? 'Copied.' : 'The browser does not let this page copy.'),
    }, 'copy');
    const row = (name, ...value) => h('div', null, h('dt', null, name), h('dd', null, value));
    return h('dl.facts', null,
      row('Entity', link(entityAddress(finding.entity), { class: 'mono wrap' }, finding.entity), ' ', copy(finding.entity), ' ', link(all({ entity: finding.entity }), null, this.sameEntity)),
      row('Address', link(ipAddress(finding.ip), { class: 'mono' }, finding.ip), ' ', copy(finding.ip), ' ', link(all({ ip: finding.ip }), null, this.sameAddress),
        network && [' · ', link(all({ ip: network }), { class: 'mono' }, network)]),
      row('Score', h('strong', null, format.score(finding.score)), h('span.muted', null, threshold == null ? '' : ` threshold ${format.score(threshold)}`,
        finding.percentile == null ? '' : `, percentile ${format.percentile(finding.percentile)}`)),
      threshold != null && row('Threshold by', window ? ['the window of ', basis(window), h('span.muted', null, `, ${format.plural(window.days, 'day')}`)] : 'the model’s own calibration'),
      row('Seen', format.timeElement(finding.first_seen, 'minute'), ' to ', format.timeElement(finding.last_seen, 'minute'),
        h('span.muted', null, ` ${format.plural(finding.sightings, 'sighting')}, ${format.plural(finding.observations, 'event')}`)),
      row('Entity in training', finding.entity_known ? 'known' : 'unknown'),
      row('Spec', finding.spec),
      finding.account && row('Account', [finding.account, finding.region].filter(Boolean).join(' · ')),
      row('Model', h('span.mono', { title: finding.model }, finding.model.slice(0, MODEL_SHOWN)), ` (${detector})`));
  }

  showUsual(detail) {
    const networks = compared(detail);
    this.usual.hidden = networks.length === 0;
    if (this.usual.hidden) return;
    const { ip } = detail.finding;
    // The list ends somewhere: a network that is not on it may have been used.
    const isNew = detail.explanation.known_bits < (ip.includes(':') ? 48 : 24);
    const bar = (share) => h('span.share-bar', { 'aria-hidden': 'true' }, h('span', { style: { width: `${share * 100}%` } }));
    fill(this.usual,
      h('div.panel-head', null, h('h2', null, 'Usual networks of the entity')),
      h('table.data.usual', null,
        h('thead', null, h('tr', null, ['Network', 'Share of its events', 'Events', 'Bits shared'].map((text) => h('th', { scope: 'col' }, text)))),
        h('tbody', null,
          networks.map((n) => h('tr', { class: n.within ? 'is-within' : null },
            h('th.mono', { scope: 'row' }, n.network), h('td', null, bar(n.share), format.share(n.share)),
            h('td', null, format.count(n.observations)), h('td', null, n.within ? 'contains it' : String(n.shared)))),
          !networks.some((n) => n.within) && h('tr.this-address', null,
            h('th.mono', { scope: 'row' }, usualNetwork(ip) ?? ip), h('td', null, isNew ? 'this address: none before' : 'this address: seldom'), h('td', null, '–'), h('td', null, '–')))));
  }

  // ---- reading ----

  async quietly(task) {
    try {
      await task();
    } catch (error) {
      if (!api.isAbort(error)) toastError(error);
    }
  }

  readSightings() {
    return this.quietly(async () => {
      const data = await api.sightings(this.id, SIGHTINGS_READ, this.abort.signal);
      if (data.buckets.length === 0) this.sightings.none();
      else {
        const total = data.buckets.reduce((sum, b) => sum + b.count, 0);
        this.sightings.say(`Events of this pair by ${data.bucket}: ${format.count(total)} in ${data.buckets.length} of them with any`);
        await this.sightings.show({ config: (colours) => sightingsConfig(data, colours), table: () => sightingsTable(data) });
      }
      this.showSightings(data.sightings);
    });
  }

  showSightings(sightings) {
    this.list.hidden = sightings.length === 0;
    const { spec } = this.seen.value.finding;
    const origin = (s) => (s.key ? h('span.wrap', { title: `${s.bucket ?? ''}/${s.key}` }, s.key.split('/').at(-1)) : h('span.muted', null, 'posted'));
    fill(this.list, h('div.panel-head', null, h('h2', null, 'Latest sightings')),
      h('div.table-scroll', { tabIndex: 0, role: 'region', 'aria-label': `Latest sightings, ${spec}` }, h('table.data', null,
        h('thead', null, h('tr', null, ['Time', 'Events', 'Score', 'Percentile', 'Object'].map((text) => h('th', { scope: 'col' }, text)))),
        h('tbody', null, sightings.map((s) => h('tr', null,
          h('td', null, format.timeElement(s.first, 'full')), h('td', null, format.count(s.count)), h('td', null, format.score(s.score)),
          h('td', null, format.percentile(s.percentile)), h('td.object', null, origin(s))))))));
  }

  readDistribution() {
    return this.quietly(async () => {
      const { finding } = this.seen.value;
      const data = await api.histogram({ spec: finding.spec, model: finding.model }, this.abort.signal);
      if (data.bins.length === 0) return this.distribution.none();
      const marker = { value: finding.score, label: `this finding ${format.score(finding.score)}` };
      this.distribution.say(`Distribution of ${format.count(data.observations)} scores of ${finding.spec}; threshold ${format.score(data.threshold)}, this finding ${format.score(finding.score)}`);
      return this.distribution.show({
        config: (colours) => histogramConfig({ ...data, threshold: data.threshold ?? this.seen.value.threshold }, colours, { log: true, marker }),
        table: () => histogramTable(data),
      });
    });
  }

  /** What else there is about this entity and this address: a new office looks like many strangers. */
  readOthers() {
    return this.quietly(async () => {
      const { entity, ip } = this.seen.value.finding;
      const read = (query) => api.findings({ ...query, limit: OTHERS_READ }, this.abort.signal);
      const [ofEntity, ofAddress] = await Promise.all([read({ entity }), read({ ip })]);
      const say = ({ findings, next }) => `${format.count(findings.length)}${next ? '+' : ''} ${findings.length === 1 ? 'finding' : 'findings'}`;
      fill(this.sameEntity, say(ofEntity));
      fill(this.sameAddress, say(ofAddress));
      const others = new Set(ofAddress.findings.map((f) => f.entity)).size - 1;
      this.company.hidden = others < 1;
      fill(this.company, others > 0 && `${format.plural(others, 'other entity has', 'other entities have')} findings with this very address.`);
    });
  }

  readHistory() {
    return this.quietly(async () => this.history.show(await api.history(this.id, this.abort.signal)));
  }

  async refresh(signal) {
    const fresh = await api.findingWithTag(this.id, signal);
    if (fresh.etag === this.seen.etag) return;
    const sighted = fresh.value.finding.sightings !== this.seen.value.finding.sightings;
    this.show(fresh);
    await Promise.all([sighted && this.readSightings(), this.notes.load(signal), this.readHistory()]);
  }

  // ---- triage ----

  change(patch) {
    return inOrder(() => this.changeNow(patch));
  }

  async changeNow(patch) {
    if (!this.seen || !mayTriage()) return;
    this.changing = true;
    try {
      const now = await changeOne(this.seen, patch);
      this.show({ value: now.value, etag: now.etag });
      if (now.conflict) toast(`Not saved: ${now.conflict}. This is how it is now.`, { kind: 'error' });
      await this.readHistory();
    } catch (error) {
      this.triage.show(this.seen.value.finding);
      toastError(error);
    }
    this.changing = false;
  }

  /** Undo changed it, or another view did. */
  async changedElsewhere(findings) {
    const now = findings.find((f) => f.id === this.id);
    if (!now || !this.seen || this.changing || sameTriage({ ...this.seen.value.finding, ...now }, this.seen.value.finding)) return;
    await this.quietly(async () => this.refresh(this.abort.signal));
  }

  act(menu, name) {
    if (!mayTriage()) toast('Your role may look, not triage.');
    else if (this.seen) menu(this.triage.anchor(name), (patch) => this.change(patch), this.seen.value.finding[name]);
  }

  // ---- the queue it came from ----

  /** After a reload the queue is read again, by the address kept with the history entry. */
  async findQueue() {
    const address = history.state?.queue;
    let queue = currentQueue();
    if (address && queue?.address !== address) {
      queue = queueFor(readFilters(new URLSearchParams(address.split('?')[1] ?? '')));
      await this.quietly(() => queue.load(this.abort.signal));
    }
    this.queue = queue?.find(this.id) ? queue : null;
    if (this.queue) this.queue.cursor = this.id;
    if (queue) this.back.setAttribute('href', queue.address);
    const at = this.queue?.index(this.id);
    if (!this.queue) return;
    const button = (step, label, key) => h('button', {
      disabled: !this.queue.findings[at + step] && !(step > 0 && this.queue.next), title: key, onclick: () => this.step(step),
    }, label);
    fill(this.pager, h('span.muted', null, `${at + 1} of ${this.queue.findings.length}${this.queue.next ? '+' : ''}`),
      button(-1, 'Previous', 'k'), button(1, 'Next', 'j'));
  }

  async step(by) {
    if (!this.queue) return;
    const at = this.queue.index(this.id) + by;
    if (at === this.queue.findings.length && this.queue.next) await this.quietly(() => this.queue.more(this.abort.signal));
    const next = this.queue.findings[at];
    if (next) go(`/findings/${next.id}`, { replace: true, state: { queue: this.queue.address } });
  }

  keyTable() {
    const group = 'Finding';
    const row = (keys, label, run) => ({ keys, label, group, run });
    return [
      row('j | J | ]', 'Next finding of the queue', () => this.step(1)),
      row('k | K | [', 'Previous finding of the queue', () => this.step(-1)),
      row('e', 'Resolve as …', () => this.act(menus.resolveMenu, 'status')),
      row('v', 'Verdict …', () => this.act(menus.verdictMenu, 'verdict')),
      row('s', 'Status …', () => this.act(menus.statusMenu, 'status')),
      row('a', 'Assign to me', () => this.change({ assignee: me() })),
      row('t', 'Tags', () => this.triage.anchor('tags').focus()),
      row('n', 'Add a note', () => this.notes.focus()),
      row('q | Escape', 'Back to the queue', () => go(this.back.getAttribute('href'))),
    ];
  }
}

export function mount(root, { params }) {
  document.title = `Finding ${params.id} · pairwatch`;
  const view = new FindingView(root, Number(params.id));
  return () => view.unmount();
}
