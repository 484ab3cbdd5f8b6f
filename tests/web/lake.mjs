/* A server of its own whose findings a worker made: an active model and a shadow over nine simulated days. */
import { readdirSync } from 'node:fs';
import { Server } from './server.mjs';

export const BUDGET = 12;
let made = null;

function train(server, name, until, ...more) {
  server.run(['train', '--out', name, '--epochs', '1', '--until', until, ...more, 'lake']);
}

async function make() {
  const server = new Server();
  for (const [name, role] of [['ana', 'triage'], ['root', 'admin']]) server.addUser(name, role);
  const soar = server.addToken('soar', 'admin');
  server.run(['simulate', '--entities', '60', '--days', '7', '--seed', '4', '--out', 'lake']);
  const days = [...new Set(readdirSync(`${server.folder}/lake`, { recursive: true }).map((path) => /eventDay=(\d{4})(\d\d)(\d\d)$/.exec(path)?.slice(1).join('-')))].filter(Boolean).sort();
  train(server, 'one.model', days[4], '--alerts-per-day', String(BUDGET));
  train(server, 'two.model', days[4], '--detector', 'ip_insights');
  for (const [action, name] of [['activate', 'one'], ['shadow', 'two']]) server.command(['model', action, `${name}.model`]);
  server.command(['work', '--queue', 'dir:lake', '--once']);
  await server.start();
  return { server, url: server.url, soar: server.client(soar), cookies: { ana: await server.cookie('ana'), root: await server.cookie('root') } };
}

/** Made when a journey first asks. */
export const lake = () => (made ??= make());
export async function stopLake() {
  if (made) await (await made).server.stop();
}

/** Opens an address of it as somebody. */
export async function visit(page, address, as = 'root') {
  const site = await lake();
  await page.context().clearCookies();
  await page.context().addCookies([site.cookies[as]]);
  await page.goto(site.url + address);
  return site;
}
