/**
 * The only module that speaks to the server: /api/v1 by api/openapi.yaml. Every failure is an
 * ApiError; a lost session is told to whoever asked with onSignedOut.
 */

const DEADLINE_MS = 30e3;
let csrfToken = null;
let signedOut = () => {};

/** status 0: the server could not be reached. */
export class ApiError extends Error {
  constructor(status, problem, retryAfter = null) {
    super(problem.detail || problem.title);
    this.name = 'ApiError';
    this.status = status;
    this.problem = problem;
    this.retryAfter = retryAfter;
  }

  /** The sentence of a fault, with what each part of the request did wrong. */
  get sentence() {
    const faults = (this.problem.errors ?? []).map((e) => `${e.pointer}: ${e.detail}`);
    return [this.message, ...faults].join(' · ');
  }
}

export const onSignedOut = (call) => { signedOut = call; };
export const isAbort = (error) => error?.name === 'AbortError';

function url(path, query) {
  const params = new URLSearchParams();
  for (const [name, value] of Object.entries(query ?? {})) if (value != null && value !== '') params.set(name, value);
  const text = params.toString();
  return text ? `${path}?${text}` : path;
}

async function problemOf(response) {
  const type = response.headers.get('Content-Type') ?? '';
  const fallback = { title: response.statusText || 'Error', detail: `The server answered ${response.status}.` };
  const problem = type.includes('json') ? await response.json().catch(() => fallback) : fallback;
  const retry = Number(response.headers.get('Retry-After'));
  return new ApiError(response.status, problem, Number.isFinite(retry) && retry > 0 ? retry : null);
}

async function send(method, target, init, signal) {
  const deadline = AbortSignal.timeout(DEADLINE_MS);
  try {
    return await fetch(target, {
      method, ...init, credentials: 'same-origin', signal: signal ? AbortSignal.any([signal, deadline]) : deadline,
    });
  } catch (error) {
    if (signal?.aborted) throw error;
    throw new ApiError(0, {
      title: 'No answer',
      detail: deadline.aborted ? 'The server did not answer in time.' : 'The server cannot be reached.',
    });
  }
}

/** @returns {Promise<{value: *, etag: string|null}>} */
async function request(method, path, { query, body, type = 'application/json', ifMatch, signal, expect401 } = {}) {
  const headers = { Accept: 'application/json' };
  if (body !== undefined) headers['Content-Type'] = type;
  if (ifMatch) headers['If-Match'] = ifMatch;
  if (method !== 'GET' && csrfToken) headers['X-CSRF-Token'] = csrfToken;
  const init = { headers, body: body === undefined ? undefined : JSON.stringify(body) };
  const response = await send(method, url(path, query), init, signal);
  if (!response.ok) {
    const error = await problemOf(response);
    if (response.status === 401 && !expect401) signedOut();
    throw error;
  }
  const value = response.status === 204 ? null : await response.json();
  return { value, etag: response.headers.get('ETag') };
}

const get = async (path, query, signal) => (await request('GET', path, { query, signal })).value;
const base = '/api/v1';
const finding = (id) => `${base}/findings/${id}`;

function keep(session) {
  csrfToken = session.csrf_token;
  return session;
}

export const session = async () => keep((await request('GET', `${base}/session`, { expect401: true })).value);
export const signIn = async (name, password) =>
  keep((await request('POST', `${base}/session`, { body: { name, password }, expect401: true })).value);
export async function signOut() {
  await request('DELETE', `${base}/session`, { expect401: true });
  csrfToken = null;
}
export const changePassword = (current, next) =>
  request('PUT', `${base}/session/password`, { body: { current, new: next }, expect401: true });

export const contract = (signal) => get('/api/openapi.json', undefined, signal);
export const summary = (query, signal) => get(`${base}/summary`, query, signal);
export const timeseries = (query, signal) => get(`${base}/timeseries`, query, signal);
export const histogram = (query, signal) => get(`${base}/histogram`, query, signal);
/** A failure's sentence says what is not ready. */
export const readiness = (signal) => get('/readyz', null, signal);
export const streamPath = `${base}/stream`;
export const changes = (after, limit, signal) => get(`${base}/changes`, { after, limit }, signal);

export const ingest = (query, signal) => get(`${base}/ingest`, query, signal);
export const ingestGaps = (signal) => get(`${base}/ingest/gaps`, null, signal);
export const objects = (query, signal) => get(`${base}/objects`, query, signal);
export const notices = (query, signal) => get(`${base}/notices`, query, signal);
export const retryObject = async (id) => (await request('POST', `${base}/objects/${id}/retry`)).value;
export const retryNotice = async (id) => (await request('POST', `${base}/notices/${id}/retry`)).value;

export const models = async (signal) => (await get(`${base}/models`, null, signal)).models;
const model = (id) => `${base}/models/${encodeURIComponent(id)}`;
export const modelWithTag = (id, query, signal) => request('GET', model(id), { query, signal });
export const moveModel = (id, etag, state) =>
  request('PATCH', model(id), { body: { state }, type: 'application/merge-patch+json', ifMatch: etag });

export const lookup = (entity, ip, signal) => get(`${base}/lookup`, { entity, ip }, signal);
export const entityProfile = (entity, signal) => get(`${base}/entities/${encodeURIComponent(entity)}`, null, signal);
export const ipProfile = (ip, signal) => get(`${base}/ips/${encodeURIComponent(ip)}`, null, signal);

export const findings = (query, signal) => get(`${base}/findings`, query, signal);
/** The page a list's `next` names: a path and query of this server. */
export const nextPage = (next, signal) => get(next, null, signal);
export const findingWithTag = (id, signal) => request('GET', finding(id), { signal });
export const patchFinding = (id, etag, patch) =>
  request('PATCH', finding(id), { body: patch, type: 'application/merge-patch+json', ifMatch: etag });
export const updateFindings = async (items) =>
  (await request('POST', `${base}/findings/bulk`, { body: { items } })).value.results;
export const notes = async (id, signal) => (await get(`${finding(id)}/notes`, null, signal)).notes;
export const addNote = async (id, text) => (await request('POST', `${finding(id)}/notes`, { body: { text } })).value;
export const history = async (id, signal) => (await get(`${finding(id)}/history`, null, signal)).changes;
export const sightings = (id, limit, signal) => get(`${finding(id)}/sightings`, { limit }, signal);
