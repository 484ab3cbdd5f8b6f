// Judges signatures as AWS would, with AWS's own signer, on a clock that a test may set wrong.
import { createHash } from 'node:crypto';
import { SignatureV4 } from '@smithy/signature-v4';
import { Sha256 } from '@aws-crypto/sha256-js';

const KEY = { accessKeyId: 'AKIDEXAMPLE', secretAccessKey: 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY' };
const TOKEN = process.env.REFEREE_TOKEN;
const SKEW_MS_MAX = 15 * 60 * 1000;

function queryOf(url) {
  const query = {};
  for (const [name, value] of url.searchParams)
    query[name] = name in query ? [].concat(query[name], value) : value;
  return query;
}

// "sqs", "s3" … of the scope that a request is signed for; "" of an unsigned one.
export function serviceOf(request) {
  return /Credential=[^/]+\/\d{8}\/[^/]+\/([^/]+)\//.exec(request.headers.authorization ?? '')?.[1] ?? '';
}

// Why the request is wrong, or nothing.
export async function fault(request, body, nowMs = Date.now()) {
  const match = /^AWS4-HMAC-SHA256 Credential=([^/]+)\/(\d{8})\/([^/]+)\/([^/]+)\/aws4_request, SignedHeaders=([^,]+), Signature=([0-9a-f]{64})$/
    .exec(request.headers.authorization ?? '');
  if (!match) return 'no authorization';
  const [, id, day, region, service, names] = match;
  const date = request.headers['x-amz-date'] ?? '';
  const at = Date.parse(date.replace(/^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/, '$1-$2-$3T$4:$5:$6Z'));
  if (id !== KEY.accessKeyId) return 'unknown key';
  if (!at || !date.startsWith(day) || Math.abs(at - nowMs) > SKEW_MS_MAX) return 'date';
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

export function listen(server) {
  return new Promise((done) => server.listen(0, '127.0.0.1', () => done(server.address().port)));
}

export function readBody(request) {
  return new Promise((done, fail) => {
    const parts = [];
    request.on('data', (part) => parts.push(part));
    request.on('end', () => done(Buffer.concat(parts)));
    request.on('error', fail);
  });
}
