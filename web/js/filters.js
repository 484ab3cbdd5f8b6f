/**
 * The queue's filters between the address, the API and people. Pure. An address without `status`
 * means the open ones; `status=all` lifts that. Words the contract does not know are dropped.
 */
import { OPEN, STATUSES, STATUS_LABEL, VERDICTS, VERDICT_LABEL } from './words.js';
import { dateTime } from './format.js';
import { parseNetwork } from './ip.js';

const words = (table) => table.map((row) => row.word);
const list = (known) => (text) => text.split(',').filter((word) => known.includes(word)).join(',') || null;
const text = (length) => (value) => value.trim().slice(0, length) || null;
const number = (value) => (value.trim() !== '' && Number.isFinite(Number(value)) ? value.trim() : null);
const pattern = (regex) => (value) => (regex.test(value) ? value : null);
const time = (value) => (Number.isNaN(Date.parse(value)) ? null : new Date(value).toISOString());
const labels = (table) => (value) => value.split(',').map((word) => table[word]).join(' or ');

/** read: of the address, null when it is not valid; say: the chip's text. */
export const FILTERS = {
  status: { label: 'Status', read: (v) => (v === 'all' ? 'all' : list(words(STATUSES))(v)), say: (v) => (v === 'all' ? 'Any' : labels(STATUS_LABEL)(v)) },
  verdict: { label: 'Verdict', read: list([...words(VERDICTS), 'none']), say: labels(VERDICT_LABEL) },
  spec: { label: 'Spec', read: pattern(/^[a-z0-9][a-z0-9-]{0,63}$/) },
  entity: { label: 'Entity', read: text(2048) },
  ip: { label: 'Address', read: (v) => (parseNetwork(v.trim()) ? v.trim() : null) },
  min_percentile: { label: 'Percentile from', read: (v) => (Number(v) >= 0 && Number(v) <= 100 ? number(v) : null) },
  min_score: { label: 'Score from', read: number },
  since: { label: 'Seen since', read: time, say: (v) => dateTime(v) },
  until: { label: 'Seen before', read: time, say: (v) => dateTime(v) },
  assignee: { label: 'Assignee', read: pattern(/^[a-z0-9][a-z0-9._-]{0,63}$/), say: (v) => (v === 'none' ? 'Nobody' : v) },
  tag: { label: 'Tag', read: pattern(/^[a-z0-9][a-z0-9._:-]{0,49}$/) },
  q: { label: 'Text', read: text(200) },
};
const SORTS = ['score', 'time'];

/** @param {URLSearchParams} query @returns {Object} the filters that are set, and sort */
export function readFilters(query) {
  const filters = { sort: SORTS.includes(query.get('sort')) ? query.get('sort') : SORTS[0] };
  for (const [name, { read }] of Object.entries(FILTERS)) {
    const value = query.has(name) ? read(query.get(name)) : null;
    if (value !== null) filters[name] = value;
  }
  return filters;
}

/** The queue's address; filters may leave out what is usual. */
export function queueAddress(filters) {
  const params = new URLSearchParams();
  for (const name of Object.keys(FILTERS)) if (filters[name] != null) params.set(name, filters[name]);
  if (filters.sort && filters.sort !== SORTS[0]) params.set('sort', filters.sort);
  const query = params.toString().replaceAll('%2C', ',').replaceAll('%3A', ':').replaceAll('%2F', '/');
  return query ? `/queue?${query}` : '/queue';
}

/** The API's query. */
export function apiQuery(filters) {
  const { status = OPEN.join(','), ...rest } = filters;
  return status === 'all' ? rest : { ...rest, status };
}

/** [{name, label, value}] of the filters that are set. */
export function chips(filters) {
  return Object.entries(FILTERS).filter(([name]) => filters[name] != null)
    .map(([name, { label, say }]) => ({ name, label, value: say ? say(filters[name]) : filters[name] }));
}

export const without = (filters, name) => Object.fromEntries(Object.entries(filters).filter(([key]) => key !== name));
