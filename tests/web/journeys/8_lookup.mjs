/* What is known of an entity, an address, a pair, and how one gets there. */
import assert from 'node:assert/strict';
import { accessibility } from '../browser.mjs';
import { principal } from '../fixture.mjs';

const part = (page, name) => page.locator('section.panel', { has: page.getByRole('heading', { name, exact: true }) });
const settled = (page) => page.waitForFunction(() => document.querySelectorAll('.skeleton').length === 0);

async function look(page, text) {
  await page.locator('h1').first().focus();
  await page.keyboard.press('l');
  await page.getByRole('combobox', { name: 'Entity, address, or both' }).fill(text);
}

export default [
  {
    name: 'look up: a pair that was never flagged, by keys',
    async walk(page, site) {
      await page.goto('/');
      await settled(page);
      const { value } = await site.soar('GET', '/api/v1/entities/i-000000000');
      const { ip } = value.addresses[0];
      await look(page, `i-000000000 ${ip}`);
      await page.getByText('Enter: what is known of this pair.').waitFor();
      await page.keyboard.press('Enter');
      await page.waitForURL(/\/pair\?entity=i-000000000&ip=/);
      await page.getByText('It was not flagged: its score is not above the threshold.').waitFor();
      assert.match(await page.locator('.lead-head').textContent(), /^i-000000000 talked to .* once, (just now|\d+ (min|h|d) ago)\.$/);
      const row = part(page, 'What the model made of it').locator('tbody tr');
      assert.match(await row.textContent(), /^vpc-egress.*5\.00/);
      await settled(page);
      await part(page, 'Usual networks of the entity').locator('tbody tr').first().waitFor();
    },
  },
  {
    name: 'look up: a pair that was never seen',
    async walk(page) {
      await page.goto('/pair?entity=nobody&ip=9.9.9.9');
      await page.getByText('nobody was never seen with 9.9.9.9.').waitFor();
      await settled(page);
      await page.goto('/pair?entity=nobody&ip=9.9.9');
      await page.getByText('A pair is an entity and an IP address.').waitFor();
    },
  },
  {
    name: 'look up: findings suggest entities and addresses; arrows choose',
    async walk(page) {
      await page.goto('/queue');
      await page.locator('.row').first().waitFor();
      await page.getByRole('button', { name: 'Look up' }).click();
      const input = page.getByRole('combobox', { name: 'Entity, address, or both' });
      await input.fill('session-003');
      await page.getByRole('dialog').getByRole('option').first().waitFor();
      assert.deepEqual(await accessibility(page, 'dialog'), []);
      await page.keyboard.press('ArrowDown');
      assert.equal(await page.getByRole('dialog').getByRole('option', { selected: true }).count(), 1);
      await page.keyboard.press('Enter');
      await page.waitForURL((url) => decodeURIComponent(url.pathname).endsWith(principal(3)));
      await page.locator('.profile-name', { hasText: principal(3) }).waitFor();
      await page.keyboard.press('l');
      await page.keyboard.press('Escape');
      await page.getByRole('dialog').waitFor({ state: 'detached' });
    },
  },
  {
    name: 'entity: findings, days, networks and addresses; a new sighting appears by itself',
    async walk(page, site) {
      await page.goto('/findings/1');
      await page.locator('.facts a').first().click();
      await page.waitForURL(/\/entities\//);
      await settled(page);
      const name = await page.locator('.profile-name .mono').textContent();
      const { value } = await site.soar('GET', `/api/v1/entities/${encodeURIComponent(name)}`);
      const { findings } = (await site.soar('GET', `/api/v1/findings?entity=${encodeURIComponent(name)}`)).value;
      assert.equal(await part(page, 'Findings').locator('tbody tr').count(), findings.length);
      assert.equal(await part(page, 'Addresses').locator('tbody tr').count(), value.addresses.length);
      assert.equal(await part(page, 'Usual networks').locator('tbody tr').count(), value.networks.length);
      await page.locator('.twin summary').click();
      await page.locator('.twin tbody tr').first().waitFor();
      await site.ingest('POST', '/api/v1/scores', { model: 'outside-1', spec: 'vpc-egress', scores: [{ entity: name, ip: '203.0.113.250', time: new Date().toISOString(), score: 9 }] });
      await part(page, 'Findings').getByRole('link', { name: '203.0.113.250' }).waitFor();
    },
  },
  {
    name: 'address: who was seen with it; one that is none is said so',
    async walk(page) {
      await page.goto('/ips/203.0.113.59');
      await settled(page);
      assert.equal(await part(page, 'Entities').locator('tbody tr').count(), 1);
      await part(page, 'Entities').getByRole('link', { name: 'finding' }).waitFor();
      await page.goto('/ips/2001:db8:1::5');
      await part(page, 'Findings').locator('tbody tr').first().waitFor();
      await page.goto('/ips/203.0.113');
      await page.getByRole('heading', { name: '203.0.113 is not an IP address.' }).waitFor();
    },
  },
  {
    name: 'entity: trouble is said, and tried again',
    async walk(page) {
      await page.route('**/api/v1/entities/*', (route) => route.fulfill({ status: 503, contentType: 'application/problem+json',
        body: JSON.stringify({ type: 'about:blank', title: 'Busy', status: 503, detail: 'the database is busy' }) }));
      await page.goto('/entities/i-1');
      await page.getByText('the database is busy').waitFor();
      await page.unroute('**/api/v1/entities/*');
      await page.getByRole('button', { name: 'Try again' }).click();
      await page.getByText('None.', { exact: true }).first().waitFor();
    },
  },
];
