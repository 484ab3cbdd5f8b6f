/** One entity, or one address: when it is seen, with whom, and its findings. */
import * as api from '../api.js';
import { copyText, fill, h, link, middle } from '../dom.js';
import { queueAddress } from '../filters.js';
import * as format from '../format.js';
import { parseIp, usualNetwork } from '../ip.js';
import { bindKeys } from '../keys.js';
import { entityAddress, ipAddress, pairAddress } from '../places.js';
import { poll } from '../poll.js';
import { toast } from '../toast.js';
import { shortName } from '../why.js';
import { OPEN, scoreRange } from '../words.js';
import { eventsConfig, eventsTable } from '../charts/days.js';
import { figure } from '../charts/draw.js';
import * as parts from './parts.js';

const POLL_MS = 60e3, SOON_MS = 5e3, FINDINGS_READ = 50, MOST = 20000;

/** What differs between the two kinds of pages. */
const KINDS = {
  entity: {
    word: 'Entity', read: api.entityProfile, filter: (entity) => ({ entity }),
    partners: { title: 'Addresses', key: 'addresses', count: 'address_count', one: 'address', many: 'addresses', name: (row) => row.ip, place: (row) => ipAddress(row.ip), pair: (me, row) => pairAddress(me, row.ip), mono: true },
  },
  ip: {
    word: 'Address', read: api.ipProfile, filter: (ip) => ({ ip }),
    partners: { title: 'Entities', key: 'entities', count: 'entity_count', one: 'entity', many: 'entities', name: (row) => row.entity, place: (row) => entityAddress(row.entity), pair: (me, row) => pairAddress(row.entity, me), mono: false },
  },
};

class Profile {
  constructor(root, kind, name) {
    this.root = root;
    this.kind = KINDS[kind];
    this.name = name;
    this.abort = new AbortController();
    this.build(kind);
    this.ends = [() => this.abort.abort(), () => this.events.destroy(), poll((signal) => this.read(signal), POLL_MS, SOON_MS),
      bindKeys([{ keys: 'r', label: 'Refresh', group: this.kind.word, run: () => this.load() }])];
    this.load();
  }

  unmount() {
    this.ends.forEach((end) => end());
  }

  build(kind) {
    const { name } = this;
    const network = kind === 'ip' ? usualNetwork(name) : null;
    this.problem = h('div');
    this.partial = h('p.notice', { hidden: true });
    this.tiles = h('dl.tiles', null, Array.from({ length: 4 }, () => h('div.skeleton.skeleton-tile')));
    this.events = figure({ title: 'Events by day', label: 'Events by day, flagged and not', height: 's', empty: 'No events in these days.',
      legend: h('ul.legend', { 'aria-hidden': 'true' }, h('li', null, h('span.swatch.swatch-below'), 'not flagged'), h('li', null, h('span.swatch.swatch-flagged'), 'flagged')) });
    this.findings = h('section.panel', null, parts.skeletonRows(4));
    this.networks = h('section.panel', { hidden: kind !== 'entity' }, kind === 'entity' && parts.skeletonRows(4));
    this.partners = h('section.panel', null, parts.skeletonRows(4));
    fill(this.root,
      h('div.page-head', null,
        h('h1.profile-name', { tabIndex: -1 }, h('span.profile-kind', null, this.kind.word), ' ', h('span.mono.wrap', null, name)),
        h('button.plain.copy', { 'aria-label': `Copy ${name}`, onclick: async () => toast(await copyText(name) ? 'Copied.' : 'The browser does not let this page copy.') }, 'copy'),
        h('div.page-tools', null, network && link(queueAddress({ ip: network, status: 'all' }), { class: 'mono' }, network),
          link(queueAddress({ ...this.kind.filter(name), status: 'all' }), { class: 'button' }, 'Open in the queue'))),
      this.problem, this.partial, this.tiles, this.findings, this.events.element, this.networks, this.partners);
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
    const [profile, found] = await Promise.all([this.kind.read(this.name, signal),
      api.findings({ ...this.kind.filter(this.name), sort: 'score', limit: FINDINGS_READ }, signal)]);
    this.partial.hidden = !profile.partial;
    fill(this.partial, `There is more than could be read in time: what was last seen before ${format.date(profile.complete_since, 'utc')} may be missing below.`);
    this.showTiles(profile, found);
    this.showFindings(found);
    this.showPartners(profile);
    if (profile.networks) this.showNetworks(profile);
    await this.showEvents(profile);
  }

  counted(profile) {
    const { count, one, many } = this.kind.partners;
    const n = profile[count];
    return [n >= MOST ? `${format.count(MOST)}+` : format.count(n), n === 1 ? one : many];
  }

  showTiles(profile, { findings, next }) {
    const tile = (name, value, note) => h('div.tile', null, h('dt', null, name), h('dd', null, value, h('span.tile-note', null, note)));
    const open = findings.filter((f) => OPEN.includes(f.status)).length;
    const [n, word] = this.counted(profile);
    fill(this.tiles,
      tile('Last seen', profile.last ? format.timeElement(profile.last) : 'never', profile.last ? [`first `, format.timeElement(profile.first, 'minute')] : 'in all that is kept'),
      tile('Events', format.count(profile.observations), format.plural(profile.sightings, 'sighting')),
      tile(word[0].toUpperCase() + word.slice(1), n, profile.specs.map((s) => s.spec).join(', ') || 'of no spec'),
      tile('Findings', `${format.count(findings.length)}${next ? '+' : ''}`, open ? `${format.count(open)}${next ? '+' : ''} open` : 'none open'));
  }

  showFindings({ findings, next }) {
    const range = scoreRange(findings);
    const other = this.kind.partners;
    const all = queueAddress({ ...this.kind.filter(this.name), status: 'all' });
    fill(this.findings, parts.heading('Findings', next ? link(all, null, `the highest ${findings.length}; all in the queue`) : null),
      findings.length === 0 ? h('p.empty', null, 'None. Nothing of it was ever above a threshold.')
        : parts.dataTable('Findings', ['Score', other.one[0].toUpperCase() + other.one.slice(1), 'Spec', 'First seen', 'Last seen', 'Status'], findings.map((f) => h('tr', null,
          h('td', null, parts.rarity(f, range)),
          h('th.object-name', { scope: 'row' }, link(`/findings/${f.id}`, other.mono ? { class: 'mono' } : null, middle(other.name(f), 14))),
          h('td', null, f.spec), h('td', { dataset: { head: 'First seen' } }, format.timeElement(f.first_seen)), h('td', { dataset: { head: 'Last seen' } }, format.timeElement(f.last_seen)),
          h('td', null, parts.status(f), parts.verdict(f)))), { stacked: true }));
  }

  async showEvents({ days, since, until }) {
    if (days.length === 0) return this.events.none();
    const observations = days.reduce((sum, day) => sum + day.observations, 0);
    this.events.say(`Events by day from ${format.date(since, 'utc')} to ${format.date(until, 'utc')}: ${format.count(observations)} in ${format.plural(days.length, 'day')} with any`);
    return this.events.show({ config: (colours) => eventsConfig(days, colours), table: () => eventsTable(days) });
  }

  showNetworks({ networks, observations }) {
    const bar = (part) => h('span.share-bar', { 'aria-hidden': 'true' }, h('span', { style: { width: `${part * 100}%` } }));
    const part = (n) => (observations > 0 ? n.observations / observations : 0);
    fill(this.networks, parts.heading('Usual networks', 'by events'),
      networks.length === 0 ? h('p.empty', null, 'None.')
        : parts.dataTable('Usual networks', ['Network', 'Share of its events', 'Events', 'Addresses', 'Last seen'], networks.map((n) => h('tr', null,
          h('th', { scope: 'row' }, link(queueAddress({ ip: n.network, status: 'all' }), { class: 'mono', 'aria-label': `Findings of ${n.network}` }, n.network)),
          h('td', null, bar(part(n)), format.share(part(n))), h('td', null, format.count(n.observations)), h('td', null, format.count(n.addresses)),
          h('td', null, format.timeElement(n.last))))));
  }

  showPartners(profile) {
    const { title, key, name, place, pair, mono } = this.kind.partners;
    const rows = profile[key];
    const [n] = this.counted(profile);
    fill(this.partners, parts.heading(title, rows.length < profile[this.kind.partners.count] ? `the ${rows.length} last seen of ${n}` : null),
      rows.length === 0 ? h('p.empty', null, 'None.')
        : parts.dataTable(title, [title === 'Addresses' ? 'Address' : 'Entity', 'Last seen', 'First seen', 'Events', 'Percentile', 'Pair'], rows.map((row) => h('tr', null,
          h('th.object-name', { scope: 'row' }, link(place(row), mono ? { class: 'mono' } : null, middle(name(row), 14))),
          h('td', null, format.timeElement(row.last)), h('td', { dataset: { head: 'First seen' } }, format.timeElement(row.first)),
          h('td', { dataset: { head: 'Events' } }, format.count(row.observations)), h('td', { dataset: { head: 'Percentile' } }, format.percentile(row.percentile)),
          h('td', null, row.finding ? link(`/findings/${row.finding}`, { 'aria-label': `Finding of ${name(row)}` }, 'finding')
            : link(pair(this.name, row), { 'aria-label': `not flagged: what is known of it with ${name(row)}` }, 'not flagged')))), { stacked: true }));
  }
}

function mountKind(root, kind, name) {
  document.title = `${kind === 'ip' ? name : shortName(name)} · pairwatch`;
  const view = new Profile(root, kind, name);
  return () => view.unmount();
}

export const entity = { mount: (root, { params }) => mountKind(root, 'entity', params.entity) };
export const ip = {
  mount(root, { params }) {
    if (parseIp(params.ip)) return mountKind(root, 'ip', params.ip);
    document.title = 'Not an address · pairwatch';
    fill(root, h('div.empty', null, h('h1.empty-title', { tabIndex: -1 }, `${params.ip} is not an IP address.`), link('/queue', { class: 'button' }, 'To the queue')));
    return () => {};
  },
};
