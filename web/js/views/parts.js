/** Small pieces that several views show. */
import { h, link, visuallyHidden } from '../dom.js';
import * as format from '../format.js';
import { queueAddress } from '../filters.js';
import { STATUS_LABEL, VERDICT_LABEL, rarityShare, severity } from '../words.js';

/** Percentile as number and bar; the score beside it. */
export function rarity(finding) {
  const { level, label } = severity(finding.percentile);
  const odds = format.odds(finding.percentile);
  const title = `${label}${odds ? `, ${odds}` : ''}; score ${format.score(finding.score)}`;
  return h('span.rarity', { title },
    h(`span.rarity-bar.level-${level}`, { 'aria-hidden': 'true' },
      h('span', { style: { width: `${rarityShare(finding.percentile) * 100}%` } })),
    h('span.rarity-number', null, format.percentile(finding.percentile)),
    h('span.rarity-score', null, visuallyHidden('score '), format.score(finding.score)));
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
