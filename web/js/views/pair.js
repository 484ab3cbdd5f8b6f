/** One pair, flagged or not: was it ever seen, and what did the model make of it? */
import * as api from '../api.js';
import { fill, h, link, middle, visuallyHidden } from '../dom.js';
import * as format from '../format.js';
import { parseIp } from '../ip.js';
import { bindKeys } from '../keys.js';
import { basis, shortId } from '../model_words.js';
import { entityAddress, ipAddress, pairAddress } from '../places.js';
import { poll } from '../poll.js';
import { shortName } from '../why.js';
import { deed } from '../words.js';
import * as parts from './parts.js';

const POLL_MS = 60e3, SOON_MS = 5e3;

/** How the last sighting stood, in a sentence. */
export function verdictOf(spec) {
  if (spec.finding) return 'It was flagged: there is a finding.';
  if (spec.threshold == null) return 'It was not flagged.';
  return spec.score > spec.threshold ? 'It was not flagged when it was scored; today it would be.' : 'It was not flagged: its score is not above the threshold.';
}

class Pair {
  constructor(root, entity, ip) {
    Object.assign(this, { root, entity, ip, abort: new AbortController() });
    this.lead = h('p.lead-head');
    this.problem = h('div');
    this.specs = h('section.panel', null, parts.skeletonRows(3));
    this.others = h('section.panel', null, parts.skeletonRows(3));
    this.usual = h('section.panel', null, parts.skeletonRows(3));
    fill(root,
      h('div.page-head', null, h('h1', { tabIndex: -1 }, 'Pair'),
        h('div.pair-names', null, link(entityAddress(entity), { class: 'wrap' }, entity), ' and ', link(ipAddress(ip), { class: 'mono' }, ip))),
      this.problem, h('div.lead', null, this.lead), this.specs, h('div.halves', null, this.others, this.usual));
    this.ends = [() => this.abort.abort(), poll((signal) => this.read(signal), POLL_MS, SOON_MS),
      bindKeys([{ keys: 'r', label: 'Refresh', group: 'Pair', run: () => this.load() }])];
    this.load();
  }

  unmount() {
    this.ends.forEach((end) => end());
  }

  async load() {
    try {
      await this.read(this.abort.signal);
      fill(this.problem);
    } catch (error) {
      if (!api.isAbort(error)) fill(this.problem, parts.failure(error, () => this.load()));
    }
  }

  async read(signal) {
    const found = await api.lookup(this.entity, this.ip, signal);
    this.showLead(found);
    this.showSpecs(found);
    const [address, entity] = await Promise.all([api.ipProfile(this.ip, signal), api.entityProfile(this.entity, signal)]);
    this.showOthers(address);
    this.showUsual(entity);
  }

  showLead(found) {
    const name = h('strong', null, shortName(this.entity));
    const so = found.partial ? ` as far as could be read in time: back to ${format.date(found.complete_since, 'utc')}` : '';
    if (found.specs.length === 0) return fill(this.lead, name, ` was never seen with ${this.ip}${so}.`);
    return fill(this.lead, name, ` ${deed(found.specs[0].spec)} ${this.ip} ${found.observations === 1 ? 'once,' : `${format.count(found.observations)} times, last`} `, format.timeElement(found.last), so && ` (read${so})`, '.');
  }

  showSpecs({ specs }) {
    this.specs.hidden = specs.length === 0;
    fill(this.specs, parts.heading('What the model made of it'),
      parts.dataTable('What the model made of it', ['Spec', 'Score', 'Percentile', 'Threshold now', 'Rests on', 'First seen', 'Last seen', 'Events', visuallyHidden('Finding')], specs.map((s) => h('tr', null,
        h('th', { scope: 'row' }, s.spec), h('td', null, h('strong', null, format.score(s.score))), h('td', { dataset: { head: 'Percentile' } }, format.percentile(s.percentile)),
        h('td', { dataset: { head: 'Threshold now' } }, format.score(s.threshold)), h('td', null, s.window ? basis(s.window) : 'the model’s own', h('span.muted.mono', { title: s.model }, ` ${shortId(s.model)}`)),
        h('td', { dataset: { head: 'First seen' } }, format.timeElement(s.first, 'minute')), h('td', { dataset: { head: 'Last seen' } }, format.timeElement(s.last, 'minute')),
        h('td', { dataset: { head: 'Events' } }, format.count(s.observations)),
        h('td.object-name', null, s.finding ? link(`/findings/${s.finding}`, null, `Finding ${s.finding}`) : h('span.muted', null, verdictOf(s))))), { stacked: true }));
  }

  showOthers({ entities, entity_count: n, partial, complete_since: since }) {
    const others = entities.filter((e) => e.entity !== this.entity);
    fill(this.others, parts.heading('Others seen with the address', partial ? `read back to ${format.date(since, 'utc')}` : null),
      others.length === 0 ? h('p.empty', null, 'Nobody else.')
        : parts.dataTable('Others seen with the address', ['Entity', 'Last seen', 'Events', visuallyHidden('Finding')], others.slice(0, 12).map((e) => h('tr', null,
          h('th.object-name', { scope: 'row' }, link(pairAddress(e.entity, this.ip), null, middle(e.entity, 14))),
          h('td', null, format.timeElement(e.last)), h('td', { dataset: { head: 'Events' } }, format.count(e.observations)),
          h('td', null, e.finding ? link(`/findings/${e.finding}`, { 'aria-label': `Finding of ${e.entity}` }, 'finding') : h('span.muted', null, 'not flagged')))), { stacked: true }),
      n > 13 && h('p.sub', null, link(ipAddress(this.ip), null, `All ${format.count(n)}`)));
  }

  showUsual({ networks, observations }) {
    fill(this.usual, parts.heading('Usual networks of the entity', 'by events'),
      networks.length === 0 ? h('p.empty', null, 'It was not seen at all.')
        : parts.dataTable('Usual networks of the entity', ['Network', 'Share', 'Events', 'Last seen'], networks.slice(0, 12).map((n) => h('tr', null,
          h('th.mono', { scope: 'row' }, n.network), h('td', null, format.share(n.observations / observations)), h('td', null, format.count(n.observations)),
          h('td', null, format.timeElement(n.last)))), { stacked: 'labelled' }));
  }
}

export function mount(root, { query }) {
  const entity = query.get('entity')?.trim(), ip = query.get('ip')?.trim();
  document.title = 'Pair · pairwatch';
  if (!entity || !ip || !parseIp(ip)) {
    fill(root, h('div.empty', null, h('h1.empty-title', { tabIndex: -1 }, 'A pair is an entity and an IP address.'), h('p', null, 'Press l to look one up.')));
    return () => {};
  }
  const view = new Pair(root, entity, ip);
  return () => view.unmount();
}
