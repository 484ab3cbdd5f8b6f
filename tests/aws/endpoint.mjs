// A SageMaker runtime in front of `serve --sagemaker`: the referee judges every request's signature, and what the
// service and a model behind it do wrong is put in by order. Arguments: the container's port. Prints its address.
//
// POST /referee {"fault": VALUE, …} sets faults, GET /referee tells what was seen. Faults:
//   throttle: 0.05       that part of the calls is answered ThrottlingException
//   fail: N              the next N calls are ModelErrors of a model that answered 500
//   late: N              the next N calls are ModelErrors of a model that did not answer
//   hang: true           no answer
//   refuse: "TEXT"       a request with such a row is a ModelError 400, whatever the other rows; status: another one than 400
//   ipv4: true           so is one with an IPv6 address
//   drop: true           the answer lacks its last prediction
//   null: "TEXT"         the prediction of such a row is null
//   raw: ["type", "…"]   the answer is this text
//   json: true           the answer is {"predictions": …}, whatever was asked for
//   answer: [status, "Code", "message"]   an error of the service
//   only: "TEXT"         what goes before happens only to requests with such a row
import http from 'node:http';
import { fault, listen, readBody } from './referee.mjs';

const target = Number(process.argv[2]);
let ordered = {};
let seen;
let draw = 1;

function reset() {
  seen = { judged: 0, refused: [], calls: 0, rows: [], types: {}, throttled: 0, accepts: {}, endpoints: {} };
}

// The same draws in every run (Park and Miller).
function chance() {
  draw = (draw * 48271) % 2147483647;
  return draw / 2147483647;
}

function answer(response, status, body, headers = {}) {
  response.writeHead(status, { 'Content-Type': 'application/json', 'Content-Length': Buffer.byteLength(body), ...headers });
  response.end(body);
}

function serviceError(response, status, code, message) {
  answer(response, status, JSON.stringify({ Message: message }), { 'x-amzn-ErrorType': code });
}

function modelError(response, status, message) {
  answer(response, 424, JSON.stringify({ ErrorCode: 'CLIENT_ERROR_FROM_MODEL', LogStreamArn: 'arn:aws:logs:eu-west-1:123456789012:x',
    Message: `Received error (${status}) from primary with message "${message}".`, OriginalMessage: message,
    OriginalStatusCode: status }), { 'x-amzn-ErrorType': 'ModelError' });
}

function ask(request, body, faults) {
  return new Promise((done, fail) => {
    const headers = { 'Content-Type': request.headers['content-type'], Accept: request.headers.accept,
      'Content-Length': body.length };
    const accept = faults.json ? 'application/json' : request.headers.accept;
    const out = http.request({ host: '127.0.0.1', port: target, method: 'POST', path: '/invocations',
      headers: { ...headers, Accept: accept } }, async (reply) => done([reply, await readBody(reply)]));
    out.on('error', fail);
    out.end(body);
  });
}

function spoil(text, rows, faults) {
  if (faults.drop && faults.json) {
    const whole = JSON.parse(text);
    whole.predictions.pop();
    return JSON.stringify(whole);
  }
  const lines = text.split('\n').filter((line) => line);
  if (faults.drop) lines.pop();
  if (faults.null) rows.forEach((row, i) => { if (row.includes(faults.null)) lines[i] = '{"dot_product": null}'; });
  return faults.drop || faults.null ? lines.join('\n') + '\n' : text;
}

async function invoke(request, body, response) {
  const rows = String(body).split('\n').filter((row) => row);
  const faults = ordered.only && !rows.includes(ordered.only) ? {} : ordered;
  const wrong = rows.findIndex((row) => (faults.refuse && row.includes(faults.refuse)) ||
    (faults.ipv4 && /[,"][0-9a-f]*:[0-9a-f:]*("\]\})?$/.test(row)));
  seen.calls++;
  seen.rows.push(rows.length);
  seen.types[request.headers['content-type']] = (seen.types[request.headers['content-type']] ?? 0) + 1;
  seen.accepts[request.headers.accept] = (seen.accepts[request.headers.accept] ?? 0) + 1;
  const name = request.url.split('/')[2];
  seen.endpoints[name] = (seen.endpoints[name] ?? 0) + 1;
  if (faults.hang) return;
  if (faults.answer) return serviceError(response, ...faults.answer);
  if (faults.throttle && chance() < faults.throttle) {
    seen.throttled++;
    return serviceError(response, 400, 'ThrottlingException', 'Rate exceeded');
  }
  if (faults.fail > 0) {
    faults.fail--;
    return modelError(response, 500, 'worker died');
  }
  if (faults.late > 0) {
    faults.late--;
    return modelError(response, 0, 'Your invocation timed out while waiting for a response from container primary.');
  }
  if (wrong >= 0) return modelError(response, faults.status ?? 400, `Unable to parse row ${wrong + 1}`);
  if (faults.raw) return answer(response, 200, faults.raw[1], { 'Content-Type': faults.raw[0] });
  const [reply, text] = await ask(request, body, faults);
  if (reply.statusCode !== 200) return modelError(response, reply.statusCode, String(text));
  answer(response, 200, spoil(String(text), rows, faults), { 'Content-Type': reply.headers['content-type'],
    'x-amzn-Invoked-Production-Variant': 'AllTraffic' });
}

async function judge(request, response) {
  const body = await readBody(request);
  if (request.url === '/referee') {
    const told = JSON.stringify(seen);
    if (request.method === 'POST') {
      ordered = JSON.parse(body);
      draw = 1;
      reset();
    }
    return answer(response, 200, told);
  }
  seen.judged++;
  const why = await fault(request, body);
  const scope = /Credential=[^/]+\/\d+\/([^/]+)\/([^/]+)\//.exec(request.headers.authorization ?? '');
  if (why || scope?.[2] !== 'sagemaker' || !/^\/endpoints\/[A-Za-z0-9-]{1,63}\/invocations$/.test(request.url)) {
    seen.refused.push(`${request.method} ${request.url}: ${why ?? scope?.[2]}`);
    return serviceError(response, 403, 'InvalidSignatureException', String(why));
  }
  if (body.length > 6291456) return serviceError(response, 400, 'ValidationError', 'body too large');
  return invoke(request, body, response);
}

reset();
const port = await listen(http.createServer((request, response) =>
  judge(request, response).catch((error) => {
    seen.refused.push(String(error));
    response.destroy();
  })));
console.log(JSON.stringify({ url: `http://127.0.0.1:${port}` }));
process.on('SIGTERM', () => process.exit(0));
