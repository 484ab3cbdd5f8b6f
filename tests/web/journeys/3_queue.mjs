/* Living in the queue: order, filters, keys, triage, undo, arrivals. */
import assert from 'node:assert/strict';
import { EGRESS, HOSTILE, PRINCIPALS, batch, egress } from '../fixture.mjs';

const TOTAL = EGRESS + PRINCIPALS, PAGE = 50;

async function open(page, address = '/queue') {
  await page.goto(address);
  await page.locator('.row, .empty-title').first().waitFor();
}

const rows = (page) => page.locator('.row');
const cursor = (page) => page.locator('.row.is-cursor');
const idOf = async (locator) => Number(await locator.getAttribute('data-id'));
const finding = async (site, id) => (await site.soar('GET', `/api/v1/findings/${id}`)).value.finding;
const toast = (page, text) => page.locator('.toast', { hasText: text });

/** Waits for what the server says of a finding. */
async function until(site, id, wanted) {
  const deadline = Date.now() + 5e3;
  for (;;) {
    const now = await finding(site, id);
    if (Object.entries(wanted).every(([name, value]) => now[name] === value)) return now;
    if (Date.now() > deadline) assert.fail(`finding ${id} is ${JSON.stringify(now)}`);
    await new Promise((done) => setTimeout(done, 50));
  }
}

export default [
  {
    name: 'queue: rarest first, more on demand, text stays text',
    async walk(page) {
      await open(page, '/queue?status=all');
      assert.equal(await rows(page).count(), PAGE);
      const shown = (await page.locator('.rarity-number').allTextContents()).map(Number);
      assert.deepEqual(shown, [...shown].sort((a, b) => b - a));
      await page.getByRole('button', { name: 'Load more' }).click();
      await page.waitForFunction((n) => document.querySelectorAll('.row').length === n, TOTAL);
      assert.equal(await page.getByRole('button', { name: 'Load more' }).count(), 0);
      assert.equal(await page.locator('.middle', { hasText: HOSTILE }).count(), 1);
      assert.equal(await page.locator('.row img').count(), 0);
    },
  },
  {
    name: 'queue: filters by form, chips, search and sort are in the address',
    async walk(page) {
      await open(page, '/queue?status=all');
      await page.getByRole('button', { name: 'Filter', exact: true }).click();
      const form = page.locator('.filter-form');
      await form.getByLabel('Address or network').fill('203.0.113.300');
      await form.getByRole('button', { name: 'Apply' }).click();
      assert.equal(await form.getByLabel('Address or network').getAttribute('aria-invalid'), 'true');
      await form.getByLabel('Address or network').fill('192.0.2.0/24');
      await form.getByLabel('Spec').selectOption('cloudtrail-principal');
      await form.getByRole('button', { name: 'Apply' }).click();
      await page.waitForURL(/spec=cloudtrail-principal.*ip=192\.0\.2\.0\/24/);
      await rows(page).first().waitFor();
      assert.equal(await rows(page).count(), PRINCIPALS / 2);
      await page.getByRole('link', { name: 'Remove filter Address 192.0.2.0/24' }).click();
      await page.waitForFunction((n) => document.querySelectorAll('.row').length === n, PRINCIPALS);
      await page.keyboard.press('/');
      await page.keyboard.type('SESSION-003');
      await page.keyboard.press('Enter');
      await page.waitForFunction(() => document.querySelectorAll('.row').length === 1);
      await page.goBack();
      await page.waitForFunction((n) => document.querySelectorAll('.row').length === n, PRINCIPALS);
      await page.getByLabel('Sort').selectOption('time');
      await page.waitForURL(/sort=time/);
      await rows(page).first().waitFor();
      const times = await page.locator('.row .col-last time').evaluateAll((all) => all.map((t) => t.dateTime));
      assert.deepEqual(times, [...times].sort().reverse());
      await open(page, '/queue?q=nothing-is-called-this');
      await page.getByText('Nothing matches these filters.').waitFor();
    },
  },
  {
    name: 'queue: two keys resolve the finding under the cursor, one takes it back',
    async walk(page, site) {
      await open(page);
      const ids = await rows(page).evaluateAll((all) => all.map((row) => Number(row.dataset.id)));
      await page.keyboard.press('j');
      await page.keyboard.press('j');
      await page.keyboard.press('k');
      assert.equal(await idOf(cursor(page)), ids[1]);
      await page.keyboard.press('e');
      await page.getByRole('menu', { name: 'Resolve as' }).waitFor();
      await page.keyboard.press('b');
      await toast(page, '1 finding: resolved as benign').waitFor();
      await until(site, ids[1], { status: 'resolved', verdict: 'benign' });
      assert.deepEqual(await rows(page).evaluateAll((all) => all.map((row) => Number(row.dataset.id))), ids);
      assert.match(await rows(page).nth(1).getAttribute('class'), /is-done/);
      assert.equal(await idOf(cursor(page)), ids[2]);
      await page.keyboard.press('u');
      await toast(page, 'Undone: resolved as benign').waitFor();
      assert.equal(await toast(page, '1 finding: resolved as benign').count(), 0);
      await until(site, ids[1], { status: 'new', verdict: null });
      assert.doesNotMatch(await rows(page).nth(1).getAttribute('class'), /is-done/);
    },
  },
  {
    name: 'queue: verdict, status and assignee by key',
    async walk(page, site) {
      await open(page);
      const id = await idOf(cursor(page));
      await page.keyboard.press('v');
      await page.keyboard.press('s');
      await until(site, id, { verdict: 'suspicious' });
      await page.keyboard.press('a');
      await until(site, id, { assignee: 'ana' });
      await page.keyboard.press('s');
      await page.keyboard.press('ArrowDown');
      await page.keyboard.press('Enter');
      await until(site, id, { status: 'in_progress' });
      await page.locator('.row.is-cursor', { hasText: 'In progress' }).waitFor();
      await page.keyboard.press('v');
      await page.keyboard.press('Escape');
      assert.equal(await page.getByRole('menu').count(), 0);
      for (let i = 0; i < 3; i++) {
        await page.keyboard.press('u');
        await page.locator('.toast', { hasText: 'Undone' }).nth(i).waitFor();
      }
      await until(site, id, { status: 'new', verdict: null, assignee: null });
    },
  },
  {
    name: 'queue: a range is selected, changed at once and taken back by the toast',
    async walk(page, site) {
      await open(page);
      const ids = (await rows(page).evaluateAll((all) => all.map((row) => Number(row.dataset.id)))).slice(2, 6);
      await rows(page).nth(2).getByRole('checkbox').click();
      await rows(page).nth(5).getByRole('checkbox').click({ modifiers: ['Shift'] });
      await page.getByText('4 selected').waitFor();
      await page.locator('.bulk').getByRole('button', { name: 'Status' }).click();
      await page.getByRole('menuitem', { name: 'Suppressed' }).click();
      await toast(page, '4 findings: status suppressed').waitFor();
      for (const id of ids) await until(site, id, { status: 'suppressed' });
      await toast(page, '4 findings').getByRole('button', { name: 'Undo' }).click();
      for (const id of ids) await until(site, id, { status: 'new' });
      await page.keyboard.press('Escape');
      assert.equal(await page.locator('.bulk').isVisible(), false);
      await page.keyboard.press('*');
      await page.keyboard.press('a');
      await page.getByText(`${PAGE} selected`).waitFor();
      await page.keyboard.press('Escape');
      await page.keyboard.press('Home');
      await page.keyboard.press('Shift+ArrowDown');
      await page.keyboard.press('J');
      await page.getByText('3 selected').waitFor();
    },
  },
  {
    name: 'queue: what another has triaged is left alone',
    async walk(page, site) {
      await open(page);
      const id = await idOf(rows(page).nth(3));
      const { etag } = await site.soar('GET', `/api/v1/findings/${id}`);
      await site.soar('PATCH', `/api/v1/findings/${id}`, { assignee: 'bo' }, { 'If-Match': etag });
      await rows(page).nth(3).locator('.col-rarity').click();
      await page.keyboard.press('v');
      await page.keyboard.press('t');
      await toast(page, '1 finding left alone').waitFor();
      assert.equal((await finding(site, id)).verdict, null);
      await page.locator('.row.is-cursor .col-assignee', { hasText: 'bo' }).waitFor();
      await page.keyboard.press('v');
      await page.keyboard.press('t');
      await until(site, id, { verdict: 'true_positive', assignee: 'bo' });
      await page.keyboard.press('u');
      await until(site, id, { verdict: null });
    },
  },
  {
    name: 'queue: new arrivals wait behind a button, changes of others appear in place',
    async walk(page, site) {
      await open(page);
      const before = await rows(page).evaluateAll((all) => all.map((row) => Number(row.dataset.id)));
      const fresh = { ...egress(EGRESS, Date.now()), entity: 'i-0arrived', ip: '203.0.113.200', percentile: 99.9999, time: new Date().toISOString() };
      await site.ingest('POST', '/api/v1/scores', batch('vpc-egress', [fresh]));
      const other = before[4];
      const { etag } = await site.soar('GET', `/api/v1/findings/${other}`);
      await site.soar('PATCH', `/api/v1/findings/${other}`, { status: 'in_progress' }, { 'If-Match': etag });
      await page.locator('.arrivals', { hasText: '1 new' }).waitFor({ timeout: 10e3 }); // the stream tells of it: polling would take 30 s
      assert.deepEqual(await rows(page).evaluateAll((all) => all.map((row) => Number(row.dataset.id))), before);
      await rows(page).nth(4).getByText('In progress').waitFor();
      await page.keyboard.press('n');
      await rows(page).first().getByText('i-0arrived').waitFor();
      assert.equal(await page.locator('.arrivals').isVisible(), false);
    },
  },
  {
    name: 'queue: Back finds cursor, rows and scroll as they were',
    async walk(page) {
      await open(page, '/queue?status=all');
      await page.getByRole('button', { name: 'Load more' }).click();
      await page.waitForFunction((n) => document.querySelectorAll('.row').length > n, PAGE);
      for (let i = 0; i < 55; i++) await page.keyboard.press('j');
      const id = await idOf(cursor(page));
      const scroll = await page.evaluate(() => scrollY);
      assert.ok(scroll > 500);
      await page.keyboard.press('Enter');
      await page.waitForURL(`**/findings/${id}`);
      await page.locator('.lead-head').waitFor();
      await page.goBack();
      await page.waitForURL(/\/queue/);
      assert.ok(await rows(page).count() > PAGE);
      assert.equal(await idOf(cursor(page)), id);
      assert.ok(Math.abs(await page.evaluate(() => scrollY) - scroll) < 5);
    },
  },
  {
    name: 'queue: a reader may look, not triage', as: 'rita',
    async walk(page, site) {
      await open(page);
      const id = await idOf(cursor(page));
      const { version } = await finding(site, id);
      await page.keyboard.press('a');
      await toast(page, 'Your role may look').waitFor();
      await page.keyboard.press('x');
      assert.equal(await page.locator('.bulk').getByRole('button', { name: 'Resolve' }).count(), 0);
      await page.keyboard.press('Enter');
      await page.locator('.triage select').waitFor();
      assert.ok(await page.locator('.triage select').isDisabled());
      assert.equal((await finding(site, id)).version, version);
    },
  },
];
