// SQS and S3 by fauxqs, and in front of them a referee that judges every request's signature with
// AWS's own signer. Prints one line of JSON with the two addresses. GET /referee on the referee's tells
// what it saw; POST /referee {"s3_failures": 0.1} makes that part of the GETs of objects fail.
import http from 'node:http';
import { createHash } from 'node:crypto';
import { SignatureV4 } from '@smithy/signature-v4';
import { Sha256 } from '@aws-crypto/sha256-js';
import { buildApp } from 'fauxqs';

const KEY = { accessKeyId: 'AKIDEXAMPLE', secretAccessKey: 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY' };
const TOKEN = process.env.REFEREE_TOKEN;
const SKEW_MS_MAX = 15 * 60 * 1000;
const seen = { judged: 0, refused: [], failed: 0, operations: {} };
let failures = 0;
let draw = 1;

// The same draws in every run (Park and Miller).
function chance() {
  draw = (draw * 48271) % 2147483647;
  return draw / 2147483647;
}

function listen(server) {
  return new Promise((done) => server.listen(0, '127.0.0.1', () => done(server.address().port)));
}

function readBody(request) {
  return new Promise((done, fail) => {
    const parts = [];
    request.on('data', (part) => parts.push(part));
    request.on('end', () => done(Buffer.concat(parts)));
    request.on('error', fail);
  });
}

function queryOf(url) {
  const query = {};
  for (const [name, value] of url.searchParams)
    query[name] = name in query ? [].concat(query[name], value) : value;
  return query;
}

// Why the request is wrong, or nothing.
async function fault(request, body) {
  const match = /^AWS4-HMAC-SHA256 Credential=([^/]+)\/(\d{8})\/([^/]+)\/([^/]+)\/aws4_request, SignedHeaders=([^,]+), Signature=([0-9a-f]{64})$/
    .exec(request.headers.authorization ?? '');
  if (!match) return 'no authorization';
  const [, id, day, region, service, names] = match;
  const date = request.headers['x-amz-date'] ?? '';
  const at = Date.parse(date.replace(/^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/, '$1-$2-$3T$4:$5:$6Z'));
  if (id !== KEY.accessKeyId) return 'unknown key';
  if (!at || !date.startsWith(day) || Math.abs(at - Date.now()) > SKEW_MS_MAX) return 'date';
  const list = names.split(';');
  if (list.join() !== [...list].sort().join()) return 'signed headers out of order';
  for (const name of ['host', ...Object.keys(request.headers).filter((n) => n.startsWith('x-amz-'))])
    if (!list.includes(name)) return `${name} is not signed`;
  const hash = createHash('sha256').update(body).digest('hex');
  const said = request.headers['x-amz-content-sha256'];
  if (service === 's3' && !said) return 'x-amz-content-sha256 is missing';
  if (said && said !== hash && said !== 'UNSIGNED-PAYLOAD') return 'x-amz-content-sha256 is wrong';
  if (request.headers['x-amz-security-token'] !== TOKEN) return 'session token';
  const headers = Object.fromEntries(list.map((n) => [n, request.headers[n]]));
  delete headers['x-amz-security-token'];
  const url = new URL(request.url, 'http://x');
  const signer = new SignatureV4({ service, region, sha256: Sha256, uriEscapePath: service !== 's3',
    applyChecksum: false, credentials: { ...KEY, sessionToken: TOKEN } });
  const signed = await signer.sign({ method: request.method, protocol: 'http:', hostname: 'x',
    path: request.url.split('?')[0], query: queryOf(url), headers, body },
    { signingDate: new Date(at), signableHeaders: new Set(list) });
  return signed.headers.authorization === request.headers.authorization ? undefined : 'SignatureDoesNotMatch';
}

function answer(response, status, body, type = 'application/xml') {
  response.writeHead(status, { 'Content-Type': type, 'Content-Length': Buffer.byteLength(body) });
  response.end(body);
}

function forward(request, body, port, response) {
  const out = http.request({ host: '127.0.0.1', port, method: request.method, path: request.url,
    headers: request.headers }, (reply) => {
    response.writeHead(reply.statusCode, reply.headers);
    reply.pipe(response);
  });
  out.on('error', () => response.destroy());
  response.on('close', () => out.destroy());
  out.end(body);
}

async function judge(request, port, response) {
  const body = await readBody(request);
  if (request.url === '/referee') {
    if (request.method === 'POST') failures = JSON.parse(body).s3_failures;
    return answer(response, 200, JSON.stringify(seen), 'application/json');
  }
  const why = await fault(request, body);
  const operation = request.headers['x-amz-target'] ?? `S3.${request.method}`;
  seen.operations[operation] = (seen.operations[operation] ?? 0) + 1;
  seen.judged++;
  if (why) {
    seen.refused.push(`${request.method} ${request.url}: ${why}`);
    return answer(response, 403, `<Error><Code>SignatureDoesNotMatch</Code><Message>${why}</Message></Error>`);
  }
  if (operation === 'S3.GET' && chance() < failures) {
    seen.failed++;
    if (seen.failed % 2) return request.socket.destroy();
    return answer(response, 503, '<Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message></Error>');
  }
  return forward(request, body, port, response);
}

const app = buildApp({ logger: false, defaultRegion: 'eu-west-1' });
await app.listen({ port: 0, host: '127.0.0.1' });
const port = app.server.address().port;
const referee = await listen(http.createServer((request, response) =>
  judge(request, port, response).catch((error) => {
    seen.refused.push(String(error));
    response.destroy();
  })));
console.log(JSON.stringify({ emulator: `http://127.0.0.1:${port}`, referee: `http://127.0.0.1:${referee}` }));
process.on('SIGTERM', () => process.exit(0));
