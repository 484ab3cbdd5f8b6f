import assert from 'node:assert/strict';
import test from 'node:test';
import { answers, chapters, curl, members, resolved, typeText } from '../../../web/js/contract.js';

const doc = {
  tags: [{ name: 'findings', description: 'Triage.' }, { name: 'access', description: 'Who.' }],
  paths: {
    '/f': { get: { operationId: 'list', tags: ['findings'], 'x-role': 'read' },
      patch: { operationId: 'change', tags: ['findings'], 'x-role': 'triage', parameters: [{ $ref: '#/components/parameters/IfMatch' }], requestBody: { content: { 'application/json': {} } } } },
    '/s': { post: { operationId: 'sign_in', tags: ['access'], 'x-role': 'none', requestBody: { content: { 'application/json': {} } } } },
  },
  components: {
    parameters: { IfMatch: { name: 'If-Match', in: 'header' } },
    schemas: {
      Base: { type: 'object', required: ['id'], properties: { id: { type: 'integer', minimum: 1 } } },
      Finding: { allOf: [{ $ref: '#/components/schemas/Base' }, { properties: { ip: { type: 'string', maxLength: 56, description: 'An address.' } } }] },
    },
  },
};

test('chapters in the order of the tags', () => {
  assert.deepEqual(chapters(doc).map(({ tag, operations }) => [tag, operations.map((o) => `${o.method} ${o.path} ${o.role}`)]),
    [['findings', ['GET /f read', 'PATCH /f triage']], ['access', ['POST /s none']]]);
});

test('types in words', () => {
  assert.equal(typeText({ $ref: '#/components/schemas/Finding' }), 'Finding');
  assert.equal(typeText({ type: 'integer', minimum: 1, maximum: 500 }), 'integer 1…500');
  assert.equal(typeText({ type: ['string', 'null'], enum: ['a', null] }), 'one of a, null');
  assert.equal(typeText({ type: 'array', maxItems: 4, items: { $ref: '#/x/Score' } }), 'list of Score …4 items');
  assert.equal(typeText({ oneOf: [{ $ref: '#/x/A' }, { type: 'null' }] }), 'A or null');
  assert.equal(typeText({ type: 'string', format: 'date-time' }), 'string (date-time)');
  assert.equal(typeText(undefined), '');
});

test('members of a schema and of its parts', () => {
  assert.deepEqual(members(doc, { $ref: '#/components/schemas/Finding' }).map((m) => [m.name, m.type, m.required, m.description]),
    [['id', 'integer 1…', true, ''], ['ip', 'string …56 characters', false, 'An address.']]);
  assert.equal(resolved(doc, { $ref: '#/components/parameters/IfMatch' }).name, 'If-Match');
});

test('answers of one kind are one', () => {
  const problem = { $ref: '#/components/responses/Problem' };
  const told = answers({ components: { responses: { Problem: { description: 'What went wrong.' } } } }, { 200: { description: 'It.' }, 404: problem, default: problem });
  assert.deepEqual(told.map((a) => [a.statuses, a.description]), [[['200'], 'It.'], [['404', 'default'], 'What went wrong.']]);
});

test('a call to paste', () => {
  const [list, change] = chapters(doc)[0].operations;
  assert.equal(curl(list, 'http://h'), "curl 'http://h/f' \\\n  -H \"Authorization: Bearer $TOKEN\"");
  assert.match(curl(change, 'http://h'), /-X PATCH .*If-Match.*Content-Type: application\/json.*@body\.json/s);
  const operation = { requestBody: { content: { 'application/json': { example: { text: "it's" } } } } };
  assert.equal(curl({ method: 'POST', path: '/api/v1/findings/{id}/notes', role: 'triage', operation }, '').split('-d ')[1], `'{"text":"it'\\''s"}'`);
  assert.match(curl({ method: 'POST', path: '/api/v1/findings/{id}/notes', role: 'triage', operation }, ''), /'\/api\/v1\/findings\/ID\/notes'/);
  assert.match(curl({ method: 'DELETE', path: '/api/v1/session', role: 'read', operation: {} }, ''), /-b cookies .*-H "X-CSRF-Token: \$CSRF_TOKEN"/s);
  assert.doesNotMatch(curl(chapters(doc)[1].operations[0], ''), /Authorization/);
});
