/* Themes, narrow screens, readers, keys, zones: every view. */
import assert from 'node:assert/strict';
import { accessibility } from '../browser.mjs';

const VIEWS = {
  overview: ['/?period=all', '.chart canvas'],
  queue: ['/queue?status=all&spec=cloudtrail-principal', '.row'], // fourteen rows: axe reads each
  finding: ['/findings/1', '.history li'],
  ingest: ['/ingest', '.chart canvas'],
  entity: ['/entities/i-0fee0003', '.chart canvas'],
  address: ['/ips/203.0.113.3', '.chart canvas'],
  pair: ['/pair?entity=i-0fee0003&ip=203.0.113.3', 'tbody tr'],
  account: ['/account', '.segments'],
  docs: ['/docs#update_finding', '#update_finding[open]'],
};

async function settle(page, [address, selector]) {
  await page.goto(address);
  await page.locator(selector).first().waitFor();
  await page.waitForFunction(() => document.querySelectorAll('.skeleton').length === 0);
}

const clean = async (page, part) => assert.deepEqual(await accessibility(page, part), []);

const views = Object.entries(VIEWS).flatMap(([view, where]) => ['light', 'dark'].map((scheme) => ({
  name: `axe: ${view}, ${scheme}`, scheme,
  async walk(page) {
    await settle(page, where);
    await page.evaluate(() => document.querySelectorAll('.twin').forEach((twin) => { twin.open = true; }));
    await clean(page);
  },
}))).filter(({ name }) => name !== 'axe: docs, dark'); // below, and it is long

const narrow = Object.entries(VIEWS).map(([view, where]) => ({
  name: `390 px: ${view} fits and is clean, dark`, width: 390, height: 844, scheme: 'dark',
  async walk(page) {
    await settle(page, where);
    const { wide, room } = await page.evaluate(() => ({ wide: document.documentElement.scrollWidth, room: innerWidth }));
    assert.ok(wide <= room, `${wide} px on ${room}`);
    await clean(page);
  },
}));

export default [
  {
    name: 'trouble of the server stands above every page until it is over',
    async walk(page) {
      let ready = false;
      await page.route('**/readyz', (route) => (ready ? route.continue() : route.fulfill({
        status: 503, contentType: 'application/problem+json',
        body: JSON.stringify({ type: 'urn:pairwatch:problem:full', title: 'No space to store', status: 503, detail: 'nothing can be stored' }),
      })));
      await settle(page, VIEWS.queue);
      await page.getByRole('alert').filter({ hasText: 'The server has trouble: nothing can be stored' }).waitFor();
      await clean(page, '#trouble');
      if (process.env.SHOTS) await page.screenshot({ path: `${process.env.SHOTS}/trouble.png` });
      ready = true;
      await page.waitForFunction(() => document.getElementById('trouble').hidden, null, { timeout: 15e3 });
    },
  },
  {
    name: 'docs: the contract is readable, and its links lead to what they name',
    async walk(page) {
      await page.goto('/docs');
      await page.getByRole('heading', { name: 'findings', exact: true }).waitFor();
      const operation = page.locator('#list_findings');
      await operation.locator('summary').click();
      await operation.getByText('An address or a CIDR range').waitFor();
      assert.match(await operation.locator('pre').textContent(), /curl 'http:.*\/api\/v1\/findings'/);
      await operation.getByRole('link', { name: 'FindingPage' }).first().click();
      await page.locator('#FindingPage[open]').getByText('last_seq').first().waitFor();
      await page.waitForURL(/\/docs#FindingPage$/);
      await page.reload();
      await page.locator('#FindingPage[open]').waitFor();
      await page.getByRole('navigation', { name: 'Contents' }).getByRole('link', { name: 'create note' }).click();
      await page.locator('#create_note[open] pre', { hasText: '/api/v1/findings/ID/notes' }).waitFor();
    },
  },
  {
    name: 'docs: the server takes what the contract gives as examples',
    async walk(page, site) {
      const { paths } = (await site.soar('GET', '/api/openapi.json')).value;
      const example = (path, method) => Object.values(paths[path][method].requestBody.content)[0].example;
      const scores = example('/api/v1/scores', 'post');
      const { value } = await site.ingest('POST', '/api/v1/scores', scores);
      assert.equal(value.findings_new, 1);
      const { findings: [finding] } = (await site.soar('GET', `/api/v1/findings?entity=${scores.scores[0].entity}`)).value;
      await site.soar('POST', `/api/v1/findings/${finding.id}/notes`, example('/api/v1/findings/{id}/notes', 'post'));
      const { items: [item] } = example('/api/v1/findings/bulk', 'post');
      const done = await site.soar('POST', '/api/v1/findings/bulk', { items: [{ ...item, id: finding.id, version: finding.version }] });
      assert.equal(done.value.results.length, 1);
      const { etag } = await site.soar('GET', `/api/v1/findings/${finding.id}`);
      await site.soar('PATCH', `/api/v1/findings/${finding.id}`, example('/api/v1/findings/{id}', 'patch'), { 'If-Match': etag });
      await page.goto(`/findings/${finding.id}`);
      await page.getByText('The VPN of the new office.').waitFor();
    },
  },
  ...views,
  ...narrow,
  ...['light', 'dark'].map((scheme) => ({
    name: `axe: sign-in, ${scheme}`, as: null, scheme,
    async walk(page) {
      await page.goto('/');
      await page.locator('#name').waitFor();
      await clean(page);
    },
  })),
  {
    name: 'axe: menu, help, filter form, selection', scheme: 'dark',
    async walk(page) {
      await settle(page, VIEWS.queue);
      await page.keyboard.press('x');
      await page.getByRole('button', { name: 'Filter', exact: true }).click();
      await page.locator('.filter-form select').first().waitFor();
      await clean(page);
      await page.locator('.row.is-cursor').focus();
      await page.keyboard.press('e');
      await clean(page, '[role=menu]');
      await page.keyboard.press('Escape');
      await page.keyboard.press('?');
      await page.locator('dialog').waitFor();
      await clean(page, 'dialog');
    },
  },
  {
    name: 'keys: help lists what works here, shortcuts can be switched off',
    async walk(page) {
      await settle(page, VIEWS.queue);
      await page.keyboard.press('?');
      const dialog = page.getByRole('dialog');
      await dialog.getByText('Resolve as').waitFor();
      await page.keyboard.press('Escape');
      await dialog.waitFor({ state: 'detached' });
      await page.keyboard.press('g');
      await page.keyboard.press('o');
      await page.waitForURL(/\/$/);
      await page.goto('/account');
      await page.getByRole('radio', { name: 'Off' }).check();
      await page.locator('h1').focus();
      await page.keyboard.press('g');
      await page.keyboard.press('q');
      await page.waitForTimeout(200);
      assert.match(page.url(), /\/account$/);
    },
  },
  {
    name: 'theme: a choice holds over a reload and colours the charts',
    async walk(page) {
      const ground = () => page.evaluate(() => getComputedStyle(document.documentElement).backgroundColor);
      const grid = () => page.evaluate(() => globalThis.Chart.getChart(document.querySelector('.chart canvas')).options.scales.y.grid.color);
      await settle(page, VIEWS.overview);
      await page.waitForFunction(() => globalThis.Chart?.getChart(document.querySelector('.chart canvas')));
      const [light, lightGrid] = [await ground(), await grid()];
      await page.click('.person');
      await page.getByRole('menuitemradio', { name: 'Theme: dark' }).click();
      await page.waitForFunction((was) => globalThis.Chart.getChart(document.querySelector('.chart canvas')).options.scales.y.grid.color !== was, lightGrid);
      assert.notEqual(await ground(), light);
      await page.reload();
      await page.locator('.chart canvas').first().waitFor();
      assert.notEqual(await ground(), light);
    },
  },
  {
    name: 'zone: times turn from local to UTC and back',
    async walk(page) {
      await settle(page, VIEWS.finding);
      const time = page.locator('.facts time').first();
      const iso = await time.getAttribute('datetime');
      const local = await time.textContent();
      await page.locator('.zone').click();
      assert.equal(await time.textContent(), iso.slice(0, 16).replace('T', ' '));
      assert.notEqual(await time.textContent(), local);
      await page.locator('.zone').click();
      assert.equal(await time.textContent(), local);
    },
  },
  {
    name: 'failure: a server that does not answer is said so, and tried again',
    async walk(page) {
      await settle(page, VIEWS.account);
      await page.route('**/api/v1/findings?*', (route) => route.fulfill({
        status: 503, contentType: 'application/problem+json', body: JSON.stringify({ type: 'about:blank', title: 'Busy', status: 503, detail: 'the database is busy' }),
      }));
      await page.keyboard.press('g');
      await page.keyboard.press('q');
      await page.getByText('the database is busy').waitFor();
      await page.unroute('**/api/v1/findings?*');
      await page.getByRole('button', { name: 'Try again' }).click();
      await page.locator('.row').first().waitFor();
    },
  },
];
