// SQS and S3 by emulators, and in front of them a referee of signatures that can also be told to
// misbehave. Prints one line of JSON with its addresses.
//
// EMULATOR_PORTS={"sqs": 1, "s3": 2} names emulators that run elsewhere (services.mjs); without it one
// runs in here. GET /referee on the referee's address tells what it saw; POST /referee sets any of
//   s3_failures  part of the GETs of objects that fail: broken off, cut short, 503, 500 in turn
//   clock_s      what the referee's clock is ahead of ours
//   rules        [{operation, path, after, times, part, ...}]: requests whose operation is the same and
//                whose URL matches the pattern get, beyond the first `after` and at most `times` times,
//                one of: {status, headers, body}, {close}, {hang}, {cut: bytes of the true answer},
//                {delay_ms: before the true answer}
import http from 'node:http';
import { buildApp } from 'fauxqs';
import { fault, listen, readBody, serviceOf } from './referee.mjs';

const SEEN_MAX = 100000;
const seen = { judged: 0, refused: [], failed: 0, operations: {}, keys: {}, log: [], s3_most: 0 };
let s3Now = 0;
const settings = { s3_failures: 0, clock_s: 0, rules: [] };
const ports = process.env.EMULATOR_PORTS ? JSON.parse(process.env.EMULATOR_PORTS) : undefined;
let draw = Number(process.env.EMULATOR_SEED ?? 1);

// The same draws in every run (Park and Miller).
function chance() {
  draw = (draw * 48271) % 2147483647;
  return draw / 2147483647;
}

function answer(response, status, body, headers = { 'Content-Type': 'application/xml' }) {
  response.writeHead(status, { Date: new Date(now()).toUTCString(), 'Content-Length': Buffer.byteLength(body), ...headers });
  response.end(body);
}

function xml(code, message) {
  return `<Error><Code>${code}</Code><Message>${message}</Message></Error>`;
}

function now() {
  return Date.now() + settings.clock_s * 1000;
}

function forward(request, body, port, response, cut) {
  const out = http.request({ host: '127.0.0.1', port, method: request.method, path: request.url,
    headers: request.headers }, (reply) => {
    response.writeHead(reply.statusCode, settings.clock_s ? { ...reply.headers, date: new Date(now()).toUTCString() } : reply.headers);
    if (cut === undefined) return reply.pipe(response);
    reply.once('data', (part) => response.write(part.subarray(0, cut), () => request.socket.destroy()));
  });
  out.on('error', () => request.socket.destroy());
  response.on('close', () => out.destroy());
  out.end(body);
}

function operationOf(request, service, body) {
  if (service === 'sts') return `STS.${new URLSearchParams(body.toString()).get('Action')}`;
  if (service === 'sagemaker') return `SageMaker.${request.method}`;
  return request.headers['x-amz-target'] ?? `S3.${request.method}`;
}

function ruleFor(operation, url) {
  for (const rule of settings.rules) {
    if (rule.operation !== operation || !new RegExp(rule.path ?? '').test(url)) continue;
    rule.met = (rule.met ?? 0) + 1;
    if (rule.met <= (rule.after ?? 0) || (rule.done ?? 0) >= (rule.times ?? Infinity)) continue;
    if (chance() >= (rule.part ?? 1)) continue;
    rule.done = (rule.done ?? 0) + 1;
    return rule;
  }
  return undefined;
}

function misbehave(rule, request, body, port, response) {
  if (rule.hang) return undefined;
  if (rule.delay_ms) return setTimeout(() => forward(request, body, port, response), rule.delay_ms);
  if (rule.close) return request.socket.destroy();
  if (rule.cut !== undefined) return forward(request, body, port, response, rule.cut);
  return answer(response, rule.status, rule.body ?? '', rule.headers);
}

function failure(request, body, port, response) {
  seen.failed++;
  switch (seen.failed % 4) {
    case 0: return request.socket.destroy();
    case 1: return answer(response, 503, xml('SlowDown', 'Please reduce your request rate.'));
    case 2: return forward(request, body, port, response, 100);
    default: return answer(response, 500, xml('InternalError', 'We encountered an internal error. Please try again.'));
  }
}

function note(request, operation) {
  seen.judged++;
  seen.operations[operation] = (seen.operations[operation] ?? 0) + 1;
  const key = /Credential=([^/]+)/.exec(request.headers.authorization ?? '')?.[1] ?? '';
  seen.keys[key] = (seen.keys[key] ?? 0) + 1;
  const region = /Credential=[^/]+\/\d{8}\/([^/]+)/.exec(request.headers.authorization ?? '')?.[1] ?? '';
  if (seen.log.length < SEEN_MAX) seen.log.push({ at: Date.now(), operation, url: request.url, region });
}

// How many GETs of objects are under way at once.
function count(response) {
  s3Now++;
  seen.s3_most = Math.max(seen.s3_most, s3Now);
  response.on('close', () => s3Now--);
}

async function judge(request, own, response) {
  const body = await readBody(request);
  if (request.url === '/referee') {
    if (request.method === 'POST') {
      Object.assign(settings, JSON.parse(body));
      seen.s3_most = 0;
    }
    return answer(response, 200, JSON.stringify(seen), { 'Content-Type': 'application/json' });
  }
  const service = serviceOf(request);
  const why = await fault(request, body, now());
  const operation = operationOf(request, service, body);
  const port = ports ? ports[service] : own;
  note(request, operation);
  if (operation === 'S3.GET') count(response);
  if (why === 'date')
    return answer(response, 403, xml('RequestTimeTooSkewed', 'The difference between the request time and the current time is too large.'));
  if (why) {
    seen.refused.push(`${request.method} ${request.url}: ${why}`);
    return answer(response, 403, xml('SignatureDoesNotMatch', why));
  }
  const rule = ruleFor(operation, request.url);
  if (rule) return misbehave(rule, request, body, port, response);
  if (operation === 'S3.GET' && chance() < settings.s3_failures) return failure(request, body, port, response);
  return forward(request, body, port, response);
}

async function start() {
  if (ports) return undefined;
  const app = buildApp({ logger: false, defaultRegion: 'eu-west-1' });
  await app.listen({ port: 0, host: '127.0.0.1' });
  return app.server.address().port;
}

const own = await start();
const referee = await listen(http.createServer((request, response) =>
  judge(request, own, response).catch((error) => {
    seen.refused.push(String(error));
    response.destroy();
  })));
const address = (port) => `http://127.0.0.1:${port}`;
console.log(JSON.stringify({ sqs: address(ports?.sqs ?? own), s3: address(ports?.s3 ?? own), referee: address(referee) }));
process.on('SIGTERM', () => process.exit(0));
