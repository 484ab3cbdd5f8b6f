/** The active model and a shadow on the same pairs: how often they agree, and where they do not. */
import * as api from '../api.js';
import { fill, h, link, middle } from '../dom.js';
import * as format from '../format.js';
import { days, shortId } from '../model_words.js';
import { entityAddress, ipAddress, pairAddress } from '../places.js';
import { dataTable, heading } from './parts.js';

const short = (id) => h('span.mono', { title: id }, shortId(id));

function sums(comparisons) {
  return dataTable('Comparison', ['Spec', 'Active', 'Shadow', 'Days', 'Pairs scored by both', 'Flagged by both', 'Only by the active', 'Only by the shadow'],
    comparisons.map((c) => h('tr', null,
      h('th', { scope: 'row' }, c.spec), h('td', null, short(c.active)), h('td', null, short(c.shadow)), h('td', null, days(c)),
      ...[c.pairs, c.both, c.only_active, c.only_shadow].map((n) => h('td', null, format.count(n))))), { stacked: 'labelled' });
}

function scored(score, threshold, flagged) {
  return h('td', null, h(flagged ? 'strong' : 'span', null, format.score(score)), h('span.muted', null, threshold == null ? '' : `${flagged ? ' >' : ' ≤'} ${format.score(threshold)}`));
}

function differing(differences) {
  return dataTable('Pairs on which they differ', ['Spec', 'Entity', 'Address', 'Time', 'Score by the active', 'Score by the shadow', 'Flagged by'],
    differences.map((d) => h('tr', null,
      h('td', null, d.spec), h('th.object-name', { scope: 'row' }, link(entityAddress(d.entity), null, middle(d.entity, 16))),
      h('td', null, link(ipAddress(d.ip), { class: 'mono' }, d.ip)), h('td', null, format.timeElement(d.time)),
      scored(d.active_score, d.active_threshold, d.flagged_by === 'active'), scored(d.shadow_score, d.shadow_threshold, d.flagged_by === 'shadow'),
      h('td', null, link(pairAddress(d.entity, d.ip), { 'aria-label': `Flagged by the ${d.flagged_by}; what is known of the pair` }, `the ${d.flagged_by}`)))), { stacked: 'labelled' });
}

/** Of the model that is shown; of the active one, what its shadow makes. */
export async function showComparison(panel, value, models, signal) {
  const { model } = value;
  const shadow = models.find((m) => m.state === 'shadow');
  let { comparisons, differences } = value;
  if (model.state === 'active' && shadow) ({ differences } = (await api.modelWithTag(shadow.id, null, signal)).value);
  if (model.state === 'active') differences = differences.filter((d) => d.active === model.id);
  panel.hidden = comparisons.length === 0 && model.state !== 'shadow';
  if (panel.hidden) return;
  if (comparisons.length === 0) {
    fill(panel, heading('Champion and challenger'), h('p.empty', null, 'Nothing was scored by both within a week. Workers hear the shadow on what they score next.'));
    return;
  }
  fill(panel, heading('Champion and challenger', 'the same pairs, scored by both within a week'), sums(comparisons),
    h('h3.part-title', null, `Pairs on which they differ, furthest apart first${differences.length === 100 ? ' (100 of more)' : ''}`),
    differences.length === 0 ? h('p.empty', null, 'They flagged the same pairs.') : differing(differences));
}
