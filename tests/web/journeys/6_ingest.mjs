/* How the objects get here, and what an operator does when they do not. */
import assert from 'node:assert/strict';
import { BROKEN, notice } from '../fixture.mjs';

async function open(page, address = '/ingest') {
  await page.goto(address);
  await page.getByRole('heading', { name: 'Ingest', exact: true }).waitFor();
  await page.waitForFunction(() => document.querySelectorAll('.skeleton').length === 0);
}

const part = (page, name) => page.locator('section.panel', { has: page.getByRole('heading', { name, exact: true }) });

export default [
  {
    name: 'ingest: lag, sources with their last error, missing hours, what waits',
    async walk(page, site) {
      await page.goto('/');
      await page.locator('h1').waitFor();
      await page.keyboard.press('g');
      await page.keyboard.press('i');
      await page.waitForURL(/\/ingest$/);
      await page.waitForFunction(() => globalThis.Chart?.getChart(document.querySelector('.chart canvas')));
      const { value } = await site.soar('GET', '/api/v1/ingest');
      const tile = (name) => page.locator('.tile', { hasText: name }).locator('dd');
      assert.match(await tile('Objects, last 24 h').textContent(), new RegExp(`^${value.day.stored}1 attempt failed`));
      assert.match(await tile('Lag now').textContent(), /^\d.*(min|h|s)95 % within/);
      const sources = part(page, 'Sources').locator('tbody tr');
      assert.deepEqual(await sources.locator('th').allTextContents(), ['ROUTE53', 'VPC_FLOW', 'WAF']);
      await sources.filter({ hasText: 'WAF' }).getByText('no magic number').waitFor();
      const gap = part(page, 'Missing hours').locator('tbody tr');
      await gap.first().waitFor();
      assert.equal(await gap.count(), 1);
      assert.match(await gap.textContent(), /^VPC_FLOW111122223333eu-central-1.*1$/);
      await part(page, 'Notices over HTTP').locator('tbody tr').first().waitFor();
      await page.locator('.twin summary').click();
      await page.locator('.twin tbody tr').first().waitFor();
      assert.equal(await page.locator('.twin tbody tr').count(), value.hours.length);
    },
  },
  {
    name: 'ingest: a failed object is tried again, once',
    async walk(page, site) {
      await open(page);
      const row = part(page, 'Objects that failed').locator('tbody tr');
      assert.equal(await row.locator('th').getAttribute('title'), `aws-security-data-lake-eu-central-1-example/${BROKEN}`);
      await row.getByText('its footer has no magic number').waitFor();
      await row.getByRole('button', { name: `Try again: ${BROKEN}` }).press('Enter');
      await page.getByText('It waits for the next worker.').waitFor();
      const { notices } = (await site.soar('GET', '/api/v1/notices?state=waiting')).value;
      assert.equal(notices.filter((n) => n.key === BROKEN && n.origin === 'user:ana').length, 1);
      await open(page);
      await row.getByRole('button').click();
      await page.getByText('It waits for a worker already.').waitFor();
    },
  },
  {
    name: 'ingest: who may only read sees why and has no buttons', as: 'rita',
    async walk(page) {
      await open(page);
      await page.getByText('its footer has no magic number').first().waitFor();
      assert.equal(await page.getByRole('button', { name: /Try again/ }).count(), 0);
    },
  },
  {
    name: 'ingest: one source, in the address; a new notice appears by itself',
    async walk(page, site) {
      await open(page);
      await page.getByLabel('Source', { exact: true }).selectOption('ROUTE53');
      await page.waitForURL(/\/ingest\?source=ROUTE53$/);
      await part(page, 'Objects that failed').getByText('Everything could be read.').waitFor();
      await part(page, 'Missing hours').getByText('None in the week').waitFor();
      await page.reload();
      await page.waitForFunction(() => document.querySelector('[aria-label=Source]')?.value === 'ROUTE53');
      await site.ingest('POST', '/api/v1/notices', notice('late'));
      await page.locator('h1').focus();
      await page.keyboard.press('r');
      await part(page, 'Notices over HTTP').locator('th[title$="late.gz.parquet"]').waitFor();
    },
  },
];
