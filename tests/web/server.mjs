/* The real binary with a database of its own on a free port, and a client that speaks to it. */
import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = resolve(dirname(fileURLToPath(import.meta.url)), '../..');
const BINARY = resolve(process.env.PAIRWATCH_BINARY ?? join(ROOT, 'build/release/pairwatch'));
const START_MS_MAX = 20e3, STOP_MS_MAX = 10e3;
export const PASSWORD = 'a long enough password';

export class Server {
  constructor() {
    this.folder = mkdtempSync(join(tmpdir(), 'pairwatch-web-'));
    process.on('exit', () => { // also when a test failed on its way here
      this.process?.kill('SIGKILL');
      rmSync(this.folder, { recursive: true, force: true });
    });
    this.database = `sqlite:${join(this.folder, 'test.db')}`;
    this.said = '';
  }

  /** Runs a subcommand on the database; @returns what it printed */
  command(args, input = '') {
    return this.run([...args, '--database', this.database], input);
  }

  run(args, input = '') {
    const done = spawnSync(BINARY, args, { input, encoding: 'utf8', timeout: 60e3, cwd: this.folder });
    if (done.status !== 0) throw new Error(`pairwatch ${args.join(' ')}: exit ${done.status}: ${done.stderr}${done.error ?? ''}`);
    return done.stdout;
  }

  addUser(name, role, ...more) {
    this.command(['user', 'add', name, '--role', role, ...more], `${PASSWORD}\n`);
  }

  addToken(name, role) {
    return /pw_[A-Za-z0-9_-]+/.exec(this.command(['token', 'create', name, '--role', role]))[0];
  }

  /** WEB_DIR serves the dashboard from a folder instead of what is built in. */
  async start() {
    const folder = process.env.WEB_DIR ? ['--web-dir', resolve(process.env.WEB_DIR)] : [];
    this.process = spawn(BINARY, ['serve', '--listen', '127.0.0.1:0', '--database', this.database, ...folder], { cwd: this.folder });
    let errors = '', ended = false;
    this.process.stdout.on('data', (data) => { this.said += data; });
    this.process.stderr.on('data', (data) => { errors += data; });
    this.process.on('exit', () => { ended = true; });
    const deadline = Date.now() + START_MS_MAX;
    while (!(this.url = /https?:\/\/127\.0\.0\.1:\d+/.exec(this.said)?.[0])) {
      if (ended || Date.now() > deadline) throw new Error(`serve did not start: ${this.said}${errors}`);
      await new Promise((done) => setTimeout(done, 20));
    }
  }

  /** Signing in: passwords are slow on purpose, and attempts limited. */
  async cookie(name) {
    const response = await fetch(`${this.url}/api/v1/session`, {
      method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify({ name, password: PASSWORD }),
    });
    const [, value] = /pairwatch_session=([^;]+)/.exec(response.headers.get('Set-Cookie'));
    return { name: 'pairwatch_session', value, url: this.url };
  }

  async stop() {
    if (this.process?.exitCode === null) {
      const ended = new Promise((done) => this.process.on('exit', done));
      const timer = setTimeout(() => this.process.kill('SIGKILL'), STOP_MS_MAX);
      this.process.kill('SIGTERM');
      await ended;
      clearTimeout(timer);
    }
    rmSync(this.folder, { recursive: true, force: true });
  }

  /** A client with a token: `call(method, path, body, headers)` → {value, etag}; anything but 2xx throws. */
  client(token) {
    const call = async (method, path, body, headers = {}) => {
      const type = method === 'PATCH' ? 'application/merge-patch+json' : 'application/json';
      const response = await fetch(this.url + path, {
        method, body: body && JSON.stringify(body), headers: { Authorization: `Bearer ${token}`, ...(body && { 'Content-Type': type }), ...headers },
      });
      const text = await response.text();
      if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${text}`);
      return { value: text && JSON.parse(text), etag: response.headers.get('ETag') };
    };
    /** NDJSON */
    call.lines = async (path, lines) => {
      const response = await fetch(this.url + path, { method: 'POST', body: lines.map((line) => JSON.stringify(line)).join('\n'),
        headers: { Authorization: `Bearer ${token}`, 'Content-Type': 'application/x-ndjson' } });
      if (!response.ok) throw new Error(`POST ${path}: ${response.status} ${await response.text()}`);
    };
    return call;
  }

  /** The one-time password printed at the first start. */
  oneTimePassword() {
    const line = this.said.split('\n').find((text) => /password/i.test(text));
    return line?.trim().split(/\s+/).at(-1);
  }

  file(name, text) {
    const path = join(this.folder, name);
    writeFileSync(path, text);
    return path;
  }
}
