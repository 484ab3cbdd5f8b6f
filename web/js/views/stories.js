/** Where to begin: the rarest open findings, those of one address as one. */
import { fill, h, link, middle } from '../dom.js';
import { queueAddress } from '../filters.js';
import * as format from '../format.js';
import { scoreRange } from '../words.js';
import * as parts from './parts.js';

const SHOWN = 6;

/** @param findings rarest first @returns {Object[][]} by address, the address of the rarest first */
export const byAddress = (findings) => [...Map.groupBy(findings, (f) => f.ip).values()];

function storyRow(story, range, filters) {
  const [rarest] = story;
  const entities = new Set(story.map((f) => f.entity)).size;
  const href = story.length === 1 ? `/findings/${rarest.id}` : queueAddress({ ...filters, ip: rarest.ip });
  const last = story.map((f) => f.last_seen).sort().at(-1);
  return h('tr', null,
    h('td.story-score', null, parts.rarity(rarest, range)),
    h('th', { scope: 'row' }, h('span.story-name', null, link(href, null, middle(rarest.entity, 14)),
      entities > 1 && h('span.muted', null, `and ${format.plural(entities - 1, 'other')}`))),
    h('td', null, h('span.mono', null, middle(rarest.ip, 5))), h('td.muted.story-spec', null, rarest.spec), h('td', null, format.timeElement(last)));
}

/** @param panel filled @param findings open ones, rarest first @param {{spec}} filters those of the page */
export function showStories(panel, findings, filters) {
  const range = scoreRange(findings);
  fill(panel,
    h('div.panel-head', null, h('h2', null, 'Rarest open findings'), h('span.sub', null, 'one line for each address')),
    findings.length === 0 ? h('p.empty', null, 'Nothing is open.')
      : h('table.data.stories', null,
        h('thead', null, h('tr', null, ['Score', 'Entity', 'Address', 'Spec', 'Last seen'].map((text) => h('th', { scope: 'col' }, text)))),
        h('tbody', null, byAddress(findings).slice(0, SHOWN).map((story) => storyRow(story, range, filters)))));
}
