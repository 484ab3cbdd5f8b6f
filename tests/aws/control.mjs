// Athena, SageMaker and CloudWatch Logs, behind the referee of signatures. Every request is held against the shapes
// of AWS's own clients, every answer too. Prints its address and that of S3 (fauxqs, which is STS as well).
// Arguments: JSON {lake, sql, region, binary}.
//
// POST /referee {…} sets faults and GET /referee tells what was seen:
//   athena    see athena.mjs;   sagemaker   see sagemaker.mjs
//   answer: {"Operation": [status, "Code", "message", times]}   errors of the service; "S3.GET", "S3.PUT" without times
//   lose: {"Operation": times}                                  done, and the answer is lost on its way
import http from 'node:http';
import * as athenaClient from '@aws-sdk/client-athena';
import * as logsClient from '@aws-sdk/client-cloudwatch-logs';
import * as sagemakerClient from '@aws-sdk/client-sagemaker';
import { buildApp } from 'fauxqs';
import { fault, listen, readBody, serviceOf } from './referee.mjs';
import { shapeFaults } from './shapes.mjs';
import { Athena } from './athena.mjs';
import { Logs, SageMaker } from './sagemaker.mjs';

const settings = JSON.parse(process.argv[2]);
const seen = { judged: 0, refused: [], operations: {}, bodies: {} };
let faults = {};

const app = buildApp({ logger: false, defaultRegion: settings.region });
await app.listen({ port: 0, host: '127.0.0.1' });
const s3Port = app.server.address().port;

function toS3(method, path, body) {
  return new Promise((done, fail) => {
    const out = http.request({ host: '127.0.0.1', port: s3Port, method, path,
      headers: { 'Content-Type': 'application/octet-stream', 'Content-Length': body?.length ?? 0 } },
    async (reply) => done({ status: reply.statusCode, body: await readBody(reply) }));
    out.on('error', fail);
    out.end(body);
  });
}

const s3 = {
  async put(bucket, key, bytes) {
    const { status } = await toS3('PUT', `/${bucket}/${encodeURI(key)}`, Buffer.from(bytes));
    if (status !== 200) throw new Error(`S3 answered ${status} to PUT ${bucket}/${key}`);
  },
  async get(bucket, key) {
    const { status, body } = await toS3('GET', `/${bucket}/${encodeURI(key)}`);
    if (status !== 200) throw new Error(`S3 answered ${status} to GET ${bucket}/${key}`);
    return body;
  },
};

const athena = new Athena({ ...settings, s3 });
const sagemaker = new SageMaker({ ...settings, s3 });
const services = {
  AmazonAthena: { signed: 'athena', client: athenaClient, handler: athena },
  SageMaker: { signed: 'sagemaker', client: sagemakerClient, handler: sagemaker },
  Logs_20140328: { signed: 'logs', client: logsClient, handler: new Logs(sagemaker) },
};

function answer(response, status, body, headers = {}) {
  const text = JSON.stringify(body);
  response.writeHead(status, { 'Content-Type': 'application/x-amz-json-1.1', 'Content-Length': Buffer.byteLength(text), ...headers });
  response.end(text);
}

function fail(response, status, code, message) {
  answer(response, status, { __type: code, message });
}

function refuse(response, why) {
  seen.refused.push(why);
  fail(response, 400, 'ValidationException', why);
}

async function call(request, body, response) {
  const [prefix, operation] = (request.headers['x-amz-target'] ?? '').split('.');
  const service = services[prefix];
  const schema = service?.client[`${operation}$`]; // [9, namespace, name, traits, input, output]
  if (!schema || request.headers['content-type'] !== 'application/x-amz-json-1.1' || request.url !== '/')
    return refuse(response, `${request.method} ${request.url}: no such operation ${prefix}.${operation}`);
  if (serviceOf(request) !== service.signed) return refuse(response, `${operation} is signed for ${serviceOf(request)}`);
  const asked = JSON.parse(body);
  const wrong = shapeFaults(schema[4](), asked);
  if (wrong.length > 0) return refuse(response, `${operation}: ${wrong.join('; ')}`);
  seen.operations[operation] = (seen.operations[operation] ?? 0) + 1;
  (seen.bodies[operation] ??= []).push(asked);
  const ordered = faults.answer?.[operation];
  if (ordered && (ordered[3] ?? Infinity) > 0) {
    if (ordered[3]) ordered[3]--;
    return fail(response, ordered[0], ordered[1], ordered[2]);
  }
  try {
    const told = (await service.handler[operation](asked, faults)) ?? {};
    const ours = typeof schema[5]() === 'string' ? [] : shapeFaults(schema[5](), told); // "unit": no answer
    if (ours.length > 0) throw new Error(`${operation} answered ${ours.join('; ')}`);
    if (faults.lose?.[operation] > 0) {
      faults.lose[operation]--;
      return request.socket.destroy();
    }
    return answer(response, 200, told);
  } catch (error) {
    if (!error.code) throw error;
    return fail(response, error.status ?? 400, error.code, error.message);
  }
}

function forward(request, body, response) {
  const out = http.request({ host: '127.0.0.1', port: s3Port, method: request.method, path: request.url,
    headers: request.headers }, (reply) => {
    response.writeHead(reply.statusCode, reply.headers);
    reply.pipe(response);
  });
  out.on('error', () => response.destroy());
  out.end(body);
}

async function judge(request, response) {
  const body = await readBody(request);
  if (request.url === '/referee') {
    const told = { ...seen };
    if (request.method === 'POST') {
      faults = JSON.parse(body);
      Object.assign(seen, { judged: 0, refused: [], operations: {}, bodies: {} });
    }
    return answer(response, 200, told);
  }
  seen.judged++;
  const why = await fault(request, body);
  if (why) {
    seen.refused.push(`${request.method} ${request.url}: ${why}`);
    return fail(response, 403, 'InvalidSignatureException', why);
  }
  if (serviceOf(request) === 'sts') return forward(request, body, response);
  if (serviceOf(request) === 's3') {
    const operation = `S3.${request.method}`;
    seen.operations[operation] = (seen.operations[operation] ?? 0) + 1;
    const [status, code, message] = faults.answer?.[operation] ?? [];
    if (!status) return forward(request, body, response);
    response.writeHead(status, { 'Content-Type': 'application/xml' });
    return response.end(`<Error><Code>${code}</Code><Message>${message}</Message></Error>`);
  }
  if (/^\/endpoints\/[^/]+\/invocations$/.test(request.url)) {
    if (serviceOf(request) !== 'sagemaker') return refuse(response, `invoked for ${serviceOf(request)}`);
    seen.operations.InvokeEndpoint = (seen.operations.InvokeEndpoint ?? 0) + 1;
    return sagemaker.invoke(request, body, response);
  }
  return call(request, body, response);
}

const port = await listen(http.createServer((request, response) =>
  judge(request, response).catch((error) => {
    seen.refused.push(String(error.stack ?? error));
    response.destroy();
  })));
console.log(JSON.stringify({ url: `http://127.0.0.1:${port}`, s3: `http://127.0.0.1:${s3Port}` }));
process.on('SIGTERM', () => {
  for (const { handler } of Object.values(services)) handler.close?.();
  process.exit(0);
});
