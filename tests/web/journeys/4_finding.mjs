/* One finding: why, triage, notes, history, and the way through the queue. */
import assert from 'node:assert/strict';
import { EGRESS, batch, egress } from '../fixture.mjs';

async function findingOf(site, ip) {
  const { value } = await site.soar('GET', `/api/v1/findings?ip=${ip}`);
  return value.findings[0];
}

async function open(page, id) {
  await page.goto(`/findings/${id}`);
  await page.locator('.lead-head').waitFor();
  await page.locator('.history li').first().waitFor();
}

async function until(site, id, test) {
  const deadline = Date.now() + 5e3;
  for (;;) {
    const { finding } = (await site.soar('GET', `/api/v1/findings/${id}`)).value;
    if (test(finding)) return finding;
    if (Date.now() > deadline) assert.fail(JSON.stringify(finding));
    await new Promise((done) => setTimeout(done, 50));
  }
}

export default [
  {
    name: 'finding: why it is one, with its charts and its links',
    async walk(page, site) {
      const finding = await findingOf(site, '203.0.113.40');
      await open(page, finding.id);
      assert.match(await page.locator('.lead').textContent(), /i-0fee0000.*203\.0\.113\.40.*It happened once\..*at most 1 in 290 scored as high as 7\.50/s);
      await page.locator('.facts', { hasText: 'threshold 5.00' }).waitFor();
      await page.waitForFunction(() => [...document.querySelectorAll('.chart canvas')].filter((c) => globalThis.Chart?.getChart(c)).length === 2);
      assert.equal(await page.locator('section', { hasText: 'Latest sightings' }).locator('tbody tr').count(), 1);
      await page.getByRole('link', { name: '203.0.113.0/24' }).click();
      await page.waitForURL(/ip=203\.0\.113\.0\/24/);
      await page.locator('.row').nth(10).waitFor();
    },
  },
  {
    name: 'finding: triage is saved as it is changed, and history tells it',
    async walk(page, site) {
      const { id } = await findingOf(site, '203.0.113.41');
      await open(page, id);
      await page.getByRole('radio', { name: 'In progress' }).check();
      await until(site, id, (f) => f.status === 'in_progress');
      await page.getByLabel('Verdict').selectOption('suspicious');
      await until(site, id, (f) => f.verdict === 'suspicious');
      await page.getByLabel('Assignee').fill('bo');
      await page.keyboard.press('Enter');
      await until(site, id, (f) => f.assignee === 'bo');
      await page.getByLabel('Tags').fill('Not A Tag');
      await page.keyboard.press('Enter');
      await page.getByText('A tag: a to z').waitFor();
      for (const tag of ['vpn', 'case:17']) {
        await page.getByLabel('Tags').fill(tag);
        await page.keyboard.press('Enter');
        await page.locator('.tag-list .tag', { hasText: tag }).waitFor();
      }
      await page.getByRole('button', { name: 'Remove tag vpn' }).click();
      await until(site, id, (f) => f.tags.join() === 'case:17');
      await page.locator('.history', { hasText: 'ana set status to in progress' }).waitFor();
      await page.locator('.history', { hasText: 'ana assigned it to bo' }).waitFor();
      await page.locator('.history', { hasText: 'ana removed vpn' }).waitFor();
      await page.locator('h1').focus();
      await page.keyboard.press('u');
      await until(site, id, (f) => f.tags.join() === 'case:17,vpn');
      await page.locator('.tag-list .tag', { hasText: 'vpn' }).waitFor();
    },
  },
  {
    name: 'finding: notes keep their lines and stay text',
    async walk(page, site) {
      const { id } = await findingOf(site, '203.0.113.42');
      await open(page, id);
      await page.keyboard.press('n');
      await page.keyboard.type('asked the owner');
      await page.keyboard.press('Enter');
      await page.keyboard.type('<b>it is the new proxy</b>');
      await page.keyboard.press('Control+Enter');
      await page.locator('.note-text').waitFor();
      assert.equal(await page.locator('.note-text').textContent(), 'asked the owner\n<b>it is the new proxy</b>');
      assert.equal(await page.locator('.note-text b').count(), 0);
      await page.locator('.history', { hasText: 'ana added a note' }).waitFor();
      assert.equal(await page.getByLabel('New note').inputValue(), '');
      await page.reload();
      await page.locator('.note-text', { hasText: 'asked the owner' }).waitFor();
    },
  },
  {
    name: 'finding: a lost race says who won, one with a mere sighting is won',
    async walk(page, site) {
      const { id, entity, ip } = await findingOf(site, '203.0.113.43');
      await open(page, id);
      const { etag } = await site.soar('GET', `/api/v1/findings/${id}`);
      await site.soar('PATCH', `/api/v1/findings/${id}`, { status: 'suppressed' }, { 'If-Match': etag });
      await page.getByLabel('Verdict').selectOption('benign');
      await page.locator('.toast', { hasText: 'Not saved: soar (token) changed it meanwhile: status suppressed' }).waitFor();
      assert.ok(await page.getByRole('radio', { name: 'Suppressed' }).isChecked());
      assert.equal(await page.getByLabel('Verdict').inputValue(), '');
      await site.ingest('POST', '/api/v1/scores', {
        model: 'outside-1', detector: 'fixture', threshold: 5, spec: 'vpc-egress', scores: [{ entity, ip, time: new Date().toISOString(), score: 7.65, percentile: 99.7 }],
      });
      await page.getByLabel('Verdict').selectOption('benign');
      const now = await until(site, id, (f) => f.verdict === 'benign');
      assert.equal(now.sightings, 2);
    },
  },
  {
    name: 'finding: through the queue by key, also after a reload',
    async walk(page) {
      await page.goto('/queue?status=all&spec=vpc-egress');
      await page.locator('.row').first().waitFor();
      const ids = await page.locator('.row').evaluateAll((all) => all.map((row) => Number(row.dataset.id)));
      await page.keyboard.press('Enter');
      await page.waitForURL(`**/findings/${ids[0]}`);
      await page.getByText('1 of 50+').waitFor();
      await page.keyboard.press('J');
      await page.waitForURL(`**/findings/${ids[1]}`);
      await page.getByText('2 of 50+').waitFor();
      await page.reload();
      await page.getByText('2 of 50+').waitFor();
      await page.keyboard.press('[');
      await page.waitForURL(`**/findings/${ids[0]}`);
      await page.locator('.lead-head').waitFor();
      await page.keyboard.press('q');
      await page.waitForURL(/\/queue\?status=all&spec=vpc-egress$/);
      assert.equal(Number(await page.locator('.row.is-cursor').getAttribute('data-id')), ids[0]);
      assert.ok(ids.length <= EGRESS);
    },
  },
  {
    name: 'finding: an address that several have is told, in the queue and on the page, and selected by two keys',
    async walk(page, site) {
      const shared = (i) => ({ ...egress(i, Date.now()), entity: `i-0shared${i}`, ip: '198.18.0.9' });
      await site.ingest('POST', '/api/v1/scores', batch('vpc-egress', [shared(1), shared(2), shared(3)]));
      await page.goto('/queue?ip=198.18.0.0/16');
      await page.locator('.row').nth(2).waitFor();
      assert.deepEqual(await page.locator('.sharers [aria-hidden]').allTextContents(), ['×3', '×3', '×3']);
      await page.keyboard.press('*');
      await page.keyboard.press('i');
      await page.getByText('3 selected').waitFor();
      await page.keyboard.press('e');
      await page.keyboard.press('b');
      await page.locator('.row.is-done').nth(2).waitFor();
      assert.equal(await page.locator('.bulk').isVisible(), false, 'what is done is not selected any more');
      await page.keyboard.press('u');
      await page.waitForFunction(() => document.querySelectorAll('.row.is-done').length === 0);
      await page.keyboard.press('Enter');
      await page.getByText('2 other entities have findings with this very address.').waitFor();
      await page.locator('.facts').getByRole('link', { name: '3 findings' }).click();
      await page.waitForURL(/\/queue\?status=all&ip=198\.18\.0\.9$/);
    },
  },
  {
    name: 'finding: one that is not there, and an address that leads nowhere',
    async walk(page) {
      await page.goto('/findings/999999');
      await page.getByText('There is no such finding.').waitFor();
      await page.goto('/findings/abc');
      await page.getByText('There is nothing here.').waitFor();
    },
  },
];
