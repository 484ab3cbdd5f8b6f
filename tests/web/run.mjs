/* The dashboard's tests: its modules by node's own runner, then journeys through the real binary in a
 * real Chromium.
 *
 *   node tests/web/run.mjs [WORD]     only journeys whose names contain the word
 *
 * PAIRWATCH_BINARY, CHROMIUM and WEB_DIR name other places; SHOTS a folder for a picture of every
 * journey's end. Exit 1 when something failed. */
import { spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { launch, openPage } from './browser.mjs';
import { load } from './fixture.mjs';
import { stopLake } from './lake.mjs';
import { Server } from './server.mjs';

const HERE = fileURLToPath(new URL('.', import.meta.url));
const JOURNEY_MS_MAX = 90e3;
const wanted = process.argv[2] ?? '';
let passed = 0, failed = 0;

function report(name, error, ms = 0) {
  if (error) failed++;
  else passed++;
  console.log(`${error ? 'not ok' : 'ok'} ${passed + failed} - ${name}${ms ? ` (${(ms / 1000).toFixed(1)} s)` : ''}`);
  if (error) console.log(String(error.stack ?? error).replace(/^/gm, '    '));
}

function units() {
  const files = readdirSync(join(HERE, 'unit')).filter((name) => name.endsWith('.test.mjs')).map((name) => join(HERE, 'unit', name));
  const done = spawnSync(process.execPath, ['--test', '--test-reporter=tap', ...files], { encoding: 'utf8' });
  const count = (word) => Number(new RegExp(`^# ${word} (\\d+)$`, 'm').exec(done.stdout)?.[1] ?? 0);
  passed += count('pass');
  failed += count('fail');
  if (done.status !== 0) console.log(done.stdout, done.stderr);
  if (done.status !== 0 && count('fail') === 0) failed++;
  console.log(`# modules: ${count('pass')} passed, ${count('fail')} failed`);
}

async function prepare() {
  const server = new Server();
  for (const [name, role] of [['ana', 'triage'], ['bo', 'triage'], ['rita', 'read'], ['root', 'admin']]) server.addUser(name, role);
  server.addUser('nils', 'triage', '--one-time');
  const ingest = server.addToken('fixture', 'ingest'), soar = server.addToken('soar', 'triage');
  await server.start();
  const site = { server, url: server.url, ingest: server.client(ingest), soar: server.client(soar), cookies: {} };
  await load(site.ingest);
  for (const name of ['ana', 'rita']) site.cookies[name] = await server.cookie(name); // once for all journeys
  return site;
}

async function within(promise) {
  let timer;
  const late = new Promise((_, reject) => { timer = setTimeout(() => reject(new Error('took too long')), JOURNEY_MS_MAX); });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

async function run(browser, site, { name, as = 'ana', walk, ...screen }) {
  const visit = await openPage(browser, { url: site.url, cookies: as ? [site.cookies[as]] : [], ...screen });
  const began = Date.now();
  let error = null;
  try {
    await within(walk(visit.page, site));
  } catch (caught) {
    error = caught;
  }
  if (process.env.SHOTS) await visit.page.screenshot({ path: join(process.env.SHOTS, `${name.replace(/\W+/g, '-')}.png`) }).catch(() => {});
  await visit.close();
  if (!error && visit.faults.length) error = new Error(visit.faults.join('\n'));
  report(name, error, Date.now() - began);
}

async function main() {
  if (!wanted) units();
  if (process.env.SHOTS) mkdirSync(process.env.SHOTS, { recursive: true });
  const files = readdirSync(join(HERE, 'journeys')).filter((name) => name.endsWith('.mjs')).sort();
  const modules = await Promise.all(files.map((name) => import(`./journeys/${name}`)));
  const journeys = modules.flatMap((module) => module.default).filter((journey) => journey.name.includes(wanted));
  const browser = await launch();
  const site = await prepare();
  try {
    for (const journey of journeys) await run(browser, site, journey);
  } finally {
    await browser.close();
    await site.server.stop();
    await stopLake();
  }
}

try {
  await main();
} catch (error) {
  report('the tests themselves', error);
}
console.log(`${passed} passed, ${failed} failed`);
process.exit(failed ? 1 : 0);
