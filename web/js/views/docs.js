/** The contract, readable: /api/openapi.json by chapter. */
import * as api from '../api.js';
import { chapters, curl, members, resolved, schemaNames, typeText } from '../contract.js';
import { fill, h } from '../dom.js';
import * as parts from './parts.js';

const head = (...words) => h('thead', null, h('tr', null, words.map((word) => h('th', { scope: 'col' }, word))));
/** `code` in a text becomes an element; paragraphs stay apart. */
function prose(text) {
  return (text ?? '').trim().split(/\n\n+/).filter(Boolean).map((paragraph) => h('p', null,
    paragraph.replaceAll('\n', ' ').split('`').map((piece, i) => (i % 2 ? h('code', null, piece) : piece))));
}

/** A type with its schemas as links within the page. */
function typed(text, names) {
  return text.split(/\b/).map((word) => (names.has(word) ? h('a', { href: `#${word}` }, word) : word));
}

function parameterTable(doc, operation, names) {
  const list = (operation.parameters ?? []).map((p) => resolved(doc, p));
  if (list.length === 0) return null;
  return h('div.table-scroll', { tabIndex: 0, role: 'region', 'aria-label': `Parameters of ${operation.operationId}` }, h('table.data.contract', null, head('Parameter', 'In', 'Type', ''),
    h('tbody', null, list.map((p) => h('tr', null,
      h('th', { scope: 'row' }, h('code', null, p.name), p.required && h('span.muted', null, ' required')),
      h('td', null, p.in), h('td', null, typed(typeText(p.schema), names)), h('td', null, prose(p.description)))))));
}

function contentList(content, names) {
  return Object.entries(content ?? {}).map(([type, { schema }]) => h('li', null, h('code', null, type), ' ', typed(typeText(schema), names)));
}

function operationPart(doc, entry, names) {
  const { operation } = entry;
  const body = resolved(doc, operation.requestBody);
  const replies = Object.entries(operation.responses ?? {}).map(([status, reply]) => [status, resolved(doc, reply)]);
  return h('details.operation', { id: entry.id },
    h('summary', null, h('code.method', null, entry.method), ' ', h('code', null, entry.path), ' ', h('span.muted', null, operation.summary)),
    prose(operation.description),
    h('p.muted', null, entry.role === 'none' ? 'Open to everyone.' : `Needs the role ${entry.role}.`),
    parameterTable(doc, operation, names),
    body && [h('h4', null, 'Body'), prose(body.description), h('ul', null, contentList(body.content, names))],
    h('h4', null, 'Answers'),
    h('ul', null, replies.map(([status, reply]) => h('li', null, h('code', null, status), ` ${reply.description ?? ''} `, h('ul', null, contentList(reply.content, names))))),
    h('pre', { tabIndex: 0 }, curl(entry, location.origin)));
}

function schemaPart(doc, name, names) {
  const schema = doc.components.schemas[name], rows = members(doc, schema);
  return h('section.schema', { id: name },
    h('h3', null, name), prose(schema.description),
    rows.length === 0 ? h('p', null, typed(typeText(schema), names)) : h('div.table-scroll', { tabIndex: 0, role: 'region', 'aria-label': `Members of ${name}` }, h('table.data.contract', null,
      head('Member', 'Type', ''),
      h('tbody', null, rows.map((row) => h('tr', null,
        h('th', { scope: 'row' }, h('code', null, row.name), row.required && h('span.muted', null, ' required')),
        h('td', null, typed(row.type, names)), h('td', null, prose(row.description))))))));
}

function show(page, doc) {
  const names = new Set(schemaNames(doc)), list = chapters(doc);
  fill(page,
    h('nav.panel', { 'aria-label': 'Chapters' }, h('ul', null, [...list.map(({ tag }) => tag), 'schemas'].map((tag) => h('li', null, h('a', { href: `#${tag}` }, tag))))),
    h('div.contract-body', null,
      h('section.panel', null, prose(doc.info.summary), prose(doc.info.description)),
      list.map(({ tag, description, operations }) => h('section.panel', { id: tag },
        h('h2', null, tag), prose(description), operations.map((entry) => operationPart(doc, entry, names)))),
      h('section.panel', { id: 'schemas' }, h('h2', null, 'schemas'), [...names].map((name) => schemaPart(doc, name, names)))));
}

export function mount(root) {
  document.title = 'API · pairwatch';
  const abort = new AbortController();
  const page = h('div.contract-page', null, parts.skeletonRows(6));
  fill(root, h('div.page-head', null, h('h1', { tabIndex: -1 }, 'API'),
    h('span.sub', null, 'the same as ', h('a', { href: '/api/openapi.json' }, '/api/openapi.json'))), page);
  const load = () => api.contract(abort.signal).then((doc) => show(page, doc)).catch((error) => {
    if (!api.isAbort(error)) fill(page, parts.failure(error, load));
  });
  // Links within the page stay in it; a closed operation opens when it is gone to.
  page.addEventListener('click', (event) => {
    const link = event.target.closest('a[href^="#"]');
    const target = link && document.getElementById(link.getAttribute('href').slice(1));
    if (!target) return;
    event.preventDefault();
    if ('open' in target) target.open = true;
    target.scrollIntoView();
  });
  load();
  return () => abort.abort();
}
