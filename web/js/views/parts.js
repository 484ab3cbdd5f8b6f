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

/** Grey bars where rows will be. */
export function skeletonRows(n) {
  return Array.from({ length: n }, () => h('div.skeleton.skeleton-row', { 'aria-hidden': 'true' }));
}
