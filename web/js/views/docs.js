/** The contract, readable: /api/openapi.json by chapter. */
import * as api from '../api.js';
import { answers, chapters, curl, members, nameOf, resolved, schemaNames, typeText } from '../contract.js';
import { fill, h } from '../dom.js';
import * as parts from './parts.js';

const head = (...words) => h('thead', null, h('tr', null, words.map((word) => h('th', { scope: 'col' }, word))));
/** `code` in a text becomes an element; paragraphs stay apart. */
function prose(text) {
  return (text ?? '').trim().split(/\n\n+/).filter(Boolean).map((paragraph) => h('p', null, inline(paragraph)));
}

function inline(text) {
  return (text ?? '').trim().replaceAll('\n', ' ').split('`').map((piece, i) => (i % 2 ? h('code', null, piece) : piece));
}

/** A type with its schemas as links within the page. */
function typed(text, names) {
  return text.split(/\b/).map((word) => (names.has(word) ? h('a', { href: `#${word}` }, word) : word));
}

function parameterTable(doc, operation, names) {
  const list = (operation.parameters ?? []).map((p) => resolved(doc, p));
  if (list.length === 0) return null;
  return h('div.table-scroll', { tabIndex: 0, role: 'region', 'aria-label': `Parameters of ${operation.operationId}` }, h('table.data.contract.parameters', null, head('Parameter', 'In', 'Type', 'Description'),
    h('tbody', null, list.map((p) => h('tr', null,
      h('th', { scope: 'row' }, h('code', null, p.name), p.required && h('span.muted', null, ' required')),
      h('td', null, p.in), h('td', null, typed(typeText(p.schema), names)), h('td', null, prose(p.description)))))));
}

function contentList(content, names) {
  return Object.entries(content ?? {}).map(([type, { schema }]) => [' ', h('code.muted', null, type), ' ', typed(typeText(schema), names)]);
}

function answerList(doc, responses, names) {
  return h('ul', null, answers(doc, responses).map(({ statuses, description, content }) => h('li', null,
    statuses.map((status, i) => [i > 0 && ', ', h('code', null, status)]), ' ', inline(description), contentList(content, names))));
}

/** Of a body that is one object; where there is a choice, the links lead on. */
function bodyMembers(doc, body, names) {
  const { schema } = Object.values(body.content)[0];
  return nameOf(schema) && memberTable(doc, schema, nameOf(schema), names);
}

const roleText = (role) => (role === 'none' ? 'Open to everyone.' : `Needs the role ${role}.`);

function operationPart(doc, entry, names) {
  const { operation } = entry;
  const body = resolved(doc, operation.requestBody);
  return h('details.operation', { id: entry.id },
    h('summary', null, h('code.method', null, entry.method), ' ', h('code', null, entry.path), ' ', h('span.muted', null, operation.summary)),
    prose(operation.description),
    h('p.muted', null, roleText(entry.role)),
    parameterTable(doc, operation, names),
    body && [h('h3', null, 'Body'), prose(body.description), h('p', null, contentList(body.content, names)), bodyMembers(doc, body, names)],
    h('h3', null, 'Answers'), answerList(doc, operation.responses, names),
    h('h3', null, 'Example'),
    h('pre', { tabIndex: 0, 'aria-label': `Example of ${entry.id}` }, curl(entry, location.origin)));
}

/** What an object consists of; one line for anything else. */
function memberTable(doc, schema, name, names) {
  const rows = members(doc, schema);
  if (rows.length === 0) return h('p', null, typed(typeText(resolved(doc, schema)), names));
  return h('div.table-scroll', { tabIndex: 0, role: 'region', 'aria-label': `Members of ${name}` }, h('table.data.contract', null,
    head('Member', 'Type', 'Description'),
    h('tbody', null, rows.map((row) => h('tr', null,
      h('th', { scope: 'row' }, h('code', null, row.name), row.required && h('span.muted', null, ' required')),
      h('td', null, typed(row.type, names)), h('td', null, prose(row.description)))))));
}

function schemaPart(doc, name, names) {
  const schema = doc.components.schemas[name];
  return h('details.operation', { id: name },
    h('summary', null, h('code', null, name)), prose(schema.description), memberTable(doc, schema, name, names));
}

function contents(list) {
  const to = (id, ...what) => h('a', { href: `#${id}` }, what);
  return h('nav.panel', { 'aria-label': 'Contents' }, h('ul', null,
    list.map(({ tag, operations }) => h('li', null, to(tag, tag),
      h('ul.contents-operations', null, operations.map(({ id }) => h('li', null, to(id, id.replaceAll('_', ' ')))))) ),
    h('li', null, to('schemas', 'schemas'))));
}

function show(page, doc) {
  const names = new Set(schemaNames(doc)), list = chapters(doc);
  fill(page, contents(list),
    h('div.contract-body', null,
      h('section.panel', null, prose(doc.info.summary), prose(doc.info.description)),
      list.map(({ tag, description, operations }) => h('section.panel', { id: tag },
        h('h2', null, tag), prose(description), operations.map((entry) => operationPart(doc, entry, names)))),
      h('section.panel', { id: 'schemas' }, h('h2', null, 'schemas'), [...names].map((name) => schemaPart(doc, name, names)))));
}

/** Goes to what an address names behind #, opening it. */
function goTo(hash) {
  const target = hash && document.getElementById(decodeURIComponent(hash.slice(1)));
  if (!target) return false;
  if ('open' in target) target.open = true;
  target.scrollIntoView();
  target.querySelector(':scope > summary')?.focus({ preventScroll: true });
  return true;
}

export function mount(root) {
  document.title = 'API · pairwatch';
  const abort = new AbortController();
  const page = h('div.contract-page', null, parts.skeletonRows(6));
  fill(root, h('div.page-head', null, h('h1', { tabIndex: -1 }, 'API'),
    h('span.sub', null, 'the same as ', h('a', { href: '/api/openapi.json' }, '/api/openapi.json'))), page);
  const load = () => api.contract(abort.signal).then((doc) => { show(page, doc); goTo(location.hash); }).catch((error) => {
    if (!api.isAbort(error)) fill(page, parts.failure(error, load));
  });
  // Links within the page stay in it; a closed operation opens when it is gone to.
  page.addEventListener('click', (event) => {
    const hash = event.target.closest('a[href^="#"]')?.getAttribute('href');
    if (!hash || !goTo(hash)) return;
    event.preventDefault();
    history.replaceState(history.state, '', hash);
  });
  load();
  return () => abort.abort();
}
