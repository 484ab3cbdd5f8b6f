/** Small pieces that several views show. */
import { h, link, visuallyHidden } from '../dom.js';
import * as format from '../format.js';
import { queueAddress } from '../filters.js';
import { STATUS_LABEL, VERDICT_LABEL, scoreBar } from '../words.js';

/** The score, which ranks, as number and bar; beside it how many usual pairs are below it. @param range see scoreRange */
export function rarity(finding, range) {
  const { share, level } = scoreBar(finding.score, range);
  const odds = format.odds(finding.percentile);
  const title = `Score ${format.score(finding.score)}${odds ? `: at most ${odds} usual pairs scores as high` : ''}`;
  return h('span.rarity', { title },
    h(`span.rarity-bar.level-${level}`, { 'aria-hidden': 'true' }, h('span', { style: { width: `${share * 100}%` } })),
    h('span.rarity-number', null, format.score(finding.score)),
    h('span.rarity-percentile', null, visuallyHidden('percentile '), format.percentile(finding.percentile)));
}

export function status(finding) {
  return h(`span.status.status-${finding.status}`, null, STATUS_LABEL[finding.status]);
}

export function verdict(finding) {
  return finding.verdict && h(`span.verdict.verdict-${finding.verdict}`, null, VERDICT_LABEL[finding.verdict]);
}

export function tags(finding) {
  return finding.tags.map((tag) => link(queueAddress({ tag, status: 'all' }), { class: 'tag', tabindex: -1 }, tag));
}

/** What to show in place of what could not be read. */
export function failure(error, retry) {
  return h('div.notice.notice-error', { role: 'alert' },
    h('p', null, error.sentence ?? error.message),
    h('button', { onclick: retry }, 'Try again'));
}

export const heading = (text, note) => h('div.panel-head', null, h('h2', null, text), note && h('span.sub', null, note));

/**
 * A table that scrolls by itself. stacked: each row is a card of its own on narrow screens; 'labelled': its cells are
 * headed there by their columns.
 */
export function dataTable(name, head, rows, { stacked = false } = {}) {
  if (stacked === 'labelled') for (const row of rows) [...row.cells].forEach((cell, i) => { if (cell.tagName === 'TD') cell.dataset.head ??= head[i]; });
  return h('div.table-scroll', { tabIndex: 0, role: 'region', 'aria-label': name },
    h(`table.data.ingest-table${stacked ? '.is-stacked' : ''}`, null, h('caption.visually-hidden', null, name),
      h('thead', null, h('tr', null, head.map((text) => h('th', { scope: 'col' }, text)))), h('tbody', null, rows)));
}

/** Grey bars where rows will be. */
export function skeletonRows(n) {
  return Array.from({ length: n }, () => h('div.skeleton.skeleton-row', { 'aria-hidden': 'true' }));
}
