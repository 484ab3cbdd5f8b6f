/** What each way of judging the pair made of it, and the evidence behind it, prefix by prefix. */
import { fill, h, visuallyHidden } from '../dom.js';
import * as format from '../format.js';
import { OPINIONS } from '../words.js';

const head = (...words) => h('thead', null, h('tr', null, words.map((word) => h('th', { scope: 'col' }, word))));

function opinionRow(opinion, decides) {
  const { label, hint } = OPINIONS[opinion.name];
  return h('tr', { class: decides ? 'decides' : null },
    h('th', { scope: 'row' }, label, ' ', h('span.muted', null, decides ? `${hint}; decides` : hint)),
    h('td', null, format.score(opinion.score)),
    h('td', null, format.percentile(opinion.percentile)),
    h('td', null, opinion.flagged ? h('span.flagged-mark', null, 'flagged') : h('span.muted', null, 'not flagged')));
}

/** Half a bar to each side of nought: bits for and against. */
function bits(value, most) {
  const side = value < 0 ? 'against' : 'for';
  return h('td.bits', null,
    h('span.bits-bar', { 'aria-hidden': 'true' }, h(`span.bits-${side}`, { style: { width: `${Math.min(1, Math.abs(value) / most) * 50}%` } })),
    format.score(value));
}

function evidence(levels) {
  const most = Math.max(1, ...levels.flatMap((level) => [Math.abs(level.entity), Math.abs(level.others)]));
  return h('details.twin', null,
    h('summary', null, 'Evidence by prefix'),
    h('p.sub', null, 'In bits: to the right the branch is more usual than chance, to the left less. From the first one that neither has used on, there is none.'),
    h('table.data.evidence', null,
      head('Prefix', 'This entity', 'Everyone else'),
      h('tbody', null, levels.map((level) => h('tr', null,
        h('th.mono', { scope: 'row' }, level.prefix), bits(level.entity, most), bits(level.others, most))))));
}

/** @param panel filled, or hidden when the model gave no explanation  @param detail a Finding */
export function showOpinions(panel, { explanation }) {
  panel.hidden = !explanation;
  if (panel.hidden) return;
  const open = panel.querySelector('details')?.open ?? false;
  fill(panel,
    h('div.panel-head', null, h('h2', null, 'What each detector says')),
    h('table.data.opinions', null,
      head('Detector', 'On its own scale', 'Percentile', visuallyHidden('Flagged')),
      h('tbody', null, explanation.opinions.map((opinion) => opinionRow(opinion, opinion.name === explanation.opinion)))),
    evidence(explanation.levels));
  panel.querySelector('details').open = open;
}
